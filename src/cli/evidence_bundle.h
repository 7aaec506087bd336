/* evidence_bundle.h - all that is known of one image in one file, for somebody without the state.
 *
 *   {"type":"slipway/evidence-bundle/v1","repository","digest","manifest","config" (base64),
 *    "statements":[{"form":"bundle"|"envelope"|"payload","blob" (base64),"signature"?}],
 *    "record":[ledger proofs],"keys":{"image" (PEM),"ledger" (verifier key)}}
 *
 * The keys in it are for convenience: who has them from elsewhere gives those. */
#pragma once

#include "cli/image_target.h"
#include "crypto/key.h"

#include <jansson.h>

#define EVIDENCE_BUNDLE_TYPE "slipway/evidence-bundle/v1"

json_t *evidence_bundle_make(ContentStore *store, const ImageTarget *target, GError **error);

/* Verifies BUNDLE with IMAGE_KEY and LEDGER_KEY (NULL: its own keys): the image's bytes are those
 * of the digest, at least one signature is good and none of the record's proofs is wrong. Gives
 * {"digest","repository","signatures","attestations":[types],"entries":[…],"rejected":[…]}.
 * DENIED says what does not hold. */
json_t *evidence_bundle_verify(const json_t *bundle, const PublicKey *image_key,
                               const char *ledger_key, GError **error);
