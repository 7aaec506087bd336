/* archive.h - compressed files of other people's making: what compress.h reads, and bzip2, xz,
 * lzma, lz4 and the like through libarchive, which is opened when one of those comes along. */
#pragma once

#include "format/stream.h"

#include <stdint.h>

/* A ByteSource of what the file at FD (borrowed, from its present position, seekable) holds once it
 * is decompressed, however often it was. More than LIMIT bytes is INVALID. */
typedef struct ArchiveSource ArchiveSource;
ArchiveSource *archive_source_new(int fd, uint64_t limit, GError **error);
ByteSource *archive_source(ArchiveSource *archive);
void archive_source_free(ArchiveSource *archive);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ArchiveSource, archive_source_free)
