/* The armoured blob (PROTOCOL.sshsig): "SSHSIG", uint32 version 1, string public key, string
 * namespace, string reserved, string hash algorithm, string signature (string type, string
 * bytes). What is signed: "SSHSIG", string namespace, string reserved, string hash algorithm,
 * string H(message). */
#include "crypto/sshsig.h"

#include "base/error.h"
#include "base/file.h"
#include "base/process.h"
#include "crypto/base64.h"
#include "crypto/key_handle.h"
#include "crypto/ssh_wire.h"

#include <fcntl.h>
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <string.h>

#define MAGIC "SSHSIG"
#define BEGIN "-----BEGIN SSH SIGNATURE-----"
#define END "-----END SSH SIGNATURE-----"
#define ARMOR_LIMIT (64 * 1024)
#define COLUMNS 70

typedef struct {
    const uint8_t *key, *signature; /* borrowed from the decoded armor */
    size_t key_length, signature_length;
    char *name_space, *hash;
    uint8_t *bytes;
} Parsed;

static void parsed_clear(Parsed *parsed)
{
    g_free(parsed->name_space);
    g_free(parsed->hash);
    g_free(parsed->bytes);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Parsed, parsed_clear)

static bool invalid(GError **error)
{
    g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID, "malformed SSH signature");
    return false;
}

static bool denied(const char *why, GError **error)
{
    g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_DENIED, "signature: %s", why);
    return false;
}

static bool is_blank(const char *text)
{
    return text[strspn(text, " \t\r\n")] == '\0';
}

static uint8_t *decode_armor(const char *armor, size_t *length)
{
    if (strlen(armor) > ARMOR_LIMIT)
        return NULL;
    const char *begin = armor + strspn(armor, " \t\r\n");
    const char *end = g_str_has_prefix(begin, BEGIN) ? strstr(begin, END) : NULL;
    if (end == NULL || !is_blank(end + strlen(END)))
        return NULL;
    g_autoptr(GString) text = g_string_new(NULL);
    for (const char *at = begin + strlen(BEGIN); at < end; at++)
        if (*at != '\n' && *at != '\r')
            g_string_append_c(text, *at);
    return base64_decode(text->str, (gssize) text->len, length, NULL);
}

static char *read_text(SshReader *reader)
{
    const uint8_t *bytes;
    size_t length;
    if (!ssh_read_string(reader, &bytes, &length) || memchr(bytes, 0, length) != NULL)
        return NULL;
    return g_strndup((const char *) bytes, length);
}

static bool parse(const char *armor, Parsed *parsed, GError **error)
{
    size_t length;
    parsed->bytes = decode_armor(armor, &length);
    if (parsed->bytes == NULL || length < strlen(MAGIC) ||
        memcmp(parsed->bytes, MAGIC, strlen(MAGIC)) != 0)
        return invalid(error);

    SshReader reader = {parsed->bytes + strlen(MAGIC), length - strlen(MAGIC)};
    uint32_t version;
    const uint8_t *reserved;
    size_t reserved_length;
    if (!ssh_read_uint32(&reader, &version) || version != 1 ||
        !ssh_read_string(&reader, &parsed->key, &parsed->key_length))
        return invalid(error);
    parsed->name_space = read_text(&reader);
    if (parsed->name_space == NULL || !ssh_read_string(&reader, &reserved, &reserved_length))
        return invalid(error);
    parsed->hash = read_text(&reader);
    if (parsed->hash == NULL ||
        !ssh_read_string(&reader, &parsed->signature, &parsed->signature_length) ||
        reader.length != 0 || reserved_length != 0)
        return invalid(error);
    return true;
}

/* The bytes that are really signed. */
static GByteArray *signed_data(const char *name_space, HashAlgorithm hash, const void *message,
                               size_t length)
{
    uint8_t raw[HASH_LENGTH_MAX];
    hash_bytes(hash, message, length, raw);
    GByteArray *data = g_byte_array_new();
    g_byte_array_append(data, (const guint8 *) MAGIC, (guint) strlen(MAGIC));
    ssh_write_text(data, name_space);
    ssh_write_text(data, "");
    ssh_write_text(data, hash_name(hash));
    ssh_write_string(data, raw, hash_length(hash));
    return data;
}

