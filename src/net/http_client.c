#include "net/http_client.h"

#include "base/error.h"
#include "base/library.h"
#include "net/http1.h"
#include "net/http_url.h"

#include <curl/curl.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#define COLLECT_LIMIT (4 * 1024 * 1024)
#define HEADERS_LIMIT (256 * 1024) /* all header lines of one answer */
#define REDIRECT_LIMIT 5
#define RETRY_AFTER_LIMIT_MS (60 * 1000)

/* The functions that are used of the library, resolved when the first client is made. */
#define LIBRARY_FUNCTIONS(F)                                                                       \
    F(curl_global_init)                                                                            \
    F(curl_easy_init)                                                                              \
    F(curl_easy_reset)                                                                             \
    F(curl_easy_setopt)                                                                            \
    F(curl_easy_perform)                                                                           \
    F(curl_easy_getinfo)                                                                           \
    F(curl_easy_strerror)                                                                          \
    F(curl_easy_cleanup)                                                                           \
    F(curl_slist_append)                                                                           \
    F(curl_slist_free_all)

#undef curl_easy_setopt
#undef curl_easy_getinfo

#define DECLARE_MEMBER(name) __typeof__(&name) name;
static struct {
    LIBRARY_FUNCTIONS(DECLARE_MEMBER)
} library;
#undef DECLARE_MEMBER

struct HttpClient {
    CURL *handle;
    char *ca_file;
    bool insecure;
    int stall_seconds, attempts, retry_pause_ms;
};

/* One try. */
typedef struct {
    HttpClient *client;
    const HttpExchange *exchange;
    HttpAnswer *answer;
    size_t header_bytes;
    int64_t sent;   /* bytes of the body */
    bool delivered; /* the sink had bytes */
    GError *error;  /* set by a callback that stopped the transfer */
} Transfer;

static bool open_curl(GError **error)
{
#define SYMBOL(name) {#name, (void **) &library.name},
    static const LibrarySymbol symbols[] = {LIBRARY_FUNCTIONS(SYMBOL){NULL, NULL}};
#undef SYMBOL
    static Library curl = {"http client", "libcurl.so.4", "libcurl4", symbols, false};
    static gsize initialised;
    if (!library_open(&curl, error))
        return false;
    if (g_once_init_enter(&initialised)) {
        library.curl_global_init(CURL_GLOBAL_ALL);
        g_once_init_leave(&initialised, 1);
    }
    return true;
}

HttpClient *http_client_new(const HttpClientOptions *options, GError **error)
{
    static const HttpClientOptions defaults = {0};
    if (options == NULL)
        options = &defaults;
    if (!open_curl(error))
        return NULL;
    HttpClient *client = g_new0(HttpClient, 1);
    const char *ca_file = options->ca_file != NULL ? options->ca_file : g_getenv("SSL_CERT_FILE");
    client->ca_file = g_strdup(ca_file);
    client->insecure = options->insecure;
    client->stall_seconds = options->stall_seconds > 0 ? options->stall_seconds : 60;
    client->attempts = options->attempts > 0 ? options->attempts : 3;
    client->retry_pause_ms = options->retry_pause_ms > 0 ? options->retry_pause_ms : 1000;
    client->handle = library.curl_easy_init();
    return client;
}

void http_client_free(HttpClient *client)
{
    if (client == NULL)
        return;
    library.curl_easy_cleanup(client->handle);
    g_free(client->ca_file);
    g_free(client);
}

const char *http_answer_find(const HttpAnswer *answer, const char *name)
{
    for (guint i = 0; i + 1 < answer->headers->len; i += 2)
        if (g_ascii_strcasecmp(g_ptr_array_index(answer->headers, i), name) == 0)
            return g_ptr_array_index(answer->headers, i + 1);
    return NULL;
}

void http_answer_clear(HttpAnswer *answer)
{
    g_clear_pointer(&answer->headers, g_ptr_array_unref);
    g_clear_pointer(&answer->body, g_byte_array_unref);
    g_clear_pointer(&answer->url, g_free);
}

static void answer_reset(HttpAnswer *answer)
{
    http_answer_clear(answer);
    *answer = (HttpAnswer){
        .headers = g_ptr_array_new_with_free_func(g_free),
        .body = g_byte_array_new(),
    };
}

