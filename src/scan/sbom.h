/* sbom.h - an inventory as a document. Same inventory and SOURCE_DATE_EPOCH, same bytes. */
#pragma once

#include "scan/inventory.h"

typedef enum { SBOM_SPDX_JSON, SBOM_CYCLONEDX_JSON, SBOM_CYCLONEDX_1_5_JSON, SBOM_PURL } SbomFormat;

/* "spdx-json" (SPDX 2.3), "cyclonedx-json" (1.6), "cyclonedx-1.5-json", "purl". */
bool sbom_format_parse(const char *text, SbomFormat *format, GError **error);

/* The document's text. TIME, in seconds, is its date of creation; -1: $SOURCE_DATE_EPOCH, else now.
 */
char *sbom_write(const Inventory *inventory, SbomFormat format, int64_t time);
