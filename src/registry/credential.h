/* credential.h - user names and passwords for registries, from the files and helpers that docker
 * and the containers tools share. It stores nothing. */
#pragma once

#include <glib.h>

typedef struct {
    char *user, *password;
    char *identity_token; /* instead of both: exchanged for access at the token server */
} Credential;

/* The credential for repository PATH ("library/debian") at DOMAIN ("docker.io"), looked for in
 * $DOCKER_CONFIG/config.json or ~/.docker/config.json, $REGISTRY_AUTH_FILE, and
 * containers/auth.json of $XDG_RUNTIME_DIR and $XDG_CONFIG_HOME. NULL without error: none is
 * known. INVALID where a file is malformed. */
Credential *credential_find(const char *domain, const char *path, GError **error);

void credential_free(Credential *credential);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Credential, credential_free)
