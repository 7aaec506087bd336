#include "delivery/rollout_private.h"

#include "container/proxy.h"
#include "format/json.h"
#include "delivery/probe.h"

bool rollout_succeed(Rollout *r, GError **error)
{
    return rollout_record_end(r, "succeeded", NULL,
                              "UPDATE environment SET serving = ?1, last_good = ?1, lock = NULL "
                              "WHERE project = ?2 AND name = ?3",
                              r->deployment->id, error);
}

static bool stop_new(Rollout *r, json_t *detail, GError **error)
{
    return local_stop(r->delivery, r->deployment->id, error);
}

/* Before the switch: the new units go, traffic never moved. */
bool rollout_abort(Rollout *r, const char *final_state, const char *why, GError **error)
{
    return deployment_move(r->delivery, r->deployment, "aborting", why, NULL, error) &&
           rollout_do_step(r, "abort", stop_new, error) &&
           rollout_record_end(r, final_state, why,
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
    return rollout_set_route(r, rollout_route_number(r, ROLLOUT_ROUTE_BACK), 0, error);
}

static bool drain_and_stop_new(Rollout *r, json_t *detail, GError **error)
{
    g_autofree char *name = local_proxy_name(r->deployment);
    proxy_drain(r->delivery->units, name, r->deployment->id, ROLLOUT_DRAIN_MS, NULL);
    return local_stop(r->delivery, r->deployment->id, error);
}

/* At or after the switch: route first, then units. */
bool rollout_roll_back(Rollout *r, const char *why, GError **error)
{
    if (!deployment_move(r->delivery, r->deployment, "rolling_back", why, NULL, error) ||
        !rollout_do_step(r, "route.back", route_back, error) ||
        !rollout_do_step(r, "stop.new", drain_and_stop_new, error))
        return false;
    return rollout_record_end(
        r, "rolled_back", why,
        "UPDATE environment SET serving = ?1, lock = NULL WHERE project = ?2 AND name = ?3",
        r->previous != NULL ? r->previous->id : NULL, error);
}

bool rollout_need_human(Rollout *r, const char *state, const char *why, GError **error)
{
    return rollout_record_end(r, state, why,
                              "UPDATE environment SET lock = NULL, serving = coalesce(?1, serving) "
                              "WHERE project = ?2 AND name = ?3",
                              NULL, error);
}