/* OpenSSH's pair of numbers (RFC 5656 section 3.1.2) as the DER that OpenSSL reads. */
static uint8_t *ecdsa_to_der(const uint8_t *bytes, size_t length, size_t *der_length)
{
    SshReader reader = {bytes, length};
    const uint8_t *r, *s;
    size_t r_length, s_length;
    if (!ssh_read_string(&reader, &r, &r_length) || !ssh_read_string(&reader, &s, &s_length) ||
        reader.length != 0 || r_length > 67 || s_length > 67)
        return NULL;
    ECDSA_SIG *pair = ECDSA_SIG_new();
    ECDSA_SIG_set0(pair, BN_bin2bn(r, (int) r_length, NULL), BN_bin2bn(s, (int) s_length, NULL));
    unsigned char *der = NULL;
    int n = i2d_ECDSA_SIG(pair, &der);
    ECDSA_SIG_free(pair);
    if (n <= 0)
        return NULL;
    uint8_t *copy = g_memdup2(der, (gsize) n);
    OPENSSL_free(der);
    *der_length = (size_t) n;
    return copy;
}

static bool check_signature(const PublicKey *key, const GByteArray *data, const uint8_t *signature,
                            size_t length)
{
    SshReader reader = {signature, length};
    g_autofree char *type = read_text(&reader);
    const uint8_t *bytes;
    size_t n;
    if (type == NULL || !ssh_read_string(&reader, &bytes, &n) || reader.length != 0)
        return false;
    if (key->kind == KEY_RSA) {
        /* "ssh-rsa" itself means SHA-1 and is refused. */
        if (g_str_equal(type, "rsa-sha2-512"))
            return public_key_verify_rsa_sha512(key, data->data, data->len, bytes, n);
        return g_str_equal(type, "rsa-sha2-256") &&
               public_key_verify(key, data->data, data->len, bytes, n);
    }
    if (!g_str_equal(type, ssh_type_of_key(key->pkey)))
        return false;
    if (key->kind == KEY_ED25519)
        return public_key_verify(key, data->data, data->len, bytes, n);
    size_t der_length;
    g_autofree uint8_t *der = ecdsa_to_der(bytes, n, &der_length);
    return der != NULL && public_key_verify(key, data->data, data->len, der, der_length);
}

PublicKey *sshsig_key(const char *armor, GError **error)
{
    g_auto(Parsed) parsed = {0};
    if (!parse(armor, &parsed, error))
        return NULL;
    EVP_PKEY *pkey = ssh_blob_to_key(parsed.key, parsed.key_length, error);
    return pkey != NULL ? public_key_take("signature", pkey, error) : NULL;
}

bool sshsig_verify(const PublicKey *key, const char *name_space, const void *message, size_t length,
                   const char *armor, GError **error)
{
    g_auto(Parsed) parsed = {0};
    if (!parse(armor, &parsed, error))
        return false;
    g_autoptr(GByteArray) blob = ssh_blob_from_key(key->pkey);
    if (blob->len != parsed.key_length || memcmp(blob->data, parsed.key, blob->len) != 0)
        return denied("made with another key", error);
    if (!g_str_equal(parsed.name_space, name_space))
        return denied("made for another purpose (namespace)", error);
    HashAlgorithm hash;
    if (!hash_parse_name(parsed.hash, strlen(parsed.hash), &hash))
        return denied("its hash is neither sha256 nor sha512", error);
    g_autoptr(GByteArray) data = signed_data(name_space, hash, message, length);
    if (!check_signature(key, data, parsed.signature, parsed.signature_length))
        return denied("does not fit what was signed", error);
    return true;
}

static void write_number(GByteArray *out, const BIGNUM *number)
{
    uint8_t bytes[80];
    int length = BN_bn2bin(number, bytes); /* P-521: 66 bytes */
    ssh_write_mpint(out, bytes, (size_t) length);
}

