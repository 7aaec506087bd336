#include "delivery/decide.h"

#include "base/crash.h"
#include "base/error.h"
#include "container/supervisor.h"
#include "format/json.h"

#define POLL_US (50 * 1000)
#define NUDGE_US (2 * G_USEC_PER_SEC)

bool decide(Delivery *delivery, Deployment *deployment, GPtrArray **gates_out, GError **error)
{
    g_autoptr(Release) release =
        release_find(delivery, deployment->project, deployment->digest, error);
    g_autoptr(GPtrArray) gates =
        release != NULL ? gate_evaluate(delivery, release, deployment, error) : NULL;
    if (gates == NULL)
        return false;
    bool blocked, waiting;
    gate_summary(gates, &blocked, &waiting);

    bool ok = true;
    if (blocked) {
        g_autofree char *missing = gate_missing_text(gates);
        g_autoptr(json_t) detail =
            json_pack("{s:s, s:s, s:s, s:s}", "deployment", deployment->id, "environment",
                      deployment->environment, "project", deployment->project, "reason", missing);
        LedgerEntry entry = {.actor = "engine",
                             .action = "deploy",
                             .object = deployment->digest,
                             .result = "blocked",
                             .detail = detail};
        ok = deployment_move(delivery, deployment, "blocked", missing, &entry, error);
    } else if (waiting && !g_str_equal(deployment->state, "waiting"))
        ok = deployment_move(delivery, deployment, "waiting", "waits for a person", NULL, error);
    else if (!waiting && !deployment_is_active(deployment))
        ok = deployment_move(delivery, deployment, "approved", NULL, NULL, error);
    if (gates_out != NULL)
        *gates_out = g_steal_pointer(&gates);
    return ok;
}

ExitStatus decide_status(const Deployment *deployment)
{
    static const struct {
        const char *state;
        ExitStatus status;
    } table[] = {
        {"succeeded", EXIT_STATUS_DONE},
        {"failed", EXIT_STATUS_NO},
        {"blocked", EXIT_STATUS_NO},
        {"failed_migration", EXIT_STATUS_NO},
        {"rolled_back", EXIT_STATUS_ROLLED_BACK},
        {"rejected", EXIT_STATUS_REJECTED},
        {"superseded", EXIT_STATUS_REJECTED},
        {"expired", EXIT_STATUS_REJECTED},
        {"waiting", EXIT_STATUS_PERSON},
        {"needs_human", EXIT_STATUS_PERSON},
        {"rollback_failed", EXIT_STATUS_PERSON},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(table); i++)
        if (g_str_equal(table[i].state, deployment->state))
            return table[i].status;
    return EXIT_STATUS_INTERNAL;
}

char *decide_url(const Release *release, const char *environment)
{
    const EnvironmentSettings *settings = project_environment(release->settings, environment);
    if (settings == NULL)
        return NULL;
    return g_strdup_printf(
        "http://%s:%d", g_str_equal(settings->address, "0.0.0.0") ? "127.0.0.1" : settings->address,
        settings->port);
}

void decide_announce_approval(const Deployment *deployment, const GPtrArray *gates, EventSink *sink)
{
    const char *text = "";
    for (guint i = 0; gates != NULL && i < gates->len; i++) {
        const Gate *gate = g_ptr_array_index(gates, i);
        if (gate->verdict == GATE_WAITING)
            text = gate->text;
    }
    g_autofree char *command =
        g_strdup_printf("slipway approve %s --as NAME --key FILE", deployment->id);
    event_emit(sink, "approval.required",
               json_pack("{s:s, s:s, s:s, s:s, s:s}", "id", deployment->id, "environment",
                         deployment->environment, "digest", deployment->digest, "command", command,
                         "text", text));
}

static void emit_state(const Deployment *deployment, const char *url, EventSink *sink)
{
    event_emit(sink, "deploy",
               json_pack("{s:s, s:s, s:s, s:s, s:s?, s:s?}", "deployment", deployment->id,
                         "environment", deployment->environment, "state", deployment->state,
                         "digest", deployment->digest, "url", url, "message", deployment->message));
}

