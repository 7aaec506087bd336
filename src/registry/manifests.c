/* manifests.c - reading, pushing and deleting manifests by tag or digest. */
#include "base/error.h"
#include "crypto/hash.h"
#include "model/digest.h"
#include "model/reference.h"
#include "net/http_url.h"
#include "registry/exchange.h"

#include <string.h>

#define TAGS_LIMIT 100 /* ?tag= of one push */

static bool is_digest_reference(const char *reference)
{
    return strchr(reference, ':') != NULL;
}

/* --- reading ----------------------------------------------------------------------------- */

static void send_manifest(Exchange *exchange, const CatalogManifest *found)
{
    HttpRequest *request = exchange->request;
    ContentStore *store = exchange_catalog(exchange)->store;
    g_autofree char *etag = g_strdup_printf("\"%s\"", found->digest);
    http_answer_header(request, "Docker-Content-Digest", found->digest);
    http_answer_header(request, "ETag", etag);

    const char *known = http_request_header(request, "If-None-Match");
    if (known != NULL && strstr(known, found->digest) != NULL) {
        http_answer(request, 304, NULL, "", 0);
        return;
    }
    g_autoptr(GError) error = NULL;
    if (exchange_is_method(exchange, "HEAD")) {
        int fd = content_open(store, found->digest, &error);
        if (fd >= 0)
            http_answer_file(request, 200, found->media_type, fd, 0, found->size);
    } else {
        size_t length = 0;
        g_autofree char *bytes =
            content_read(store, found->digest, MANIFEST_LIMIT, &length, &error);
        if (bytes != NULL)
            http_answer(request, 200, found->media_type, bytes, (gssize) length);
    }
    if (error != NULL)
        problem_answer_error(request, error);
}

static void get(Exchange *exchange)
{
    Catalog *catalog = exchange_catalog(exchange);
    const char *repository = exchange->endpoint.repository;
    if (!exchange_authorize(exchange, repository, REGISTRY_PULL))
        return;
    g_autoptr(GError) error = NULL;
    g_auto(CatalogManifest) found = {0};
    if (catalog_find_manifest(catalog, repository, exchange->endpoint.reference, &found, &error)) {
        if (exchange_admit(exchange, found.digest))
            send_manifest(exchange, &found);
        return;
    }
    bool known = error == NULL && catalog_has_repository(catalog, repository, &error);
    if (error != NULL)
        problem_answer_error(exchange->request, error);
    else
        problem_answer(exchange->request, known ? PROBLEM_MANIFEST_UNKNOWN : PROBLEM_NAME_UNKNOWN,
                       NULL, exchange->endpoint.reference);
}

/* --- pushing ----------------------------------------------------------------------------- */

typedef struct {
    Exchange *exchange;
    GByteArray *body;
    bool too_large;
} Push;

static void answer_too_large(HttpRequest *request)
{
    problem_answer_status(request, PROBLEM_MANIFEST_INVALID, 413, "a manifest is at most 4 MiB",
                          NULL);
}

static bool push_data(HttpRequest *request, const void *bytes, size_t length, void *state)
{
    Push *push = state;
    push->too_large = push->body->len + length > MANIFEST_LIMIT;
    if (!push->too_large)
        g_byte_array_append(push->body, bytes, (guint) length);
    return !push->too_large;
}

/* The tags that the push names, in the path and as ?tag=; NULL where one is none: answered. */
static GPtrArray *wanted_tags(Exchange *exchange)
{
    g_autoptr(GPtrArray) tags = g_ptr_array_new_with_free_func(g_free);
    const char *reference = exchange->endpoint.reference;
    if (!is_digest_reference(reference))
        g_ptr_array_add(tags, g_strdup(reference));
    const GPtrArray *query = http_request_query(exchange->request);
    for (guint i = 0; i < query->len; i++) {
        const HttpParameter *parameter = g_ptr_array_index(query, i);
        if (g_str_equal(parameter->name, "tag"))
            g_ptr_array_add(tags, g_strdup(parameter->value));
    }
    if (tags->len > TAGS_LIMIT) {
        problem_answer_status(exchange->request, PROBLEM_TAG_INVALID, 414, "too many tags", NULL);
        return NULL;
    }
    for (guint i = 0; i < tags->len; i++)
        if (!reference_is_tag(g_ptr_array_index(tags, i))) {
            problem_answer(exchange->request, PROBLEM_TAG_INVALID, NULL,
                           g_ptr_array_index(tags, i));
            return NULL;
        }
    return g_steal_pointer(&tags);
}

/* The digest of the body, by the algorithm that the path or ?digest= names, which it must equal;
 * NULL: answered. */
