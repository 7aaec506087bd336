/* overlay.h - what overlayfs keeps in the folders beneath it: whiteouts and opaque folders.
 *
 * Root writes trusted.overlay.*, others user.overlay.* (mounts with userxattr). */
#pragma once

#include "format/tar.h"

#include <stdbool.h>
#include <sys/stat.h>

#define OVERLAY_WHITEOUT_PREFIX ".wh."
#define OVERLAY_OPAQUE_NAME ".wh..wh..opq"

/* The xattr that makes a folder opaque, for this user. */
const char *overlay_opaque_xattr(void);

bool overlay_is_whiteout(const struct stat *st);
/* The folder open at FD hides what lies below it. */
bool overlay_is_opaque(int fd);

/* The xattrs of the file open at FD that belong into a layer: user.* and security.capability, never
 * overlayfs's own. TarXattr *; NULL where there are none. */
GPtrArray *overlay_read_xattrs(int fd, GError **error);
/* NAME may be taken from a layer: it is no way to plant a whiteout or an opaque folder. */
bool overlay_is_layer_xattr(const char *name);