/* Emits the steps that have begun or ended since SEEN (name → "begun" or "ended"). */
static void emit_steps(Delivery *delivery, const Deployment *deployment, GHashTable *seen,
                       EventSink *sink)
{
    g_autoptr(json_t) steps = deployment_steps(delivery, deployment->id, NULL);
    size_t i;
    json_t *step;
    json_array_foreach(steps, i, step)
    {
        const char *name = json_get_string(step, "name");
        const char *result = json_get_string(step, "result");
        const char *phase = result != NULL ? "ended" : "begun";
        if (g_strcmp0(g_hash_table_lookup(seen, name), phase) == 0)
            continue;
        g_hash_table_insert(seen, g_strdup(name), (gpointer) phase);
        json_t *event = json_copy(step);
        json_object_set_new(event, "environment", json_string(deployment->environment));
        json_object_set_new(event, "deployment", json_string(deployment->id));
        event_emit(sink, "deploy.step", event);
    }
}

/* (Re)starts the supervisor and tells it of the deployment; telling twice is harmless. */
static bool nudge(Delivery *delivery, const Deployment *deployment, GError **error)
{
    g_autoptr(json_t) answer =
        supervisor_call(delivery->state->home,
                        json_pack("{s:s, s:s}", "op", "deploy", "id", deployment->id), error);
    return answer != NULL;
}

ExitStatus decide_carry_out(Delivery *delivery, Deployment *deployment, EventSink *sink,
                            GError **error)
{
    g_autoptr(Release) release =
        release_find(delivery, deployment->project, deployment->digest, error);
    if (release == NULL || !nudge(delivery, deployment, error))
        return EXIT_STATUS_UNAVAILABLE;
    crash_boundary("ship.deploy.handed");
    g_autofree char *url = decide_url(release, deployment->environment);
    g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    g_autofree char *shown = NULL;
    gint64 last_nudge = g_get_monotonic_time();

    for (;;) {
        if (!deployment_reload(delivery, deployment, error))
            return EXIT_STATUS_INTERNAL;
        emit_steps(delivery, deployment, seen, sink);
        if (g_strcmp0(shown, deployment->state) != 0) {
            emit_state(deployment, url, sink);
            g_free(shown);
            shown = g_strdup(deployment->state);
        }
        if (deployment_is_final(deployment))
            return decide_status(deployment);
        if (g_get_monotonic_time() - last_nudge > NUDGE_US) {
            last_nudge = g_get_monotonic_time();
            if (!nudge(delivery, deployment, error))
                return EXIT_STATUS_UNAVAILABLE;
        }
        g_usleep(POLL_US);
    }
}

void decide_emit_gates(const GPtrArray *gates, const char *environment, EventSink *sink)
{
    for (guint i = 0; i < gates->len; i++) {
        const Gate *gate = g_ptr_array_index(gates, i);
        json_t *event = json_pack("{s:s, s:s, s:s}", "gate", gate->name, "verdict",
                                  gate_verdict_name(gate->verdict), "text", gate->text);
        if (environment != NULL)
            json_object_set_new(event, "environment", json_string(environment));
        event_emit(sink, "gate", event);
    }
}

ExitStatus decide_and_carry_out(Delivery *delivery, Deployment *deployment, EventSink *sink,
                                GError **error)
{
    if (!deployment_is_active(deployment)) {
        g_autoptr(GPtrArray) gates = NULL;
        if (!decide(delivery, deployment, &gates, error))
            return EXIT_STATUS_NO;
        decide_emit_gates(gates, deployment->environment, sink);
        if (g_str_equal(deployment->state, "waiting"))
            decide_announce_approval(deployment, gates, sink);
        if (!deployment_is_active(deployment))
            return decide_status(deployment);
    }
    return decide_carry_out(delivery, deployment, sink, error);
}
