/* layer_unpack.h - a layer's tar into a folder in overlayfs form.
 *
 * Nothing in the tar reaches outside of the folder: no "..", no path through a link, no hard link
 * to elsewhere. As root owners and devices are kept; else all belongs to the caller. */
#pragma once

#include "format/stream.h"

#include <stdint.h>

typedef struct {
    ByteSource *source;        /* the tar; read to its end */
    int root_fd;               /* an empty folder */
    const char *const *lowers; /* folders below, topmost first: a folder the tar uses but does not
                                * describe has the attributes it has there; may be NULL */
    bool whole; /* a whole root: no whiteouts are expected, names with .wh. are files */
} LayerUnpack;

/* INVALID names the entry that is refused. */
bool layer_unpack(const LayerUnpack *unpack, GError **error);
