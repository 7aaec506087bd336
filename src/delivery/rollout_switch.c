#include "delivery/rollout_private.h"

#include "base/clock.h"
#include "base/error.h"
#include "container/proxy.h"
#include "format/json.h"
#include "delivery/analysis.h"
#include "delivery/probe.h"

static void remember_figures(Rollout *r, int share, const ProxyFigures *new_one,
                             const ProxyFigures *old_one, AnalysisVerdict verdict)
{
    json_decref(r->figures);
    r->figures =
        json_pack("{s:i, s:I, s:I, s:I, s:I, s:I, s:I, s:s}", "share", share, "requests",
                  (json_int_t) new_one->requests, "errors", (json_int_t) new_one->errors, "slow",
                  (json_int_t) new_one->slow, "old_requests", (json_int_t) old_one->requests,
                  "old_errors", (json_int_t) old_one->errors, "old_slow",
                  (json_int_t) old_one->slow, "verdict", analysis_verdict_name(verdict));
}

/* One look at both generations. false with the reason when the new one is worse. */
static bool analyse(Rollout *r, int share, AnalysisVerdict *verdict, GError **error)
{
    g_autofree char *name = local_proxy_name(r->deployment);
    ProxyFigures new_one = {0}, old_one = {0};
    if (!proxy_figures(r->delivery->units, name, r->deployment->id, &new_one, error) ||
        (r->previous != NULL &&
         !proxy_figures(r->delivery->units, name, r->previous->id, &old_one, error)))
        return false;
    const AnalysisSample new_errors = {new_one.requests, new_one.errors},
                         old_errors = {old_one.requests, old_one.errors},
                         new_slow = {new_one.requests, new_one.slow},
                         old_slow = {old_one.requests, old_one.slow};
    *verdict = analysis_compare(&new_errors, &old_errors, r->settings->errors);
    AnalysisVerdict slow = r->settings->slow_ms > 0
                               ? analysis_compare(&new_slow, &old_slow, r->settings->errors)
                               : ANALYSIS_GOOD;
    remember_figures(r, share, &new_one, &old_one,
                     MAX(*verdict == ANALYSIS_BAD ? 1 : 0, slow == ANALYSIS_BAD) ? ANALYSIS_BAD
                                                                                 : *verdict);
    if (*verdict == ANALYSIS_BAD || slow == ANALYSIS_BAD) {
        bool by_errors = *verdict == ANALYSIS_BAD;
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID,
                    "%" G_GINT64_FORMAT " of %" G_GINT64_FORMAT
                    " requests %s at %d %% of the traffic",
                    by_errors ? new_one.errors : new_one.slow, new_one.requests,
                    by_errors ? "failed" : "were slow", share / 100);
        return false;
    }
    return true;
}

static bool units_stay_up(Rollout *r, GError **error)
{
    for (int i = 1; i <= r->settings->replicas; i++) {
        g_autofree char *id = local_unit_id(r->deployment, i);
        g_autoptr(Unit) unit = unit_get(r->delivery->units, id, NULL);
        if (unit != NULL && unit->status == UNIT_RUNNING && unit->restarts == 0)
            continue;
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID,
                    "%s ended with status %d%s under traffic", id,
                    unit != NULL ? unit->exit_status : -1,
                    unit != NULL && unit->out_of_memory ? " (out of memory)" : "");
        return false;
    }
    return true;
}

/* Watches until STARTED + LENGTH_MS. The end is absolute: a restart does not begin anew. */
static bool watch(Rollout *r, int share, int64_t started, int64_t length_ms, GError **error)
{
    AnalysisVerdict verdict = ANALYSIS_NO_DATA;
    do {
        if (!units_stay_up(r, error) || !analyse(r, share, &verdict, error))
            return false;
        if (clock_now_ns() >= started + length_ms * 1000000)
            return true;
        g_usleep(ROLLOUT_PERIOD_MS * 1000);
    } while (true);
}

/* Switches to the INDEXth share and watches it for LENGTH_MS. */
static bool switch_and_watch(Rollout *r, int index, int share, int64_t length_ms, GError **error)
{
    g_autofree char *switch_name = g_strdup_printf("switch.%d", share / 100);
    g_autofree char *watch_name = g_strdup_printf("watch.%d", share / 100);
    bool done = false;
    int64_t started = 0;
    if (!deployment_step_begin(r->delivery, r->deployment, switch_name, &done, NULL, error) ||
        !rollout_set_route(r, rollout_route_number(r, index), share, error))
        return false;
    if (!done && !deployment_step_end(r->delivery, r->deployment, switch_name, "done", NULL, error))
        return false;
    if (length_ms == 0)
        return true;
    if (!deployment_step_begin(r->delivery, r->deployment, watch_name, &done, &started, error))
        return false;
    if (done)
        return true;
    g_autoptr(GError) failure = NULL;
    bool good = watch(r, share, started, length_ms, &failure);
    if (!deployment_step_end(r->delivery, r->deployment, watch_name, good ? "done" : "failed",
                             r->figures, error))
        return false;
    if (!good)
        g_propagate_error(error, g_steal_pointer(&failure));
    return good;
}

static int last_step(const EnvironmentSettings *settings)
{
    int last = 0;
    while (settings->steps[last] != ROLLOUT_SHARE_WHOLE && settings->steps[last] != 0)
        last++;
    return last;
}

/* The shares before the whole; with nothing to compare to there are none. */
bool rollout_canary(Rollout *r, GError **error)
{
    int last = last_step(r->settings);
    for (int i = 0; r->previous != NULL && i < last; i++)
        if (!switch_and_watch(r, i + 1, r->settings->steps[i], r->settings->hold_ms, error))
            return false;
    return true;
}

static bool smoke_through_proxy(Rollout *r, json_t *detail, GError **error)
{
    g_autoptr(GPtrArray) gets = g_ptr_array_new();
    for (guint i = 0; i < r->settings->smoke->len; i++) {
        SmokeCheck *check = g_ptr_array_index(r->settings->smoke, i);
        if (g_str_equal(check->method, "GET"))
            g_ptr_array_add(gets, check);
    }
    g_auto(SmokeResult) result = {0};
    smoke_run(r->delivery, r->plan, NULL, gets, &result);
    json_object_set(detail, "checks", result.checks);
    if (result.failed == 0)
        return true;
    g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID,
                "%d of %d smoke tests failed through the proxy", result.failed, (int) gets->len);
    return false;
}

static bool set_serving(Rollout *r, GError **error)
{
    return database_run(r->delivery->state->database, error,
                        "UPDATE environment SET serving = ? WHERE project = ? AND name = ?", "sss",
                        r->deployment->id, r->deployment->project, r->deployment->environment);
}

bool rollout_bake(Rollout *r, GError **error)
{
    int index = last_step(r->settings) + 1;
    return switch_and_watch(r, index, ROLLOUT_SHARE_WHOLE, 0, error) && set_serving(r, error) &&
           rollout_do_step(r, "smoke.proxy", smoke_through_proxy, error) &&
           switch_and_watch(r, index, ROLLOUT_SHARE_WHOLE, r->settings->watch_ms, error);
}

static bool stop_previous(Rollout *r, json_t *detail, GError **error)
{
    g_autofree char *name = local_proxy_name(r->deployment);
    if (!proxy_drain(r->delivery->units, name, r->previous->id, ROLLOUT_DRAIN_MS, NULL))
        json_object_set_new(detail, "drained", json_false());
    return local_stop(r->delivery, r->previous->id, error);
}

bool rollout_drain(Rollout *r, GError **error)
{
    return r->previous == NULL || rollout_do_step(r, "drain", stop_previous, error);
}
