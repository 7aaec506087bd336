/* inventory_walk.h - the inventory of stacked folders, shared by folders and images. */
#pragma once

#include "scan/inventory.h"

/* FOLDERS topmost first, NULL-terminated, as tree_walk takes them. */
Inventory *inventory_walk(const char *target, const char *const *folders, bool is_root,
                          GError **error);
