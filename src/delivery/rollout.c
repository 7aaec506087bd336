#include "delivery/rollout.h"

#include "base/clock.h"
#include "base/crash.h"
#include "base/error.h"
#include "container/proxy.h"
#include "delivery/analysis.h"
#include "delivery/evidence.h"
#include "delivery/gate.h"
#include "delivery/local_target.h"
#include "delivery/migrate.h"
#include "delivery/probe.h"
#include "format/json.h"

#include <stdio.h>
#include <string.h>

#define SHARE_WHOLE 10000
#define ROUTES_PER_FENCE 1000 /* route = fence * this + number of the switch */
#define ROUTE_BACK 900        /* the switch back is the last of a fence */
#define DRAIN_MS 30000
#define WATCH_PERIOD_MS 200

typedef struct {
    Delivery *delivery;
    Deployment *deployment;
    Release *release;
    const EnvironmentSettings *settings;
    LocalPlan *plan;
    Deployment *previous;      /* what served before; NULL: nothing */
    Release *previous_release; /* its settings are what previous_plan reads */
    LocalPlan *previous_plan;
    json_t *figures; /* what the last analysis saw */
} Rollout;

static void rollout_clear(Rollout *r)
{
    local_plan_free(r->plan);
    local_plan_free(r->previous_plan);
    release_free(r->release);
    release_free(r->previous_release);
    deployment_free(r->previous);
    deployment_free(r->deployment);
    json_decref(r->figures);
    delivery_close(r->delivery);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Rollout, rollout_clear)

/* ---- what all phases use ---- */

/* One side effect with its intent and outcome on record. */
static bool do_step(Rollout *r, const char *name, bool (*run)(Rollout *, json_t *, GError **),
                    GError **error)
{
    bool done = false;
    if (!deployment_step_begin(r->delivery, r->deployment, name, &done, NULL, error))
        return false;
    if (done)
        return true;
    g_autoptr(json_t) detail = json_object();
    g_autoptr(GError) failure = NULL;
    if (run(r, detail, &failure))
        return deployment_step_end(r->delivery, r->deployment, name, "done", detail, error);
    json_object_set_new(detail, "why", json_string(failure->message));
    deployment_step_end(r->delivery, r->deployment, name, "failed", detail, NULL);
    g_propagate_error(error, g_steal_pointer(&failure));
    return false;
}

static bool record_end(Rollout *r, const char *state, const char *message, const char *sql,
                       const char *serving, GError **error)
{
    Database *database = r->delivery->state->database;
    g_autoptr(json_t) detail =
        json_pack("{s:s, s:s, s:s, s:s, s:s}", "deployment", r->deployment->id, "environment",
                  r->deployment->environment, "project", r->deployment->project, "commit",
                  r->release->commit, "reason", r->deployment->reason);
    if (r->previous != NULL)
        json_object_set_new(detail, "before", json_string(r->previous->digest));
    if (message != NULL)
        json_object_set_new(detail, "message", json_string(message));
    if (r->figures != NULL)
        json_object_set(detail, "figures", r->figures);
    g_autofree char *key = g_strdup_printf("deployment.%s.end", r->deployment->id);
    LedgerEntry entry = {.actor = "engine",
                         .action = "deploy",
                         .object = r->deployment->digest,
                         .result = state,
                         .detail = detail,
                         .key = key};
    if (!database_begin(database, error))
        return false;
    if (!database_run(database, error, sql, "sss", serving, r->deployment->project,
                      r->deployment->environment) ||
        !deployment_move(r->delivery, r->deployment, state, message, &entry, error)) {
        database_rollback(database);
        return false;
    }
    if (!database_commit(database, error))
        return false;
    crash_boundary("deploy.end.recorded");
    return true;
}

static int64_t route_number(const Rollout *r, int index)
{
    return r->deployment->fence * ROUTES_PER_FENCE + index;
}

