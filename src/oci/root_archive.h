/* root_archive.h - tars that are unpacked as files, not as layers: what ADD is given.
 *
 * Plain or in gzip, zstd, bzip2, xz, …; known by content. Entries stay inside as with layers. */
#pragma once

#include <glib.h>
#include <stdbool.h>

/* The file at FD (borrowed, from its beginning) is a tar, compressed or not. */
bool root_archive_is_one(int fd);

/* Unpacks the file at FD (borrowed, from its beginning) into the folder open at ROOT_FD. */
bool root_archive_unpack(int fd, int root_fd, GError **error);
