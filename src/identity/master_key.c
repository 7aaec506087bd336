#include "identity/master_key.h"

#include "base/crash.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/file.h"
#include "crypto/base64.h"
#include "crypto/hash.h"
#include "identity/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>

#define VERSION "v1"
#define NONCE_LENGTH crypto_aead_xchacha20poly1305_ietf_NPUBBYTES
#define TAG_LENGTH crypto_aead_xchacha20poly1305_ietf_ABYTES
#define CREDENTIAL "slipway-master-key"
#define KEY_FILE_LIMIT 256

/* Eight hex digits by which a sealed text names its key; they say nothing about it. */
static char *key_id(const SealKey *key)
{
    uint8_t bytes[sizeof key->bytes + 1];
    memcpy(bytes, key->bytes, sizeof key->bytes);
    bytes[sizeof key->bytes] = 'i';
    char *hex = hash_hex(HASH_SHA256, bytes, sizeof bytes);
    sodium_memzero(bytes, sizeof bytes);
    hex[8] = '\0';
    return hex;
}

char *seal(const SealKey *key, const char *binding, const void *value, size_t length)
{
    size_t size = NONCE_LENGTH + length + TAG_LENGTH;
    g_autofree uint8_t *bytes = g_malloc(size);
    randombytes_buf(bytes, NONCE_LENGTH);
    crypto_aead_xchacha20poly1305_ietf_encrypt(bytes + NONCE_LENGTH, NULL, value, length,
                                               (const uint8_t *) binding, strlen(binding), NULL,
                                               bytes, key->bytes);
    g_autofree char *id = key_id(key);
    g_autofree char *text = base64_encode(bytes, size);
    return g_strdup_printf(VERSION ":%s:%s", id, text);
}

char *unseal(const SealKey *key, const char *binding, const char *sealed, size_t *length)
{
    g_auto(GStrv) parts = g_strsplit(sealed, ":", 3);
    size_t size = 0;
    g_autofree uint8_t *bytes = g_strv_length(parts) == 3 && g_str_equal(parts[0], VERSION)
                                    ? base64_decode(parts[2], -1, &size, NULL)
                                    : NULL;
    if (bytes == NULL || size < NONCE_LENGTH + TAG_LENGTH)
        return NULL;
    *length = size - NONCE_LENGTH - TAG_LENGTH;
    char *value = sodium_malloc(*length + 1);
    if (value == NULL)
        return NULL;
    if (crypto_aead_xchacha20poly1305_ietf_decrypt(
            (uint8_t *) value, NULL, NULL, bytes + NONCE_LENGTH, size - NONCE_LENGTH,
            (const uint8_t *) binding, strlen(binding), bytes, key->bytes) != 0) {
        sodium_free(value);
        return NULL;
    }
    value[*length] = '\0';
    return value;
}

static bool start(GError **error)
{
    if (sodium_init() >= 0)
        return true;
    g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_UNAVAILABLE, "libsodium does not start");
    return false;
}

/* Where the operator keeps the master key outside of the state; NULL: in the state. */
static char *credential_path(void)
{
    const char *folder = g_getenv("CREDENTIALS_DIRECTORY");
    g_autofree char *path = folder != NULL ? g_build_filename(folder, CREDENTIAL, NULL) : NULL;
    return path != NULL && access(path, R_OK) == 0 ? g_steal_pointer(&path) : NULL;
}

static bool read_key_file(const char *path, SealKey *key, GError **error)
{
    size_t size = 0, length = 0;
    char *text = file_read(AT_FDCWD, path, KEY_FILE_LIMIT, &size, error);
    if (text == NULL)
        return false;
    uint8_t *bytes = base64_decode(g_strchomp(text), -1, &length, NULL);
    bool ok = bytes != NULL && length == sizeof key->bytes;
    if (ok)
        memcpy(key->bytes, bytes, length);
    else
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID,
                    "'%s': expected 32 bytes in base64", path);
    if (bytes != NULL)
        sodium_memzero(bytes, length);
    g_free(bytes);
    sodium_memzero(text, size);
    g_free(text);
    return ok;
}

