/* pushed_manifest.h - what the registry needs to know of a manifest's bytes as they came. Nothing
 * is re-serialised. */
#pragma once

#include <glib.h>
#include <jansson.h>
#include <stdbool.h>

#define MANIFEST_LIMIT (4 * 1024 * 1024)

#define DOCKER_MANIFEST "application/vnd.docker.distribution.manifest.v2+json"
#define DOCKER_MANIFEST_LIST "application/vnd.docker.distribution.manifest.list.v2+json"
#define DOCKER_CONFIG "application/vnd.docker.container.image.v1+json"

typedef struct {
    char *media_type;
    char *artifact_type; /* as referrers are listed: its own, else the config's type; or NULL */
    char *subject;       /* digest; or NULL */
    json_t *annotations; /* or NULL */
    bool is_index;
    bool has_config;      /* then it is the first of the blobs */
    GPtrArray *blobs;     /* char *: digests that must be in the repository: config and layers */
    GPtrArray *manifests; /* char *: digests of the children of an index */
    GPtrArray *foreign;   /* char *: digests of layers that live elsewhere and are not required */
} PushedManifest;

/* Reads LENGTH BYTES that came as CONTENT_TYPE (parameters are ignored; NULL: not said). INVALID
 * where it is no JSON object, its own mediaType is another, it could be read as two things
 * (CVE-2021-41190), it is of schema 1, or a descriptor is malformed. */
PushedManifest *pushed_manifest_parse(const char *bytes, size_t length, const char *content_type,
                                      GError **error);
void pushed_manifest_free(PushedManifest *manifest);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PushedManifest, pushed_manifest_free)
