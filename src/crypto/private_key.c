#include "crypto/key_handle.h"

#include "base/error.h"
#include "base/file.h"
#include "crypto/cosign_key.h"
#include "crypto/password.h"

#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/x509.h>
#include <string.h>

#define FILE_LIMIT (64 * 1024)

static PrivateKey *private_key_take(const char *name, EVP_PKEY *pkey, GError **error)
{
    g_autoptr(PrivateKey) key = g_new(PrivateKey, 1);
    *key = (PrivateKey){.pkey = pkey};
    if (pkey == NULL) {
        ERR_clear_error();
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID, "'%s': malformed private key",
                    name);
        return NULL;
    }
    if (!key_accept(pkey, &key->kind, error)) {
        g_prefix_error(error, "'%s': ", name);
        return NULL;
    }
    return g_steal_pointer(&key);
}

PrivateKey *private_key_generate(KeyKind kind, GError **error)
{
    static const struct {
        const char *type, *group;
    } how[] = {
        [KEY_ED25519] = {"ED25519", NULL},  [KEY_ECDSA_P256] = {"EC", "P-256"},
        [KEY_ECDSA_P384] = {"EC", "P-384"}, [KEY_ECDSA_P521] = {"EC", "P-521"},
        [KEY_RSA] = {"RSA", NULL},
    };
    EVP_PKEY *pkey = NULL;
    if (kind == KEY_RSA)
        pkey = EVP_PKEY_Q_keygen(NULL, NULL, how[kind].type, (size_t) 3072);
    else if (how[kind].group != NULL)
        pkey = EVP_PKEY_Q_keygen(NULL, NULL, how[kind].type, how[kind].group);
    else
        pkey = EVP_PKEY_Q_keygen(NULL, NULL, how[kind].type);
    if (pkey == NULL) {
        ERR_clear_error();
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INTERNAL, "cannot make a '%s' key",
                    key_kind_name(kind));
        return NULL;
    }
    return private_key_take("new key", pkey, error);
}

PrivateKey *private_key_from_pkcs8(const uint8_t *der, size_t length, GError **error)
{
    const unsigned char *at = der;
    PKCS8_PRIV_KEY_INFO *info = d2i_PKCS8_PRIV_KEY_INFO(NULL, &at, (long) length);
    EVP_PKEY *pkey = info != NULL && at == der + length ? EVP_PKCS82PKEY(info) : NULL;
    PKCS8_PRIV_KEY_INFO_free(info);
    return private_key_take("private key", pkey, error);
}

/* "EC PRIVATE KEY" (RFC 5915) and "RSA PRIVATE KEY" (PKCS#1). */
static PrivateKey *from_traditional(const char *name, int type, const uint8_t *der, size_t length,
                                    GError **error)
{
    const unsigned char *at = der;
    EVP_PKEY *pkey = d2i_PrivateKey(type, NULL, &at, (long) length);
    if (pkey != NULL && at != der + length) {
        EVP_PKEY_free(pkey);
        pkey = NULL;
    }
    return private_key_take(name, pkey, error);
}

static PrivateKey *from_encrypted_pkcs8(const char *name, const uint8_t *der, size_t length,
                                        const char *password, GError **error)
{
    const unsigned char *at = der;
    X509_SIG *sealed = d2i_X509_SIG(NULL, &at, (long) length);
    if (sealed == NULL)
        return private_key_take(name, NULL, error);
    PKCS8_PRIV_KEY_INFO *info = PKCS8_decrypt(sealed, password, (int) strlen(password));
    X509_SIG_free(sealed);
    if (info == NULL) {
        ERR_clear_error();
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_DENIED, "'%s': wrong password", name);
        return NULL;
    }
    EVP_PKEY *pkey = EVP_PKCS82PKEY(info);
    PKCS8_PRIV_KEY_INFO_free(info);
    return private_key_take(name, pkey, error);
}

static PrivateKey *refuse(const char *name, const char *why, GError **error)
{
    g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID, "'%s': %s", name, why);
    return NULL;
}

