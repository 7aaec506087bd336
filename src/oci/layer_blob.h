/* layer_blob.h - a layer's tar on its way into the store: hashed, compressed, hashed again, in one
 * pass. */
#pragma once

#include "format/stream.h"
#include "format/tar.h"
#include "oci/layer.h"

typedef struct LayerBlob LayerBlob;
LayerBlob *layer_blob_new(ContentStore *store, GError **error);
/* Takes the tar. */
ByteSink *layer_blob_sink(LayerBlob *blob);
/* The stored layer. EXPECTED_DIFF_ID (NULL: whatever it is) must be what the tar was. */
ImageLayer *layer_blob_finish(LayerBlob *blob, const char *expected_diff_id, GError **error);
void layer_blob_free(LayerBlob *blob);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(LayerBlob, layer_blob_free)

/* The bytes of TAR as they are, as a layer. */
ImageLayer *layer_from_stream(ContentStore *store, ByteSource *tar, const char *expected_diff_id,
                              GError **error);

/* A whole root's TAR written anew: clean paths, no entry for the root itself, times clamped, and
 * only the entries KEEP (may be NULL) wants. */
ImageLayer *layer_from_tar(ContentStore *store, ByteSource *tar, const LayerOptions *options,
                           bool (*keep)(const TarEntry *entry, void *data), void *data,
                           GError **error);