static bool write_key_file(const char *path, const SealKey *key, GError **error)
{
    char *text = base64_encode(key->bytes, sizeof key->bytes);
    bool ok = file_write_atomic(AT_FDCWD, path, text, -1, 0400, error);
    sodium_memzero(text, strlen(text));
    g_free(text);
    return ok;
}

static bool has_id(const SealKey *key, const char *sealed)
{
    g_autofree char *id = key_id(key);
    g_autofree char *head = g_strdup_printf(VERSION ":%s:", id);
    return g_str_has_prefix(sealed, head);
}

/* The master key that made WRAPPED. */
static bool find_master(State *state, const char *wrapped, SealKey *master, GError **error)
{
    g_autofree char *outside = credential_path();
    g_autofree char *inside = state_path(state, "keys", "master.key", NULL);
    g_autofree char *next = state_path(state, "keys", "master.key.new", NULL);
    const char *const paths[] = {outside != NULL ? outside : inside, outside != NULL ? NULL : next};
    for (size_t i = 0; i < G_N_ELEMENTS(paths) && paths[i] != NULL; i++)
        if (read_key_file(paths[i], master, NULL) && has_id(master, wrapped))
            return true;
    sodium_memzero(master, sizeof *master);
    g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_DENIED,
                "the secrets are sealed under another master key than '%s'; put the right one back",
                paths[0]);
    return false;
}

static char *data_key_binding(const char *project)
{
    return g_strdup_printf("v1|data-key|%s", project);
}

bool data_key_open(State *state, const char *project, const char *wrapped, SealKey *key,
                   GError **error)
{
    SealKey master;
    if (!start(error) || !find_master(state, wrapped, &master, error))
        return false;
    g_autofree char *binding = data_key_binding(project);
    size_t length;
    char *bytes = unseal(&master, binding, wrapped, &length);
    sodium_memzero(&master, sizeof master);
    bool ok = bytes != NULL && length == sizeof key->bytes;
    if (ok)
        memcpy(key->bytes, bytes, length);
    else
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_DENIED,
                    "the data key of '%s' does not open: it was altered or moved here", project);
    if (bytes != NULL)
        sodium_free(bytes);
    return ok;
}

/* The text of SQL's first row; NULL without error for none. */
static char *read_text(Database *database, const char *sql, const char *value, GError **error)
{
    return database_read_text(database, error, sql, "s", value);
}

/* The master key for new data keys. Made only when nothing is sealed yet: a state whose key is
 * missing must not get another one silently. */
static bool present_master(State *state, SealKey *master, GError **error)
{
    g_autoptr(GError) trouble = NULL;
    g_autofree char *wrapped =
        read_text(state->database, "SELECT wrapped FROM secret_data_key WHERE project <> ? LIMIT 1",
                  "", &trouble);
    if (trouble != NULL) {
        g_propagate_error(error, g_steal_pointer(&trouble));
        return false;
    }
    if (wrapped != NULL)
        return find_master(state, wrapped, master, error);
    g_autofree char *outside = credential_path();
    if (outside != NULL)
        return read_key_file(outside, master, error);
    g_autofree char *folder = state_folder(state, error, "keys", NULL);
    if (folder == NULL)
        return false;
    g_autofree char *path = g_build_filename(folder, "master.key", NULL);
    if (access(path, F_OK) == 0)
        return read_key_file(path, master, error);
    randombytes_buf(master->bytes, sizeof master->bytes);
    return write_key_file(path, master, error);
}

bool data_key_ensure(State *state, const char *project, SealKey *key, GError **error)
{
    if (!start(error))
        return false;
    g_autoptr(GError) trouble = NULL;
    g_autofree char *wrapped =
        read_text(state->database, "SELECT wrapped FROM secret_data_key WHERE project = ?", project,
                  &trouble);
    if (trouble != NULL) {
        g_propagate_error(error, g_steal_pointer(&trouble));
        return false;
    }
    if (wrapped != NULL)
        return data_key_open(state, project, wrapped, key, error);
    SealKey master;
    if (!present_master(state, &master, error))
        return false;
    randombytes_buf(key->bytes, sizeof key->bytes);
    g_autofree char *binding = data_key_binding(project);
    g_autofree char *sealed = seal(&master, binding, key->bytes, sizeof key->bytes);
    sodium_memzero(&master, sizeof master);
    return database_run(state->database, error,
                        "INSERT INTO secret_data_key(project, wrapped) VALUES(?, ?)", "ss", project,
                        sealed);
}