/* SHARE of the traffic to the new generation, the rest to the one before. */
static bool set_route(Rollout *r, int64_t number, int share, GError **error)
{
    g_autofree char *name = local_proxy_name(r->deployment);
    int64_t present = 0;
    g_autoptr(json_t) route = proxy_get_route(r->delivery->units, name, &present, error);
    if (route == NULL)
        return false;
    if (present >= number)
        return true; /* done before a crash */

    int replicas = r->settings->replicas;
    int old_replicas = r->previous_plan != NULL ? r->previous_plan->settings->replicas : 0;
    g_autofree ProxyBackend *backends = g_new0(ProxyBackend, (gsize) (replicas + old_replicas + 1));
    g_autoptr(GPtrArray) ids = g_ptr_array_new_with_free_func(g_free);
    size_t count = 0;
    for (int i = 1; share > 0 && i <= replicas; i++) {
        char *id = local_unit_id(r->deployment, i);
        g_ptr_array_add(ids, id);
        backends[count++] = (ProxyBackend){.generation = r->deployment->id,
                                           .unit = id,
                                           .port = r->plan->port,
                                           .weight = share / replicas};
    }
    for (int i = 1; share < SHARE_WHOLE && i <= old_replicas; i++) {
        char *id = local_unit_id(r->previous, i);
        g_ptr_array_add(ids, id);
        backends[count++] = (ProxyBackend){.generation = r->previous->id,
                                           .unit = id,
                                           .port = r->previous_plan->port,
                                           .weight = (SHARE_WHOLE - share) / old_replicas};
    }
    return proxy_set_route(r->delivery->units, name, number, backends, count,
                           (int) r->settings->slow_ms, error);
}

/* ---- phases, in their order ---- */

static bool take_lock(Rollout *r, GError **error)
{
    Database *database = r->delivery->state->database;
    const Deployment *d = r->deployment;
    for (;;) {
        if (!database_begin(database, error))
            return false;
        bool ok =
            database_run(database, error,
                         "UPDATE environment SET lock = ?1, fence = fence + (lock IS NOT ?1) WHERE "
                         "project = ?2 AND name = ?3 AND (lock IS NULL OR lock = ?1)",
                         "sss", d->id, d->project, d->environment);
        bool mine = ok && database_changes(database) == 1;
        ok = ok &&
             (!mine ||
              database_run(
                  database, error,
                  "UPDATE deployment SET fence = e.fence, previous = e.serving FROM "
                  "(SELECT fence, serving FROM environment WHERE project = ?2 AND name = ?3) e "
                  "WHERE id = ?1 AND deployment.fence = 0",
                  "sss", d->id, d->project, d->environment));
        if (!ok) {
            database_rollback(database);
            return false;
        }
        if (!database_commit(database, error))
            return false;
        if (mine)
            return deployment_reload(r->delivery, r->deployment, error);
        g_usleep(WATCH_PERIOD_MS * 1000);
    }
}

static bool verify(Rollout *r, GError **error)
{
    g_autoptr(GPtrArray) gates = gate_evaluate(r->delivery, r->release, r->deployment, error);
    if (gates == NULL)
        return false;
    bool blocked, waiting;
    gate_summary(gates, &blocked, &waiting);
    if (!blocked && !waiting)
        return true;
    g_autofree char *missing = gate_missing_text(gates);
    g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_DENIED, "%s",
                blocked ? missing : "an approval that was there is void now");
    return false;
}

static bool run_migration(Rollout *r, json_t *detail, GError **error)
{
    int applied;
    g_autofree char *output = NULL;
    if (!migrate_apply(r->delivery, r->plan, &applied, &output, error))
        return false;
    json_object_set_new(detail, "applied", json_integer(applied));
    g_autofree char *key = g_strdup_printf("deployment.%s.migrate", r->deployment->id);
    return evidence_record(r->delivery, "migration", r->deployment->digest, "passed",
                           json_pack("{s:s, s:s, s:i, s:s, s:s}", "environment",
                                     r->deployment->environment, "deployment", r->deployment->id,
                                     "applied", applied, "digest", r->deployment->migrations_digest,
                                     "tool", r->settings->migrate.tool),
                           key, error) >= 0;
}

static bool migrate(Rollout *r, GError **error)
{
    /* Code that goes back finds the schema as it is: it only ever goes forward. */
    if (r->settings->migrate.tool == NULL || g_str_equal(r->deployment->reason, "rollback"))
        return true;
    return do_step(r, "migrate", run_migration, error);
}

static bool start_units(Rollout *r, json_t *detail, GError **error)
{
    return local_start(r->delivery, r->plan, error);
}

static bool start(Rollout *r, GError **error)
{
    return do_step(r, "start", start_units, error);
}

static bool wait_healthy(Rollout *r, json_t *detail, GError **error)
{
    return probe_until_healthy(r->delivery, r->plan, error);
}

