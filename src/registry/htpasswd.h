/* htpasswd.h - who may use the registry, by a file of apache's htpasswd with bcrypt hashes: each
 * user in it may do everything. A hook for server.h. */
#pragma once

#include "registry/server.h"

typedef struct Htpasswd Htpasswd;

/* Reads FILE, which is read again when it changes. INVALID names the line that is no bcrypt entry.
 */
Htpasswd *htpasswd_open(const char *file, GError **error);
void htpasswd_free(Htpasswd *htpasswd);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Htpasswd, htpasswd_free)

/* Whether CALLER has sent a user and password that are right; *USER (may be NULL) is then the name.
 * Else *REASON says what is wrong. */
bool htpasswd_check(Htpasswd *htpasswd, const RegistryCaller *caller, char **user, char **reason);

/* RegistryHooks.authorize with an Htpasswd as its context: 401 for everybody else. */
RegistryVerdict htpasswd_authorize(void *context, const RegistryCaller *caller,
                                   const char *repository, RegistryAction action, char **challenge,
                                   char **reason);

/* The challenge of a 401 that asks for user and password. */
#define HTPASSWD_CHALLENGE "Basic realm=\"slipway\""
