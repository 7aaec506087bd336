/* tags.c - lists of tags and of repositories, by pages. */
#include "registry/exchange.h"

/* {"KEY": NAMES} after FIELDS (taken), with the Link to the next page of PATH. */
static void answer_page(Exchange *exchange, json_t *fields, const char *key, const GPtrArray *names,
                        const char *path, int64_t limit, bool more)
{
    json_t *list = json_array();
    for (guint i = 0; i < names->len; i++)
        json_array_append_new(list, json_string(g_ptr_array_index(names, i)));
    json_object_set_new(fields, key, list);
    if (more && names->len > 0)
        exchange_link(exchange, path, limit, g_ptr_array_index(names, names->len - 1), "");
    exchange_answer_json(exchange, "application/json", fields);
}

void tags_handle(Exchange *exchange)
{
    const char *repository = exchange->endpoint.repository;
    Catalog *catalog = exchange_catalog(exchange);
    int64_t limit = 0;
    const char *last = NULL;
    if (!exchange_reads(exchange)) {
        problem_answer_method(exchange->request, "GET, HEAD");
        return;
    }
    if (!exchange_authorize(exchange, repository, REGISTRY_PULL) ||
        !exchange_page(exchange, &limit, &last))
        return;
    limit = limit < 0 ? PAGE_LIMIT : limit;

    g_autoptr(GError) error = NULL;
    bool more = false;
    g_autoptr(GPtrArray) tags = NULL;
    bool known = catalog_has_repository(catalog, repository, &error);
    if (known)
        tags = catalog_tags(catalog, repository, last, limit, &more, &error);
    if (error != NULL) {
        problem_answer_error(exchange->request, error);
    } else if (!known) {
        problem_answer(exchange->request, PROBLEM_NAME_UNKNOWN, NULL, repository);
    } else {
        g_autofree char *path = g_strdup_printf("/v2/%s/tags/list", repository);
        answer_page(exchange, json_pack("{s:s}", "name", repository), "tags", tags, path, limit,
                    more);
    }
}

void catalog_handle(Exchange *exchange)
{
    int64_t limit = 0;
    const char *last = NULL;
    if (!exchange_reads(exchange)) {
        problem_answer_method(exchange->request, "GET, HEAD");
        return;
    }
    if (!exchange_authorize(exchange, NULL, REGISTRY_CATALOG) ||
        !exchange_page(exchange, &limit, &last))
        return;
    limit = limit < 0 ? PAGE_LIMIT : limit;

    g_autoptr(GError) error = NULL;
    bool more = false;
    g_autoptr(GPtrArray) names =
        catalog_repositories(exchange_catalog(exchange), last, limit, &more, &error);
    if (names == NULL)
        problem_answer_error(exchange->request, error);
    else
        answer_page(exchange, json_object(), "repositories", names, "/v2/_catalog", limit, more);
}