static PrivateKey *parse_block(const char *name, const char *pem, const char *type,
                               const uint8_t *der, size_t length, const char *password,
                               GError **error)
{
    if (strstr(pem, "Proc-Type: 4,ENCRYPTED") != NULL)
        return refuse(name, "old PEM encryption; convert it with `openssl pkcs8 -topk8`", error);
    if (g_str_equal(type, "EC PRIVATE KEY"))
        return from_traditional(name, EVP_PKEY_EC, der, length, error);
    if (g_str_equal(type, "RSA PRIVATE KEY"))
        return from_traditional(name, EVP_PKEY_RSA, der, length, error);
    if (g_str_equal(type, "PRIVATE KEY")) {
        PrivateKey *key = private_key_from_pkcs8(der, length, error);
        if (key == NULL)
            g_prefix_error(error, "'%s': ", name);
        return key;
    }
    if (g_str_equal(type, "PUBLIC KEY"))
        return refuse(name, "this is a public key; the private one is needed", error);

    bool cosign = g_str_equal(type, COSIGN_KEY_TYPE) || g_str_equal(type, COSIGN_KEY_TYPE_OLD);
    if (!cosign && !g_str_equal(type, "ENCRYPTED PRIVATE KEY"))
        return refuse(name, "no private key that is known here", error);
    g_autoptr(SecretText) asked = NULL;
    if (password == NULL) {
        asked = password_ask(name, false, error);
        if (asked == NULL)
            return NULL;
        password = asked;
    }
    return cosign ? cosign_key_open(name, (const char *) der, length, password, error)
                  : from_encrypted_pkcs8(name, der, length, password, error);
}

PrivateKey *private_key_parse(const char *name, const char *pem, const char *password,
                              GError **error)
{
    g_autofree char *type = NULL;
    uint8_t *der = NULL;
    size_t length = 0;
    if (!key_read_pem(pem, &type, &der, &length))
        return refuse(name, "no PEM private key", error);
    PrivateKey *key = parse_block(name, pem, type, der, length, password, error);
    key_wipe_free(der, length);
    return key;
}

PrivateKey *private_key_read_file(const char *path, const char *password, GError **error)
{
    g_autoptr(SecretText) text = file_read(AT_FDCWD, path, FILE_LIMIT, NULL, error);
    if (text == NULL)
        return NULL;
    return private_key_parse(path, text, password, error);
}

KeyKind private_key_kind(const PrivateKey *key)
{
    return key->kind;
}

PublicKey *private_key_public(const PrivateKey *key)
{
    unsigned char *der = NULL;
    int length = i2d_PUBKEY(key->pkey, &der);
    g_assert(length > 0);
    PublicKey *public_key = public_key_from_spki(der, (size_t) length, NULL);
    OPENSSL_free(der);
    return public_key;
}

char *private_key_format_pem(const PrivateKey *key)
{
    BIO *bio = BIO_new(BIO_s_secmem());
    int ok = PEM_write_bio_PKCS8PrivateKey(bio, key->pkey, NULL, NULL, 0, NULL, NULL);
    g_assert(ok == 1);
    char *data;
    long length = BIO_get_mem_data(bio, &data);
    char *text = g_strndup(data, (gsize) length);
    BIO_free(bio);
    return text;
}

uint8_t *private_key_pkcs8(const PrivateKey *key, size_t *length)
{
    PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(key->pkey);
    g_assert(info != NULL);
    unsigned char *der = NULL;
    int n = i2d_PKCS8_PRIV_KEY_INFO(info, &der);
    g_assert(n > 0);
    PKCS8_PRIV_KEY_INFO_free(info);
    uint8_t *copy = g_memdup2(der, (gsize) n);
    OPENSSL_clear_free(der, (size_t) n);
    *length = (size_t) n;
    return copy;
}

static uint8_t *sign_with(const PrivateKey *key, const char *hash, const void *message,
                          size_t length, size_t *signature_length, GError **error)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    g_assert(context != NULL);
    size_t size = (size_t) EVP_PKEY_get_size(key->pkey);
    g_autofree uint8_t *signature = g_malloc(size);
    bool ok = EVP_DigestSignInit_ex(context, NULL, hash, NULL, NULL, key->pkey, NULL) == 1 &&
              EVP_DigestSign(context, signature, &size, message, length) == 1;
    EVP_MD_CTX_free(context);
    if (!ok) {
        ERR_clear_error();
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INTERNAL, "signing with a '%s' key failed",
                    key_kind_name(key->kind));
        return NULL;
    }
    *signature_length = size;
    return g_steal_pointer(&signature);
}

uint8_t *private_key_sign(const PrivateKey *key, const void *message, size_t length,
                          size_t *signature_length, GError **error)
{
    return sign_with(key, key_hash(key->kind), message, length, signature_length, error);
}

uint8_t *private_key_sign_rsa_sha512(const PrivateKey *key, const void *message, size_t length,
                                     size_t *signature_length, GError **error)
{
    g_assert(key->kind == KEY_RSA);
    return sign_with(key, "SHA2-512", message, length, signature_length, error);
}

void private_key_free(PrivateKey *key)
{
    if (key == NULL)
        return;
    EVP_PKEY_free(key->pkey);
    g_free(key);
}
