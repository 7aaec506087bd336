#include "crypto/key_handle.h"

#include "base/error.h"
#include "base/file.h"
#include "crypto/base64.h"
#include "crypto/ssh_wire.h"

#include <fcntl.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <string.h>

#define FILE_LIMIT (64 * 1024)
#define RSA_BITS_MIN 2048
#define RSA_BITS_MAX 16384 /* larger ones only cost the verifier time */

static const struct {
    const char *name, *hash, *group;
} kinds[] = {
    [KEY_ED25519] = {"ed25519", NULL, NULL},
    [KEY_ECDSA_P256] = {"ecdsa-p256", "SHA2-256", "prime256v1"},
    [KEY_ECDSA_P384] = {"ecdsa-p384", "SHA2-384", "secp384r1"},
    [KEY_ECDSA_P521] = {"ecdsa-p521", "SHA2-512", "secp521r1"},
    [KEY_RSA] = {"rsa", "SHA2-256", NULL},
};

const char *key_kind_name(KeyKind kind)
{
    return kinds[kind].name;
}

const char *key_hash(KeyKind kind)
{
    return kinds[kind].hash;
}

void secret_text_free(char *text)
{
    if (text == NULL)
        return;
    OPENSSL_cleanse(text, strlen(text));
    g_free(text);
}

void key_wipe_free(uint8_t *bytes, size_t length)
{
    if (bytes == NULL)
        return;
    OPENSSL_cleanse(bytes, length);
    g_free(bytes);
}

static bool accept_curve(EVP_PKEY *pkey, KeyKind *kind, GError **error)
{
    char group[64] = "", encoding[32] = "";
    size_t length;
    EVP_PKEY_get_utf8_string_param(pkey, OSSL_PKEY_PARAM_GROUP_NAME, group, sizeof group, &length);
    EVP_PKEY_get_utf8_string_param(pkey, OSSL_PKEY_PARAM_EC_ENCODING, encoding, sizeof encoding,
                                   &length);
    /* Parameters spelled out can differ from the curve's own in the base point (CVE-2020-0601). */
    if (!g_str_equal(encoding, OSSL_PKEY_EC_ENCODING_GROUP)) {
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID,
                    "elliptic key without a named curve");
        return false;
    }
    for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++) {
        if (kinds[i].group == NULL || !g_str_equal(kinds[i].group, group))
            continue;
        EVP_PKEY_set_utf8_string_param(pkey, OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT,
                                       OSSL_PKEY_EC_POINT_CONVERSION_FORMAT_UNCOMPRESSED);
        *kind = (KeyKind) i;
        return true;
    }
    g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID,
                "curve '%s' is not taken; use P-256, P-384 or Ed25519", group);
    return false;
}

bool key_accept(EVP_PKEY *pkey, KeyKind *kind, GError **error)
{
    if (EVP_PKEY_is_a(pkey, "ED25519")) {
        *kind = KEY_ED25519;
        return true;
    }
    if (EVP_PKEY_is_a(pkey, "EC"))
        return accept_curve(pkey, kind, error);
    if (!EVP_PKEY_is_a(pkey, "RSA")) {
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID,
                    "key of a kind that is not taken; use Ed25519, ECDSA or RSA");
        return false;
    }
    int bits = EVP_PKEY_get_bits(pkey);
    if (bits < RSA_BITS_MIN || bits > RSA_BITS_MAX) {
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID,
                    "RSA key of %d bits; at least %d are needed", bits, RSA_BITS_MIN);
        return false;
    }
    *kind = KEY_RSA;
    return true;
}

PublicKey *public_key_take(const char *name, EVP_PKEY *pkey, GError **error)
{
    g_autoptr(PublicKey) key = g_new(PublicKey, 1);
    *key = (PublicKey){.pkey = pkey};
    if (pkey == NULL) {
        ERR_clear_error();
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID, "'%s': malformed public key",
                    name);
        return NULL;
    }
    if (!key_accept(pkey, &key->kind, error)) {
        g_prefix_error(error, "'%s': ", name);
        return NULL;
    }
    return g_steal_pointer(&key);
}

