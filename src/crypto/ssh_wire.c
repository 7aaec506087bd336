#include "crypto/ssh_wire.h"

#include "base/error.h"
#include "crypto/key.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/param_build.h>
#include <string.h>

static const struct {
    const char *type, *curve, *group; /* curve: OpenSSH's name; group: OpenSSL's */
} curves[] = {
    {"ecdsa-sha2-nistp256", "nistp256", "prime256v1"},
    {"ecdsa-sha2-nistp384", "nistp384", "secp384r1"},
    {"ecdsa-sha2-nistp521", "nistp521", "secp521r1"},
};

bool ssh_read_uint32(SshReader *reader, uint32_t *value)
{
    if (reader->length < 4)
        return false;
    const uint8_t *b = reader->bytes;
    *value = (uint32_t) b[0] << 24 | (uint32_t) b[1] << 16 | (uint32_t) b[2] << 8 | b[3];
    reader->bytes += 4;
    reader->length -= 4;
    return true;
}

bool ssh_read_string(SshReader *reader, const uint8_t **bytes, size_t *length)
{
    uint32_t n;
    if (!ssh_read_uint32(reader, &n) || n > reader->length)
        return false;
    *bytes = reader->bytes;
    *length = n;
    reader->bytes += n;
    reader->length -= n;
    return true;
}

/* The next string is exactly TEXT. */
static bool ssh_read_exactly(SshReader *reader, const char *text)
{
    const uint8_t *bytes;
    size_t length;
    return ssh_read_string(reader, &bytes, &length) && length == strlen(text) &&
           memcmp(bytes, text, length) == 0;
}

void ssh_write_uint32(GByteArray *out, uint32_t value)
{
    uint8_t b[4] = {(uint8_t) (value >> 24), (uint8_t) (value >> 16), (uint8_t) (value >> 8),
                    (uint8_t) value};
    g_byte_array_append(out, b, 4);
}

void ssh_write_string(GByteArray *out, const void *bytes, size_t length)
{
    ssh_write_uint32(out, (uint32_t) length);
    if (length > 0)
        g_byte_array_append(out, bytes, (guint) length);
}

void ssh_write_text(GByteArray *out, const char *text)
{
    ssh_write_string(out, text, strlen(text));
}

void ssh_write_mpint(GByteArray *out, const uint8_t *bytes, size_t length)
{
    while (length > 0 && bytes[0] == 0) {
        bytes++;
        length--;
    }
    bool pad = length > 0 && (bytes[0] & 0x80) != 0;
    ssh_write_uint32(out, (uint32_t) (length + pad));
    if (pad)
        g_byte_array_append(out, (const guint8 *) "", 1);
    if (length > 0)
        g_byte_array_append(out, bytes, (guint) length);
}

static EVP_PKEY *key_from_parameters(const char *type, OSSL_PARAM_BLD *builder)
{
    EVP_PKEY *pkey = NULL;
    OSSL_PARAM *parameters = OSSL_PARAM_BLD_to_param(builder);
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    if (EVP_PKEY_fromdata_init(context) != 1 ||
        EVP_PKEY_fromdata(context, &pkey, EVP_PKEY_PUBLIC_KEY, parameters) != 1)
        pkey = NULL;
    EVP_PKEY_CTX_free(context);
    OSSL_PARAM_free(parameters);
    ERR_clear_error();
    return pkey;
}

static EVP_PKEY *curve_key(const char *group, const uint8_t *point, size_t length)
{
    if (length == 0 || point[0] != 4) /* RFC 5656: uncompressed is what everyone writes */
        return NULL;
    OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
    OSSL_PARAM_BLD_push_utf8_string(builder, OSSL_PKEY_PARAM_GROUP_NAME, group, 0);
    OSSL_PARAM_BLD_push_octet_string(builder, OSSL_PKEY_PARAM_PUB_KEY, point, length);
    EVP_PKEY *pkey = key_from_parameters("EC", builder);
    OSSL_PARAM_BLD_free(builder);
    return pkey;
}

static EVP_PKEY *rsa_key(SshReader *reader)
{
    const uint8_t *e, *n;
    size_t e_length, n_length;
    if (!ssh_read_string(reader, &e, &e_length) || !ssh_read_string(reader, &n, &n_length) ||
        e_length == 0 || e_length > 9 || n_length == 0 || n_length > 2049)
        return NULL;
    BIGNUM *exponent = BN_bin2bn(e, (int) e_length, NULL);
    BIGNUM *modulus = BN_bin2bn(n, (int) n_length, NULL);
    EVP_PKEY *pkey = NULL;
    if (BN_is_odd(exponent) && BN_is_odd(modulus) && !BN_is_one(exponent)) {
        OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
        OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_E, exponent);
        OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_N, modulus);
        pkey = key_from_parameters("RSA", builder);
        OSSL_PARAM_BLD_free(builder);
    }
    BN_free(exponent);
    BN_free(modulus);
    return pkey;
}

