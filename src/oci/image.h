/* image.h - image configs and manifests as data, and names (tags) in the local store.
 *
 * A local name is "repository:tag" in canonical form ("registry.local/orders:v1.2.3",
 * "docker.io/library/debian:bookworm-slim"), a row that points at a manifest digest. The same rows
 * are what the embedded registry serves for registry.local. */
#pragma once

#include "oci/content.h"

#include <jansson.h>

#define OCI_MANIFEST "application/vnd.oci.image.manifest.v1+json"
#define OCI_INDEX "application/vnd.oci.image.index.v1+json"
#define OCI_CONFIG "application/vnd.oci.image.config.v1+json"
#define OCI_LAYER_TAR "application/vnd.oci.image.layer.v1.tar"
#define OCI_LAYER_GZIP "application/vnd.oci.image.layer.v1.tar+gzip"
#define OCI_LAYER_ZSTD "application/vnd.oci.image.layer.v1.tar+zstd"
#define OCI_EMPTY "application/vnd.oci.empty.v1+json"

typedef struct {
    char *media_type, *digest; /* of the blob as stored */
    int64_t size;
    char *diff_id; /* of the uncompressed tar */
} ImageLayer;

typedef struct {
    char *manifest_digest, *config_digest; /* NULL while it is being made */
    json_t *config;                        /* the whole config document */
    GPtrArray *layers;                     /* ImageLayer *, lowest first */
    json_t *annotations;                   /* of the manifest; may be NULL */
} Image;

Image *image_new(void);                /* empty: scratch for this platform */
Image *image_copy(const Image *image); /* deep, to build upon */
void image_free(Image *image);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Image, image_free)
/* Adds a layer (copied). History is the caller's, in config["history"]. */
void image_add_layer(Image *image, const ImageLayer *layer);

/* Reads manifest DIGEST (an index: the entry for this machine's platform). */
Image *image_load(ContentStore *store, const char *digest, GError **error);

/* Writes config (rootfs.diff_ids from the layers) and manifest, canonical and reproducible; fills
 * the digests. */
bool image_store(ContentStore *store, Image *image, GError **error);

/* The manifest digest REFERENCE ("name", "name:tag", "name@digest", a bare digest or a unique
 * prefix of ≥ 12 hex digits) means locally, through Docker's name rules. NOT_FOUND names the mend.
 */
char *image_resolve(ContentStore *store, const char *reference, GError **error);

/* Makes NAME ("registry.local/orders:v1") mean DIGEST (a stored manifest or index). */
bool image_tag(ContentStore *store, const char *name, const char *digest, GError **error);
/* Takes NAME away; its manifest stays until it is pruned. NOT_FOUND when there is no such name. */
bool image_untag(ContentStore *store, const char *name, GError **error);

/* Makes DIGEST (a stored manifest or index) and all it needs visible in REPOSITORY ("domain/path"),
 * in one transaction. NOT_FOUND names what is missing; an index may lack entries. */
bool image_link(ContentStore *store, const char *repository, const char *digest, GError **error);

/* Holds DIGEST (a stored manifest or blob) and all it needs for HOLDER ("release:…", "cache:…")
 * until it is let go. Both are fine with what is so already. */
bool image_pin(ContentStore *store, const char *holder, const char *digest, GError **error);
bool image_unpin(ContentStore *store, const char *holder, GError **error);

/* Calls EACH for DIGEST and every blob it needs that is stored, children first; false stops. What
 * is missing and required is NOT_FOUND. DIGEST may be a plain blob, which needs nothing. */
bool image_closure(ContentStore *store, const char *digest,
                   bool (*each)(const char *digest, int64_t size, void *data), void *data,
                   GError **error);
