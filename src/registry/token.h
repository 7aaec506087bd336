/* token.h - answering a registry's 401: Basic, or a Bearer token from the server it names. Private
 * to this room. */
#pragma once

#include "net/http_client.h"
#include "registry/credential.h"

#include <stdbool.h>

typedef struct TokenKeeper TokenKeeper;

/* Keeps tokens for the registry at ORIGIN ("https://host:443"). CREDENTIAL is taken; may be NULL.
 */
TokenKeeper *token_keeper_new(const char *origin, Credential *credential);
void token_keeper_free(TokenKeeper *keeper);

/* The Authorization header line for SCOPES ("repository:orders:pull repository:…", blanks
 * between), or NULL: nothing is known to help. For the caller to free. */
char *token_keeper_header(TokenKeeper *keeper, const char *scopes);

/* Reads the challenges of ANSWER (a 401) and gets what they ask for. False without error: nothing
 * more can be done; with one: the token server refused or may not be asked. */
bool token_keeper_answer(TokenKeeper *keeper, HttpClient *http, const HttpAnswer *answer,
                         const char *scopes, GError **error);
