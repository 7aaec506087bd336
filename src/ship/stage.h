/* stage.h - the stages of one run on record: intent before, outcome after. */
#pragma once

#include "base/event.h"
#include "delivery/delivery.h"

typedef struct {
    Delivery *delivery;
    const char *run;
    EventSink *sink;
} StageContext;

/* Begins stage NAME: event "job.started", boundary "ship.NAME.intent". *DETAIL gets what it left
 * when it is done already (then nothing is to be repeated), else NULL. */
bool stage_begin(const StageContext *context, const char *name, json_t **detail, GError **error);

/* Ends it: RESULT passed | failed | skipped; DETAIL (borrowed, may be NULL) is kept and part of the
 * event "job.ended". Boundary "ship.NAME.done". Joins the caller's transaction. */
bool stage_end(const StageContext *context, const char *name, const char *result,
               const json_t *detail, GError **error);
