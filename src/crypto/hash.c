#include "crypto/hash.h"

#include "base/error.h"

#include <errno.h>
#include <openssl/evp.h>
#include <string.h>
#include <unistd.h>

/* Large enough that the call costs nothing beside the hashing, small enough for the cache. */
#define READ_BLOCK (256 * 1024)

static const struct {
    const char *name;
    size_t length;
} algorithms[] = {
    [HASH_SHA256] = {"sha256", 32},
    [HASH_SHA512] = {"sha512", 64},
};

struct Hash {
    HashAlgorithm algorithm;
    EVP_MD_CTX *context;
};

/* Fetched once: OpenSSL 3 otherwise looks the name up at each start of a hash. */
static const EVP_MD *fetched(HashAlgorithm algorithm)
{
    static gsize once;
    static EVP_MD *digests[G_N_ELEMENTS(algorithms)];
    if (g_once_init_enter(&once)) {
        digests[HASH_SHA256] = EVP_MD_fetch(NULL, "SHA2-256", NULL);
        digests[HASH_SHA512] = EVP_MD_fetch(NULL, "SHA2-512", NULL);
        g_assert(digests[HASH_SHA256] != NULL && digests[HASH_SHA512] != NULL);
        g_once_init_leave(&once, 1);
    }
    return digests[algorithm];
}

const char *hash_name(HashAlgorithm algorithm)
{
    return algorithms[algorithm].name;
}

bool hash_parse_name(const char *name, size_t name_length, HashAlgorithm *algorithm)
{
    for (size_t i = 0; i < G_N_ELEMENTS(algorithms); i++) {
        if (strlen(algorithms[i].name) != name_length ||
            strncmp(algorithms[i].name, name, name_length) != 0)
            continue;
        *algorithm = (HashAlgorithm) i;
        return true;
    }
    return false;
}

size_t hash_length(HashAlgorithm algorithm)
{
    return algorithms[algorithm].length;
}

char *hash_format_hex(const uint8_t *bytes, size_t length)
{
    static const char digits[] = "0123456789abcdef";
    char *hex = g_malloc(length * 2 + 1);
    for (size_t i = 0; i < length; i++) {
        hex[2 * i] = digits[bytes[i] >> 4];
        hex[2 * i + 1] = digits[bytes[i] & 15];
    }
    hex[length * 2] = '\0';
    return hex;
}

static char *format_digest(HashAlgorithm algorithm, const uint8_t *raw)
{
    g_autofree char *hex = hash_format_hex(raw, algorithms[algorithm].length);
    return g_strconcat(algorithms[algorithm].name, ":", hex, NULL);
}

void hash_bytes(HashAlgorithm algorithm, const void *bytes, size_t length, uint8_t *out)
{
    int ok = EVP_Digest(bytes, length, out, NULL, fetched(algorithm), NULL);
    g_assert(ok == 1);
}

char *hash_hex(HashAlgorithm algorithm, const void *bytes, size_t length)
{
    uint8_t raw[HASH_LENGTH_MAX];
    hash_bytes(algorithm, bytes, length, raw);
    return hash_format_hex(raw, algorithms[algorithm].length);
}

char *hash_digest(HashAlgorithm algorithm, const void *bytes, size_t length)
{
    uint8_t raw[HASH_LENGTH_MAX];
    hash_bytes(algorithm, bytes, length, raw);
    return format_digest(algorithm, raw);
}

Hash *hash_new(HashAlgorithm algorithm)
{
    Hash *hash = g_new(Hash, 1);
    *hash = (Hash){.algorithm = algorithm, .context = EVP_MD_CTX_new()};
    g_assert(hash->context != NULL);
    int ok = EVP_DigestInit_ex2(hash->context, fetched(algorithm), NULL);
    g_assert(ok == 1);
    return hash;
}

Hash *hash_copy(const Hash *hash)
{
    Hash *copy = g_new(Hash, 1);
    *copy = (Hash){.algorithm = hash->algorithm, .context = EVP_MD_CTX_new()};
    g_assert(copy->context != NULL);
    int ok = EVP_MD_CTX_copy_ex(copy->context, hash->context);
    g_assert(ok == 1);
    return copy;
}

void hash_update(Hash *hash, const void *bytes, size_t length)
{
    int ok = EVP_DigestUpdate(hash->context, bytes, length);
    g_assert(ok == 1);
}

void hash_finish(Hash *hash, uint8_t *out)
{
    int ok = EVP_DigestFinal_ex(hash->context, out, NULL);
    g_assert(ok == 1);
}

char *hash_finish_hex(Hash *hash)
{
    uint8_t raw[HASH_LENGTH_MAX];
    hash_finish(hash, raw);
    return hash_format_hex(raw, algorithms[hash->algorithm].length);
}

char *hash_finish_digest(Hash *hash)
{
    uint8_t raw[HASH_LENGTH_MAX];
    hash_finish(hash, raw);
    return format_digest(hash->algorithm, raw);
}

void hash_free(Hash *hash)
{
    if (hash == NULL)
        return;
    EVP_MD_CTX_free(hash->context);
    g_free(hash);
}

char *hash_fd(HashAlgorithm algorithm, int fd, int64_t *size, GError **error)
{
    g_autoptr(Hash) hash = hash_new(algorithm);
    g_autofree uint8_t *block = g_malloc(READ_BLOCK);
    int64_t total = 0;
    for (;;) {
        ssize_t n = read(fd, block, READ_BLOCK);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            error_set_errno(error, errno, "read", "file to hash");
            return NULL;
        }
        if (n == 0)
            break;
        hash_update(hash, block, (size_t) n);
        total += n;
    }
    if (size != NULL)
        *size = total;
    return hash_finish_digest(hash);
}
