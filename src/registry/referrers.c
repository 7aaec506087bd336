/* referrers.c - the manifests that speak of another one: signatures, attestations, SBOMs. */
#include "net/http_url.h"
#include "oci/image.h"
#include "registry/exchange.h"

#include <string.h>

#define REFERRERS_LIMIT 1000

/* ?artifactType=; a '+' that was sent bare has been decoded as a blank, which no type has. */
static char *wanted_type(Exchange *exchange)
{
    const char *type = exchange_query(exchange, "artifactType");
    return type != NULL && type[0] != '\0' ? g_strdelimit(g_strdup(type), " ", '+') : NULL;
}

static void answer_list(Exchange *exchange, json_t *list, const char *type, int64_t limit,
                        bool more)
{
    if (type != NULL)
        http_answer_header(exchange->request, "OCI-Filters-Applied", "artifactType");
    size_t count = json_array_size(list);
    if (more && count > 0) {
        const char *last =
            json_string_value(json_object_get(json_array_get(list, count - 1), "digest"));
        g_autofree char *path = g_strdup_printf(
            "/v2/%s/referrers/%s", exchange->endpoint.repository, exchange->endpoint.reference);
        g_autofree char *encoded = http_url_encode(type != NULL ? type : "", "");
        g_autofree char *extra =
            type != NULL ? g_strconcat("&artifactType=", encoded, NULL) : g_strdup("");
        exchange_link(exchange, path, limit, last, extra);
    }
    exchange_answer_json(exchange, OCI_INDEX,
                         json_pack("{s:i, s:s, s:o}", "schemaVersion", 2, "mediaType", OCI_INDEX,
                                   "manifests", list));
}

void referrers_handle(Exchange *exchange)
{
    int64_t limit = 0;
    const char *last = NULL;
    if (!exchange_reads(exchange)) {
        problem_answer_method(exchange->request, "GET, HEAD");
        return;
    }
    if (!exchange_authorize(exchange, exchange->endpoint.repository, REGISTRY_PULL) ||
        !exchange_check_digest(exchange, exchange->endpoint.reference) ||
        !exchange_page(exchange, &limit, &last))
        return;
    limit = limit < 0 ? REFERRERS_LIMIT : MIN(limit, REFERRERS_LIMIT);

    g_autofree char *type = wanted_type(exchange);
    g_autoptr(GError) error = NULL;
    bool more = false;
    json_t *list =
        catalog_referrers(exchange_catalog(exchange), exchange->endpoint.repository,
                          exchange->endpoint.reference, type, last, limit, &more, &error);
    if (list == NULL)
        problem_answer_error(exchange->request, error);
    else
        answer_list(exchange, list, type, limit, more);
}
