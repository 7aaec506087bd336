/* simple_signing.h - the payload of cosign 2: "this digest, under this name", signed as bytes. */
#pragma once

#include "crypto/key.h"

#include <jansson.h>

#define SIMPLE_SIGNING_MEDIA_TYPE "application/vnd.dev.cosign.simplesigning.v1+json"
#define SIMPLE_SIGNING_ANNOTATION "dev.cosignproject.cosign/signature"

/* The payload, in the order of cosign's. ANNOTATIONS may be NULL. */
char *simple_signing_format(const char *repository, const char *digest, const json_t *annotations);

/* The payload of LENGTH bytes is signed by KEY with SIGNATURE (base64) and names DIGEST. Gives the
 * payload as JSON; INVALID or DENIED say what is wrong. */
json_t *simple_signing_verify(const char *payload, size_t length, const char *signature,
                              const PublicKey *key, const char *digest, GError **error);
