/* key_handle.h - the inside of keys, for this room's files only. */
#pragma once

#include "crypto/key.h"

#include <openssl/evp.h>

struct PublicKey {
    EVP_PKEY *pkey;
    KeyKind kind;
};

struct PrivateKey {
    EVP_PKEY *pkey;
    KeyKind kind;
};

/* Which kind PKEY is; INVALID for kinds, curves and sizes that we do not take. Brings an elliptic
 * key into its normal form (uncompressed point). */
bool key_accept(EVP_PKEY *pkey, KeyKind *kind, GError **error);

/* Takes PKEY, also when it fails. NAME is for messages. */
PublicKey *public_key_take(const char *name, EVP_PKEY *pkey, GError **error);

/* One PEM block of TEXT: its type (free with g_free) and its bytes; FALSE when there is none. The
 * bytes are the caller's to wipe with key_wipe_free. */
bool key_read_pem(const char *text, char **type, uint8_t **der, size_t *length);
void key_wipe_free(uint8_t *bytes, size_t length);

/* The hash a signature of KIND is made over; NULL for Ed25519. */
const char *key_hash(KeyKind kind);
