/* route.h - which endpoint of the distribution API a path means. Pure text. */
#pragma once

#include <glib.h>
#include <stdbool.h>

typedef enum {
    ROUTE_UNKNOWN, /* nothing below /v2/ */
    ROUTE_PING,
    ROUTE_CATALOG,
    ROUTE_BLOB,
    ROUTE_UPLOADS, /* where uploads are started */
    ROUTE_UPLOAD,  /* one session */
    ROUTE_MANIFEST,
    ROUTE_TAGS,
    ROUTE_REFERRERS,
} RouteKind;

typedef struct {
    RouteKind kind;
    char *repository; /* as sent, unchecked; NULL for ping and catalog */
    char *reference;  /* tag or digest, or the session's id; NULL where there is none */
} Route;

/* The route of PATH (decoded). A repository's parts may be called like the API's own words, so
 * the last possible place counts. */
void route_parse(const char *path, Route *route);

void route_clear(Route *route);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Route, route_clear)
