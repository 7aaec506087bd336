/* file_index.h - digests of files by what stat says of them, so that an unchanged context is not
 * read again.
 *
 * An entry holds while device, inode, size, mtime and ctime are the same; a file changed within the
 * clock's last ticks is never kept. The file may be deleted at any time. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <sys/stat.h>

typedef struct FileIndex FileIndex;

/* Reads the index kept at PATH; a missing or broken one is empty. */
FileIndex *file_index_open(const char *path);

/* "sha256:hex" of regular file FILE, whose stat is ST. */
char *file_index_digest(FileIndex *index, const char *file, const struct stat *st, GError **error);

/* Writes it back when something was added. */
bool file_index_save(FileIndex *index, GError **error);

void file_index_free(FileIndex *index);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FileIndex, file_index_free)