bool key_read_pem(const char *text, char **type, uint8_t **der, size_t *length)
{
    char *name = NULL, *head = NULL;
    unsigned char *data = NULL;
    long size = 0;
    BIO *bio = BIO_new_mem_buf(text, -1);
    int ok = PEM_read_bio(bio, &name, &head, &data, &size);
    BIO_free(bio);
    if (ok != 1) {
        ERR_clear_error();
        return false;
    }
    *type = g_strdup(name);
    *der = g_memdup2(data, (gsize) size);
    *length = (size_t) size;
    OPENSSL_clear_free(data, (size_t) size);
    OPENSSL_free(name);
    OPENSSL_free(head);
    return true;
}

static PublicKey *parse_pem(const char *name, const char *text, GError **error)
{
    g_autofree char *type = NULL;
    uint8_t *der = NULL;
    size_t length = 0;
    if (!key_read_pem(text, &type, &der, &length)) {
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID, "'%s': malformed PEM", name);
        return NULL;
    }
    PublicKey *key = NULL;
    if (strstr(type, "PRIVATE KEY") != NULL)
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID,
                    "'%s' is a private key; give the public one, and let nobody have this file",
                    name);
    else if (!g_str_equal(type, "PUBLIC KEY"))
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID,
                    "'%s' holds a '%s'; expected a 'PUBLIC KEY'", name, type);
    else {
        key = public_key_from_spki(der, length, error);
        if (key == NULL)
            g_prefix_error(error, "'%s': ", name);
    }
    key_wipe_free(der, length);
    return key;
}

static PublicKey *parse_ssh_line(const char *name, const char *line, GError **error)
{
    g_auto(GStrv) words = g_strsplit(line, " ", 3);
    if (g_strv_length(words) < 2) {
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID,
                    "'%s' is no public key; expected PEM or one line 'ssh-ed25519 AAAA…'", name);
        return NULL;
    }
    size_t length;
    g_autofree uint8_t *blob = base64_decode(words[1], -1, &length, NULL);
    if (blob == NULL) {
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID,
                    "'%s': expected 'TYPE BASE64 [COMMENT]', one key", name);
        return NULL;
    }
    EVP_PKEY *pkey = ssh_blob_to_key(blob, length, error);
    if (pkey == NULL) {
        g_prefix_error(error, "'%s': ", name);
        return NULL;
    }
    PublicKey *key = public_key_take(name, pkey, error);
    if (key != NULL && !g_str_equal(ssh_type_of_key(pkey), words[0])) {
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID,
                    "'%s': the line says '%s', the key is '%s'", name, words[0],
                    ssh_type_of_key(pkey));
        g_clear_pointer(&key, public_key_free);
    }
    return key;
}

PublicKey *public_key_parse(const char *name, const char *text, GError **error)
{
    if (strstr(text, "-----BEGIN ") != NULL)
        return parse_pem(name, text, error);
    g_autofree char *line = g_strstrip(g_strdup(text));
    if (strpbrk(line, "\r\n") != NULL) {
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID,
                    "'%s' has more than one line; expected PEM or one OpenSSH key", name);
        return NULL;
    }
    return parse_ssh_line(name, line, error);
}

PublicKey *public_key_read_file(const char *path, GError **error)
{
    size_t length;
    g_autoptr(SecretText) text = file_read(AT_FDCWD, path, FILE_LIMIT, &length, error);
    if (text == NULL)
        return NULL;
    return public_key_parse(path, text, error);
}

PublicKey *public_key_from_spki(const uint8_t *der, size_t length, GError **error)
{
    const unsigned char *at = der;
    EVP_PKEY *pkey = d2i_PUBKEY(NULL, &at, (long) length);
    if (pkey != NULL && at != der + length) {
        EVP_PKEY_free(pkey);
        pkey = NULL;
    }
    return public_key_take("public key", pkey, error);
}

