/* target.h - what a scan is pointed at: "dir:PATH", or the name or digest of a local image. */
#pragma once

#include "scan/inventory.h"

typedef struct {
    char *text;   /* as it was given */
    char *folder; /* of "dir:"; NULL for an image */
} ScanTarget;

/* INVALID for a kind of target that does not exist. */
bool scan_target_parse(const char *text, ScanTarget *target, GError **error);
void scan_target_clear(ScanTarget *target);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(ScanTarget, scan_target_clear)

/* The inventory of TARGET; an image is looked up in the store of the state folder. */
Inventory *scan_target_inventory(const ScanTarget *target, GError **error);