/* --- callbacks --------------------------------------------------------------------------- */

static size_t on_header(char *bytes, size_t size, size_t count, void *data)
{
    Transfer *transfer = data;
    size_t length = size * count;
    transfer->header_bytes += length;
    if (transfer->header_bytes > HEADERS_LIMIT) {
        g_set_error(&transfer->error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID,
                    "the answer's headers are larger than %d bytes", HEADERS_LIMIT);
        return 0;
    }
    g_autofree char *line = g_strstrip(g_strndup(bytes, length));
    if (g_str_has_prefix(line, "HTTP/")) { /* an interim answer may have come before */
        g_ptr_array_set_size(transfer->answer->headers, 0);
        const char *blank = strchr(line, ' ');
        transfer->answer->status = blank != NULL ? (int) strtol(blank, NULL, 10) : 0;
        return length;
    }
    char *colon = strchr(line, ':');
    if (colon != NULL) {
        *colon = '\0';
        g_ptr_array_add(transfer->answer->headers, g_strdup(line));
        g_ptr_array_add(transfer->answer->headers, g_strdup(g_strchug(colon + 1)));
    }
    return length;
}

static size_t on_body(char *bytes, size_t size, size_t count, void *data)
{
    Transfer *transfer = data;
    const HttpExchange *exchange = transfer->exchange;
    HttpAnswer *answer = transfer->answer;
    size_t length = size * count;
    if (exchange->sink != NULL && answer->status >= 200 && answer->status < 300) {
        transfer->delivered = true;
        return exchange->sink(answer, bytes, length, exchange->sink_state, &transfer->error)
                   ? length
                   : 0;
    }
    size_t limit = exchange->body_limit > 0 ? exchange->body_limit : COLLECT_LIMIT;
    if (answer->body->len + length > limit) {
        g_set_error(&transfer->error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID,
                    "the answer is larger than %zu bytes", limit);
        return 0;
    }
    g_byte_array_append(answer->body, (const guint8 *) bytes, (guint) length);
    return length;
}

static size_t on_read(char *bytes, size_t size, size_t count, void *data)
{
    Transfer *transfer = data;
    const HttpExchange *exchange = transfer->exchange;
    size_t length = (size_t) MIN((int64_t) (size * count), exchange->body_length - transfer->sent);
    if (length == 0)
        return 0;
    if (exchange->body_from_fd) {
        ssize_t n = pread(exchange->body_fd, bytes, length, exchange->body_offset + transfer->sent);
        if (n <= 0) {
            g_set_error(&transfer->error, SLIPWAY_ERROR, SLIPWAY_ERROR_UNAVAILABLE,
                        "read what is sent: %s", n < 0 ? g_strerror(errno) : "it became shorter");
            return CURL_READFUNC_ABORT;
        }
        length = (size_t) n;
    } else {
        memcpy(bytes, (const char *) exchange->body + transfer->sent, length);
    }
    transfer->sent += (int64_t) length;
    return length;
}

static int on_seek(void *data, curl_off_t offset, int origin)
{
    Transfer *transfer = data;
    if (origin != SEEK_SET)
        return CURL_SEEKFUNC_CANTSEEK;
    transfer->sent = offset;
    return CURL_SEEKFUNC_OK;
}

/* --- one try ----------------------------------------------------------------------------- */

#define SET(option, value) library.curl_easy_setopt(transfer->client->handle, option, value)

static void set_method(Transfer *transfer, const char *method)
{
    const HttpExchange *exchange = transfer->exchange;
    bool has_body = exchange->body != NULL || exchange->body_from_fd;
    if (g_str_equal(method, "HEAD")) {
        SET(CURLOPT_NOBODY, 1L);
    } else if (has_body) {
        SET(CURLOPT_UPLOAD, 1L);
        SET(CURLOPT_READFUNCTION, on_read);
        SET(CURLOPT_READDATA, transfer);
        SET(CURLOPT_SEEKFUNCTION, on_seek);
        SET(CURLOPT_SEEKDATA, transfer);
        SET(CURLOPT_INFILESIZE_LARGE, (curl_off_t) exchange->body_length);
        SET(CURLOPT_UPLOAD_BUFFERSIZE, 512L * 1024);
    } else if (g_str_equal(method, "POST") || g_str_equal(method, "PUT") ||
               g_str_equal(method, "PATCH")) {
        SET(CURLOPT_POST, 1L); /* with "Content-Length: 0", which some servers ask for */
        SET(CURLOPT_POSTFIELDSIZE, 0L);
        SET(CURLOPT_POSTFIELDS, "");
    }
    SET(CURLOPT_CUSTOMREQUEST, g_str_equal(method, "HEAD") ? NULL : method);
}

