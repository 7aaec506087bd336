/* record.h - the ledger as commands use it: opened with the engine's key, one entry at a time. */
#pragma once

#include "ledger/ledger.h"

/* The ledger of STATE, ready to append and to sign checkpoints. */
Ledger *record_open(State *state, GError **error);

/* "local:USER": who runs this command, as far as the machine knows. */
char *record_actor(void);

/* Appends that this user did ACTION to OBJECT with RESULT; DETAIL is taken, may be NULL. */
bool record_append(State *state, const char *action, const char *object, const char *result,
                   json_t *detail, GError **error);
