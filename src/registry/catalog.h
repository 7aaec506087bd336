/* catalog.h - what the registry serves: the rows of registry.local's repositories, and the blobs
 * behind them. All SQL of this room is here. No HTTP.
 *
 * Repositories are called as in the API ("orders"); their rows are "registry.local/orders". A
 * digest is visible in a repository only through a row of that repository. A catalog belongs to
 * one thread. Functions that look for something answer false, without error, where it is not. */
#pragma once

#include "oci/content.h"
#include "registry/pushed_manifest.h"

typedef struct {
    State *state;
    ContentStore *store;
} Catalog;

Catalog *catalog_open(const char *home, GError **error);
void catalog_free(Catalog *catalog);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Catalog, catalog_free)

bool catalog_has_repository(Catalog *catalog, const char *repository, GError **error);

/* At most LIMIT names behind LAST (NULL: from the first) in byte order; *MORE when there are
 * others behind them. NULL on error. */
GPtrArray *catalog_repositories(Catalog *catalog, const char *last, int64_t limit, bool *more,
                                GError **error);
GPtrArray *catalog_tags(Catalog *catalog, const char *repository, const char *last, int64_t limit,
                        bool *more, GError **error);

/* --- blobs --- */

bool catalog_find_blob(Catalog *catalog, const char *repository, const char *digest, int64_t *size,
                       GError **error);
/* catalog_find_blob for one who may push and will not send it again: it stays for
 * CONTENT_GRACE_SECONDS from about now, needed by a manifest or not. */
bool catalog_keep_blob(Catalog *catalog, const char *repository, const char *digest, int64_t *size,
                       GError **error);
/* Makes DIGEST, which is in the content store, visible in REPOSITORY (which is made). */
bool catalog_link_blob(Catalog *catalog, const char *repository, const char *digest,
                       GError **error);
/* The repositories that hold DIGEST, in byte order; NULL on error. */
GPtrArray *catalog_blob_holders(Catalog *catalog, const char *digest, GError **error);

typedef enum {
    CATALOG_REMOVED,
    CATALOG_ABSENT,
    CATALOG_IN_USE, /* a manifest of the repository needs it */
    CATALOG_FAILED, /* the error is set */
} CatalogRemoval;

CatalogRemoval catalog_unlink_blob(Catalog *catalog, const char *repository, const char *digest,
                                   GError **error);

/* --- manifests --- */

typedef struct {
    char *digest, *media_type;
    int64_t size;
} CatalogManifest;

/* The manifest a tag or digest REFERENCE means. */
bool catalog_find_manifest(Catalog *catalog, const char *repository, const char *reference,
                           CatalogManifest *found, GError **error);
void catalog_manifest_clear(CatalogManifest *found);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(CatalogManifest, catalog_manifest_clear)

/* Records MANIFEST, whose bytes are blob DIGEST of SIZE, with TAGS (char *), all or nothing. Where
 * something it needs is not in REPOSITORY, NOT_FOUND is set and *MISSING is its digest. */
bool catalog_put_manifest(Catalog *catalog, const char *repository, const char *digest,
                          int64_t size, const PushedManifest *manifest, const GPtrArray *tags,
                          char **missing, GError **error);

CatalogRemoval catalog_remove_tag(Catalog *catalog, const char *repository, const char *tag,
                                  GError **error);
/* Takes its tags along; its blobs stay visible. */
CatalogRemoval catalog_remove_manifest(Catalog *catalog, const char *repository, const char *digest,
                                       GError **error);

/* Descriptors (a JSON list) of the manifests whose subject is DIGEST, in the order of their digests
 * behind LAST; of ARTIFACT_TYPE only where that is not NULL. Ends when they are LIMIT, or about 3
 * MiB; then *MORE. NULL on error. */
json_t *catalog_referrers(Catalog *catalog, const char *repository, const char *digest,
                          const char *artifact_type, const char *last, int64_t limit, bool *more,
                          GError **error);