/* Against the new units themselves: what fails here has never seen traffic. */
static bool run_smoke(Rollout *r, json_t *detail, GError **error)
{
    g_autofree char *unit = local_unit_id(r->deployment, 1);
    g_auto(SmokeResult) result = {0};
    smoke_run(r->delivery, r->plan, unit, r->settings->smoke, &result);
    g_autofree char *key = g_strdup_printf("deployment.%s.smoke", r->deployment->id);
    json_object_set(detail, "checks", result.checks);
    if (evidence_record(
            r->delivery, "smoke", r->deployment->digest, result.failed == 0 ? "passed" : "failed",
            json_pack("{s:s, s:s, s:i, s:i, s:O}", "environment", r->deployment->environment,
                      "deployment", r->deployment->id, "passed", result.passed, "failed",
                      result.failed, "checks", result.checks),
            key, error) < 0)
        return false;
    if (result.failed == 0)
        return true;
    size_t i;
    json_t *check;
    json_array_foreach(result.checks, i, check) if (!json_get_boolean(check, "passed", false))
    {
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID, "smoke test %s: %s",
                    json_get_string(check, "request"), json_get_string(check, "why"));
        break;
    }
    return false;
}

static bool probe(Rollout *r, GError **error)
{
    return do_step(r, "healthy", wait_healthy, error) &&
           (r->settings->smoke->len == 0 || do_step(r, "smoke", run_smoke, error));
}

static bool ensure_proxy(Rollout *r, json_t *detail, GError **error)
{
    g_autofree char *name = local_proxy_name(r->deployment);
    g_autofree char *address = local_proxy_address(r->settings);
    return proxy_ensure(r->delivery->units, name, address, error);
}

static bool ready_proxy(Rollout *r, GError **error)
{
    return do_step(r, "proxy", ensure_proxy, error);
}

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
        g_usleep(WATCH_PERIOD_MS * 1000);
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
        !set_route(r, route_number(r, index), share, error))
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
    while (settings->steps[last] != SHARE_WHOLE && settings->steps[last] != 0)
        last++;
    return last;
}

/* The shares before the whole; with nothing to compare to there are none. */
static bool canary(Rollout *r, GError **error)
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

static bool bake(Rollout *r, GError **error)
{
    int index = last_step(r->settings) + 1;
    return switch_and_watch(r, index, SHARE_WHOLE, 0, error) && set_serving(r, error) &&
           do_step(r, "smoke.proxy", smoke_through_proxy, error) &&
           switch_and_watch(r, index, SHARE_WHOLE, r->settings->watch_ms, error);
}

static bool stop_previous(Rollout *r, json_t *detail, GError **error)
{
    g_autofree char *name = local_proxy_name(r->deployment);
    if (!proxy_drain(r->delivery->units, name, r->previous->id, DRAIN_MS, NULL))
        json_object_set_new(detail, "drained", json_false());
    return local_stop(r->delivery, r->previous->id, error);
}

static bool drain(Rollout *r, GError **error)
{
    return r->previous == NULL || do_step(r, "drain", stop_previous, error);
}

/* ---- the ways out ---- */

static bool succeed(Rollout *r, GError **error)
{
    return record_end(r, "succeeded", NULL,
                      "UPDATE environment SET serving = ?1, last_good = ?1, lock = NULL "
                      "WHERE project = ?2 AND name = ?3",
                      r->deployment->id, error);
}

static bool stop_new(Rollout *r, json_t *detail, GError **error)
{
    return local_stop(r->delivery, r->deployment->id, error);
}

/* Before the switch: the new units go, traffic never moved. */
static bool abort_rollout(Rollout *r, const char *final_state, const char *why, GError **error)
{
    return deployment_move(r->delivery, r->deployment, "aborting", why, NULL, error) &&
           do_step(r, "abort", stop_new, error) &&
           record_end(r, final_state, why,
                      "UPDATE environment SET lock = NULL, serving = coalesce(?1, serving) "
                      "WHERE project = ?2 AND name = ?3",
                      NULL, error);
}

static bool route_back(Rollout *r, json_t *detail, GError **error)
{
    if (r->previous != NULL &&
        !local_is_running(r->delivery, r->previous, r->previous_plan->settings->replicas)) {
        if (!local_start(r->delivery, r->previous_plan, error) ||
            !probe_until_healthy(r->delivery, r->previous_plan, error))
            return false;
    }
    return set_route(r, route_number(r, ROUTE_BACK), 0, error);
}

