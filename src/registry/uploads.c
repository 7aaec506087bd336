/* uploads.c - starting, feeding, finishing, asking after and cancelling uploads, and mounts. */
#include "base/error.h"
#include "model/digest.h"
#include "model/reference.h"
#include "registry/exchange.h"
#include "registry/range.h"

#include <string.h>

/* A body on its way into a session. */
typedef struct {
    Exchange *exchange;
    Upload *upload;
    char *digest;     /* what it must be when the body has ended; NULL: more may follow */
    int64_t start;    /* the size before this request */
    int64_t promised; /* bytes by Content-Range; -1: not said */
    bool sole;        /* nobody else knows the session: it goes when the connection breaks */
    GError *error;
} Arrival;

static void set_session_headers(Exchange *exchange, const Upload *upload)
{
    int64_t last = MAX(0, upload_size(upload) - 1);
    g_autofree char *range = g_strdup_printf("0-%" G_GINT64_FORMAT, last);
    exchange_location(exchange, "blobs/uploads/%s", upload_id(upload));
    http_answer_header(exchange->request, "Range", range);
    http_answer_header(exchange->request, "Docker-Upload-UUID", upload_id(upload));
}

static void answer_session(Exchange *exchange, const Upload *upload, int status)
{
    set_session_headers(exchange, upload);
    http_answer(exchange->request, status, NULL, "", 0);
}

static void answer_blob(Exchange *exchange, const char *digest)
{
    exchange_location(exchange, "blobs/%s", digest);
    http_answer_header(exchange->request, "Docker-Content-Digest", digest);
    http_answer(exchange->request, 201, NULL, "", 0);
}

static void answer_out_of_order(Exchange *exchange, const Upload *upload)
{
    set_session_headers(exchange, upload);
    problem_answer_status(exchange->request, PROBLEM_BLOB_UPLOAD_INVALID, 416,
                          "the chunk does not follow what has arrived", NULL);
}

/* --- bodies ------------------------------------------------------------------------------ */

static bool arrival_data(HttpRequest *request, const void *bytes, size_t length, void *state)
{
    Arrival *arrival = state;
    return upload_append(arrival->upload, bytes, length, &arrival->error);
}

/* Makes the session's bytes a blob of the repository. */
static void finish(Arrival *arrival)
{
    Exchange *exchange = arrival->exchange;
    Catalog *catalog = exchange_catalog(exchange);
    g_autoptr(GError) error = NULL;
    if (upload_finish(arrival->upload, catalog->store, arrival->digest, &error) &&
        catalog_link_blob(catalog, exchange->endpoint.repository, arrival->digest, &error))
        answer_blob(exchange, arrival->digest);
    else if (g_error_matches(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID))
        problem_answer(exchange->request, PROBLEM_DIGEST_INVALID, error->message, arrival->digest);
    else
        problem_answer_error(exchange->request, error);
}

static void arrival_end(HttpRequest *request, void *state)
{
    Arrival *arrival = state;
    int64_t arrived = upload_size(arrival->upload) - arrival->start;
    if (arrival->error != NULL) {
        problem_answer_error(request, arrival->error);
    } else if (arrival->promised >= 0 && arrived != arrival->promised) {
        if (upload_truncate(arrival->upload, arrival->start, &arrival->error))
            answer_out_of_order(arrival->exchange, arrival->upload);
        else
            problem_answer_error(request, arrival->error);
    } else if (arrival->digest != NULL) {
        finish(arrival);
        arrival->sole = false;
    } else {
        answer_session(arrival->exchange, arrival->upload, 202);
    }
}

static void arrival_free(void *state)
{
    Arrival *arrival = state;
    if (arrival->sole)
        upload_cancel(arrival->upload);
    upload_release(arrival->upload);
    exchange_free(arrival->exchange);
    g_clear_error(&arrival->error);
    g_free(arrival->digest);
    g_free(arrival);
}

/* Reads the body into UPLOAD (taken), which must be DIGEST then (NULL: it goes on). */
static void receive(Exchange *exchange, Upload *upload, const char *digest, int64_t promised,
                    bool sole)
{
    static const HttpBodyReader reader = {arrival_data, arrival_end, arrival_free};
    Arrival *arrival = g_new0(Arrival, 1);
    arrival->upload = upload;
    arrival->digest = g_strdup(digest);
    arrival->start = upload_size(upload);
    arrival->promised = promised;
    arrival->sole = sole;
    arrival->exchange = exchange_keep(exchange);
    http_request_read_body(arrival->exchange->request, &reader, arrival);
}

/* What Content-Range promises of the body; *PROMISED -1 where there is none. False: it does not
 * fit, and has been answered. */
static bool check_chunk(Exchange *exchange, const Upload *upload, int64_t *promised)
{
    const char *header = http_request_header(exchange->request, "Content-Range");
    *promised = -1;
    if (header == NULL)
        return true;
    int64_t first = 0, last = 0;
    int64_t length = http_request_content_length(exchange->request);
    bool fits = range_parse_chunk(header, &first, &last) && first == upload_size(upload) &&
                (length < 0 || length == last - first + 1);
    *promised = last - first + 1;
    if (!fits)
        answer_out_of_order(exchange, upload);
    return fits;
}

/* --- /blobs/uploads/ --------------------------------------------------------------------- */

/* Whether DIGEST, which the caller may see in SOURCE, was made visible here. */
static bool mount_from(Exchange *exchange, const char *source, const char *digest)
{
    Catalog *catalog = exchange_catalog(exchange);
    int64_t size = 0;
    return reference_is_path(source) && exchange_may(exchange, source, REGISTRY_PULL) &&
           catalog_find_blob(catalog, source, digest, &size, NULL) &&
           catalog_link_blob(catalog, exchange->endpoint.repository, digest, NULL);
}

