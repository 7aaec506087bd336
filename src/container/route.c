#include "container/route.h"

#include "base/error.h"
#include "format/json.h"

#include <arpa/inet.h>
#include <string.h>

static void backend_free(gpointer data)
{
    RouteBackend *backend = data;
    g_free(backend->generation);
    g_free(backend->unit);
    g_free(backend);
}

Route *route_empty(void)
{
    Route *route = g_new0(Route, 1);
    route->backends = g_ptr_array_new_with_free_func(backend_free);
    return route;
}

void route_free(Route *route)
{
    if (route == NULL)
        return;
    g_ptr_array_unref(route->backends);
    g_free(route);
}

static bool is_unit_name(const char *name)
{
    if (name[0] == '@') {
        struct in_addr address;
        return inet_pton(AF_INET, name + 1, &address) == 1;
    }
    return name[0] != '\0' && strlen(name) <= 128 &&
           name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-")] == '\0';
}

static bool parse_backend(const json_t *json, size_t index, Route *route, GError **error)
{
    const char *generation = json_get_string(json, "generation");
    const char *unit = json_get_string(json, "unit");
    int64_t port = json_get_integer(json, "port", 0);
    int64_t weight = json_get_integer(json, "weight", -1);
    const char *wrong = NULL;
    if (generation == NULL || generation[0] == '\0' || strlen(generation) > 128)
        wrong = "generation";
    else if (unit == NULL || !is_unit_name(unit))
        wrong = "unit";
    else if (port < 1 || port > 65535)
        wrong = "port";
    else if (weight < 0 || weight > ROUTE_WEIGHT_TOTAL)
        wrong = "weight";
    if (wrong != NULL) {
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID,
                    "route: backend %zu: '%s' is missing or out of range", index + 1, wrong);
        return false;
    }
    RouteBackend *backend = g_new(RouteBackend, 1);
    *backend = (RouteBackend){g_strdup(generation), g_strdup(unit), (int) port, (int) weight};
    g_ptr_array_add(route->backends, backend);
    return true;
}

Route *route_parse(const json_t *json, GError **error)
{
    g_autoptr(Route) route = route_empty();
    const json_t *backends = json_object_get(json, "backends");
    int64_t slow_ms = json_get_integer(json, "slow_ms", 0);
    route->number = json_get_integer(json, "number", -1);
    route->slow_ms = (int) slow_ms;
    if (route->number < 0 || slow_ms < 0 || slow_ms > G_MAXINT || !json_is_array(backends) ||
        json_array_size(backends) > ROUTE_BACKEND_LIMIT) {
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID,
                    "route: expected a number, slow_ms and at most %d backends",
                    ROUTE_BACKEND_LIMIT);
        return NULL;
    }
    size_t index;
    json_t *backend;
    json_array_foreach(backends, index,
                       backend) if (!parse_backend(backend, index, route, error)) return NULL;
    return g_steal_pointer(&route);
}

json_t *route_format(const Route *route)
{
    json_t *backends = json_array();
    for (guint i = 0; i < route->backends->len; i++) {
        const RouteBackend *b = g_ptr_array_index(route->backends, i);
        json_array_append_new(backends,
                              json_pack("{s:s, s:s, s:i, s:i}", "generation", b->generation, "unit",
                                        b->unit, "port", b->port, "weight", b->weight));
    }
    return json_pack("{s:I, s:i, s:o}", "number", (json_int_t) route->number, "slow_ms",
                     route->slow_ms, "backends", backends);
}

bool route_equal(const Route *a, const Route *b)
{
    if (a->backends->len != b->backends->len || a->slow_ms != b->slow_ms)
        return false;
    for (guint i = 0; i < a->backends->len; i++) {
        const RouteBackend *x = g_ptr_array_index(a->backends, i);
        const RouteBackend *y = g_ptr_array_index(b->backends, i);
        if (!g_str_equal(x->generation, y->generation) || !g_str_equal(x->unit, y->unit) ||
            x->port != y->port || x->weight != y->weight)
            return false;
    }
    return true;
}

bool route_may_follow(const Route *now, const Route *next, GError **error)
{
    if (next->number > now->number || (next->number == now->number && route_equal(now, next)))
        return true;
    g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_DENIED,
                "route %" G_GINT64_FORMAT " is not newer than route %" G_GINT64_FORMAT
                " that is in force",
                next->number, now->number);
    return false;
}

int route_choose(RouteShare *shares, size_t count, int except)
{
    int64_t sum = 0;
    int best = -1;
    for (size_t i = 0; i < count; i++) {
        if (shares[i].weight == 0 || (int) i == except)
            continue;
        sum += shares[i].weight;
        shares[i].credit += shares[i].weight;
        if (best < 0 || shares[i].credit > shares[best].credit)
            best = (int) i;
    }
    if (best >= 0)
        shares[best].credit -= sum;
    return best;
}