static bool drain_and_stop_new(Rollout *r, json_t *detail, GError **error)
{
    g_autofree char *name = local_proxy_name(r->deployment);
    proxy_drain(r->delivery->units, name, r->deployment->id, DRAIN_MS, NULL);
    return local_stop(r->delivery, r->deployment->id, error);
}

/* At or after the switch: route first, then units. */
static bool roll_back(Rollout *r, const char *why, GError **error)
{
    if (!deployment_move(r->delivery, r->deployment, "rolling_back", why, NULL, error) ||
        !do_step(r, "route.back", route_back, error) ||
        !do_step(r, "stop.new", drain_and_stop_new, error))
        return false;
    return record_end(
        r, "rolled_back", why,
        "UPDATE environment SET serving = ?1, lock = NULL WHERE project = ?2 AND name = ?3",
        r->previous != NULL ? r->previous->id : NULL, error);
}

static bool need_human(Rollout *r, const char *state, const char *why, GError **error)
{
    return record_end(r, state, why,
                      "UPDATE environment SET lock = NULL, serving = coalesce(?1, serving) "
                      "WHERE project = ?2 AND name = ?3",
                      NULL, error);
}

/* ---- the machine ---- */

static const struct {
    const char *state;
    bool (*run)(Rollout *r, GError **error);
    bool switched; /* traffic may have moved: a failure leads back */
} phases[] = {
    {"locking", take_lock, false}, {"verifying", verify, false}, {"migrating", migrate, false},
    {"starting", start, false},    {"probing", probe, false},    {"switching", ready_proxy, false},
    {"canary", canary, true},      {"baking", bake, true},       {"draining", drain, true},
};

/* The previous generation, as it was when the lock was taken. */
static bool load_previous(Rollout *r, GError **error)
{
    if (r->deployment->previous == NULL || r->previous != NULL)
        return true;
    r->previous = deployment_find(r->delivery, r->deployment->previous, error);
    if (r->previous == NULL)
        return false;
    r->previous_release =
        release_find(r->delivery, r->previous->project, r->previous->digest, error);
    if (r->previous_release == NULL)
        return false;
    r->previous_plan = local_plan_new(r->delivery, r->previous_release, r->previous, error);
    return r->previous_plan != NULL;
}

static bool prepare(Rollout *r, size_t phase, GError **error)
{
    if (phase == 0)
        return true; /* the lock first: what serves is known only under it */
    if (r->plan == NULL)
        r->plan = local_plan_new(r->delivery, r->release, r->deployment, error);
    return r->plan != NULL && load_previous(r, error);
}

static void fail_rollout(Rollout *r, size_t phase, const char *why)
{
    g_autoptr(GError) error = NULL;
    bool ok;
    if (!phases[phase].switched)
        ok = abort_rollout(
            r, g_str_equal(phases[phase].state, "migrating") ? "failed_migration" : "failed", why,
            &error);
    else if (g_str_equal(r->deployment->reason, "rollback"))
        ok = need_human(r, "needs_human", why, &error); /* a rollback is never rolled back */
    else
        ok = roll_back(r, why, &error);
    if (!ok) {
        g_autofree char *both =
            g_strdup_printf("%s; and the way back failed: %s", why, error->message);
        need_human(r, "rollback_failed", both, NULL);
    }
}

static void run_phases(Rollout *r, size_t from)
{
    for (size_t i = from; i < G_N_ELEMENTS(phases); i++) {
        g_autoptr(GError) error = NULL;
        if (!g_str_equal(r->deployment->state, phases[i].state) &&
            !deployment_move(r->delivery, r->deployment, phases[i].state, NULL, NULL, &error)) {
            fprintf(stderr, "deployment %s: %s\n", r->deployment->id, error->message);
            return;
        }
        if (!prepare(r, i, &error) || !phases[i].run(r, &error)) {
            fail_rollout(r, i, error->message);
            return;
        }
    }
    g_autoptr(GError) error = NULL;
    if (!succeed(r, &error))
        fprintf(stderr, "deployment %s: %s\n", r->deployment->id, error->message);
}

