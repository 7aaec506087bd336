/* import.h - images into the store: OCI layouts (folder or tar), what docker save writes, and a
 * root as a plain tar. Every blob is verified against its digest on the way in. */
#pragma once

#include "oci/image.h"

typedef struct {
    char *name; /* as tagged; NULL: it carried no name */
    char *digest;
} ImportedImage;

/* All images of PATH, tagged with the names they carry, or the only one with NAME when that is
 * given. ImportedImage *. INVALID for what is none of these forms. */
GPtrArray *image_import(ContentStore *store, const char *path, const char *name, GError **error);

/* PATH (plain, gzip or zstd tar) as the one layer of a new image. */
ImportedImage *image_import_root(ContentStore *store, const char *path, const char *name,
                                 GError **error);

void imported_image_free(ImportedImage *image);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ImportedImage, imported_image_free)
