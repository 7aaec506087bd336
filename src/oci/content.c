#include "oci/content.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/file.h"
#include "crypto/hash.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

#define LAYOUT "{\"imageLayoutVersion\":\"1.0.0\"}"
/* The names are in the database; the layout's own list stays empty. */
#define INDEX "{\"schemaVersion\":2,\"manifests\":[]}"

static const char *const algorithms[] = {"sha256", "sha512"};

struct ContentStore {
    State *state;
    char *folder; /* the layout */
    char *ingest;
    char *lock;
};

static bool write_once(const char *folder, const char *name, const char *text, GError **error)
{
    g_autofree char *path = g_build_filename(folder, name, NULL);
    if (access(path, F_OK) == 0)
        return true;
    return file_write_atomic(AT_FDCWD, path, text, -1, 0644, error);
}

ContentStore *content_store_open(State *state, GError **error)
{
    g_autoptr(ContentStore) store = g_new0(ContentStore, 1);
    store->state = state;
    store->folder = state_folder(state, error, "store", NULL);
    store->ingest =
        store->folder != NULL ? state_folder(state, error, "store", "ingest", NULL) : NULL;
    if (store->ingest == NULL)
        return NULL;
    for (size_t i = 0; i < G_N_ELEMENTS(algorithms); i++) {
        g_autofree char *blobs = state_folder(state, error, "store", "blobs", algorithms[i], NULL);
        if (blobs == NULL)
            return NULL;
    }
    store->lock = g_build_filename(store->folder, "lock", NULL);
    if (!write_once(store->folder, "oci-layout", LAYOUT, error) ||
        !write_once(store->folder, "index.json", INDEX, error))
        return NULL;
    return g_steal_pointer(&store);
}

void content_store_free(ContentStore *store)
{
    if (store == NULL)
        return;
    g_free(store->folder);
    g_free(store->ingest);
    g_free(store->lock);
    g_free(store);
}

State *content_state(const ContentStore *store)
{
    return store->state;
}

const char *content_ingest_folder(const ContentStore *store)
{
    return store->ingest;
}

/* The lock between puts (shared) and collection (alone); closing the descriptor lets it go. */
static int lock(const ContentStore *store, int operation, GError **error)
{
    autofd int fd = open(store->lock, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) {
        error_set_errno(error, errno, "open", store->lock);
        return -1;
    }
    while (flock(fd, operation) < 0)
        if (errno != EINTR) {
            error_set_errno(error, errno, "lock", store->lock);
            return -1;
        }
    return steal_fd(&fd);
}

static char *path_of(const ContentStore *store, const Digest *digest)
{
    return g_build_filename(store->folder, "blobs", digest->algorithm, digest->hex, NULL);
}

char *content_path(const ContentStore *store, const char *digest)
{
    g_autoptr(Digest) parsed = digest_parse(digest, NULL);
    return parsed != NULL ? path_of(store, parsed) : NULL;
}

bool content_has(const ContentStore *store, const char *digest, int64_t *size)
{
    g_autofree char *path = content_path(store, digest);
    struct stat st;
    if (path == NULL || stat(path, &st) < 0 || !S_ISREG(st.st_mode))
        return false;
    if (size != NULL)
        *size = st.st_size;
    return true;
}

/* Under the shared lock: PATH, if it is there, is younger than the grace from now on. */
static bool touch(const char *path)
{
    return utimensat(AT_FDCWD, path, NULL, 0) == 0;
}

bool content_keep(const ContentStore *store, const char *digest, int64_t *size)
{
    g_autofree char *path = content_path(store, digest);
    autofd int locked = lock(store, LOCK_SH, NULL);
    return path != NULL && locked >= 0 && touch(path) && content_has(store, digest, size);
}

int content_open(const ContentStore *store, const char *digest, GError **error)
{
    g_autoptr(Digest) parsed = digest_parse(digest, error);
    if (parsed == NULL)
        return -1;
    g_autofree char *path = path_of(store, parsed);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT)
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_NOT_FOUND, "blob '%s' is not in the store",
                    digest);
    else if (fd < 0)
        error_set_errno(error, errno, "open", path);
    return fd;
}

