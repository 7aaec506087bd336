/* trust_key.h - the public key a verifying command trusts. */
#pragma once

#include "crypto/key.h"
#include "store/state.h"

/* The key in the file PATH; NULL: the engine's own. */
PublicKey *trust_key_read(State *state, const char *path, GError **error);
