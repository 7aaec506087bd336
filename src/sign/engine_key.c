#include "sign/engine_key.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/file.h"
#include "crypto/base64.h"
#include "crypto/cosign_key.h"
#include "crypto/note.h"
#include "sign/signer.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/rand.h>
#include <string.h>
#include <sys/file.h>

#define FILE_LIMIT (64 * 1024)
#define CREDENTIAL "slipway-engine-password"
#define PASSWORD_BYTES 24

static char *key_path(State *state, const char *name)
{
    return state_path(state, "keys", name, NULL);
}

static bool exists(State *state, const char *name)
{
    g_autofree char *path = key_path(state, name);
    return access(path, F_OK) == 0;
}

static char *read_text(State *state, const char *name, GError **error)
{
    g_autofree char *path = key_path(state, name);
    return file_read(AT_FDCWD, path, FILE_LIMIT, NULL, error);
}

static bool write_text(State *state, const char *name, const char *text, mode_t mode,
                       GError **error)
{
    g_autofree char *path = key_path(state, name);
    return file_write_atomic(AT_FDCWD, path, text, -1, mode, error);
}

/* The password an operator keeps outside of the state, else the file beside the key. */
static char *read_password(State *state, GError **error)
{
    const char *folder = g_getenv("CREDENTIALS_DIRECTORY");
    g_autofree char *path = folder != NULL ? g_build_filename(folder, CREDENTIAL, NULL) : NULL;
    char *text = path != NULL && access(path, R_OK) == 0
                     ? file_read(AT_FDCWD, path, FILE_LIMIT, NULL, error)
                     : read_text(state, "engine.password", error);
    return text != NULL ? g_strchomp(text) : NULL;
}

static char *ensure_password(State *state, GError **error)
{
    char *present = read_password(state, NULL);
    if (present != NULL)
        return present;
    uint8_t random[PASSWORD_BYTES];
    if (RAND_bytes(random, sizeof random) != 1) {
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_UNAVAILABLE, "no random numbers");
        return NULL;
    }
    char *password = base64_encode(random, sizeof random);
    if (write_text(state, "engine.password", password, 0400, error))
        return password;
    secret_text_free(password);
    return NULL;
}

/* The public half says that there was a private one: it must not be replaced silently. */
static bool refuse_lost(State *state, const char *public_name, const char *private_name,
                        GError **error)
{
    if (!exists(state, public_name))
        return true;
    g_autofree char *path = key_path(state, private_name);
    g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_DENIED,
                "'%s' is missing though its public half is there; put it back, or remove '%s' to "
                "begin with a new key that nobody trusts yet",
                path, public_name);
    return false;
}

static bool make_engine_key(State *state, GError **error)
{
    if (!refuse_lost(state, "engine.pub", "engine.key", error))
        return false;
    g_autoptr(SecretText) password = ensure_password(state, error);
    g_autoptr(PrivateKey) key =
        password != NULL ? private_key_generate(KEY_ECDSA_P256, error) : NULL;
    g_autofree char *pem =
        key != NULL ? cosign_key_seal(key, password, COSIGN_COST_LOW, error) : NULL;
    return pem != NULL && write_text(state, "engine.key", pem, 0600, error);
}

static bool make_ledger_key(State *state, GError **error)
{
    if (!refuse_lost(state, "ledger.vkey", "ledger.key", error))
        return false;
    g_autoptr(PrivateKey) key = private_key_generate(KEY_ED25519, error);
    g_autoptr(SecretText) pem = key != NULL ? private_key_format_pem(key) : NULL;
    return pem != NULL && write_text(state, "ledger.key", pem, 0600, error);
}

static bool write_public_key(State *state, GError **error)
{
    g_autoptr(SecretText) password = read_password(state, error);
    g_autofree char *path = key_path(state, "engine.key");
    g_autoptr(PrivateKey) key =
        password != NULL ? private_key_read_file(path, password, error) : NULL;
    if (key == NULL)
        return false;
    g_autoptr(PublicKey) public_key = private_key_public(key);
    g_autofree char *pem = public_key_format_pem(public_key);
    return write_text(state, "engine.pub", pem, 0644, error);
}

