#include "registry/exchange.h"

#include "format/json.h"
#include "model/digest.h"
#include "net/http_url.h"

#include <stdarg.h>
#include <string.h>

Exchange *exchange_keep(Exchange *exchange)
{
    Exchange *kept = g_new(Exchange, 1);
    *kept = *exchange;
    exchange->endpoint = (Endpoint){0};
    return kept;
}

void exchange_free(Exchange *exchange)
{
    if (exchange == NULL)
        return;
    endpoint_clear(&exchange->endpoint);
    g_free(exchange);
}

const char *exchange_query(const Exchange *exchange, const char *name)
{
    return http_query_find(http_request_query(exchange->request), name);
}

void exchange_location(Exchange *exchange, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    g_autofree char *rest = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    g_autofree char *location = g_strdup_printf("/v2/%s/%s", exchange->endpoint.repository, rest);
    http_answer_header(exchange->request, "Location", location);
}

bool exchange_is_method(const Exchange *exchange, const char *method)
{
    return g_str_equal(http_request_method(exchange->request), method);
}

bool exchange_reads(const Exchange *exchange)
{
    return exchange_is_method(exchange, "GET") || exchange_is_method(exchange, "HEAD");
}

bool exchange_check_digest(Exchange *exchange, const char *digest)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Digest) parsed = digest_parse(digest, &error);
    if (parsed == NULL)
        problem_answer(exchange->request, PROBLEM_DIGEST_INVALID, error->message, digest);
    return parsed != NULL;
}

bool exchange_page(Exchange *exchange, int64_t *limit, const char **last)
{
    const char *n = exchange_query(exchange, "n");
    guint64 number = PAGE_LIMIT;
    *last = exchange_query(exchange, "last");
    *limit = -1;
    if (n == NULL)
        return true;
    if (!g_ascii_string_to_unsigned(n, 10, 0, G_MAXINT64, &number, NULL)) {
        problem_answer(exchange->request, PROBLEM_PAGINATION_NUMBER_INVALID, NULL, n);
        return false;
    }
    *limit = (int64_t) MIN(number, PAGE_LIMIT);
    return true;
}

void exchange_link(Exchange *exchange, const char *path, int64_t limit, const char *last,
                   const char *extra)
{
    g_autofree char *encoded = http_url_encode(last, "");
    g_autofree char *link = g_strdup_printf("<%s?n=%" G_GINT64_FORMAT "&last=%s%s>; rel=\"next\"",
                                            path, limit, encoded, extra);
    http_answer_header(exchange->request, "Link", link);
}

void exchange_answer_json(Exchange *exchange, const char *type, json_t *body)
{
    g_autoptr(json_t) taken = body;
    g_autofree char *text = json_compact(taken);
    http_answer(exchange->request, 200, type, text, -1);
}
