/* layer.h - layers as folders and folders as layers.
 *
 * An unpacked layer is a folder in overlayfs form (whiteouts are 0:0 devices, opaque folders carry
 * the xattr), made once and shared read-only as an overlay lower by every root that needs it. */
#pragma once

#include "oci/image.h"

/* The folders of IMAGE's layers, topmost first (SandboxRoot.layers), unpacking what is not there
 * yet; NULL-terminated. Of equal layers only the topmost is there. Safe when several processes ask
 * at once. */
char **layer_folders(ContentStore *store, const Image *image, GError **error);

typedef struct {
    int64_t clamp_time; /* seconds: later mtimes become this; -1: keep */
} LayerOptions;

/* Packs overlay upper folder UPPER (over LOWERS, topmost first, which decide what has really
 * changed) as a deterministic tar blob, and keeps UPPER's content as that layer's unpacked folder
 * when MOVE is set. The result is OCI_LAYER_GZIP: compressed once, deterministically, when it is
 * made, so that an image has one digest from its build to production; the tar itself is not kept.
 */
ImageLayer *layer_from_upper(ContentStore *store, const char *upper, const char *const *lowers,
                             const LayerOptions *options, bool move, GError **error);

/* A layer from a whole tree (FROM scratch, base images). */
ImageLayer *layer_from_tree(ContentStore *store, const char *folder, const LayerOptions *options,
                            GError **error);

void image_layer_free(ImageLayer *layer);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ImageLayer, image_layer_free)
