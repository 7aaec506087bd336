#include "cli/trust_key.h"

#include "sign/signer.h"

PublicKey *trust_key_read(State *state, const char *path, GError **error)
{
    if (path != NULL)
        return public_key_read_file(path, error);
    g_autofree char *pem = signer_public_key(state, error);
    return pem != NULL ? public_key_parse("engine.pub", pem, error) : NULL;
}
