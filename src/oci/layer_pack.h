/* layer_pack.h - a folder in overlayfs form, over the folders below it, as a layer's tar.
 *
 * The tar depends on the folder's content alone: entries in byte order, parents before children,
 * whiteouts before their siblings, hard links to the first path, no owner names. */
#pragma once

#include "format/stream.h"

#include <stdint.h>

typedef struct {
    ByteSink *sink;
    const char *folder;
    const char *const *lowers; /* topmost first, NULL-terminated; NULL: FOLDER is a whole tree */
    int64_t clamp_time;        /* seconds: later mtimes become this; -1: keep */
    bool clamp_source;         /* give FOLDER's own files the clamped times, too */
} LayerPack;

/* Sockets, and folders that were only copied up for a child's sake (but for the parents of what
 * has changed), are left out. */
bool layer_pack(const LayerPack *pack, GError **error);
