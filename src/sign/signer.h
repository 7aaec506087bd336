/* signer.h - the engine's own identity and what it signs for an image.
 *
 * The private key lies under the state's keys/, 0600, and is used only by this process family;
 * steps never see it. */
#pragma once

#include "oci/image.h"

/* Makes the engine's keys when there are none (ECDSA P-256 for images, in cosign's file format;
 * Ed25519 for checkpoints). Idempotent, safe against a second process. */
bool signer_ensure_keys(State *state, GError **error);
/* The PEM public key of image signatures. */
char *signer_public_key(State *state, GError **error);
/* A LedgerSigner-like signature over TEXT as a signed note; and the verifier key "NAME+id+base64".
 */
char *signer_sign_note(void *state, const char *text, GError **error);
char *signer_note_key(State *state, GError **error);

/* Signs image DIGEST for REPOSITORY with KEY (PEM path; NULL: the engine's): a Sigstore bundle
 * v0.3 as an OCI referrer and cosign's tag scheme both. */
bool signer_sign_image(ContentStore *store, State *state, const char *repository,
                       const char *digest, const char *key_path, GError **error);

typedef enum {
    SIGNATURE_BUNDLE = 1, /* cosign 3: a bundle as a referrer */
    SIGNATURE_TAG = 2,    /* cosign 2: the tag sha256-HEX.sig */
} SignatureForms;

typedef struct {
    const char *key_path;      /* NULL: the engine's */
    SignatureForms forms;      /* 0: both */
    const json_t *annotations; /* what the signature says beside the digest: strings; may be NULL */
} SignatureSpec;

/* The same as SPEC asks. What the key has signed in that form with these annotations already is
 * left as it is. */
bool signer_sign_image_as(ContentStore *store, State *state, const char *repository,
                          const char *digest, const SignatureSpec *spec, GError **error);

/* Verifies that DIGEST carries a signature by KEY (PEM text). DENIED with what was missing. */
bool signer_verify_image(ContentStore *store, const char *repository, const char *digest,
                         const char *public_key, GError **error);

/* Attaches PREDICATE (taken) of PREDICATE_TYPE as a signed in-toto attestation; gives the digest of
 * its manifest. */
char *signer_attest(ContentStore *store, State *state, const char *repository, const char *digest,
                    const char *predicate_type, json_t *predicate, const char *key_path,
                    GError **error);

/* The verified predicate of PREDICATE_TYPE on DIGEST signed by KEY; NOT_FOUND when none. */
json_t *signer_find_attestation(ContentStore *store, const char *repository, const char *digest,
                                const char *predicate_type, const char *public_key, GError **error);