/* Where a deployment that stands in STATE is taken up again. */
static size_t phase_of(const char *state)
{
    for (size_t i = 0; i < G_N_ELEMENTS(phases); i++)
        if (g_str_equal(phases[i].state, state))
            return i;
    return 0;
}

static void resume_way_out(Rollout *r)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *why =
        g_strdup(r->deployment->message != NULL ? r->deployment->message : "interrupted");
    bool back = g_str_equal(r->deployment->state, "rolling_back");
    if (!prepare(r, 1, &error)) {
        need_human(r, "rollback_failed", error->message, NULL);
        return;
    }
    fail_rollout(r, back ? phase_of("canary") : phase_of("starting"), why);
}

static bool open_rollout(Rollout *r, const char *home, UnitManager *units, const char *id,
                         GError **error)
{
    r->delivery = delivery_open(home, units, error);
    r->deployment = r->delivery != NULL ? deployment_find(r->delivery, id, error) : NULL;
    r->release = r->deployment != NULL ? release_find(r->delivery, r->deployment->project,
                                                      r->deployment->digest, error)
                                       : NULL;
    if (r->release == NULL)
        return false;
    r->settings = project_environment(r->release->settings, r->deployment->environment);
    if (r->settings != NULL)
        return true;
    g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID, "no environment '%s'",
                r->deployment->environment);
    return false;
}

static void carry_on(const char *home, UnitManager *units, const char *id)
{
    g_auto(Rollout) r = {0};
    g_autoptr(GError) error = NULL;
    if (!open_rollout(&r, home, units, id, &error)) {
        fprintf(stderr, "deployment %s: %s\n", id, error->message);
        return;
    }
    if (!deployment_is_active(r.deployment))
        return;
    if (g_str_equal(r.deployment->state, "rolling_back") ||
        g_str_equal(r.deployment->state, "aborting"))
        resume_way_out(&r);
    else
        run_phases(&r, phase_of(r.deployment->state));
}

/* ---- threads ---- */

struct Rollouts {
    char *home;
    UnitManager *units;
    GMutex lock;
    GHashTable *running; /* ids */
};

typedef struct {
    Rollouts *rollouts;
    char *id;
} Job;

static gpointer run_job(gpointer data)
{
    Job *job = data;
    carry_on(job->rollouts->home, job->rollouts->units, job->id);
    g_mutex_lock(&job->rollouts->lock);
    g_hash_table_remove(job->rollouts->running, job->id);
    g_mutex_unlock(&job->rollouts->lock);
    g_free(job->id);
    g_free(job);
    return NULL;
}

static void begin(Rollouts *rollouts, const char *id)
{
    g_mutex_lock(&rollouts->lock);
    bool fresh = g_hash_table_add(rollouts->running, g_strdup(id));
    g_mutex_unlock(&rollouts->lock);
    if (!fresh)
        return;
    Job *job = g_new0(Job, 1);
    job->rollouts = rollouts;
    job->id = g_strdup(id);
    g_thread_unref(g_thread_new("rollout", run_job, job));
}

Rollouts *rollouts_new(const char *home, UnitManager *units)
{
    Rollouts *rollouts = g_new0(Rollouts, 1);
    rollouts->home = g_strdup(home);
    rollouts->units = units;
    g_mutex_init(&rollouts->lock);
    rollouts->running = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    return rollouts;
}

static json_t *operate(void *self, const json_t *request, GError **error)
{
    const char *id = json_get_string(request, "id");
    if (id == NULL) {
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID, "deploy: no id");
        return NULL;
    }
    begin(self, id);
    return json_pack("{s:b}", "ok", 1);
}

SupervisorOperation rollouts_operation(Rollouts *rollouts)
{
    return (SupervisorOperation){.name = "deploy", .run = operate, .self = rollouts};
}

void rollouts_resume(void *self)
{
    Rollouts *rollouts = self;
    g_autoptr(GError) error = NULL;
    g_autoptr(Delivery) delivery = delivery_open(rollouts->home, rollouts->units, &error);
    g_autoptr(GPtrArray) all =
        delivery != NULL ? deployment_list(delivery, NULL, NULL, NULL, 1000, &error) : NULL;
    if (all == NULL) {
        fprintf(stderr, "resume: %s\n", error->message);
        return;
    }
    for (guint i = 0; i < all->len; i++) {
        const Deployment *d = g_ptr_array_index(all, i);
        if (deployment_is_active(d))
            begin(rollouts, d->id);
    }
}
