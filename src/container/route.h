/* route.h - what a proxy does with the next request: backends with their shares, as data, and
 * the choice among them. No I/O.
 *
 * The choice is no lottery: of any run of requests each backend gets its share to within one
 * request, so that a canary of 10 % gets every tenth request. */
#pragma once

#include <glib.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#define ROUTE_WEIGHT_TOTAL 10000
#define ROUTE_BACKEND_LIMIT 64

typedef struct {
    char *generation;
    char *unit; /* a unit's id, or "@ADDRESS" for an IPv4 address outside any unit */
    int port;
    int weight; /* in 1/10000; 0: gets no new requests */
} RouteBackend;

typedef struct {
    int64_t number;      /* only grows; 0: none was set yet */
    int slow_ms;         /* requests that take longer are counted as slow; 0: none are */
    GPtrArray *backends; /* RouteBackend * */
} Route;

/* From {"number","slow_ms","backends":[{generation,unit,port,weight}]}. INVALID with the member
 * that is wrong. */
Route *route_parse(const json_t *json, GError **error);
json_t *route_format(const Route *route);
Route *route_empty(void);

/* True when both send requests to the same places with the same weights. */
bool route_equal(const Route *a, const Route *b);

/* Whether NEXT may follow NOW: a higher number, or the same one and nothing changes. DENIED
 * otherwise. */
bool route_may_follow(const Route *now, const Route *next, GError **error);

void route_free(Route *route);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Route, route_free)

/* The place of one backend in the round: it begins as zeros. */
typedef struct {
    int64_t weight;
    int64_t credit;
} RouteShare;

/* The index of the share that is next, or -1 when none has a weight; EXCEPT (-1: none) is passed
 * over. Smooth weighted round robin: every share earns its weight, the richest pays the sum. */
int route_choose(RouteShare *shares, size_t count, int except);
