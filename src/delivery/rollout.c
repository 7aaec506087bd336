#include "delivery/rollout_private.h"

#include "base/error.h"

#include <stdio.h>

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

static const struct {
    const char *state;
    bool (*run)(Rollout *r, GError **error);
    bool switched; /* traffic may have moved: a failure leads back */
} phases[] = {
    {"locking", rollout_take_lock, false}, {"verifying", rollout_verify, false},
    {"migrating", rollout_migrate, false}, {"starting", rollout_start, false},
    {"probing", rollout_probe, false},     {"switching", rollout_ready_proxy, false},
    {"canary", rollout_canary, true},      {"baking", rollout_bake, true},
    {"draining", rollout_drain, true},
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
        ok = rollout_abort(
            r, g_str_equal(phases[phase].state, "migrating") ? "failed_migration" : "failed", why,
            &error);
    else if (g_str_equal(r->deployment->reason, "rollback"))
        ok =
            rollout_need_human(r, "needs_human", why, &error); /* a rollback is never rolled back */
    else
        ok = rollout_roll_back(r, why, &error);
    if (!ok) {
        g_autofree char *both =
            g_strdup_printf("%s; and the way back failed: %s", why, error->message);
        rollout_need_human(r, "rollback_failed", both, NULL);
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
    if (!rollout_succeed(r, &error))
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
        rollout_need_human(r, "rollback_failed", error->message, NULL);
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

void rollout_carry_on(const char *home, UnitManager *units, const char *id)
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
