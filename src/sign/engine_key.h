/* engine_key.h - the engine's private keys, for this room's files only.
 *
 *   keys/engine.key       ECDSA P-256 in cosign's format; engine.pub beside it
 *   keys/engine.password  its password, unless the systemd credential slipway-engine-password is
 * set keys/ledger.key       Ed25519, PKCS#8; ledger.vkey beside it: the checkpoints' verifier key
 */
#pragma once

#include "crypto/key.h"
#include "store/state.h"

/* The unlocked key of image signatures, once a process: unlocking costs 0.1 s. Borrowed. */
const PrivateKey *engine_key(State *state, GError **error);
