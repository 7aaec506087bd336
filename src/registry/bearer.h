/* bearer.h - tokens instead of passwords at each request: GET /token with a password gives a signed
 * token for what was asked, which the registry accepts for some minutes. A hook for server.h.
 *
 * Tokens are JWTs (RFC 7519, HS256) under a key of this process: only it reads them, and a restart
 * ends them, which clients answer by asking again. */
#pragma once

#include "registry/htpasswd.h"

typedef struct Bearer Bearer;

/* Issues tokens to the users of USERS (borrowed). */
Bearer *bearer_new(Htpasswd *users);
void bearer_free(Bearer *bearer);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Bearer, bearer_free)

/* RegistryHooks.authorize and .issue with a Bearer as their context. */
RegistryVerdict bearer_authorize(void *context, const RegistryCaller *caller,
                                 const char *repository, RegistryAction action, char **challenge,
                                 char **reason);
char *bearer_issue(void *context, const RegistryCaller *caller, const char *const *scopes,
                   char **challenge, char **reason);