static PrivateKey *read_ledger_key(State *state, GError **error)
{
    g_autofree char *path = key_path(state, "ledger.key");
    return private_key_read_file(path, "", error);
}

/* "slipway/" and the beginning of the key's hash: two installations have two names. */
static char *note_name(const PublicKey *key)
{
    uint8_t raw[32];
    public_key_raw_ed25519(key, raw);
    g_autofree char *hex = hash_hex(HASH_SHA256, raw, sizeof raw);
    hex[16] = '\0';
    return g_strconcat("slipway/", hex, NULL);
}

static bool write_verifier_key(State *state, GError **error)
{
    g_autoptr(PrivateKey) key = read_ledger_key(state, error);
    if (key == NULL)
        return false;
    g_autoptr(PublicKey) public_key = private_key_public(key);
    g_autofree char *name = note_name(public_key);
    g_autofree char *verifier = note_verifier_key(name, public_key);
    if (verifier == NULL) {
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID, "'ledger.key' is not Ed25519");
        return false;
    }
    g_autofree char *line = g_strconcat(verifier, "\n", NULL);
    return write_text(state, "ledger.vkey", line, 0644, error);
}

/* Private before public: killed in between, the next call goes on. */
static bool ensure_locked(State *state, GError **error)
{
    return (exists(state, "engine.key") || make_engine_key(state, error)) &&
           (exists(state, "engine.pub") || write_public_key(state, error)) &&
           (exists(state, "ledger.key") || make_ledger_key(state, error)) &&
           (exists(state, "ledger.vkey") || write_verifier_key(state, error));
}

static bool all_there(State *state)
{
    return exists(state, "engine.key") && exists(state, "engine.pub") &&
           exists(state, "ledger.key") && exists(state, "ledger.vkey");
}

bool signer_ensure_keys(State *state, GError **error)
{
    if (all_there(state))
        return true;
    g_autofree char *folder = state_folder(state, error, "keys", NULL);
    if (folder == NULL)
        return false;
    g_autofree char *path = g_build_filename(folder, "signer.lock", NULL);
    autofd int lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (lock < 0 || flock(lock, LOCK_EX) < 0)
        return error_set_errno(error, errno, "lock", path);
    return ensure_locked(state, error);
}

char *signer_public_key(State *state, GError **error)
{
    return signer_ensure_keys(state, error) ? read_text(state, "engine.pub", error) : NULL;
}

char *signer_note_key(State *state, GError **error)
{
    char *text = signer_ensure_keys(state, error) ? read_text(state, "ledger.vkey", error) : NULL;
    return text != NULL ? g_strchomp(text) : NULL;
}

char *signer_sign_note(void *data, const char *text, GError **error)
{
    State *state = data;
    if (!signer_ensure_keys(state, error))
        return NULL;
    g_autoptr(PrivateKey) key = read_ledger_key(state, error);
    if (key == NULL)
        return NULL;
    g_autoptr(PublicKey) public_key = private_key_public(key);
    g_autofree char *name = note_name(public_key);
    return note_sign(text, name, key, error);
}

const PrivateKey *engine_key(State *state, GError **error)
{
    static GMutex mutex;
    static PrivateKey *unlocked;
    static char *home;
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&mutex);
    if (unlocked != NULL && g_str_equal(home, state->home))
        return unlocked;
    if (!signer_ensure_keys(state, error))
        return NULL;
    g_autoptr(SecretText) password = read_password(state, error);
    g_autofree char *path = key_path(state, "engine.key");
    PrivateKey *key = password != NULL ? private_key_read_file(path, password, error) : NULL;
    if (key == NULL)
        return NULL;
    g_clear_pointer(&unlocked, private_key_free);
    g_free(home);
    unlocked = key;
    home = g_strdup(state->home);
    return unlocked;
}
