/* password.h - the password of a private key: COSIGN_PASSWORD, the terminal, else stdin. */
#pragma once

#include "crypto/key.h"

/* Asks for the password of NAME, twice and equal with CONFIRM. Free with secret_text_free. */
char *password_ask(const char *name, bool confirm, GError **error);
