#include "format/archive.h"

#include "base/error.h"
#include "base/library.h"
#include "format/compress.h"

#include <archive.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#define BLOCK_SIZE ((size_t) 256 * 1024)
#define MAGIC_SIZE 6

/* The only file that calls libarchive; it brings 15 more libraries, so it is opened on need. */
static struct {
    __typeof__(archive_read_new) *read_new;
    __typeof__(archive_read_free) *read_free;
    __typeof__(archive_read_support_filter_all) *support_filter_all;
    __typeof__(archive_read_support_format_raw) *support_format_raw;
    __typeof__(archive_read_support_format_empty) *support_format_empty;
    __typeof__(archive_read_open_fd) *open_fd;
    __typeof__(archive_read_next_header) *next_header;
    __typeof__(archive_read_data) *data;
    __typeof__(archive_error_string) *error_string;
} library;

struct ArchiveSource {
    ByteSource source;
    FdSource file;
    Decompressor *ours; /* where our own reader can */
    struct archive *foreign;
    bool ended;
    uint64_t left, limit;
};

static bool open_libarchive(GError **error)
{
    static const LibrarySymbol symbols[] = {
        {"archive_read_new", (void **) &library.read_new},
        {"archive_read_free", (void **) &library.read_free},
        {"archive_read_support_filter_all", (void **) &library.support_filter_all},
        {"archive_read_support_format_raw", (void **) &library.support_format_raw},
        {"archive_read_support_format_empty", (void **) &library.support_format_empty},
        {"archive_read_open_fd", (void **) &library.open_fd},
        {"archive_read_next_header", (void **) &library.next_header},
        {"archive_read_data", (void **) &library.data},
        {"archive_error_string", (void **) &library.error_string},
        {NULL, NULL},
    };
    static Library libarchive = {"this compression", "libarchive.so.13", "libarchive13", symbols,
                                 false};
    return library_open(&libarchive, error);
}

static bool fail(const ArchiveSource *archive, GError **error)
{
    const char *words = library.error_string(archive->foreign);
    g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID, "compressed file: %s",
                words != NULL ? words : "malformed");
    return false;
}

static ssize_t foreign_read(ByteSource *source, void *buffer, size_t size, GError **error)
{
    ArchiveSource *archive = (ArchiveSource *) source;
    if (archive->ended)
        return 0;
    ssize_t n = library.data(archive->foreign, buffer, size);
    if (n < 0) {
        fail(archive, error);
        return -1;
    }
    if ((uint64_t) n > archive->left) {
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID,
                    "expands to more than %" G_GUINT64_FORMAT " bytes", archive->limit);
        return -1;
    }
    archive->left -= (uint64_t) n;
    return n;
}

static bool open_foreign(ArchiveSource *archive, int fd, GError **error)
{
    if (!open_libarchive(error))
        return false;
    archive->source.read = foreign_read;
    archive->foreign = library.read_new();
    g_assert(archive->foreign != NULL);
    library.support_filter_all(archive->foreign);
    library.support_format_raw(archive->foreign);
    library.support_format_empty(archive->foreign);
    struct archive_entry *entry;
    if (library.open_fd(archive->foreign, fd, BLOCK_SIZE) != ARCHIVE_OK)
        return fail(archive, error);
    int status = library.next_header(archive->foreign, &entry);
    archive->ended = status == ARCHIVE_EOF;
    return status == ARCHIVE_OK || status == ARCHIVE_WARN || archive->ended || fail(archive, error);
}

/* Compressions that only libarchive reads here. */
static bool is_foreign(const uint8_t *magic, ssize_t length)
{
    static const struct {
        const char *bytes;
        ssize_t length;
    } magics[] = {{"BZh", 3},
                  {"\xfd"
                   "7zXZ",
                   5},
                  {"\x5d\0\0", 3},
                  {"\x04\x22\x4d\x18", 4},
                  {"LZIP", 4},
                  {"\x1f\x9d", 2},
                  {"\x89LZO", 4}};
    for (size_t i = 0; i < G_N_ELEMENTS(magics); i++)
        if (length >= magics[i].length &&
            memcmp(magic, magics[i].bytes, (size_t) magics[i].length) == 0)
            return true;
    return false;
}

ArchiveSource *archive_source_new(int fd, uint64_t limit, GError **error)
{
    g_autoptr(ArchiveSource) archive = g_new0(ArchiveSource, 1);
    archive->limit = archive->left = limit;
    uint8_t magic[MAGIC_SIZE];
    off_t start = lseek(fd, 0, SEEK_CUR);
    ssize_t length = start >= 0 ? pread(fd, magic, sizeof magic, start) : -1;
    if (length < 0) {
        error_set_errno(error, errno, "read", "archive");
        return NULL;
    }
    if (is_foreign(magic, length))
        return open_foreign(archive, fd, error) ? g_steal_pointer(&archive) : NULL;
    archive->file = fd_source(fd);
    archive->ours = decompressor_new(&archive->file.source, limit, error);
    return archive->ours != NULL ? g_steal_pointer(&archive) : NULL;
}

ByteSource *archive_source(ArchiveSource *archive)
{
    return archive->ours != NULL ? decompressor_source(archive->ours) : &archive->source;
}

void archive_source_free(ArchiveSource *archive)
{
    if (archive == NULL)
        return;
    decompressor_free(archive->ours);
    if (archive->foreign != NULL)
        library.read_free(archive->foreign);
    g_free(archive);
}
