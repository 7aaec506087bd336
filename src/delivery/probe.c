#include "delivery/probe.h"

#include "base/error.h"
#include "base/fd.h"
#include "format/json.h"
#include "net/http_probe.h"

#include <string.h>

#define SMOKE_TIMEOUT_MS 5000

static bool probe_http(Delivery *delivery, const LocalPlan *plan, const char *unit, GError **error)
{
    int timeout = (int) plan->settings->health_timeout_ms;
    autofd int fd = unit_connect(delivery->units, unit, plan->port, timeout, error);
    if (fd < 0)
        return false;
    static const char *const headers[] = {"User-Agent: slipway-probe", NULL};
    HttpProbe probe = {
        .path = plan->settings->health_path, .headers = headers, .timeout_ms = timeout};
    g_auto(HttpProbeAnswer) answer = {0};
    if (!http_probe_fd(fd, &probe, &answer, error))
        return false;
    if (answer.status >= 200 && answer.status < 400)
        return true;
    g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID, "GET %s answered %d", probe.path,
                answer.status);
    return false;
}

static bool probe_command(Delivery *delivery, const LocalPlan *plan, const char *unit,
                          GError **error)
{
    g_autofree char *output = NULL;
    int status;
    if (!unit_exec(delivery->units, unit, (const char *const *) plan->health_argv,
                   (int) plan->settings->health_timeout_ms, &output, &status, error))
        return false;
    if (status == 0)
        return true;
    g_strstrip(output);
    g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID,
                "HEALTHCHECK ended with status %d%s%.200s", status, output[0] != '\0' ? ": " : "",
                output);
    return false;
}

static bool probe_unit(Delivery *delivery, const LocalPlan *plan, const char *unit, GError **error)
{
    if (plan->settings->health_path != NULL)
        return probe_http(delivery, plan, unit, error);
    if (plan->health_argv != NULL)
        return probe_command(delivery, plan, unit, error);
    autofd int fd = unit_connect(delivery->units, unit, plan->port,
                                 (int) plan->settings->health_timeout_ms, error);
    return fd >= 0;
}

/* One health check of each replica. */
static bool probe_once(Delivery *delivery, const LocalPlan *plan, GError **error)
{
    for (int i = 1; i <= plan->settings->replicas; i++) {
        g_autofree char *id = local_unit_id(plan->deployment, i);
        if (!probe_unit(delivery, plan, id, error)) {
            g_prefix_error(error, "replica %d: ", i);
            return false;
        }
    }
    return true;
}

/* true: one of the units has ended more often than a start may need. */
static bool keeps_crashing(Delivery *delivery, const LocalPlan *plan, GError **error)
{
    for (int i = 1; i <= plan->settings->replicas; i++) {
        g_autofree char *id = local_unit_id(plan->deployment, i);
        g_autoptr(Unit) unit = unit_get(delivery->units, id, NULL);
        if (unit == NULL || (unit->status != UNIT_EXITED && unit->restarts < 3))
            continue;
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID,
                    "it ended with status %d%s (%d restarts); `slipway logs %s` has its last words",
                    unit->exit_status, unit->out_of_memory ? ", out of memory" : "", unit->restarts,
                    id);
        return true;
    }
    return false;
}

bool probe_until_healthy(Delivery *delivery, const LocalPlan *plan, GError **error)
{
    gint64 deadline = g_get_monotonic_time() + plan->settings->health_start_ms * 1000;
    int passes = 0;
    g_autoptr(GError) last = NULL;
    while (g_get_monotonic_time() < deadline) {
        g_clear_error(&last);
        passes = probe_once(delivery, plan, &last) ? passes + 1 : 0;
        if (passes >= plan->settings->health_passes)
            return true;
        if (keeps_crashing(delivery, plan, error))
            return false;
        /* Until the first answer look often: a start is usually over in a moment. */
        gint64 pause_ms = passes > 0 ? MIN(plan->settings->health_interval_ms, 1000) : 100;
        g_usleep((gulong) pause_ms * 1000);
    }
    g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID, "not healthy within %d s: %s",
                (int) (plan->settings->health_start_ms / 1000),
                last != NULL ? last->message : "too few passes");
    return false;
}

