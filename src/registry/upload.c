#include "registry/upload.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define SHA512_SUFFIX ".sha512" /* of an id whose content will be named by its sha512 */
#define REMEMBERED_LIMIT 4096   /* running hashes in memory; others are made again from the file */

/* What is remembered of a session between requests. */
typedef struct {
    Hash *hash; /* of the first SIZE bytes; NULL: unknown */
    int64_t size;
    bool taken;
} Memory;

struct UploadTable {
    GMutex lock;
    GHashTable *memories; /* path -> Memory */
};

struct Upload {
    UploadTable *table;
    char *id, *path;
    HashAlgorithm algorithm;
    Hash *hash; /* of all that is in the file */
    int fd;
    int64_t size;
    bool gone; /* the file is no longer the session's */
};

static void memory_free(gpointer data)
{
    Memory *memory = data;
    hash_free(memory->hash);
    g_free(memory);
}

UploadTable *upload_table_new(void)
{
    UploadTable *table = g_new0(UploadTable, 1);
    g_mutex_init(&table->lock);
    table->memories = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, memory_free);
    return table;
}

void upload_table_free(UploadTable *table)
{
    if (table == NULL)
        return;
    g_hash_table_unref(table->memories);
    g_mutex_clear(&table->lock);
    g_free(table);
}

static bool is_id(const char *id)
{
    g_autofree char *uuid = g_strndup(id, 36);
    return g_uuid_string_is_valid(uuid) &&
           (strlen(id) == 36 || g_str_equal(id + 36, SHA512_SUFFIX));
}

static char *session_path(const ContentStore *store, const char *repository, const char *id)
{
    g_autofree char *both = g_strconcat(repository, "\n", id, NULL);
    g_autofree char *hex = hash_hex(HASH_SHA256, both, strlen(both));
    return g_strconcat(content_ingest_folder(store), "/upload-", hex, NULL);
}

static gboolean is_idle(gpointer key, gpointer value, gpointer data)
{
    return !((Memory *) value)->taken;
}

/* Marks PATH as taken and gives what is remembered of it; false while another request has it. */
static bool claim(UploadTable *table, const char *path, Hash **hash, int64_t *size)
{
    G_GNUC_UNUSED g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&table->lock);
    Memory *memory = g_hash_table_lookup(table->memories, path);
    if (memory != NULL && memory->taken)
        return false;
    if (memory == NULL) {
        if (g_hash_table_size(table->memories) >= REMEMBERED_LIMIT)
            g_hash_table_foreach_remove(table->memories, is_idle, NULL);
        memory = g_new0(Memory, 1);
        g_hash_table_insert(table->memories, g_strdup(path), memory);
    }
    memory->taken = true;
    *hash = g_steal_pointer(&memory->hash);
    *size = memory->size;
    return true;
}

/* Hashes the whole of the session's file. */
static bool hash_again(Upload *upload, GError **error)
{
    hash_free(upload->hash);
    upload->hash = hash_new(upload->algorithm);
    g_autofree char *buffer = g_malloc(256 * 1024);
    for (int64_t at = 0; at < upload->size;) {
        ssize_t n = pread(upload->fd, buffer, 256 * 1024, at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return error_set_errno(error, n < 0 ? errno : EIO, "read", upload->path);
        hash_update(upload->hash, buffer, (size_t) n);
        at += n;
    }
    return true;
}

static Upload *upload_new(UploadTable *table, ContentStore *store, const char *repository,
                          const char *id)
{
    Upload *upload = g_new0(Upload, 1);
    upload->table = table;
    upload->id = g_strdup(id);
    upload->path = session_path(store, repository, id);
    upload->algorithm = g_str_has_suffix(id, SHA512_SUFFIX) ? HASH_SHA512 : HASH_SHA256;
    upload->fd = -1;
    return upload;
}

/* Frees what never held the session. */
static void upload_discard(Upload *upload)
{
    g_free(upload->id);
    g_free(upload->path);
    g_free(upload);
}

Upload *upload_start(UploadTable *table, ContentStore *store, const char *repository,
                     HashAlgorithm algorithm, GError **error)
{
    g_autofree char *uuid = g_uuid_string_random();
    g_autofree char *id = g_strconcat(uuid, algorithm == HASH_SHA512 ? SHA512_SUFFIX : "", NULL);
    Upload *upload = upload_new(table, store, repository, id);
    int64_t ignored = 0;
    claim(table, upload->path, &upload->hash, &ignored);
    upload->hash = hash_new(algorithm);
    upload->fd = open(upload->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (upload->fd < 0) {
        error_set_errno(error, errno, "create", upload->path);
        upload->gone = true;
        upload_release(upload);
        return NULL;
    }
    return upload;
}

Upload *upload_take(UploadTable *table, ContentStore *store, const char *repository, const char *id,
                    GError **error)
{
    g_autoptr(Upload) upload = NULL;
    Upload *candidate = is_id(id) ? upload_new(table, store, repository, id) : NULL;
    if (candidate == NULL || access(candidate->path, F_OK) != 0) {
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_NOT_FOUND, "no upload '%s' here", id);
        g_clear_pointer(&candidate, upload_discard);
        return NULL;
    }
    int64_t hashed = 0;
    if (!claim(table, candidate->path, &candidate->hash, &hashed)) {
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_UNAVAILABLE,
                    "another request is writing to upload '%s'", id);
        upload_discard(candidate);
        return NULL;
    }
    upload = candidate;
    upload->fd = open(upload->path, O_RDWR | O_CLOEXEC);
    struct stat about;
    if (upload->fd < 0 || fstat(upload->fd, &about) < 0) {
        upload->gone = true;
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_NOT_FOUND, "no upload '%s' here", id);
        return NULL;
    }
    upload->size = about.st_size;
    if ((upload->hash == NULL || hashed != upload->size) && !hash_again(upload, error))
        return NULL;
    return g_steal_pointer(&upload);
}

