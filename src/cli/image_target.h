/* image_target.h - the image a person names: which repository, which digest. */
#pragma once

#include "oci/image.h"

typedef struct {
    char *repository; /* "registry.local/orders" */
    char *digest;
} ImageTarget;

/* "NAME[:TAG]", "NAME@DIGEST", or a digest (or its first 12 digits) that one repository holds.
 * NOT_FOUND and INVALID say what to type instead. */
ImageTarget *image_target_find(ContentStore *store, const char *text, GError **error);
void image_target_free(ImageTarget *target);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ImageTarget, image_target_free)