static void set_options(Transfer *transfer, const char *url, struct curl_slist *headers)
{
    const HttpClient *client = transfer->client;
    library.curl_easy_reset(client->handle);
    SET(CURLOPT_URL, url);
    SET(CURLOPT_PROTOCOLS_STR, "http,https");
    SET(CURLOPT_HTTPHEADER, headers);
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_USERAGENT, "slipway");
    SET(CURLOPT_CONNECTTIMEOUT_MS, 15000L);
    SET(CURLOPT_LOW_SPEED_LIMIT, 1L);
    SET(CURLOPT_LOW_SPEED_TIME, (long) client->stall_seconds);
    SET(CURLOPT_TIMEOUT_MS, (long) transfer->exchange->timeout_ms);
    SET(CURLOPT_BUFFERSIZE, 256L * 1024);
    SET(CURLOPT_HEADERFUNCTION, on_header);
    SET(CURLOPT_HEADERDATA, transfer);
    SET(CURLOPT_WRITEFUNCTION, on_body);
    SET(CURLOPT_WRITEDATA, transfer);
    if (client->ca_file != NULL)
        SET(CURLOPT_CAINFO, client->ca_file);
    SET(CURLOPT_SSLVERSION, (long) CURL_SSLVERSION_TLSv1_2);
    if (client->insecure) {
        SET(CURLOPT_SSL_VERIFYPEER, 0L);
        SET(CURLOPT_SSL_VERIFYHOST, 0L);
    }
    if (http_host_is_loopback(strstr(url, "://") + 3))
        SET(CURLOPT_NOPROXY, "*");
}

/* What the caller asked to send, without credentials where WITH_CREDENTIALS is false. */
static struct curl_slist *make_headers(const HttpExchange *exchange, bool with_credentials)
{
    struct curl_slist *list = NULL;
    for (size_t i = 0; exchange->headers != NULL && exchange->headers[i] != NULL; i++) {
        const char *line = exchange->headers[i];
        bool secret = g_ascii_strncasecmp(line, "Authorization:", 14) == 0 ||
                      g_ascii_strncasecmp(line, "Cookie:", 7) == 0;
        if ((with_credentials || !secret) && http1_is_field_value(line, strlen(line)))
            list = library.curl_slist_append(list, line);
    }
    return list;
}

static bool perform(Transfer *transfer, const char *url, bool with_credentials, GError **error)
{
    const HttpExchange *exchange = transfer->exchange;
    answer_reset(transfer->answer);
    transfer->sent = 0;
    transfer->header_bytes = 0;
    struct curl_slist *headers = make_headers(exchange, with_credentials);
    set_options(transfer, url, headers);
    set_method(transfer, exchange->method != NULL ? exchange->method : "GET");
    CURLcode code = library.curl_easy_perform(transfer->client->handle);
    library.curl_slist_free_all(headers);

    g_byte_array_append(transfer->answer->body, (const guint8 *) "", 1);
    g_byte_array_set_size(transfer->answer->body, transfer->answer->body->len - 1);
    transfer->answer->url = g_strdup(url);
    if (transfer->error != NULL) {
        g_propagate_prefixed_error(error, g_steal_pointer(&transfer->error), "%s: ", url);
        return false;
    }
    /* A server may refuse early and close while we still send: its answer counts. */
    bool refused =
        (code == CURLE_SEND_ERROR || code == CURLE_RECV_ERROR) && transfer->answer->status >= 400;
    if (code == CURLE_OK || refused)
        return true;
    bool tls = code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CACERT_BADFILE;
    g_set_error(error, SLIPWAY_ERROR, tls ? SLIPWAY_ERROR_DENIED : SLIPWAY_ERROR_UNAVAILABLE,
                "%s: %s", url, library.curl_easy_strerror(code));
    return false;
}