static EVP_PKEY *read_key(const char *type, SshReader *reader)
{
    const uint8_t *bytes;
    size_t length;
    if (g_str_equal(type, "ssh-ed25519")) {
        if (!ssh_read_string(reader, &bytes, &length) || length != 32)
            return NULL;
        return EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, bytes, 32);
    }
    if (g_str_equal(type, "ssh-rsa"))
        return rsa_key(reader);
    for (size_t i = 0; i < G_N_ELEMENTS(curves); i++) {
        if (!g_str_equal(curves[i].type, type))
            continue;
        if (!ssh_read_exactly(reader, curves[i].curve) || !ssh_read_string(reader, &bytes, &length))
            return NULL;
        return curve_key(curves[i].group, bytes, length);
    }
    return NULL;
}

EVP_PKEY *ssh_blob_to_key(const uint8_t *blob, size_t length, GError **error)
{
    SshReader reader = {blob, length};
    const uint8_t *type;
    size_t type_length;
    if (!ssh_read_string(&reader, &type, &type_length) || type_length > 64 ||
        memchr(type, 0, type_length) != NULL) {
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID, "malformed OpenSSH public key");
        return NULL;
    }
    g_autofree char *name = g_strndup((const char *) type, type_length);
    g_autofree char *shown = g_utf8_make_valid(name, -1);
    if (g_str_has_prefix(name, "sk-") || strstr(name, "-cert-v0") != NULL ||
        g_str_equal(name, "ssh-dss")) {
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID,
                    "keys of type '%s' are not taken; use ssh-ed25519, ecdsa-sha2-nistp256 or "
                    "ssh-rsa",
                    shown);
        return NULL;
    }
    EVP_PKEY *pkey = read_key(name, &reader);
    if (pkey != NULL && reader.length == 0)
        return pkey;
    EVP_PKEY_free(pkey);
    ERR_clear_error();
    g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID,
                "malformed OpenSSH public key of type '%s'", shown);
    return NULL;
}

static size_t curve_index(const EVP_PKEY *key)
{
    char group[64] = "";
    size_t length;
    EVP_PKEY_get_utf8_string_param(key, OSSL_PKEY_PARAM_GROUP_NAME, group, sizeof group, &length);
    for (size_t i = 0; i < G_N_ELEMENTS(curves); i++)
        if (g_str_equal(curves[i].group, group))
            return i;
    g_assert_not_reached();
}

const char *ssh_type_of_key(const EVP_PKEY *key)
{
    if (EVP_PKEY_is_a(key, "ED25519"))
        return "ssh-ed25519";
    if (EVP_PKEY_is_a(key, "RSA"))
        return "ssh-rsa";
    return curves[curve_index(key)].type;
}

static void write_number(GByteArray *out, const EVP_PKEY *key, const char *parameter)
{
    BIGNUM *number = NULL;
    int ok = EVP_PKEY_get_bn_param(key, parameter, &number);
    g_assert(ok == 1);
    g_autofree uint8_t *bytes = g_malloc((size_t) BN_num_bytes(number) + 1);
    int length = BN_bn2bin(number, bytes);
    ssh_write_mpint(out, bytes, (size_t) length);
    BN_free(number);
}

GByteArray *ssh_blob_from_key(const EVP_PKEY *key)
{
    GByteArray *blob = g_byte_array_new();
    ssh_write_text(blob, ssh_type_of_key(key));
    uint8_t bytes[256];
    size_t length = sizeof bytes;
    if (EVP_PKEY_is_a(key, "ED25519")) {
        int ok = EVP_PKEY_get_raw_public_key(key, bytes, &length);
        g_assert(ok == 1);
        ssh_write_string(blob, bytes, length);
    } else if (EVP_PKEY_is_a(key, "RSA")) {
        write_number(blob, key, OSSL_PKEY_PARAM_RSA_E);
        write_number(blob, key, OSSL_PKEY_PARAM_RSA_N);
    } else {
        int ok = EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_PUB_KEY, bytes, sizeof bytes,
                                                 &length);
        g_assert(ok == 1);
        ssh_write_text(blob, curves[curve_index(key)].curve);
        ssh_write_string(blob, bytes, length);
    }
    return blob;
}
