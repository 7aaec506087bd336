#include "registry/route.h"

#include <string.h>

/* Cuts REST (what follows "/v2/") at the last "/WORD/" before a single last part. */
static bool match_last(const char *rest, const char *word, Route *route)
{
    const char *slash = strrchr(rest, '/');
    size_t length = strlen(word);
    if (slash == NULL || (size_t) (slash - rest) < length + 2)
        return false;
    const char *start = slash - length;
    if (start[-1] != '/' || strncmp(start, word, length) != 0)
        return false;
    route->repository = g_strndup(rest, (size_t) (start - 1 - rest));
    route->reference = g_strdup(slash + 1);
    return true;
}

static bool has_suffix(const char *rest, const char *suffix, Route *route)
{
    size_t length = strlen(rest), tail = strlen(suffix);
    if (length <= tail || strcmp(rest + length - tail, suffix) != 0)
        return false;
    route->repository = g_strndup(rest, length - tail);
    return true;
}

void route_parse(const char *path, Route *route)
{
    static const struct {
        const char *word;
        RouteKind kind;
    } words[] = {
        {"blobs/uploads", ROUTE_UPLOAD},
        {"manifests", ROUTE_MANIFEST},
        {"blobs", ROUTE_BLOB},
        {"referrers", ROUTE_REFERRERS},
    };
    *route = (Route){.kind = ROUTE_UNKNOWN};
    if (strcmp(path, "/v2") == 0 || strcmp(path, "/v2/") == 0) {
        route->kind = ROUTE_PING;
        return;
    }
    if (strncmp(path, "/v2/", 4) != 0)
        return;
    const char *rest = path + 4;
    if (strcmp(rest, "_catalog") == 0)
        route->kind = ROUTE_CATALOG;
    else if (has_suffix(rest, "/tags/list", route))
        route->kind = ROUTE_TAGS;
    else if (has_suffix(rest, "/blobs/uploads/", route) ||
             has_suffix(rest, "/blobs/uploads", route))
        route->kind = ROUTE_UPLOADS;
    for (size_t i = 0; i < G_N_ELEMENTS(words) && route->kind == ROUTE_UNKNOWN; i++)
        if (match_last(rest, words[i].word, route))
            route->kind = words[i].kind;
}

void route_clear(Route *route)
{
    g_clear_pointer(&route->repository, g_free);
    g_clear_pointer(&route->reference, g_free);
}