static HashAlgorithm algorithm_of(const Digest *digest)
{
    HashAlgorithm algorithm = HASH_SHA256;
    bool known = hash_parse_name(digest->algorithm, strlen(digest->algorithm), &algorithm);
    g_assert(known);
    return algorithm;
}

char *content_read(const ContentStore *store, const char *digest, size_t limit, size_t *length,
                   GError **error)
{
    autofd int fd = content_open(store, digest, error);
    if (fd < 0)
        return NULL;
    size_t size;
    g_autofree char *bytes = file_read_fd(fd, limit, &size, error);
    if (bytes == NULL) {
        g_prefix_error(error, "blob '%s': ", digest);
        return NULL;
    }
    g_autoptr(Digest) parsed = digest_parse(digest, NULL);
    g_autofree char *actual = hash_digest(algorithm_of(parsed), bytes, size);
    if (!g_str_equal(actual, digest)) {
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID,
                    "blob '%s' is damaged: its bytes are %s; remove it and fetch it again", digest,
                    actual);
        return NULL;
    }
    if (length != NULL)
        *length = size;
    return g_steal_pointer(&bytes);
}

static bool sync_folder_of(const char *path, GError **error)
{
    g_autofree char *folder = g_path_get_dirname(path);
    autofd int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fsync(fd) < 0)
        return error_set_errno(error, errno, "sync", folder);
    return true;
}

/* Makes the synced file TEMPORARY the blob DIGEST. One that is there already stays. */
static bool publish(const ContentStore *store, const char *temporary, const Digest *digest,
                    GError **error)
{
    g_autofree char *path = path_of(store, digest);
    autofd int locked = lock(store, LOCK_SH, error);
    if (locked < 0)
        return false;
    if (touch(path)) {
        unlink(temporary);
        return true;
    }
    if (rename(temporary, path) < 0)
        return error_set_errno(error, errno, "store", path);
    return sync_folder_of(path, error);
}

bool content_adopt(ContentStore *store, const char *path, const char *digest, GError **error)
{
    g_autoptr(Digest) parsed = digest_parse(digest, error);
    if (parsed == NULL)
        return false;
    autofd int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fsync(fd) < 0 || fchmod(fd, 0644) < 0)
        return error_set_errno(error, errno, "sync", path);
    return publish(store, path, parsed, error);
}

char *content_put(ContentStore *store, const void *bytes, size_t length, GError **error)
{
    g_autofree char *digest = hash_digest(HASH_SHA256, bytes, length);
    if (content_keep(store, digest, NULL))
        return g_steal_pointer(&digest);
    g_autoptr(ContentWriter) writer = content_writer_new(store, error);
    if (writer == NULL || !content_writer_append(writer, bytes, length, error))
        return NULL;
    return content_writer_commit(writer, NULL, error);
}

struct ContentWriter {
    ContentStore *store;
    Hash *hash;
    char *path; /* NULL after commit */
    int fd;
    int64_t size;
};

ContentWriter *content_writer_new(ContentStore *store, GError **error)
{
    g_autoptr(ContentWriter) writer = g_new0(ContentWriter, 1);
    writer->store = store;
    writer->path = g_build_filename(store->ingest, "blob-XXXXXX", NULL);
    writer->fd = g_mkstemp_full(writer->path, O_RDWR | O_CLOEXEC, 0644);
    if (writer->fd < 0) {
        error_set_errno(error, errno, "create", writer->path);
        g_clear_pointer(&writer->path, g_free);
        return NULL;
    }
    writer->hash = hash_new(HASH_SHA256);
    return g_steal_pointer(&writer);
}

bool content_writer_append(ContentWriter *writer, const void *bytes, size_t length, GError **error)
{
    if (!file_write_all(writer->fd, bytes, length, error)) {
        g_prefix_error(error, "'%s': ", writer->path);
        return false;
    }
    hash_update(writer->hash, bytes, length);
    writer->size += (int64_t) length;
    return true;
}