const char *upload_id(const Upload *upload)
{
    return upload->id;
}

int64_t upload_size(const Upload *upload)
{
    return upload->size;
}

bool upload_append(Upload *upload, const void *bytes, size_t length, GError **error)
{
    const char *at = bytes;
    size_t left = length;
    while (left > 0) {
        ssize_t n = pwrite(upload->fd, at, left, upload->size + (at - (const char *) bytes));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            int problem = errno;
            if (ftruncate(upload->fd, upload->size) < 0)
                g_clear_pointer(&upload->hash, hash_free);
            return error_set_errno(error, problem, "write", upload->path);
        }
        at += n;
        left -= (size_t) n;
    }
    hash_update(upload->hash, bytes, length);
    upload->size += (int64_t) length;
    return true;
}

bool upload_truncate(Upload *upload, int64_t size, GError **error)
{
    g_assert(size <= upload->size);
    if (size == upload->size)
        return true;
    if (ftruncate(upload->fd, size) < 0)
        return error_set_errno(error, errno, "truncate", upload->path);
    upload->size = size;
    return hash_again(upload, error);
}

/* The digest of what arrived, by the algorithm of EXPECTED. Only where that was not foreseen is
 * the file read again. */
static char *digest_like(Upload *upload, const char *expected, GError **error)
{
    HashAlgorithm algorithm;
    if (!hash_parse_name(expected, strcspn(expected, ":"), &algorithm)) {
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID, "digest '%s': unknown algorithm",
                    expected);
        return NULL;
    }
    if (algorithm != upload->algorithm) {
        upload->algorithm = algorithm;
        if (!hash_again(upload, error))
            return NULL;
    }
    return hash_finish_digest(upload->hash);
}

bool upload_finish(Upload *upload, ContentStore *store, const char *digest, GError **error)
{
    g_autofree char *actual = digest_like(upload, digest, error);
    bool fits = actual != NULL && g_str_equal(actual, digest);
    if (actual != NULL && !fits)
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID,
                    "the %" G_GINT64_FORMAT " bytes that arrived are '%s', not '%s'", upload->size,
                    actual, digest);
    if (!fits) {
        upload_cancel(upload);
        return false;
    }
    bool adopted = content_adopt(store, upload->path, digest, error);
    if (!adopted)
        unlink(upload->path);
    upload->gone = true;
    return adopted;
}

void upload_cancel(Upload *upload)
{
    unlink(upload->path);
    upload->gone = true;
}

void upload_release(Upload *upload)
{
    if (upload == NULL)
        return;
    UploadTable *table = upload->table;
    g_mutex_lock(&table->lock);
    Memory *memory = g_hash_table_lookup(table->memories, upload->path);
    if (upload->gone) {
        g_hash_table_remove(table->memories, upload->path);
    } else if (memory != NULL) {
        memory->taken = false;
        memory->hash = g_steal_pointer(&upload->hash);
        memory->size = upload->size;
    }
    g_mutex_unlock(&table->lock);
    hash_free(upload->hash);
    fd_cleanup(&upload->fd);
    upload_discard(upload);
}
