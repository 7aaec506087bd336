/* key.h - public and private keys: Ed25519, ECDSA on P-256, P-384 and P-521, RSA from 2048 bits.
 *
 * Every public key has one normal form, so that the same key in PEM and in OpenSSH's form is seen
 * to be the same. */
#pragma once

#include "crypto/hash.h"

typedef enum {
    KEY_ED25519,
    KEY_ECDSA_P256,
    KEY_ECDSA_P384,
    KEY_ECDSA_P521,
    KEY_RSA,
} KeyKind;

/* "ed25519", "ecdsa-p256" …; static. */
const char *key_kind_name(KeyKind kind);

typedef struct PublicKey PublicKey;
typedef struct PrivateKey PrivateKey;

void public_key_free(PublicKey *key);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PublicKey, public_key_free)
/* Wipes it as well. */
void private_key_free(PrivateKey *key);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PrivateKey, private_key_free)

/* Reads a PEM "PUBLIC KEY" or one OpenSSH line "TYPE BASE64 [COMMENT]"; NAME is for messages.
 * INVALID for anything else; a private key is refused as such, its text is not repeated. */
PublicKey *public_key_parse(const char *name, const char *text, GError **error);
PublicKey *public_key_read_file(const char *path, GError **error);
/* From SubjectPublicKeyInfo, and from the 32 raw bytes of an Ed25519 key. */
PublicKey *public_key_from_spki(const uint8_t *der, size_t length, GError **error);
PublicKey *public_key_from_ed25519(const uint8_t raw[32]);

KeyKind public_key_kind(const PublicKey *key);
bool public_key_equal(const PublicKey *a, const PublicKey *b);
char *public_key_format_pem(const PublicKey *key);
/* "ssh-ed25519 AAAA…", without a comment. */
char *public_key_format_ssh(const PublicKey *key);
/* "SHA256:…" as `ssh-keygen -l` prints it. */
char *public_key_fingerprint(const PublicKey *key);
/* SubjectPublicKeyInfo, and base64 of its SHA-256 (the hint of a Sigstore bundle). */
char *public_key_hint(const PublicKey *key);
/* The 32 bytes of an Ed25519 key; false for other kinds. */
bool public_key_raw_ed25519(const PublicKey *key, uint8_t raw[32]);

/* SIGNATURE (raw Ed25519, DER ECDSA, PKCS#1 v1.5) over MESSAGE. The hash is the kind's own:
 * SHA-256, SHA-384 or SHA-512 by curve, SHA-256 for RSA; on P-384 and P-521 SHA-256 counts as
 * well, which cosign 2 used for every curve. */
bool public_key_verify(const PublicKey *key, const void *message, size_t length,
                       const uint8_t *signature, size_t signature_length);
/* The same for RSA with SHA-512 (rsa-sha2-512 of OpenSSH). */
bool public_key_verify_rsa_sha512(const PublicKey *key, const void *message, size_t length,
                                  const uint8_t *signature, size_t signature_length);

PrivateKey *private_key_generate(KeyKind kind, GError **error);
/* Reads PEM: "PRIVATE KEY", "EC PRIVATE KEY", "RSA PRIVATE KEY", "ENCRYPTED PRIVATE KEY" and
 * cosign's "ENCRYPTED SIGSTORE PRIVATE KEY". PASSWORD NULL: asked for when one is needed
 * (password.h). DENIED for a wrong password. */
PrivateKey *private_key_parse(const char *name, const char *pem, const char *password,
                              GError **error);
PrivateKey *private_key_read_file(const char *path, const char *password, GError **error);
KeyKind private_key_kind(const PrivateKey *key);
PublicKey *private_key_public(const PrivateKey *key);
/* PKCS#8 "PRIVATE KEY", unencrypted; free with secret_text_free. */
char *private_key_format_pem(const PrivateKey *key);
/* PKCS#8 DER; wipe it after use. */
uint8_t *private_key_pkcs8(const PrivateKey *key, size_t *length);
PrivateKey *private_key_from_pkcs8(const uint8_t *der, size_t length, GError **error);

/* A signature that public_key_verify accepts; RSA_SHA512 as in public_key_verify_rsa_sha512. */
uint8_t *private_key_sign(const PrivateKey *key, const void *message, size_t length,
                          size_t *signature_length, GError **error);
uint8_t *private_key_sign_rsa_sha512(const PrivateKey *key, const void *message, size_t length,
                                     size_t *signature_length, GError **error);

/* Wipes TEXT up to its NUL, then frees it; NULL is fine. */
void secret_text_free(char *text);
typedef char SecretText;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SecretText, secret_text_free)
