#include "build/file_index.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/file.h"
#include "crypto/hash.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

/* On disk: MAGIC, then records of Record, the path's length (uint32_t) and its bytes. */
#define MAGIC "slipway file index 1\n"
#define INDEX_LIMIT ((size_t) 1024 * 1024 * 1024)
#define RACY_NS INT64_C(100000000)

typedef struct {
    uint64_t device, inode, size;
    int64_t modified_ns, changed_ns;
    uint8_t hash[HASH_SHA256_LENGTH];
} Record;

struct FileIndex {
    char *path;
    GHashTable *records; /* file name to Record * */
    bool dirty;
};

static int64_t nanoseconds(struct timespec t)
{
    return (int64_t) t.tv_sec * 1000000000 + t.tv_nsec;
}

static void read_records(FileIndex *index, const char *bytes, size_t length)
{
    size_t at = strlen(MAGIC);
    if (length < at || memcmp(bytes, MAGIC, at) != 0)
        return;
    while (length - at >= sizeof(Record) + sizeof(uint32_t)) {
        Record *record = g_new(Record, 1);
        uint32_t size;
        memcpy(record, bytes + at, sizeof *record);
        memcpy(&size, bytes + at + sizeof *record, sizeof size);
        at += sizeof *record + sizeof size;
        if (size > length - at) {
            g_free(record);
            return;
        }
        g_hash_table_insert(index->records, g_strndup(bytes + at, size), record);
        at += size;
    }
}

FileIndex *file_index_open(const char *path)
{
    FileIndex *index = g_new0(FileIndex, 1);
    index->path = g_strdup(path);
    index->records = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    size_t length;
    g_autofree char *bytes = file_read(AT_FDCWD, path, INDEX_LIMIT, &length, NULL);
    if (bytes != NULL)
        read_records(index, bytes, length);
    return index;
}

static char *format_digest(const uint8_t *hash)
{
    g_autofree char *hex = hash_format_hex(hash, HASH_SHA256_LENGTH);
    return g_strconcat("sha256:", hex, NULL);
}

static bool hash_file(const char *file, uint8_t *out, GError **error)
{
    autofd int fd = open(file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return error_set_errno(error, errno, "open", file);
    g_autofree char *buffer = g_malloc(256 * 1024);
    g_autoptr(Hash) hash = hash_new(HASH_SHA256);
    for (;;) {
        ssize_t n = read(fd, buffer, 256 * 1024);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return error_set_errno(error, errno, "read", file);
        if (n == 0)
            break;
        hash_update(hash, buffer, (size_t) n);
    }
    hash_finish(hash, out);
    return true;
}

char *file_index_digest(FileIndex *index, const char *file, const struct stat *st, GError **error)
{
    Record now = {
        .device = st->st_dev,
        .inode = st->st_ino,
        .size = (uint64_t) st->st_size,
        .modified_ns = nanoseconds(st->st_mtim),
        .changed_ns = nanoseconds(st->st_ctim),
    };
    const Record *known = g_hash_table_lookup(index->records, file);
    if (known != NULL && memcmp(known, &now, offsetof(Record, hash)) == 0)
        return format_digest(known->hash);
    int64_t started = clock_now_ns();
    if (!hash_file(file, now.hash, error))
        return NULL;
    if (started - MAX(now.modified_ns, now.changed_ns) > RACY_NS) {
        g_hash_table_insert(index->records, g_strdup(file), g_memdup2(&now, sizeof now));
        index->dirty = true;
    }
    return format_digest(now.hash);
}

bool file_index_save(FileIndex *index, GError **error)
{
    if (!index->dirty)
        return true;
    g_autoptr(GString) out = g_string_new(MAGIC);
    GHashTableIter each;
    gpointer name, record;
    g_hash_table_iter_init(&each, index->records);
    while (g_hash_table_iter_next(&each, &name, &record)) {
        uint32_t size = (uint32_t) strlen(name);
        g_string_append_len(out, record, sizeof(Record));
        g_string_append_len(out, (const char *) &size, sizeof size);
        g_string_append_len(out, name, size);
    }
    index->dirty = false;
    return file_write_atomic(AT_FDCWD, index->path, out->str, (gssize) out->len, 0600, error);
}

void file_index_free(FileIndex *index)
{
    if (index == NULL)
        return;
    g_free(index->path);
    g_hash_table_unref(index->records);
    g_free(index);
}
