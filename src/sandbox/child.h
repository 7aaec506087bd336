/* child.h - the part of a sandbox that runs between clone and exec: system calls and fixed buffers
 * only, since the clone of a threaded parent may hold any lock of the C library.
 *
 * Trouble is reported as one Failure through a close-on-exec pipe; its closing says that exec
 * happened. */
#pragma once

#include "sandbox/plan.h"

#include <stddef.h>

typedef struct {
    int errnum;
    bool program; /* the program named by `what` could not be run; else a step failed */
    char step[48];
    char what[256];
} Failure;

/* Writes a Failure from errno and ends the process. */
G_NORETURN void child_fail(int error_fd, const char *step, const char *what);

/* pid 1 of the sandbox: makes the root, starts the program, reaps, and ends as it ended.
 * CONTROL carries bytes from the parent: CONTROL_GO lets it pass the next waiting point, any other
 * byte is a signal number for the program; its closing is the parent's death. */
G_NORETURN void child_main(Plan *plan, int control, int error_fd);
#define CONTROL_GO '\0'

/* Becomes PROGRAM, never returns. Signals are reset, everything but stdio is closed. */
G_NORETURN void child_exec(const Program *program, int error_fd);

/* Closes all descriptors above 2 but those of KEPT (COUNT of them, any order, -1 allowed). */
void child_close_others(const int *kept, size_t count);

/* root.c: mounts the root of PLAN and everything in it, and pivots. */
void root_enter(Plan *plan, int error_fd);
