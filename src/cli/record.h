/* record.h - the ledger as commands use it: opened with the engine's key, one entry at a time. */
#pragma once

#include "ledger/ledger.h"

/* The ledger of STATE, ready to append and to sign checkpoints. */
Ledger *record_open(State *state, GError **error);

/* Appends that this user did ACTION to OBJECT with RESULT; DETAIL is taken, may be NULL. */
bool record_append(State *state, const char *action, const char *object, const char *result,
                   json_t *detail, GError **error);

/* What the record says of OBJECT, oldest first; of an image also what it says of the commit it was
 * built from. ACTION may be NULL. An array. */
json_t *record_query(Ledger *ledger, const char *object, const char *action, GError **error);

/* The name the record uses for what a person typed: itself, an image reference, or the beginning
 * of a commit or digest. */
char *record_find_object(State *state, Ledger *ledger, const char *name, GError **error);