static GByteArray *der_to_ecdsa(const uint8_t *der, size_t length)
{
    const unsigned char *at = der;
    ECDSA_SIG *pair = d2i_ECDSA_SIG(NULL, &at, (long) length);
    g_assert(pair != NULL);
    GByteArray *out = g_byte_array_new();
    write_number(out, ECDSA_SIG_get0_r(pair));
    write_number(out, ECDSA_SIG_get0_s(pair));
    ECDSA_SIG_free(pair);
    return out;
}

static GByteArray *make_signature(const PrivateKey *key, const GByteArray *data, GError **error)
{
    size_t length;
    bool rsa = key->kind == KEY_RSA;
    g_autofree uint8_t *raw =
        rsa ? private_key_sign_rsa_sha512(key, data->data, data->len, &length, error)
            : private_key_sign(key, data->data, data->len, &length, error);
    if (raw == NULL)
        return NULL;
    GByteArray *out = g_byte_array_new();
    ssh_write_text(out, rsa ? "rsa-sha2-512" : ssh_type_of_key(key->pkey));
    if (rsa || key->kind == KEY_ED25519) {
        ssh_write_string(out, raw, length);
        return out;
    }
    g_autoptr(GByteArray) pair = der_to_ecdsa(raw, length);
    ssh_write_string(out, pair->data, pair->len);
    return out;
}

static char *encode_armor(const GByteArray *blob)
{
    g_autofree char *text = base64_encode(blob->data, blob->len);
    GString *armor = g_string_new(BEGIN "\n");
    size_t length = strlen(text);
    for (size_t i = 0; i < length; i += COLUMNS)
        g_string_append_printf(armor, "%.*s\n", COLUMNS, text + i);
    g_string_append(armor, END "\n");
    return g_string_free(armor, FALSE);
}

char *sshsig_sign(const PrivateKey *key, const char *name_space, const void *message, size_t length,
                  GError **error)
{
    g_autoptr(GByteArray) data = signed_data(name_space, HASH_SHA512, message, length);
    g_autoptr(GByteArray) signature = make_signature(key, data, error);
    if (signature == NULL)
        return NULL;
    g_autoptr(GByteArray) public_blob = ssh_blob_from_key(key->pkey);
    g_autoptr(GByteArray) blob = g_byte_array_new();
    g_byte_array_append(blob, (const guint8 *) MAGIC, (guint) strlen(MAGIC));
    ssh_write_uint32(blob, 1);
    ssh_write_string(blob, public_blob->data, public_blob->len);
    ssh_write_text(blob, name_space);
    ssh_write_text(blob, "");
    ssh_write_text(blob, hash_name(HASH_SHA512));
    ssh_write_string(blob, signature->data, signature->len);
    return encode_armor(blob);
}

/* ssh-keygen reads the message from stdin and writes the armor to stdout; it asks for a passphrase
 * on the terminal or through SSH_ASKPASS by itself. */
static char *sign_with_program(const char *path, const char *name_space, const void *message,
                               size_t length, GError **error)
{
    const char *argv[] = {"ssh-keygen", "-q", "-Y", "sign", "-f", path, "-n", name_space, NULL};
    ProcessSpec spec = {.argv = argv, .input = message, .input_length = (gssize) length};
    g_auto(ProcessResult) result = {0};
    if (!process_run_checked(&spec, &result, error)) {
        g_prefix_error(error, "sign with '%s': ", path);
        return NULL;
    }
    if (strstr(result.output, BEGIN) == NULL) {
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_UNAVAILABLE,
                    "ssh-keygen gave no signature for '%s'", path);
        return NULL;
    }
    return g_steal_pointer(&result.output);
}

char *sshsig_sign_with_file(const char *path, const char *name_space, const void *message,
                            size_t length, GError **error)
{
    g_autoptr(SecretText) text = file_read(AT_FDCWD, path, ARMOR_LIMIT, NULL, error);
    if (text == NULL)
        return NULL;
    bool pem = strstr(text, "-----BEGIN ") != NULL;
    if (!pem || strstr(text, "-----BEGIN OPENSSH PRIVATE KEY-----") != NULL)
        return sign_with_program(path, name_space, message, length, error);
    g_autoptr(PrivateKey) key = private_key_parse(path, text, NULL, error);
    if (key == NULL)
        return NULL;
    return sshsig_sign(key, name_space, message, length, error);
}
