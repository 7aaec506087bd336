/* cosign_key.h - cosign's private key file: JSON (scrypt, secretbox) in a PEM of its own type. */
#pragma once

#include "crypto/key.h"

#define COSIGN_KEY_TYPE "ENCRYPTED SIGSTORE PRIVATE KEY"
#define COSIGN_KEY_TYPE_OLD "ENCRYPTED COSIGN PRIVATE KEY"

/* Scrypt's N. cosign writes 65536 (64 MiB, 0.2 s) and reads these three only. */
typedef enum {
    COSIGN_COST_LOW = 32768,
    COSIGN_COST_DEFAULT = 65536,
    COSIGN_COST_HIGH = 131072,
} CosignCost;

/* The PEM text of KEY sealed with PASSWORD (may be empty). */
char *cosign_key_seal(const PrivateKey *key, const char *password, CosignCost cost, GError **error);

/* Opens BODY, the JSON inside the PEM. INVALID for another form or cost, DENIED for a wrong
 * password. */
PrivateKey *cosign_key_open(const char *name, const char *body, size_t length, const char *password,
                            GError **error);
