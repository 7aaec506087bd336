/* exit_status.h - the one table of exit statuses, and which error code ends with which. */
#pragma once

#include <glib.h>

typedef enum {
    EXIT_STATUS_DONE = 0,
    EXIT_STATUS_NO =
        1, /* the answer is no: findings, a gate, a failed step, malformed, not found */
    EXIT_STATUS_USAGE = 2,       /* wrong use of the command line */
    EXIT_STATUS_ROLLED_BACK = 3, /* deployed, then taken back */
    EXIT_STATUS_REJECTED = 4,    /* rejected, expired, void or superseded */
    EXIT_STATUS_PERSON = 5,      /* a person is needed */
    EXIT_STATUS_UNAVAILABLE = 6, /* peer, lock, port, disk */
    EXIT_STATUS_INTERNAL = 70,   /* our own fault */
    EXIT_STATUS_TIMEOUT = 124,   /* a wait ran out */
} ExitStatus;

/* The exit status for ERROR: INVALID, NOT_FOUND and DENIED are "no", UNAVAILABLE is 6, all else
 * is our own fault. Errors of GOption are wrong use. */
ExitStatus exit_status_of_error(const GError *error);