/* --- retries and redirects --------------------------------------------------------------- */

static bool may_pass(int status)
{
    return status == 408 || status == 429 || status == 500 || status == 502 || status == 503 ||
           status == 504;
}

/* How long to wait before try NUMBER (from 1), with a tenth of jitter. */
static int pause_ms(const HttpClient *client, const HttpAnswer *answer, int number)
{
    int64_t pause = client->retry_pause_ms;
    for (int i = 1; i < number; i++)
        pause *= 3;
    const char *after = answer->headers != NULL ? http_answer_find(answer, "Retry-After") : NULL;
    guint64 seconds = 0;
    if (after != NULL && g_ascii_string_to_unsigned(after, 10, 0, 3600, &seconds, NULL))
        pause = MAX(pause, (int64_t) seconds * 1000);
    pause = MIN(pause, RETRY_AFTER_LIMIT_MS);
    return (int) (pause + g_random_int_range(0, (gint32) (pause / 10 + 1)));
}

/* Tries until there is an answer that is worth no further try. */
static bool perform_patiently(Transfer *transfer, const char *url, bool with_credentials,
                              GError **error)
{
    const HttpClient *client = transfer->client;
    for (int number = 1;; number++) {
        g_autoptr(GError) trouble = NULL;
        bool ok = perform(transfer, url, with_credentials, &trouble);
        bool again = !transfer->delivered && !transfer->exchange->once &&
                     number < client->attempts &&
                     (ok ? may_pass(transfer->answer->status)
                         : g_error_matches(trouble, SLIPWAY_ERROR, SLIPWAY_ERROR_UNAVAILABLE));
        if (again) {
            g_usleep((gulong) pause_ms(client, transfer->answer, number) * 1000);
            continue;
        }
        if (!ok)
            g_propagate_error(error, g_steal_pointer(&trouble));
        return ok;
    }
}

/* Where ANSWER sends the client on to, or NULL (without error: nowhere). */
static char *redirect_target(const HttpAnswer *answer, const char *url, GError **error)
{
    int status = answer->status;
    const char *location = http_answer_find(answer, "Location");
    bool redirect =
        status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
    if (!redirect || location == NULL)
        return NULL;
    g_autofree char *target = http_url_resolve(url, location, error);
    if (target == NULL) {
        g_prefix_error(error, "%s: redirect: ", url);
        return NULL;
    }
    g_autofree char *host = g_strdup(strstr(target, "://") + 3);
    bool worse = g_str_has_prefix(url, "https:") && !g_str_has_prefix(target, "https:");
    bool inward = http_host_is_private_literal(host) && !http_url_same_host(url, target);
    if (worse || inward) {
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_DENIED, "%s: redirect to '%s' refused: %s",
                    url, target, worse ? "it leaves https" : "it points into a private network");
        return NULL;
    }
    return g_steal_pointer(&target);
}

bool http_client_send(HttpClient *client, const HttpExchange *exchange, HttpAnswer *answer,
                      GError **error)
{
    *answer = (HttpAnswer){0};
    Transfer transfer = {.client = client, .exchange = exchange, .answer = answer};
    const char *method = exchange->method != NULL ? exchange->method : "GET";
    bool follow = !exchange->stay && (g_str_equal(method, "GET") || g_str_equal(method, "HEAD"));
    g_autofree char *first = http_url_origin(exchange->url, error);
    if (first == NULL)
        return false;

    g_autofree char *url = g_strdup(exchange->url);
    for (int hops = 0;; hops++) {
        g_autofree char *origin = http_url_origin(url, error);
        if (origin == NULL || !perform_patiently(&transfer, url, g_str_equal(origin, first), error))
            break;
        g_autoptr(GError) trouble = NULL;
        g_autofree char *next = follow ? redirect_target(answer, url, &trouble) : NULL;
        if (next == NULL && trouble == NULL)
            return true;
        if (next == NULL) {
            g_propagate_error(error, g_steal_pointer(&trouble));
            break;
        }
        if (hops == REDIRECT_LIMIT) {
            g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID, "%s: more than %d redirects",
                        exchange->url, REDIRECT_LIMIT);
            break;
        }
        g_free(url);
        url = g_steal_pointer(&next);
    }
    http_answer_clear(answer);
    return false;
}