int64_t content_writer_size(const ContentWriter *writer)
{
    return writer->size;
}

/* The digest by EXPECTED's algorithm; any but sha256 is rare enough to read the file again. */
static char *finish_digest(ContentWriter *writer, const Digest *expected, GError **error)
{
    if (expected == NULL || algorithm_of(expected) == HASH_SHA256)
        return hash_finish_digest(writer->hash);
    if (lseek(writer->fd, 0, SEEK_SET) < 0) {
        error_set_errno(error, errno, "read", writer->path);
        return NULL;
    }
    return hash_fd(algorithm_of(expected), writer->fd, NULL, error);
}

char *content_writer_commit(ContentWriter *writer, const char *expected, GError **error)
{
    g_assert(writer->path != NULL);
    g_autoptr(Digest) wanted = expected != NULL ? digest_parse(expected, error) : NULL;
    if (expected != NULL && wanted == NULL)
        return NULL;
    g_autofree char *digest = finish_digest(writer, wanted, error);
    if (digest == NULL)
        return NULL;
    if (expected != NULL && !g_str_equal(digest, expected)) {
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID,
                    "digest '%s' expected, but the bytes are %s", expected, digest);
        return NULL;
    }
    if (fsync(writer->fd) < 0) {
        error_set_errno(error, errno, "sync", writer->path);
        return NULL;
    }
    g_autoptr(Digest) parsed = digest_parse(digest, NULL);
    if (!publish(writer->store, writer->path, parsed, error))
        return NULL;
    g_clear_pointer(&writer->path, g_free);
    return g_steal_pointer(&digest);
}

void content_writer_free(ContentWriter *writer)
{
    if (writer == NULL)
        return;
    if (writer->fd >= 0)
        close(writer->fd);
    if (writer->path != NULL)
        unlink(writer->path);
    g_free(writer->path);
    hash_free(writer->hash);
    g_free(writer);
}

bool content_collect(ContentStore *store, const char *digest,
                     bool (*may)(const char *digest, void *data, GError **error), void *data,
                     bool *removed, GError **error)
{
    *removed = false;
    g_autofree char *path = content_path(store, digest);
    autofd int locked = lock(store, LOCK_EX, error);
    if (locked < 0)
        return false;
    struct stat st;
    if (path == NULL || stat(path, &st) < 0 || time(NULL) - st.st_mtime < CONTENT_GRACE_SECONDS)
        return true;
    g_autoptr(GError) refusal = NULL;
    if (!may(digest, data, &refusal)) {
        if (refusal == NULL)
            return true;
        g_propagate_error(error, g_steal_pointer(&refusal));
        return false;
    }
    if (unlink(path) < 0)
        return error_set_errno(error, errno, "remove", path);
    *removed = true;
    return true;
}

static bool each_in(const ContentStore *store, const char *algorithm,
                    bool (*each)(const char *digest, int64_t size, int64_t kept_at, void *data),
                    void *data, bool *more, GError **error)
{
    g_autofree char *path = g_build_filename(store->folder, "blobs", algorithm, NULL);
    DIR *dir = opendir(path);
    if (dir == NULL)
        return error_set_errno(error, errno, "list", path);
    struct dirent *entry;
    while (*more && (entry = readdir(dir)) != NULL) {
        g_autofree char *text = g_strdup_printf("%s:%s", algorithm, entry->d_name);
        g_autoptr(Digest) digest = digest_parse(text, NULL);
        struct stat st;
        if (digest == NULL || fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
            continue;
        *more = each(text, st.st_size, st.st_mtime, data);
    }
    closedir(dir);
    return true;
}

bool content_each(const ContentStore *store,
                  bool (*each)(const char *digest, int64_t size, int64_t kept_at, void *data),
                  void *data, GError **error)
{
    bool more = true;
    for (size_t i = 0; i < G_N_ELEMENTS(algorithms) && more; i++)
        if (!each_in(store, algorithms[i], each, data, &more, error))
            return false;
    return true;
}
