/* state.h - the state folder, $SLIPWAY_HOME, and its database.
 *
 *   state.db       SQLite, tables from schema/NNN_room.sql
 *   store/         OCI image layout: blobs/sha256/HEX (oci/)
 *   layers/        unpacked layers (oci/)
 *   cache/         what may be deleted at any time
 *   runs/ID/       one run: events.jsonl, logs
 *   units/ID/      one long-lived unit (container/)
 *   volumes/PROJECT/ENVIRONMENT/NAME
 *   keys/          the program's own identities, 0600
 *   supervisor.sock, supervisor.lock, supervisor.log */
#pragma once

#include "store/database.h"

typedef struct {
    char *home; /* absolute */
    Database *database;
} State;

/* $SLIPWAY_HOME, else /var/lib/slipway for root and $XDG_DATA_HOME/slipway for others; absolute. */
char *state_default_home(void);

/* Opens the state of HOME (NULL: the default one), making the folder (0700) and bringing the
 * schema up to date. INVALID when a newer program wrote it. */
State *state_open(const char *home, GError **error);

/* HOME/part/part…, NULL-terminated. */
char *state_path(const State *state, const char *part, ...) G_GNUC_NULL_TERMINATED;

/* The same, and the folder exists afterwards (0700). NULL on error. */
char *state_folder(const State *state, GError **error, const char *part,
                   ...) G_GNUC_NULL_TERMINATED;

void state_close(State *state);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(State, state_close)
