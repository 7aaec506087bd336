/* hash.h - SHA-256 and SHA-512 of bytes: at once, piece by piece, of a descriptor.
 *
 * None of these fails but the reading of a descriptor. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum {
    HASH_SHA256,
    HASH_SHA512,
} HashAlgorithm;

#define HASH_SHA256_LENGTH 32
#define HASH_LENGTH_MAX 64

/* "sha256", "sha512"; static. */
const char *hash_name(HashAlgorithm algorithm);
/* The algorithm NAME (of NAME_LENGTH bytes) means; false when there is none. */
bool hash_parse_name(const char *name, size_t name_length, HashAlgorithm *algorithm);
/* Bytes of its result: 32 or 64. */
size_t hash_length(HashAlgorithm algorithm);

/* The hash of LENGTH bytes: raw, into OUT of hash_length() bytes; as lower-case hex; as
 * "sha256:hex". */
void hash_bytes(HashAlgorithm algorithm, const void *bytes, size_t length, uint8_t *out);
char *hash_hex(HashAlgorithm algorithm, const void *bytes, size_t length);
char *hash_digest(HashAlgorithm algorithm, const void *bytes, size_t length);

/* Lower-case hex of LENGTH raw bytes. */
char *hash_format_hex(const uint8_t *bytes, size_t length);

/* A hash that grows piece by piece. */
typedef struct Hash Hash;
Hash *hash_new(HashAlgorithm algorithm);
/* A second one that has seen the same bytes: for a digest in the middle of a stream. */
Hash *hash_copy(const Hash *hash);
void hash_update(Hash *hash, const void *bytes, size_t length);
/* The result, raw or as text; after either HASH can only be freed. */
void hash_finish(Hash *hash, uint8_t *out);
char *hash_finish_hex(Hash *hash);
char *hash_finish_digest(Hash *hash);
void hash_free(Hash *hash);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Hash, hash_free)

/* "sha256:hex" of what can be read from FD from its present position, in one pass; *SIZE (may be
 * NULL) gets the number of bytes. NULL with UNAVAILABLE when a read fails. */
char *hash_fd(HashAlgorithm algorithm, int fd, int64_t *size, GError **error);