void smoke_result_clear(SmokeResult *result)
{
    json_decref(result->checks);
    result->checks = NULL;
}

/* Does VALUE have all that WANTED has? Objects by their members, all else by equality. */
static bool json_has(const json_t *value, const json_t *wanted)
{
    if (!json_is_object(wanted))
        return json_equal((json_t *) value, (json_t *) wanted);
    const char *key;
    json_t *member;
    json_object_foreach((json_t *) wanted, key, member)
    {
        const json_t *ours = json_object_get(value, key);
        if (ours == NULL || !json_has(ours, member))
            return false;
    }
    return true;
}

static char **smoke_headers(const SmokeCheck *check)
{
    GPtrArray *headers = g_ptr_array_new();
    g_ptr_array_add(headers, g_strdup("User-Agent: slipway-smoke"));
    if (check->body != NULL && json_object_get(check->headers, "Content-Type") == NULL)
        g_ptr_array_add(headers, g_strdup_printf("Content-Type: %s",
                                                 check->body[0] == '{' || check->body[0] == '['
                                                     ? "application/json"
                                                     : "text/plain"));
    const char *name;
    json_t *value;
    json_object_foreach(check->headers, name, value)
        g_ptr_array_add(headers, g_strdup_printf("%s: %s", name, json_string_value(value)));
    g_ptr_array_add(headers, NULL);
    return (char **) g_ptr_array_free(headers, FALSE);
}

static bool smoke_one(Delivery *delivery, const LocalPlan *plan, const char *unit,
                      const SmokeCheck *check, int *status, GError **error)
{
    g_auto(GStrv) headers = smoke_headers(check);
    HttpProbe probe = {
        .method = check->method,
        .path = check->path,
        .headers = (const char *const *) headers,
        .body = check->body,
        .body_length = check->body != NULL ? strlen(check->body) : 0,
        .timeout_ms = SMOKE_TIMEOUT_MS,
    };
    g_auto(HttpProbeAnswer) answer = {0};
    if (unit != NULL) {
        autofd int fd = unit_connect(delivery->units, unit, plan->port, SMOKE_TIMEOUT_MS, error);
        if (fd < 0 || !http_probe_fd(fd, &probe, &answer, error))
            return false;
    } else {
        const char *host =
            g_str_equal(plan->settings->address, "0.0.0.0") ? "127.0.0.1" : plan->settings->address;
        if (!http_probe(host, plan->settings->port, &probe, &answer, error))
            return false;
    }
    *status = answer.status;
    if (answer.status != check->status) {
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID, "answered %d, expected %d",
                    answer.status, check->status);
        return false;
    }
    if (check->json == NULL || json_is_null(check->json))
        return true;
    g_autoptr(json_t) body = json_parse("body", answer.body, answer.body_length, error);
    if (body == NULL)
        return false;
    if (json_has(body, check->json))
        return true;
    g_autofree char *wanted = json_compact(check->json);
    g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID, "the answer lacks %s", wanted);
    return false;
}

void smoke_run(Delivery *delivery, const LocalPlan *plan, const char *unit, const GPtrArray *checks,
               SmokeResult *result)
{
    *result = (SmokeResult){.checks = json_array()};
    for (guint i = 0; i < checks->len; i++) {
        const SmokeCheck *check = g_ptr_array_index(checks, i);
        g_autoptr(GError) why = NULL;
        int status = 0;
        bool passed = smoke_one(delivery, plan, unit, check, &status, &why);
        result->passed += passed;
        result->failed += !passed;
        g_autofree char *request = g_strdup_printf("%s %s", check->method, check->path);
        json_array_append_new(result->checks, json_pack("{s:s, s:i, s:b, s:s?}", "request", request,
                                                        "status", status, "passed", passed, "why",
                                                        why != NULL ? why->message : NULL));
    }
}
