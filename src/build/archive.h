/* archive.h - local archives that ADD unpacks: tar, plain or compressed, known by content. */
#pragma once

#include <glib.h>
#include <stdbool.h>

/* Whether FILE is a tar archive, plain or in gzip, bzip2, xz or zstd. */
bool archive_is_one(const char *file);

/* Unpacks FILE into FOLDER, which is made; nothing is written outside of it. */
bool archive_unpack(const char *file, const char *folder, GError **error);
