/* prune.h - removing what no name, lease or pin needs any more, safely while others push and build.
 *
 * Kept: tagged manifests and all they need, what refers to a kept manifest by its subject
 * (signatures, SBOMs), index children, pins with all they need, live leases, whatever was put or
 * asked for within the last hour, and unpacked layers used within the last day. Each blob is looked
 * at once more, with all puts held off, in the moment it goes. */
#pragma once

#include "oci/content.h"

typedef struct {
    bool dry_run;
    int64_t untagged_age; /* seconds that a manifest without a name is kept; 0: not at all */
    void (*each)(const char *what, const char *digest, int64_t size, void *data); /* may be NULL */
    void *data;
} PruneOptions;

typedef struct {
    uint64_t blobs, bytes, manifests, layers;
} PruneResult;

bool content_prune(ContentStore *store, const PruneOptions *options, PruneResult *result,
                   GError **error);
