/* referrer.h - manifests that refer to an image: written, listed, read; and the tags of cosign 2.
 *
 * All is in the store's tables, so the embedded registry serves it like any other manifest. */
#pragma once

#include "oci/image.h"

#define REFERRER_BLOB_LIMIT ((size_t) 256 * 1024 * 1024) /* an SBOM can be tens of MB */

typedef struct {
    const char *artifact_type; /* also the layer's media type */
    const void *blob;
    size_t length;
    json_t *annotations; /* borrowed */
} ReferrerSpec;

/* Writes BLOB as the one layer of a manifest whose subject is image DIGEST and makes it visible in
 * REPOSITORY. Gives the manifest's digest. */
char *referrer_write(ContentStore *store, const char *repository, const char *digest,
                     const ReferrerSpec *spec, GError **error);

/* One layer of a referring manifest, or of a cosign tag. */
typedef struct {
    char *manifest;      /* digest of the manifest it is in */
    char *artifact_type; /* of that manifest; NULL for a cosign tag */
    char *media_type, *digest;
    json_t *annotations; /* the layer's; may be NULL */
} ReferredLayer;

/* The layers of all manifests whose subject is DIGEST in REPOSITORY, newest first: an array of
 * ReferredLayer *. Manifests that cannot be read are left out: anyone may push one. */
GPtrArray *referrer_layers(ContentStore *store, const char *repository, const char *digest,
                           GError **error);

/* The layers of the tag "sha256-HEX.SUFFIX" ("sig", "att"); empty when there is no such tag. */
GPtrArray *cosign_tag_layers(ContentStore *store, const char *repository, const char *digest,
                             const char *suffix, GError **error);

/* Adds BLOB as a layer to that tag's manifest, keeping those that are there. */
bool cosign_tag_append(ContentStore *store, const char *repository, const char *digest,
                       const char *suffix, const ReferrerSpec *layer, GError **error);
