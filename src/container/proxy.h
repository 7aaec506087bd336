/* proxy.h - the control side of a proxy: one process for each published port, which outlives the
 * supervisor and is adopted like a unit. Its persisted route is the truth about traffic.
 *
 * A route has a number that only grows; a lower one than the last seen is refused (fencing). */
#pragma once

#include "container/unit.h"

typedef struct {
    const char *generation; /* the deployment's id: figures are kept by it */
    const char *unit;
    int port;   /* inside the unit */
    int weight; /* share of new requests, in 1/10000 of all; 0: drain */
} ProxyBackend;

typedef struct {
    const char *generation;
    int64_t requests, errors; /* errors: 5xx answers, and no answer */
    int64_t slow;             /* longer than the route's slow limit */
    int64_t in_flight;
    int64_t p50_us, p99_us; /* since the route was set */
} ProxyFigures;

/* Makes sure a proxy for NAME ("orders-production") listens on ADDRESS ("127.0.0.1:8080" or
 * "0.0.0.0:8080"). UNAVAILABLE with the holder's name where possible when the port is taken. */
bool proxy_ensure(UnitManager *manager, const char *name, const char *address, GError **error);

/* Atomically replaces the route from the next request on. ROUTE: number, > the last. */
bool proxy_set_route(UnitManager *manager, const char *name, int64_t route,
                     const ProxyBackend *backends, size_t count, int slow_ms, GError **error);

/* The persisted route: its number and backends as JSON [{generation,unit,port,weight}]; number 0
 * when there is none. */
json_t *proxy_get_route(UnitManager *manager, const char *name, int64_t *route, GError **error);

/* Figures of GENERATION since the present route was set. */
bool proxy_figures(UnitManager *manager, const char *name, const char *generation,
                   ProxyFigures *figures, GError **error);

/* Waits until GENERATION has no request in flight, at most TIMEOUT_MS. */
bool proxy_drain(UnitManager *manager, const char *name, const char *generation, int timeout_ms,
                 GError **error);

/* Holds new requests (at most TIMEOUT_MS each) until the next proxy_set_route. */
bool proxy_pause(UnitManager *manager, const char *name, int timeout_ms, GError **error);

bool proxy_stop(UnitManager *manager, const char *name, GError **error);

/* Starts the proxy again when it should run and does not; its route is as it was. */
bool proxy_revive(UnitManager *manager, const char *name, GError **error);

typedef struct {
    char *name, *address;
    pid_t pid; /* 0: it has died */
} ProxyState;

void proxy_state_free(ProxyState *state);

/* ProxyState *, all that should run. */
GPtrArray *proxy_list(UnitManager *manager, GError **error);
