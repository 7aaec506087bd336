/* challenge.h - the WWW-Authenticate headers of a 401. Pure text. */
#pragma once

#include <glib.h>

typedef struct {
    char *scheme;       /* lower case: "basic", "bearer" */
    GHashTable *values; /* lower-case name -> value: realm, service, scope, error */
} Challenge;

/* Adds the challenges of HEADER to INTO (Challenge *, freed by challenge_free). What is malformed
 * ends the list. */
void challenge_parse(const char *header, GPtrArray *into);

void challenge_free(gpointer challenge);
