/* probe.h - asking a unit: is it ready, and does it answer as its smoke tests say? */
#pragma once

#include "delivery/local_target.h"

/* Waits until every replica answers its health check `passes` times in a row, at most the start
 * time. The check: `health.get` (status 200–399), else the image's HEALTHCHECK, else an open port.
 * INVALID with the last answer when it never did, or when a unit ended meanwhile. */
bool probe_until_healthy(Delivery *delivery, const LocalPlan *plan, GError **error);

typedef struct {
    int passed, failed;
    json_t *checks; /* [{"request","status","passed","why"}] */
} SmokeResult;

void smoke_result_clear(SmokeResult *result);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(SmokeResult, smoke_result_clear)

/* Runs CHECKS (SmokeCheck *) against unit UNIT directly, or through the proxy's port when UNIT is
 * NULL. */
void smoke_run(Delivery *delivery, const LocalPlan *plan, const char *unit, const GPtrArray *checks,
               SmokeResult *result);