PublicKey *public_key_from_ed25519(const uint8_t raw[32])
{
    EVP_PKEY *pkey = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, raw, 32);
    return public_key_take("public key", pkey, NULL);
}

KeyKind public_key_kind(const PublicKey *key)
{
    return key->kind;
}

bool public_key_equal(const PublicKey *a, const PublicKey *b)
{
    return EVP_PKEY_eq(a->pkey, b->pkey) == 1;
}

char *public_key_format_pem(const PublicKey *key)
{
    BIO *bio = BIO_new(BIO_s_mem());
    int ok = PEM_write_bio_PUBKEY(bio, key->pkey);
    g_assert(ok == 1);
    char *data;
    long length = BIO_get_mem_data(bio, &data);
    char *text = g_strndup(data, (gsize) length);
    BIO_free(bio);
    return text;
}

char *public_key_format_ssh(const PublicKey *key)
{
    g_autoptr(GByteArray) blob = ssh_blob_from_key(key->pkey);
    g_autofree char *text = base64_encode(blob->data, blob->len);
    return g_strconcat(ssh_type_of_key(key->pkey), " ", text, NULL);
}

char *public_key_fingerprint(const PublicKey *key)
{
    g_autoptr(GByteArray) blob = ssh_blob_from_key(key->pkey);
    uint8_t raw[HASH_SHA256_LENGTH];
    hash_bytes(HASH_SHA256, blob->data, blob->len, raw);
    g_autofree char *text = base64_encode(raw, sizeof raw);
    text[strcspn(text, "=")] = '\0';
    return g_strconcat("SHA256:", text, NULL);
}

static uint8_t *public_key_spki(const PublicKey *key, size_t *length)
{
    unsigned char *der = NULL;
    int n = i2d_PUBKEY(key->pkey, &der);
    g_assert(n > 0);
    uint8_t *copy = g_memdup2(der, (gsize) n);
    OPENSSL_free(der);
    *length = (size_t) n;
    return copy;
}

char *public_key_hint(const PublicKey *key)
{
    size_t length;
    g_autofree uint8_t *der = public_key_spki(key, &length);
    uint8_t raw[HASH_SHA256_LENGTH];
    hash_bytes(HASH_SHA256, der, length, raw);
    return base64_encode(raw, sizeof raw);
}

bool public_key_raw_ed25519(const PublicKey *key, uint8_t raw[32])
{
    size_t length = 32;
    return key->kind == KEY_ED25519 && EVP_PKEY_get_raw_public_key(key->pkey, raw, &length) == 1 &&
           length == 32;
}

static bool verify_with(const PublicKey *key, const char *hash, const void *message, size_t length,
                        const uint8_t *signature, size_t signature_length)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    g_assert(context != NULL);
    bool ok = EVP_DigestVerifyInit_ex(context, NULL, hash, NULL, NULL, key->pkey, NULL) == 1 &&
              EVP_DigestVerify(context, signature, signature_length, message, length) == 1;
    EVP_MD_CTX_free(context);
    ERR_clear_error(); /* what OpenSSL thinks of a wrong signature is nobody's later business */
    return ok;
}

bool public_key_verify(const PublicKey *key, const void *message, size_t length,
                       const uint8_t *signature, size_t signature_length)
{
    if (verify_with(key, kinds[key->kind].hash, message, length, signature, signature_length))
        return true;
    return (key->kind == KEY_ECDSA_P384 || key->kind == KEY_ECDSA_P521) &&
           verify_with(key, "SHA2-256", message, length, signature, signature_length);
}

bool public_key_verify_rsa_sha512(const PublicKey *key, const void *message, size_t length,
                                  const uint8_t *signature, size_t signature_length)
{
    return key->kind == KEY_RSA &&
           verify_with(key, "SHA2-512", message, length, signature, signature_length);
}

void public_key_free(PublicKey *key)
{
    if (key == NULL)
        return;
    EVP_PKEY_free(key->pkey);
    g_free(key);
}
