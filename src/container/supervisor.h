/* supervisor.h - the one process of a state folder that owns its long-lived units.
 *
 * Single by a lock on supervisor.lock; started on demand by any command; answers JSON lines on
 * supervisor.sock: one object {"op",…} in, one object {"ok":true,…} or {"error","code"} out. Rooms
 * above add operations through the table they hand in. */
#pragma once

#include "container/unit.h"

typedef struct {
    const char *name;
    /* Runs in a thread of its own; the answer is taken. */
    json_t *(*run)(void *self, const json_t *request, GError **error);
    void *self;
} SupervisorOperation;

/* How long a supervisor with no unit, no proxy and no question stays. */
#define SUPERVISOR_IDLE_SECONDS 30

/* Takes the lock, adopts units and proxies, serves until told to stop or nothing lives and nothing
 * was asked for SUPERVISOR_IDLE_SECONDS. ON_START (may be NULL) runs once after adoption, in a
 * thread of its own (to resume deployments); until it returns the supervisor is not idle.
 * UNAVAILABLE when one already runs. */
bool supervisor_serve(State *state, UnitManager *units, const SupervisorOperation *operations,
                      size_t count, void (*on_start)(void *), void *self, GError **error);

/* The same, but it never ends for want of work: in the foreground, under systemd, in the server. */
bool supervisor_serve_always(State *state, UnitManager *units,
                             const SupervisorOperation *operations, size_t count,
                             void (*on_start)(void *), void *self, GError **error);

/* Asks the supervisor of HOME, starting it when there is none (and waiting until it answers). */
json_t *supervisor_call(const char *home, json_t *request /* taken */, GError **error);

/* Ends it and, with UNITS, all its units and proxies. Fine when there is none. */
bool supervisor_stop(const char *home, bool units, GError **error);
