/* target.h - what a scan is pointed at: "dir:PATH", "oci:DIR", "docker-archive:FILE", or the name
 * or digest of an image in the local store. */
#pragma once

#include "scan/inventory.h"
#include "scan/secret_scan.h"

typedef struct {
    char *text;   /* as it was given */
    char *folder; /* of "dir:"; NULL for an image */
    State *state; /* the rest: of an image */
    ContentStore *store;
    char *digest;
    char *borrowed_name; /* under which a layout or an archive stands in the store meanwhile */
} ScanTarget;

/* Finds TEXT; a layout or an archive is read into the store. NOT_FOUND where there is no such
 * folder, file or image. */
bool scan_target_open(const char *text, ScanTarget *target, GError **error);
void scan_target_clear(ScanTarget *target);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(ScanTarget, scan_target_clear)

Inventory *scan_target_inventory(const ScanTarget *target, GError **error);
GPtrArray *scan_target_secrets(const ScanTarget *target, SecretScanSummary *summary,
                               GError **error);
