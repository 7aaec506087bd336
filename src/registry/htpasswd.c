#include "registry/htpasswd.h"

#include "base/error.h"
#include "base/file.h"
#include "base/library.h"
#include "crypto/hash.h"

#include <crypt.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <string.h>
#include <sys/stat.h>

#define FILE_LIMIT (4 * 1024 * 1024)
#define REMEMBER_SECONDS 60 /* a password that was right is not hashed again for so long */
#define FAILURE_LIMIT 10    /* of one address in a minute; then it is not asked any more */
#define REMEMBERED_LIMIT 10000
/* What unknown users are compared with, so that they take as long as known ones. */
#define DUMMY_HASH "$2y$05$abcdefghijklmnopqrstuuGz1Hn3zUj6mJqf0oVh1kSbVxZq8v2Ei"

struct Htpasswd {
    char *file;
    GMutex lock;
    GHashTable *users;    /* name -> hash */
    GHashTable *verified; /* keyed hash of the header -> until when (monotonic, µs) */
    GHashTable *failures; /* address -> failures since minute_start */
    int64_t minute_start;
    struct timespec changed;
    uint8_t key[32];
};

static __typeof__(&crypt_r) crypt_function;

static bool open_crypt(GError **error)
{
    static const LibrarySymbol symbols[] = {{"crypt_r", (void **) &crypt_function}, {NULL, NULL}};
    static Library crypt = {"htpasswd", "libcrypt.so.1", "libcrypt1", symbols, false};
    return library_open(&crypt, error);
}

static bool is_bcrypt(const char *hash)
{
    return strlen(hash) == 60 && hash[0] == '$' && hash[1] == '2' &&
           strchr("aby", hash[2]) != NULL && hash[3] == '$';
}

static bool read_line(GHashTable *users, const char *file, int number, char *line, GError **error)
{
    g_strchomp(line);
    if (line[0] == '\0' || line[0] == '#')
        return true;
    char *colon = strchr(line, ':');
    if (colon == NULL || colon == line || !is_bcrypt(colon + 1)) {
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID,
                    "%s:%d: expected user:hash with a bcrypt hash; `htpasswd -B` makes it", file,
                    number);
        return false;
    }
    g_hash_table_replace(users, g_strndup(line, (size_t) (colon - line)), g_strdup(colon + 1));
    return true;
}

static GHashTable *read_users(const char *file, GError **error)
{
    g_autofree char *text = file_read(AT_FDCWD, file, FILE_LIMIT, NULL, error);
    if (text == NULL)
        return NULL;
    g_autoptr(GHashTable) users = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    for (int i = 0; lines[i] != NULL; i++)
        if (!read_line(users, file, i + 1, lines[i], error))
            return NULL;
    return g_steal_pointer(&users);
}

Htpasswd *htpasswd_open(const char *file, GError **error)
{
    struct stat about = {0};
    if (!open_crypt(error))
        return NULL;
    stat(file, &about);
    GHashTable *users = read_users(file, error);
    if (users == NULL)
        return NULL;
    Htpasswd *htpasswd = g_new0(Htpasswd, 1);
    g_mutex_init(&htpasswd->lock);
    htpasswd->file = g_strdup(file);
    htpasswd->users = users;
    htpasswd->changed = about.st_mtim;
    htpasswd->verified = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    htpasswd->failures = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    g_assert(RAND_bytes(htpasswd->key, sizeof htpasswd->key) == 1);
    return htpasswd;
}

void htpasswd_free(Htpasswd *htpasswd)
{
    if (htpasswd == NULL)
        return;
    g_hash_table_unref(htpasswd->users);
    g_hash_table_unref(htpasswd->verified);
    g_hash_table_unref(htpasswd->failures);
    g_mutex_clear(&htpasswd->lock);
    g_free(htpasswd->file);
    g_free(htpasswd);
}

/* Reads the file again where it has changed. While it is malformed, the old users stay. */
static void refresh(Htpasswd *htpasswd)
{
    struct stat about;
    if (stat(htpasswd->file, &about) < 0 ||
        memcmp(&about.st_mtim, &htpasswd->changed, sizeof about.st_mtim) == 0)
        return;
    GHashTable *users = read_users(htpasswd->file, NULL);
    if (users == NULL)
        return;
    g_hash_table_unref(htpasswd->users);
    htpasswd->users = users;
    htpasswd->changed = about.st_mtim;
    g_hash_table_remove_all(htpasswd->verified);
}

/* A name for AUTHORIZATION under which a success is remembered; it does not hold the password. */
static char *memory_name(const Htpasswd *htpasswd, const char *authorization)
{
    g_autoptr(Hash) hash = hash_new(HASH_SHA256);
    hash_update(hash, htpasswd->key, sizeof htpasswd->key);
    hash_update(hash, authorization, strlen(authorization));
    return hash_finish_hex(hash);
}

