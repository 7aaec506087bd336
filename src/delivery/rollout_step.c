#include "delivery/rollout_private.h"

#include "base/clock.h"
#include "base/crash.h"
#include "container/proxy.h"
#include "format/json.h"

#define ROUTES_PER_FENCE 1000 /* route = fence * this + number of the switch */

/* One side effect with its intent and outcome on record. */
bool rollout_do_step(Rollout *r, const char *name, bool (*run)(Rollout *, json_t *, GError **),
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

bool rollout_record_end(Rollout *r, const char *state, const char *message, const char *sql,
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

int64_t rollout_route_number(const Rollout *r, int index)
{
    return r->deployment->fence * ROUTES_PER_FENCE + index;
}

/* SHARE of the traffic to the new generation, the rest to the one before. */
bool rollout_set_route(Rollout *r, int64_t number, int share, GError **error)
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
    for (int i = 1; share < ROLLOUT_SHARE_WHOLE && i <= old_replicas; i++) {
        char *id = local_unit_id(r->previous, i);
        g_ptr_array_add(ids, id);
        backends[count++] = (ProxyBackend){.generation = r->previous->id,
                                           .unit = id,
                                           .port = r->previous_plan->port,
                                           .weight = (ROLLOUT_SHARE_WHOLE - share) / old_replicas};
    }
    return proxy_set_route(r->delivery->units, name, number, backends, count,
                           (int) r->settings->slow_ms, error);
}
