/* tar.h - tar archives: a writer whose output depends on its input alone, and a strict streaming
 * reader.
 *
 * Written: ustar, with a PAX header only where ustar cannot say it (long names, large numbers,
 * parts of a second, xattrs as SCHILY.xattr.KEY). Read: ustar, PAX, GNU long names, base-256
 * numbers, old tars. Neither looks at the file system, and the reader gives paths as they are
 * written: who unpacks them guards against "..". */
#pragma once

#include "format/stream.h"

#include <stdint.h>

typedef enum {
    TAR_FILE,
    TAR_HARDLINK,
    TAR_SYMLINK,
    TAR_CHARACTER,
    TAR_BLOCK,
    TAR_FOLDER,
    TAR_FIFO,
} TarKind;

typedef struct {
    char *name;
    char *value;
    size_t length;
} TarXattr;

typedef struct {
    TarKind kind;
    char *path;  /* a folder's without its trailing slash */
    char *link;  /* target of both kinds of link, else NULL */
    mode_t mode; /* permission bits, 07777 */
    uint32_t uid, gid;
    int64_t size;  /* of a file's content, else 0 */
    int64_t mtime; /* seconds since 1970 */
    long mtime_ns;
    unsigned device_major, device_minor;
    GPtrArray *xattrs; /* TarXattr *; NULL: none */
} TarEntry;

TarXattr *tar_xattr_new(const char *name, const void *value, size_t length);
void tar_xattr_free(TarXattr *xattr);
/* Frees what ENTRY holds and zeroes it. */
void tar_entry_clear(TarEntry *entry);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(TarEntry, tar_entry_clear)

/* Writes into OUT (borrowed). After tar_writer_entry of a file exactly its size in bytes follows
 * through tar_writer_data; tar_writer_finish ends the archive. */
typedef struct TarWriter TarWriter;
TarWriter *tar_writer_new(ByteSink *out);
bool tar_writer_entry(TarWriter *writer, const TarEntry *entry, GError **error);
bool tar_writer_data(TarWriter *writer, const void *bytes, size_t length, GError **error);
bool tar_writer_finish(TarWriter *writer, GError **error);
void tar_writer_free(TarWriter *writer);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(TarWriter, tar_writer_free)

/* Reads from SOURCE (borrowed). */
typedef struct TarReader TarReader;
TarReader *tar_reader_new(ByteSource *source);
/* The next entry, borrowed until the call after; what was not read of the last one's content is
 * passed over. NULL without error: the end, after which SOURCE has been read out. INVALID for
 * what is no tar or is cut off. */
const TarEntry *tar_reader_next(TarReader *reader, GError **error);
/* Content of the present entry: number of bytes, 0 at its end, -1 with an error. */
ssize_t tar_reader_read(TarReader *reader, void *buffer, size_t size, GError **error);
void tar_reader_free(TarReader *reader);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(TarReader, tar_reader_free)