static bool remembers(Htpasswd *htpasswd, const char *name)
{
    const int64_t *until = g_hash_table_lookup(htpasswd->verified, name);
    return until != NULL && g_get_monotonic_time() < *until;
}

static void remember(Htpasswd *htpasswd, const char *name)
{
    if (g_hash_table_size(htpasswd->verified) >= REMEMBERED_LIMIT)
        g_hash_table_remove_all(htpasswd->verified);
    int64_t until = g_get_monotonic_time() + REMEMBER_SECONDS * G_USEC_PER_SEC;
    g_hash_table_replace(htpasswd->verified, g_strdup(name), g_memdup2(&until, sizeof until));
}

/* Failures of PEER in this minute, after adding MORE. */
static int count_failures(Htpasswd *htpasswd, const char *peer, int more)
{
    int64_t now = g_get_monotonic_time();
    if (now - htpasswd->minute_start > 60 * G_USEC_PER_SEC ||
        g_hash_table_size(htpasswd->failures) >= REMEMBERED_LIMIT) {
        g_hash_table_remove_all(htpasswd->failures);
        htpasswd->minute_start = now;
    }
    int failures = GPOINTER_TO_INT(g_hash_table_lookup(htpasswd->failures, peer)) + more;
    if (more > 0)
        g_hash_table_replace(htpasswd->failures, g_strdup(peer), GINT_TO_POINTER(failures));
    return failures;
}

/* Whether PASSWORD makes HASH; takes the milliseconds that bcrypt is meant to take. */
static bool is_password(const char *password, const char *hash)
{
    g_autofree struct crypt_data *data = g_new0(struct crypt_data, 1);
    const char *result = crypt_function(password, hash, data);
    bool same = result != NULL && strlen(result) == strlen(hash) &&
                CRYPTO_memcmp(result, hash, strlen(hash)) == 0;
    explicit_bzero(data, sizeof *data);
    return same;
}

/* Takes "Basic base64(user:password)" apart; the result is USER with the password behind its NUL,
 * LENGTH bytes in all. NULL where it is malformed. */
static char *split_basic(const char *authorization, gsize *length)
{
    g_autofree guchar *bytes = g_base64_decode(authorization + strlen("Basic "), length);
    g_autofree char *both = g_strndup((const char *) bytes, *length);
    char *colon = strchr(both, ':');
    if (colon == NULL)
        return NULL;
    *colon = '\0';
    return g_steal_pointer(&both);
}

/* Without the lock while it hashes. */
static bool verify(Htpasswd *htpasswd, const char *user, const char *password)
{
    g_mutex_lock(&htpasswd->lock);
    const char *known = g_hash_table_lookup(htpasswd->users, user);
    g_autofree char *hash = g_strdup(known != NULL ? known : DUMMY_HASH);
    g_mutex_unlock(&htpasswd->lock);
    return is_password(password, hash) && known != NULL;
}

/* Whether AUTHORIZATION is remembered as right, or PEER is not asked any more. */
static bool recall(Htpasswd *htpasswd, const char *name, const char *peer, bool *blocked)
{
    G_GNUC_UNUSED g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&htpasswd->lock);
    refresh(htpasswd);
    bool remembered = remembers(htpasswd, name);
    *blocked = !remembered && count_failures(htpasswd, peer, 0) >= FAILURE_LIMIT;
    return remembered;
}

static void note(Htpasswd *htpasswd, const char *name, const char *peer, bool right)
{
    G_GNUC_UNUSED g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&htpasswd->lock);
    if (right)
        remember(htpasswd, name);
    else
        count_failures(htpasswd, peer, 1);
}

bool htpasswd_check(Htpasswd *htpasswd, const RegistryCaller *caller, char **user, char **reason)
{
    const char *authorization = caller->authorization;
    gsize length = 0;
    g_autofree char *both = NULL;
    if (authorization != NULL && g_ascii_strncasecmp(authorization, "Basic ", 6) == 0)
        both = split_basic(authorization, &length);
    if (both == NULL) {
        *reason = g_strdup("authentication required");
        return false;
    }
    g_autofree char *name = memory_name(htpasswd, authorization);
    bool blocked = false;
    bool right = recall(htpasswd, name, caller->peer, &blocked);
    if (!right && !blocked) {
        right = verify(htpasswd, both, both + strlen(both) + 1);
        note(htpasswd, name, caller->peer, right);
    }
    if (right && user != NULL)
        *user = g_strdup(both);
    if (!right)
        *reason = g_strdup(blocked ? "too many wrong passwords; wait a minute"
                                   : "wrong user or password");
    explicit_bzero(both, length);
    return right;
}

RegistryVerdict htpasswd_authorize(void *context, const RegistryCaller *caller,
                                   const char *repository, RegistryAction action, char **challenge,
                                   char **reason)
{
    if (htpasswd_check(context, caller, NULL, reason))
        return REGISTRY_ALLOW;
    *challenge = g_strdup(HTPASSWD_CHALLENGE);
    return REGISTRY_AUTHENTICATE;
}
