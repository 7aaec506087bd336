/* unit.h - long-lived processes from images: started, adopted, probed, logged, stopped.
 *
 * Each unit has a folder under the state's units/: spec.json (what was asked), state.json (pid,
 * start time, exit), log (JSON lines {"log","stream","time"}, rotated) and a socket that hands out
 * sockets of its network namespace. Its parent is a small shim process (slipway unit-shim), which
 * outlives the supervisor; a new supervisor adopts it by that folder. */
#pragma once

#include "sandbox/sandbox.h"
#include "store/state.h"

#include <jansson.h>

typedef struct UnitManager UnitManager;

typedef struct {
    const char *id;            /* [a-z0-9-]+; starting an id that runs adopts it (idempotent) */
    json_t *labels;            /* {"project","environment","deployment","step",…}; borrowed */
    const char *image;         /* manifest digest, for the record */
    const char *const *layers; /* folders, topmost first */
    const char *const *argv, *const *environment; /* as resolved from image and settings */
    const char *folder;
    uid_t uid;
    gid_t gid;
    const SandboxMount *mounts; /* volumes, secrets (files on tmpfs are made from SECRETS) */
    size_t mount_count;
    json_t *secrets; /* {"NAME": "value"} → /run/secrets/NAME on tmpfs, never stored in clear;
                        borrowed */
    SandboxLimits limits;
    SandboxNetwork network;
    bool writable_root;             /* default: read-only root, tmpfs on /tmp, /run */
    int stop_signal, stop_grace_ms; /* 0: SIGTERM, 10 s */
    /* How often in a row it may end within 10 s of its start before it stays ended; each restart
     * waits twice as long as the one before. 0: 5 times; -1: it is never restarted. */
    int restart_limit;
    int64_t log_size; /* bytes of one log file; 0: 10 MiB */
    int log_files;    /* the present one and older ones; 0: 3 */
} UnitSpec;

typedef enum { UNIT_STARTING, UNIT_RUNNING, UNIT_EXITED, UNIT_LOST } UnitStatus;

typedef struct {
    char *id;
    json_t *labels;
    UnitStatus status;
    pid_t pid;
    int exit_status; /* when EXITED */
    bool out_of_memory;
    int64_t started_at, ended_at; /* ns since 1970; 0: not */
    int restarts;
} Unit;

void unit_free(Unit *unit);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Unit, unit_free)

UnitManager *unit_manager_open(State *state, GError **error); /* thread-safe */
/* The same for a state folder whose database is not needed. */
UnitManager *unit_manager_open_folder(const char *home, GError **error);
/* The program that runs shims and proxies, instead of the one that is running. For tests. */
void unit_manager_set_program(UnitManager *manager, const char *path);
const char *unit_manager_home(const UnitManager *manager);
const char *unit_manager_program(const UnitManager *manager); /* NULL: the one that is running */
void unit_manager_free(UnitManager *manager);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(UnitManager, unit_manager_free)

bool unit_start(UnitManager *manager, const UnitSpec *spec, GError **error);
/* Stop signal, grace, SIGKILL; the folder stays for its log until unit_remove. Idempotent. */
bool unit_stop(UnitManager *manager, const char *id, GError **error);
bool unit_remove(UnitManager *manager, const char *id, GError **error);
Unit *unit_get(UnitManager *manager, const char *id, GError **error);
/* Unit *, all whose label KEY is VALUE (KEY NULL: all). */
GPtrArray *unit_list(UnitManager *manager, const char *key, const char *value, GError **error);
/* A connected TCP socket to PORT inside the unit; -1 on error. */
int unit_connect(UnitManager *manager, const char *id, int port, int timeout_ms, GError **error);
/* Runs ARGV to its end inside the unit. */
bool unit_exec(UnitManager *manager, const char *id, const char *const *argv, int timeout_ms,
               char **output, int *status, GError **error);
/* Runs SPEC to its end, not as a long-lived unit (migrations, jobs): same root, mounts, secrets. It
 * goes on when the caller dies: the next call with the same id waits for that run, or gets its
 * result, and does not start another. UNAVAILABLE when the time ran out (it is killed), and once
 * when an earlier run was lost with the machine: the caller must look what it had done. */
bool unit_run_once(UnitManager *manager, const UnitSpec *spec, int timeout_ms, char **output,
                   int *status, GError **error);
char *unit_log_path(UnitManager *manager, const char *id);
