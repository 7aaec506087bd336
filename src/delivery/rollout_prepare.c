#include "delivery/rollout_private.h"

#include "base/error.h"
#include "container/proxy.h"
#include "delivery/evidence.h"
#include "delivery/gate.h"
#include "delivery/migrate.h"
#include "delivery/probe.h"
#include "format/json.h"

bool rollout_take_lock(Rollout *r, GError **error)
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
        g_usleep(ROLLOUT_PERIOD_MS * 1000);
    }
}

bool rollout_verify(Rollout *r, GError **error)
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

bool rollout_migrate(Rollout *r, GError **error)
{
    /* Code that goes back finds the schema as it is: it only ever goes forward. */
    if (r->settings->migrate.tool == NULL || g_str_equal(r->deployment->reason, "rollback"))
        return true;
    return rollout_do_step(r, "migrate", run_migration, error);
}

static bool start_units(Rollout *r, json_t *detail, GError **error)
{
    return local_start(r->delivery, r->plan, error);
}

bool rollout_start(Rollout *r, GError **error)
{
    return rollout_do_step(r, "start", start_units, error);
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

bool rollout_probe(Rollout *r, GError **error)
{
    return rollout_do_step(r, "healthy", wait_healthy, error) &&
           (r->settings->smoke->len == 0 || rollout_do_step(r, "smoke", run_smoke, error));
}

static bool ensure_proxy(Rollout *r, json_t *detail, GError **error)
{
    g_autofree char *name = local_proxy_name(r->deployment);
    g_autofree char *address = local_proxy_address(r->settings);
    return proxy_ensure(r->delivery->units, name, address, error);
}

bool rollout_ready_proxy(Rollout *r, GError **error)
{
    return rollout_do_step(r, "proxy", ensure_proxy, error);
}
