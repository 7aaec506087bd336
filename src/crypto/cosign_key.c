#include "crypto/cosign_key.h"

#include "base/error.h"
#include "crypto/base64.h"
#include "crypto/key_handle.h"

#include <jansson.h>
#include <sodium.h>
#include <string.h>

#define SALT_LENGTH 32
#define BLOCK_SIZE 8 /* scrypt's r; p is 1 */
#define PLAIN_LIMIT (16 * 1024)

static bool derive(const char *password, const uint8_t *salt, uint64_t cost,
                   uint8_t key[crypto_secretbox_KEYBYTES], GError **error)
{
    if (crypto_pwhash_scryptsalsa208sha256_ll((const uint8_t *) password, strlen(password), salt,
                                              SALT_LENGTH, cost, BLOCK_SIZE, 1, key,
                                              crypto_secretbox_KEYBYTES) == 0)
        return true;
    g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_UNAVAILABLE,
                "key derivation needs %u MiB of memory", (unsigned) (cost / 1024));
    return false;
}

static char *wrap_pem(const char *type, const char *body)
{
    g_autofree char *text = base64_encode(body, strlen(body));
    GString *pem = g_string_new(NULL);
    g_string_append_printf(pem, "-----BEGIN %s-----\n", type);
    size_t length = strlen(text);
    for (size_t i = 0; i < length; i += 64)
        g_string_append_printf(pem, "%.64s\n", text + i);
    g_string_append_printf(pem, "-----END %s-----\n", type);
    return g_string_free(pem, FALSE);
}

char *cosign_key_seal(const PrivateKey *key, const char *password, CosignCost cost, GError **error)
{
    uint8_t salt[SALT_LENGTH], nonce[crypto_secretbox_NONCEBYTES];
    uint8_t secret[crypto_secretbox_KEYBYTES];
    if (sodium_init() < 0) {
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_UNAVAILABLE, "libsodium does not start");
        return NULL;
    }
    randombytes_buf(salt, sizeof salt);
    randombytes_buf(nonce, sizeof nonce);
    if (!derive(password, salt, cost, secret, error))
        return NULL;

    size_t length;
    uint8_t *der = private_key_pkcs8(key, &length);
    size_t sealed_length = length + crypto_secretbox_MACBYTES;
    g_autofree uint8_t *sealed = g_malloc(sealed_length);
    crypto_secretbox_easy(sealed, der, length, nonce, secret);
    sodium_memzero(secret, sizeof secret);
    key_wipe_free(der, length);

    g_autofree char *salt_text = base64_encode(salt, sizeof salt);
    g_autofree char *nonce_text = base64_encode(nonce, sizeof nonce);
    g_autofree char *sealed_text = base64_encode(sealed, sealed_length);
    /* The order of the keys is cosign's. */
    g_autofree char *body = g_strdup_printf(
        "{\"kdf\":{\"name\":\"scrypt\",\"params\":{\"N\":%d,\"r\":%d,\"p\":1},\"salt\":\"%s\"},"
        "\"cipher\":{\"name\":\"nacl/secretbox\",\"nonce\":\"%s\"},\"ciphertext\":\"%s\"}",
        (int) cost, BLOCK_SIZE, salt_text, nonce_text, sealed_text);
    return wrap_pem(COSIGN_KEY_TYPE, body);
}

/* What the JSON inside the PEM says. */
typedef struct {
    json_int_t cost, block_size, parallel;
    const char *kdf, *salt, *cipher, *nonce, *ciphertext;
} Envelope;

static bool unpack(const char *name, json_t *root, Envelope *envelope, GError **error)
{
    if (json_unpack(root, "{s:{s:s, s:{s:I, s:I, s:I}, s:s}, s:{s:s, s:s}, s:s}", "kdf", "name",
                    &envelope->kdf, "params", "N", &envelope->cost, "r", &envelope->block_size, "p",
                    &envelope->parallel, "salt", &envelope->salt, "cipher", "name",
                    &envelope->cipher, "nonce", &envelope->nonce, "ciphertext",
                    &envelope->ciphertext) != 0 ||
        !g_str_equal(envelope->kdf, "scrypt") || !g_str_equal(envelope->cipher, "nacl/secretbox")) {
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID,
                    "'%s': no key file of cosign's form (scrypt, nacl/secretbox)", name);
        return false;
    }
    /* Anything else would let a file choose how much memory and time we spend. */
    bool known = envelope->cost == COSIGN_COST_LOW || envelope->cost == COSIGN_COST_DEFAULT ||
                 envelope->cost == COSIGN_COST_HIGH;
    if (!known || envelope->block_size != BLOCK_SIZE || envelope->parallel != 1) {
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID,
                    "'%s': scrypt N=%lld r=%lld p=%lld is not accepted; N is 32768, 65536 or "
                    "131072, r 8, p 1",
                    name, (long long) envelope->cost, (long long) envelope->block_size,
                    (long long) envelope->parallel);
        return false;
    }
    return true;
}

static PrivateKey *open_envelope(const char *name, const Envelope *envelope, const char *password,
                                 GError **error)
{
    size_t salt_length = 0, nonce_length = 0, sealed_length = 0;
    g_autofree uint8_t *salt = base64_decode(envelope->salt, -1, &salt_length, NULL);
    g_autofree uint8_t *nonce = base64_decode(envelope->nonce, -1, &nonce_length, NULL);
    g_autofree uint8_t *sealed = base64_decode(envelope->ciphertext, -1, &sealed_length, NULL);
    if (salt == NULL || salt_length != SALT_LENGTH || nonce == NULL ||
        nonce_length != crypto_secretbox_NONCEBYTES || sealed == NULL ||
        sealed_length < crypto_secretbox_MACBYTES || sealed_length > PLAIN_LIMIT) {
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID,
                    "'%s': salt, nonce or ciphertext of a wrong length", name);
        return NULL;
    }
    uint8_t secret[crypto_secretbox_KEYBYTES];
    if (!derive(password, salt, (uint64_t) envelope->cost, secret, error))
        return NULL;
    size_t length = sealed_length - crypto_secretbox_MACBYTES;
    uint8_t *der = g_malloc(length + 1);
    int opened = crypto_secretbox_open_easy(der, sealed, sealed_length, nonce, secret);
    sodium_memzero(secret, sizeof secret);
    PrivateKey *key = NULL;
    if (opened != 0)
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_DENIED, "'%s': wrong password", name);
    else
        key = private_key_from_pkcs8(der, length, error);
    key_wipe_free(der, length);
    return key;
}

PrivateKey *cosign_key_open(const char *name, const char *body, size_t length, const char *password,
                            GError **error)
{
    json_error_t where;
    json_t *root = json_loadb(body, length, JSON_REJECT_DUPLICATES, &where);
    if (root == NULL) {
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID, "'%s': %s", name, where.text);
        return NULL;
    }
    Envelope envelope;
    PrivateKey *key = NULL;
    if (unpack(name, root, &envelope, error))
        key = open_envelope(name, &envelope, password, error);
    json_decref(root);
    return key;
}
