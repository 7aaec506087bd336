/* stage.h - the stages of one run on record: intent before, outcome after. */
#pragma once

#include "base/event.h"
#include "delivery/delivery.h"

typedef struct {
    Delivery *delivery;
    const char *run, *project;
    EventSink *sink;
} StageContext;

/* Begins stage NAME: event "job.started", boundary "ship.NAME.intent". *DETAIL gets what it left
 * when it is done already (then nothing is to be repeated), else NULL. */
bool stage_begin(const StageContext *context, const char *name, json_t **detail, GError **error);

/* Ends it without evidence: RESULT passed | failed | skipped; DETAIL (borrowed, may be NULL) is
 * kept and part of the event "job.ended". Boundary "ship.NAME.done". */
bool stage_end(const StageContext *context, const char *name, const char *result,
               const json_t *detail, GError **error);

typedef struct {
    const char *stage, *kind; /* "sign", "signature" */
    const char *object;       /* commit or digest the evidence is about */
    bool passed;
    const json_t *detail; /* of both the evidence and the stage; borrowed */
    /* What else must be on record exactly when this is; inside the transaction. May be NULL. */
    bool (*also)(void *self, GError **error);
    void *self;
} StageOutcome;

/* Ends a stage with evidence: both, and what ALSO writes, in one transaction. */
bool stage_conclude(const StageContext *context, const StageOutcome *outcome, GError **error);
