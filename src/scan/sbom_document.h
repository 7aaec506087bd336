/* sbom_document.h - an inventory as the JSON of each standard. */
#pragma once

#include "scan/inventory.h"

#include <jansson.h>

json_t *spdx_document(const Inventory *inventory, const char *created);
json_t *cyclonedx_document(const Inventory *inventory, const char *created, const char *version);

/* A UUID made of the content (version 5). */
char *sbom_uuid(const Inventory *inventory);
/* What stands for the version of the whole: an image's digest; NULL: none. */
char *sbom_target_version(const Inventory *inventory);