/* ?mount=, with or without ?from=. False: an ordinary upload is started instead. */
static bool mount(Exchange *exchange)
{
    const char *digest = exchange_query(exchange, "mount");
    const char *source = exchange_query(exchange, "from");
    g_autoptr(Digest) parsed = digest != NULL ? digest_parse(digest, NULL) : NULL;
    bool mounted = false;
    if (parsed == NULL)
        return false;
    if (source != NULL && source[0] != '\0') {
        mounted = mount_from(exchange, source, digest);
    } else {
        g_autoptr(GPtrArray) holders =
            catalog_blob_holders(exchange_catalog(exchange), digest, NULL);
        for (guint i = 0; holders != NULL && i < holders->len && !mounted; i++)
            mounted = mount_from(exchange, g_ptr_array_index(holders, i), digest);
    }
    if (mounted)
        answer_blob(exchange, digest);
    return mounted;
}

/* The algorithm that ?digest-algorithm= or DIGEST asks for; false: answered. */
static bool choose_algorithm(Exchange *exchange, const char *digest, HashAlgorithm *algorithm)
{
    const char *name = exchange_query(exchange, "digest-algorithm");
    *algorithm = HASH_SHA256;
    if (digest != NULL)
        return hash_parse_name(digest, strcspn(digest, ":"), algorithm);
    if (name == NULL || hash_parse_name(name, strlen(name), algorithm))
        return true;
    problem_answer(exchange->request, PROBLEM_DIGEST_INVALID,
                   "unsupported algorithm; sha256 and sha512 are known", name);
    return false;
}

static void start(Exchange *exchange)
{
    const char *digest = exchange_query(exchange, "digest");
    HashAlgorithm algorithm = HASH_SHA256;
    if (!exchange_authorize(exchange, exchange->endpoint.repository, REGISTRY_PUSH) ||
        mount(exchange) || (digest != NULL && !exchange_check_digest(exchange, digest)) ||
        !choose_algorithm(exchange, digest, &algorithm))
        return;

    g_autoptr(GError) error = NULL;
    Upload *upload = upload_start(exchange_uploads(exchange), exchange_catalog(exchange)->store,
                                  exchange->endpoint.repository, algorithm, &error);
    if (upload == NULL) {
        problem_answer_error(exchange->request, error);
        return;
    }
    g_autofree char *empty = hash_digest(algorithm, "", 0);
    bool bodiless = http_request_content_length(exchange->request) <= 0 &&
                    http_request_header(exchange->request, "Transfer-Encoding") == NULL;
    if (digest != NULL && (!bodiless || g_str_equal(digest, empty))) {
        receive(exchange, upload, digest, -1, true);
        return;
    }
    answer_session(exchange, upload, 202);
    upload_release(upload);
}

void uploads_handle(Exchange *exchange)
{
    if (exchange_is_method(exchange, "POST"))
        start(exchange);
    else
        problem_answer_method(exchange->request, "POST");
}

/* --- /blobs/uploads/ID ------------------------------------------------------------------- */

static Upload *take(Exchange *exchange)
{
    g_autoptr(GError) error = NULL;
    Upload *upload =
        upload_take(exchange_uploads(exchange), exchange_catalog(exchange)->store,
                    exchange->endpoint.repository, exchange->endpoint.reference, &error);
    if (g_error_matches(error, SLIPWAY_ERROR, SLIPWAY_ERROR_NOT_FOUND))
        problem_answer(exchange->request, PROBLEM_BLOB_UPLOAD_UNKNOWN, NULL,
                       exchange->endpoint.reference);
    else if (error != NULL)
        problem_answer_status(exchange->request, PROBLEM_BLOB_UPLOAD_INVALID, 409, error->message,
                              NULL);
    return upload;
}

/* PATCH and PUT: DIGEST says whether this is the last one. */
static void feed(Exchange *exchange, const char *digest)
{
    Upload *upload = take(exchange);
    int64_t promised = -1;
    if (upload == NULL)
        return;
    if (check_chunk(exchange, upload, &promised))
        receive(exchange, upload, digest, promised, false);
    else
        upload_release(upload);
}

static void close_upload(Exchange *exchange)
{
    const char *digest = exchange_query(exchange, "digest");
    if (digest == NULL)
        problem_answer(exchange->request, PROBLEM_DIGEST_INVALID, "?digest= is missing", NULL);
    else if (exchange_check_digest(exchange, digest))
        feed(exchange, digest);
}

static void report(Exchange *exchange)
{
    g_autoptr(Upload) upload = take(exchange);
    if (upload != NULL)
        answer_session(exchange, upload, 204);
}

static void cancel(Exchange *exchange)
{
    g_autoptr(Upload) upload = take(exchange);
    if (upload == NULL)
        return;
    upload_cancel(upload);
    http_answer(exchange->request, 204, NULL, "", 0);
}

void upload_handle(Exchange *exchange)
{
    bool known = exchange_reads(exchange) || exchange_is_method(exchange, "PATCH") ||
                 exchange_is_method(exchange, "PUT") || exchange_is_method(exchange, "DELETE");
    if (!known)
        problem_answer_method(exchange->request, "GET, PATCH, PUT, DELETE");
    else if (!exchange_authorize(exchange, exchange->endpoint.repository, REGISTRY_PUSH))
        return;
    else if (exchange_reads(exchange))
        report(exchange);
    else if (exchange_is_method(exchange, "PATCH"))
        feed(exchange, NULL);
    else if (exchange_is_method(exchange, "PUT"))
        close_upload(exchange);
    else
        cancel(exchange);
}
