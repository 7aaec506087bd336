/* ship.h - one commit's whole path: checks, image, evidence, environments. Stops at a person.
 *
 * Every stage is on record with intent and outcome; a run that was killed is taken up where it
 * stood when the same commit is shipped again. */
#pragma once

#include "base/event.h"
#include "base/exit_status.h"
#include "delivery/deployment.h"

typedef struct {
    const char *folder; /* the project's */
    bool allow_dirty;
    bool new_run; /* do not take up an unfinished one */
    EventSink *sink;
} ShipSpec;

/* Ships HEAD. The status of the table: 0 all environments have it, 1 stopped by a check or gate,
 * 3 rolled back, 4 superseded, 5 a person is needed. Errors are for what could not be tried. */
ExitStatus ship(const ShipSpec *spec, GError **error);

/* Takes RELEASE through its environments in their order as far as it may go now; RUN may be NULL.
 * For ship itself and for `approve`, which carries the path on. */
ExitStatus ship_environments(Delivery *delivery, const Release *release, const char *run,
                             const char *requested_by, EventSink *sink, GError **error);

/* Marks RUN as ended with what STATUS means, and emits "run.ended"; a waiting run stays open. */
bool ship_end_run(Delivery *delivery, const char *run, ExitStatus status, EventSink *sink,
                  GError **error);
