/* verification.h - every candidate for a signature or attestation of an image, judged. */
#pragma once

#include "crypto/key.h"
#include "oci/image.h"

typedef enum {
    CANDIDATE_SIGNATURE,
    CANDIDATE_ATTESTATION,
} CandidateRole;

typedef struct {
    CandidateRole role;
    const char *form;     /* "bundle", "tag"; static */
    char *manifest;       /* digest of what holds it */
    char *predicate_type; /* of a verified statement; NULL in cosign 2's form */
    json_t *document;     /* the verified payload or statement; NULL when rejected */
    char *reason;         /* why it was rejected; NULL: verified */
} Candidate;

/* Judges all that DIGEST carries in REPOSITORY, bundles and tags together, with KEY: an array of
 * Candidate *, which it owns, newest first. What could not be attributed is a signature
 * candidate. */
GPtrArray *verification_run(ContentStore *store, const char *repository, const char *digest,
                            const PublicKey *key, GError **error);

/* What a verified candidate says beside the digest: an object or NULL; borrowed. */
const json_t *candidate_annotations(const Candidate *candidate);

/* The first verified signature, or attestation of PREDICATE_TYPE; NULL when there is none. */
const Candidate *verification_find_signature(const GPtrArray *candidates);
const Candidate *verification_find_attestation(const GPtrArray *candidates,
                                               const char *predicate_type);
/* One line a rejected candidate, for a person; "" when nothing was rejected. */
char *verification_explain(const GPtrArray *candidates);
