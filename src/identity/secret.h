/* secret.h - values that units need and nobody reads: encrypted in the state, wiped after use.
 *
 * Envelope: the master key (keys/master.key, 0400) wraps one data key a project, the data key
 * seals each value with XChaCha20-Poly1305, bound to project, environment, name and version: a
 * row moved elsewhere does not open. */
#pragma once

#include "store/state.h"

#define SECRET_LIMIT (64 * 1024)

typedef struct {
    char *value; /* LENGTH bytes and a NUL; locked memory where the system grants it */
    size_t length;
} Secret;

/* Wipes and frees. */
void secret_free(Secret *secret);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Secret, secret_free)

typedef struct {
    char *project, *environment, *name; /* environment "": of the whole project */
    int64_t version, set_at;            /* version from 1; seconds since 1970 */
} SecretName;

void secret_name_free(SecretName *name);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SecretName, secret_name_free)

/* "PROJECT/ENVIRONMENT/NAME" or "PROJECT/NAME"; INVALID shows the form. */
SecretName *secret_name_parse(const char *text, GError **error);

/* Sets a new version and gives its number, -1 on error. INVALID over SECRET_LIMIT. */
int64_t secret_set(State *state, const char *project, const char *environment, const char *name,
                   const void *value, size_t length, GError **error);

/* The newest value for ENVIRONMENT, else the project's. NOT_FOUND with the command that mends it;
 * DENIED when the row does not open (moved, altered, or another master key). */
Secret *secret_get(State *state, const char *project, const char *environment, const char *name,
                   GError **error);

/* SecretName *, of PROJECT (NULL: all), by name. The array owns them. */
GPtrArray *secret_list(State *state, const char *project, GError **error);

/* A new master key; the data keys are wrapped again, values stay as they are. Survives a kill at
 * any moment. Gives the number of data keys, -1 on error. */
int64_t secret_rotate_master(State *state, GError **error);
