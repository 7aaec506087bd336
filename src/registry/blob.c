/* blob.c - reading and deleting blobs. */
#include "registry/exchange.h"
#include "registry/range.h"

#include <string.h>

static void set_headers(Exchange *exchange, const char *digest)
{
    g_autofree char *etag = g_strdup_printf("\"%s\"", digest);
    http_answer_header(exchange->request, "Docker-Content-Digest", digest);
    http_answer_header(exchange->request, "Accept-Ranges", "bytes");
    http_answer_header(exchange->request, "ETag", etag);
    /* A digest never means other bytes. */
    http_answer_header(exchange->request, "Cache-Control", "max-age=31536000, immutable");
}

/* Whether the client says that it has the content of DIGEST already. */
static bool is_known_to_client(Exchange *exchange, const char *digest)
{
    const char *known = http_request_header(exchange->request, "If-None-Match");
    return known != NULL && strstr(known, digest) != NULL;
}

static void send_content(Exchange *exchange, const char *digest, int64_t size)
{
    HttpRequest *request = exchange->request;
    int64_t offset = 0, length = size;
    RangeKind range = range_parse(http_request_header(request, "Range"), size, &offset, &length);
    if (range == RANGE_UNSATISFIABLE) {
        g_autofree char *whole = g_strdup_printf("bytes */%" G_GINT64_FORMAT, size);
        http_answer_header(request, "Content-Range", whole);
        problem_answer_status(request, PROBLEM_SIZE_INVALID, 416, "no such range", digest);
        return;
    }
    g_autoptr(GError) error = NULL;
    int fd = content_open(exchange_catalog(exchange)->store, digest, &error);
    if (fd < 0) {
        problem_answer_error(request, error);
        return;
    }
    set_headers(exchange, digest);
    if (range == RANGE_PART) {
        g_autofree char *part =
            g_strdup_printf("bytes %" G_GINT64_FORMAT "-%" G_GINT64_FORMAT "/%" G_GINT64_FORMAT,
                            offset, offset + length - 1, size);
        http_answer_header(request, "Content-Range", part);
    }
    http_answer_file(request, range == RANGE_PART ? 206 : 200, "application/octet-stream", fd,
                     offset, length);
}

static void get(Exchange *exchange)
{
    Catalog *catalog = exchange_catalog(exchange);
    const char *digest = exchange->endpoint.reference;
    if (!exchange_authorize(exchange, exchange->endpoint.repository, REGISTRY_PULL))
        return;
    int64_t size = 0;
    g_autoptr(GError) error = NULL;
    /* Who asks with HEAD will not send it again: it stays a while. */
    bool found =
        exchange_is_method(exchange, "HEAD")
            ? catalog_keep_blob(catalog, exchange->endpoint.repository, digest, &size, &error)
            : catalog_find_blob(catalog, exchange->endpoint.repository, digest, &size, &error);
    if (error != NULL) {
        problem_answer_error(exchange->request, error);
    } else if (!found) {
        problem_answer(exchange->request, PROBLEM_BLOB_UNKNOWN, NULL, digest);
    } else if (is_known_to_client(exchange, digest)) {
        set_headers(exchange, digest);
        http_answer(exchange->request, 304, NULL, "", 0);
    } else {
        send_content(exchange, digest, size);
    }
}

static void remove_blob(Exchange *exchange)
{
    const char *digest = exchange->endpoint.reference;
    if (!exchange_authorize(exchange, exchange->endpoint.repository, REGISTRY_DELETE))
        return;
    g_autoptr(GError) error = NULL;
    switch (catalog_unlink_blob(exchange_catalog(exchange), exchange->endpoint.repository, digest,
                                &error)) {
    case CATALOG_REMOVED:
        http_answer(exchange->request, 202, NULL, "", 0);
        break;
    case CATALOG_ABSENT:
        problem_answer(exchange->request, PROBLEM_BLOB_UNKNOWN, NULL, digest);
        break;
    case CATALOG_IN_USE:
        http_answer_header(exchange->request, "Allow", "GET, HEAD");
        problem_answer(exchange->request, PROBLEM_UNSUPPORTED,
                       "a manifest needs this blob; delete the manifest first", digest);
        break;
    default:
        problem_answer_error(exchange->request, error);
    }
}

void blob_handle(Exchange *exchange)
{
    /* What is no digest cannot be here; 404 is what clients bear best. */
    if (exchange_reads(exchange))
        get(exchange);
    else if (exchange_is_method(exchange, "DELETE"))
        remove_blob(exchange);
    else
        problem_answer_method(exchange->request, "GET, HEAD, DELETE");
}
