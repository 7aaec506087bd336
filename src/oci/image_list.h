/* image_list.h - which names the store has, and what can be said of an image without unpacking it.
 */
#pragma once

#include "oci/image.h"

typedef struct {
    char *name; /* "domain/path:tag" */
    char *digest;
    int64_t tagged_at;
} ImageName;

/* All names, in byte order; ImageName *. */
GPtrArray *image_list(ContentStore *store, GError **error);
void image_name_free(ImageName *name);

/* The names of DIGEST. */
char **image_names_of(ContentStore *store, const char *digest, GError **error);

/* Bytes of manifest, config and layers as stored. */
int64_t image_stored_size(const ContentStore *store, const Image *image);
/* "created" of the config; NULL: not said. Borrowed. */
const char *image_created(const Image *image);
/* History text of layer INDEX; NULL: not said. Borrowed. */
const char *image_layer_origin(const Image *image, guint index);
