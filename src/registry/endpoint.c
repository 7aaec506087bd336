#include "registry/endpoint.h"

#include <string.h>

/* Cuts REST (what follows "/v2/") at the last "/WORD/" before a single last part. */
static bool match_last(const char *rest, const char *word, Endpoint *endpoint)
{
    const char *slash = strrchr(rest, '/');
    size_t length = strlen(word);
    if (slash == NULL || (size_t) (slash - rest) < length + 2)
        return false;
    const char *start = slash - length;
    if (start[-1] != '/' || strncmp(start, word, length) != 0)
        return false;
    endpoint->repository = g_strndup(rest, (size_t) (start - 1 - rest));
    endpoint->reference = g_strdup(slash + 1);
    return true;
}

static bool has_suffix(const char *rest, const char *suffix, Endpoint *endpoint)
{
    size_t length = strlen(rest), tail = strlen(suffix);
    if (length <= tail || strcmp(rest + length - tail, suffix) != 0)
        return false;
    endpoint->repository = g_strndup(rest, length - tail);
    return true;
}

void endpoint_parse(const char *path, Endpoint *endpoint)
{
    static const struct {
        const char *word;
        EndpointKind kind;
    } words[] = {
        {"blobs/uploads", ENDPOINT_UPLOAD},
        {"manifests", ENDPOINT_MANIFEST},
        {"blobs", ENDPOINT_BLOB},
        {"referrers", ENDPOINT_REFERRERS},
    };
    *endpoint = (Endpoint){.kind = ENDPOINT_UNKNOWN};
    if (strcmp(path, "/v2") == 0 || strcmp(path, "/v2/") == 0) {
        endpoint->kind = ENDPOINT_PING;
        return;
    }
    if (strncmp(path, "/v2/", 4) != 0)
        return;
    const char *rest = path + 4;
    if (strcmp(rest, "_catalog") == 0)
        endpoint->kind = ENDPOINT_CATALOG;
    else if (has_suffix(rest, "/tags/list", endpoint))
        endpoint->kind = ENDPOINT_TAGS;
    else if (has_suffix(rest, "/blobs/uploads/", endpoint) ||
             has_suffix(rest, "/blobs/uploads", endpoint))
        endpoint->kind = ENDPOINT_UPLOADS;
    for (size_t i = 0; i < G_N_ELEMENTS(words) && endpoint->kind == ENDPOINT_UNKNOWN; i++)
        if (match_last(rest, words[i].word, endpoint))
            endpoint->kind = words[i].kind;
}

void endpoint_clear(Endpoint *endpoint)
{
    g_clear_pointer(&endpoint->repository, g_free);
    g_clear_pointer(&endpoint->reference, g_free);
}
