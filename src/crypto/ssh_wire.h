/* ssh_wire.h - the binary forms of OpenSSH (RFC 4251 section 5, RFC 5656, RFC 8709, RFC 8332). */
#pragma once

#include <glib.h>
#include <openssl/evp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A reader that never leaves its bytes; after a false the whole is malformed. */
typedef struct {
    const uint8_t *bytes;
    size_t length;
} SshReader;

bool ssh_read_uint32(SshReader *reader, uint32_t *value);
/* Borrows from the reader's bytes. */
bool ssh_read_string(SshReader *reader, const uint8_t **bytes, size_t *length);

void ssh_write_uint32(GByteArray *out, uint32_t value);
void ssh_write_string(GByteArray *out, const void *bytes, size_t length);
void ssh_write_text(GByteArray *out, const char *text);
/* A positive integer: no leading zeros, a zero byte before a high bit. */
void ssh_write_mpint(GByteArray *out, const uint8_t *bytes, size_t length);

/* The public key of BLOB; NULL with INVALID for a type we do not know. */
EVP_PKEY *ssh_blob_to_key(const uint8_t *blob, size_t length, GError **error);
/* The blob of a key that key.c has accepted. */
GByteArray *ssh_blob_from_key(const EVP_PKEY *key);
/* "ssh-ed25519", "ecdsa-sha2-nistp256" …, of the blob; static. */
const char *ssh_type_of_key(const EVP_PKEY *key);
