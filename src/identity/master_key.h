/* master_key.h - the keys above the secrets; for this room's files only.
 *
 * keys/master.key (0400), or the systemd credential "slipway-master-key", wraps the data keys.
 * A rotation writes keys/master.key.new, wraps all data keys with it in one transaction, and
 * renames it; killed in between, the data keys' key id says which of the two files counts. */
#pragma once

#include "store/state.h"

#include <sodium.h>

typedef struct {
    uint8_t bytes[crypto_aead_xchacha20poly1305_ietf_KEYBYTES];
} SealKey;

/* "v1:KEY-ID:BASE64(nonce, ciphertext)" bound to BINDING. */
char *seal(const SealKey *key, const char *binding, const void *value, size_t length);
/* In guarded memory (sodium_free), with a NUL after it; NULL when it does not open. */
char *unseal(const SealKey *key, const char *binding, const char *sealed, size_t *length);

/* The data key of PROJECT, made when there is none (and the master key with the first). Inside the
 * caller's transaction. */
bool data_key_ensure(State *state, const char *project, SealKey *key, GError **error);
/* Opens WRAPPED. DENIED when the master key is missing or another one. */
bool data_key_open(State *state, const char *project, const char *wrapped, SealKey *key,
                   GError **error);
