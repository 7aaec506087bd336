/* bundle.h - Sigstore bundles with a DSSE envelope, and the in-toto statements in them.
 *
 * Signed is what the bytes say: a payload is parsed after its signature has been verified, and
 * never written anew. */
#pragma once

#include "crypto/dsse.h"

#include <jansson.h>

#define BUNDLE_MEDIA_TYPE "application/vnd.dev.sigstore.bundle.v0.3+json"
#define BUNDLE_MEDIA_TYPE_PREFIX "application/vnd.dev.sigstore.bundle"
#define STATEMENT_TYPE "https://in-toto.io/Statement/v1"
#define STATEMENT_TYPE_OLD "https://in-toto.io/Statement/v0.1"
#define COSIGN_SIGN_TYPE "https://sigstore.dev/cosign/sign/v1"

/* The statement that PREDICATE (borrowed) of PREDICATE_TYPE holds for image DIGEST ("sha256:…");
 * NAME, the repository, and ANNOTATIONS of the subject may be NULL. Compact JSON. */
char *intoto_statement_format(const char *name, const char *digest, const json_t *annotations,
                              const char *predicate_type, json_t *predicate);

/* A bundle v0.3 of STATEMENT, signed by KEY. Compact JSON. */
char *bundle_sign(const char *statement, const PrivateKey *key, GError **error);

typedef struct {
    char *predicate_type;
    json_t *statement; /* the whole */
} VerifiedStatement;

void verified_statement_free(VerifiedStatement *statement);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VerifiedStatement, verified_statement_free)

/* The statement in the bundle TEXT, when it is signed by KEY and is about DIGEST (NULL: about
 * whatever). INVALID for what is no such bundle, DENIED for a wrong signature or subject. */
VerifiedStatement *bundle_verify(const char *text, size_t length, const PublicKey *key,
                                 const char *digest, GError **error);
/* The same for a bare DSSE envelope, as cosign's .att tags hold. */
VerifiedStatement *envelope_verify(const char *text, size_t length, const PublicKey *key,
                                   const char *digest, GError **error);