static char *check_digest(Exchange *exchange, const GByteArray *body)
{
    const char *asked = is_digest_reference(exchange->endpoint.reference)
                            ? exchange->endpoint.reference
                            : exchange_query(exchange, "digest");
    HashAlgorithm algorithm = HASH_SHA256;
    if (asked != NULL) {
        if (!exchange_check_digest(exchange, asked))
            return NULL;
        hash_parse_name(asked, strcspn(asked, ":"), &algorithm);
    }
    g_autofree char *actual = hash_digest(algorithm, body->data, body->len);
    if (asked == NULL || g_str_equal(asked, actual))
        return g_steal_pointer(&actual);
    problem_answer(exchange->request, PROBLEM_DIGEST_INVALID, NULL, actual);
    return NULL;
}

/* Writes the bytes into the store and the rows into the tables; false: answered. */
static bool record(Exchange *exchange, const GByteArray *body, const char *digest,
                   const PushedManifest *manifest, const GPtrArray *tags)
{
    Catalog *catalog = exchange_catalog(exchange);
    g_autoptr(GError) error = NULL;
    g_autoptr(ContentWriter) writer = content_writer_new(catalog->store, &error);
    g_autofree char *stored = NULL;
    if (writer != NULL && content_writer_append(writer, body->data, body->len, &error))
        stored = content_writer_commit(writer, digest, &error);
    g_autofree char *missing = NULL;
    if (stored != NULL && catalog_put_manifest(catalog, exchange->endpoint.repository, digest,
                                               body->len, manifest, tags, &missing, &error))
        return true;
    if (missing != NULL)
        problem_answer(exchange->request, PROBLEM_MANIFEST_BLOB_UNKNOWN, error->message, missing);
    else
        problem_answer_error(exchange->request, error);
    return false;
}

static void answer_created(Exchange *exchange, const char *digest, const PushedManifest *manifest,
                           GPtrArray *tags)
{
    HttpRequest *request = exchange->request;
    exchange_location(exchange, "manifests/%s", digest);
    http_answer_header(request, "Docker-Content-Digest", digest);
    if (manifest->subject != NULL)
        http_answer_header(request, "OCI-Subject", manifest->subject);
    if (exchange_query(exchange, "tag") != NULL) {
        g_ptr_array_add(tags, NULL);
        g_autofree char *list = g_strjoinv(", ", (char **) tags->pdata);
        http_answer_header(request, "OCI-Tag", list);
    }
    http_answer(request, 201, NULL, "", 0);
}

static void push_end(HttpRequest *request, void *state)
{
    Push *push = state;
    Exchange *exchange = push->exchange;
    if (push->too_large) {
        answer_too_large(request);
        return;
    }
    g_autoptr(GPtrArray) tags = wanted_tags(exchange);
    g_autofree char *digest = tags != NULL ? check_digest(exchange, push->body) : NULL;
    if (digest == NULL)
        return;
    g_autoptr(GError) error = NULL;
    g_autoptr(PushedManifest) manifest =
        pushed_manifest_parse((const char *) push->body->data, push->body->len,
                              http_request_header(request, "Content-Type"), &error);
    if (manifest == NULL)
        problem_answer(request, PROBLEM_MANIFEST_INVALID, error->message, NULL);
    else if (record(exchange, push->body, digest, manifest, tags))
        answer_created(exchange, digest, manifest, tags);
}

static void push_free(void *state)
{
    Push *push = state;
    exchange_free(push->exchange);
    g_byte_array_unref(push->body);
    g_free(push);
}

static void put(Exchange *exchange)
{
    static const HttpBodyReader reader = {push_data, push_end, push_free};
    if (!exchange_authorize(exchange, exchange->endpoint.repository, REGISTRY_PUSH))
        return;
    if (http_request_content_length(exchange->request) > MANIFEST_LIMIT) {
        answer_too_large(exchange->request);
        return;
    }
    Push *push = g_new0(Push, 1);
    push->body = g_byte_array_new();
    push->exchange = exchange_keep(exchange);
    http_request_read_body(push->exchange->request, &reader, push);
}

/* --- deleting ---------------------------------------------------------------------------- */

static void remove_manifest(Exchange *exchange)
{
    Catalog *catalog = exchange_catalog(exchange);
    const char *repository = exchange->endpoint.repository;
    const char *reference = exchange->endpoint.reference;
    if (!exchange_authorize(exchange, repository, REGISTRY_DELETE))
        return;
    g_autoptr(GError) error = NULL;
    CatalogRemoval removal = is_digest_reference(reference)
                                 ? catalog_remove_manifest(catalog, repository, reference, &error)
                                 : catalog_remove_tag(catalog, repository, reference, &error);
    if (removal == CATALOG_REMOVED)
        http_answer(exchange->request, 202, NULL, "", 0);
    else if (removal == CATALOG_ABSENT)
        problem_answer(exchange->request, PROBLEM_MANIFEST_UNKNOWN, NULL, reference);
    else
        problem_answer_error(exchange->request, error);
}

void manifest_handle(Exchange *exchange)
{
    if (exchange_reads(exchange))
        get(exchange);
    else if (exchange_is_method(exchange, "PUT"))
        put(exchange);
    else if (exchange_is_method(exchange, "DELETE"))
        remove_manifest(exchange);
    else
        problem_answer_method(exchange->request, "GET, HEAD, PUT, DELETE");
}