static bool rewrap(State *state, const char *project, const SealKey *master, GError **error)
{
    g_autofree char *wrapped = read_text(
        state->database, "SELECT wrapped FROM secret_data_key WHERE project = ?", project, error);
    SealKey key;
    if (wrapped == NULL || !data_key_open(state, project, wrapped, &key, error))
        return false;
    g_autofree char *binding = data_key_binding(project);
    g_autofree char *sealed = seal(master, binding, key.bytes, sizeof key.bytes);
    sodium_memzero(&key, sizeof key);
    return database_run(state->database, error,
                        "UPDATE secret_data_key SET wrapped = ? WHERE project = ?", "ss", sealed,
                        project);
}

static int64_t rewrap_all(State *state, const SealKey *master, GError **error)
{
    /* All names first: a table must not change under a reading statement. */
    g_autoptr(Statement) rows = database_prepare(
        state->database, error, "SELECT project FROM secret_data_key ORDER BY project", "");
    if (rows == NULL)
        return -1;
    g_autoptr(GPtrArray) projects = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GError) trouble = NULL;
    while (statement_step(rows, &trouble))
        g_ptr_array_add(projects, g_strdup(statement_text(rows, 0)));
    if (trouble != NULL) {
        g_propagate_error(error, g_steal_pointer(&trouble));
        return -1;
    }
    g_clear_pointer(&rows, statement_free);
    for (guint i = 0; i < projects->len; i++)
        if (!rewrap(state, projects->pdata[i], master, error))
            return -1;
    return projects->len;
}

/* An earlier rotation was killed after its commit: its new file is the one that counts. */
static bool settle(State *state, const char *path, const char *next, GError **error)
{
    g_autofree char *wrapped =
        read_text(state->database, "SELECT wrapped FROM secret_data_key WHERE project <> ? LIMIT 1",
                  "", NULL);
    SealKey key;
    bool counts = wrapped != NULL && read_key_file(next, &key, NULL) && has_id(&key, wrapped);
    sodium_memzero(&key, sizeof key);
    if (counts && rename(next, path) < 0)
        return error_set_errno(error, errno, "rename", next);
    return true;
}

static int64_t rotate_locked(State *state, const char *path, const char *next, GError **error)
{
    if (!settle(state, path, next, error))
        return -1;
    SealKey master;
    randombytes_buf(master.bytes, sizeof master.bytes);
    int64_t count = write_key_file(next, &master, error) ? rewrap_all(state, &master, error) : -1;
    sodium_memzero(&master, sizeof master);
    return count;
}

int64_t secret_rotate_master(State *state, GError **error)
{
    g_autofree char *outside = credential_path();
    if (outside != NULL) {
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID,
                    "the master key comes from '%s'; start once without that credential and with "
                    "the key in keys/master.key, rotate, and put the new one there",
                    outside);
        return -1;
    }
    g_autofree char *folder = start(error) ? state_folder(state, error, "keys", NULL) : NULL;
    if (folder == NULL)
        return -1;
    g_autofree char *path = g_build_filename(folder, "master.key", NULL);
    g_autofree char *next = g_build_filename(folder, "master.key.new", NULL);
    g_autofree char *lock_path = g_build_filename(folder, "master.lock", NULL);
    autofd int lock = open(lock_path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (lock < 0 || flock(lock, LOCK_EX) < 0) {
        error_set_errno(error, errno, "lock", lock_path);
        return -1;
    }
    if (!database_begin(state->database, error))
        return -1;
    int64_t count = rotate_locked(state, path, next, error);
    if (count < 0) {
        database_rollback(state->database);
        return -1;
    }
    crash_boundary("secret.rotate.wrapped");
    if (!database_commit(state->database, error))
        return -1;
    crash_boundary("secret.rotate.committed");
    if (rename(next, path) < 0) {
        error_set_errno(error, errno, "rename", next);
        return -1;
    }
    return count;
}
