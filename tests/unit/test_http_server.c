/* Our server and our client against each other, over loopback. */
#include "base/error.h"
#include "base/fd.h"
#include "base/file.h"
#include "net/http_client.h"
#include "net/http_probe.h"
#include "net/http_server.h"
#include "net/http_url.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

static HttpServer *server;
static int flaky_requests; /* atomic */
static int freed_states;   /* atomic */

static bool echo_data(HttpRequest *request, const void *bytes, size_t length, void *state)
{
    g_byte_array_append(state, bytes, (guint) length);
    return true;
}

static void echo_end(HttpRequest *request, void *state)
{
    GByteArray *body = state;
    http_answer(request, 200, "application/octet-stream", body->data, body->len);
}

static void echo_free(void *state)
{
    g_byte_array_unref(state);
    g_atomic_int_inc(&freed_states);
}

static const HttpBodyReader echo_reader = {echo_data, echo_end, echo_free};

static void handle(HttpRequest *request, void *context)
{
    const char *path = http_request_path(request);
    if (g_str_equal(path, "/echo")) {
        http_request_read_body(request, &echo_reader, g_byte_array_new());
    } else if (g_str_equal(path, "/refuse")) {
        http_answer_header(request, "X-Reason", "no");
        http_answer_header(request, "X-Split", "a\r\nX-Injected: b");
        http_answer(request, 401, "text/plain", "refused", -1);
    } else if (g_str_equal(path, "/file")) {
        autofd int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
        http_answer_file(request, 206, NULL, steal_fd(&fd), 1, 3);
    } else if (g_str_equal(path, "/flaky")) {
        int n = g_atomic_int_add(&flaky_requests, 1);
        http_answer(request, n % 3 < 2 ? 503 : 200, NULL, "x", 1);
    } else if (g_str_equal(path, "/away")) {
        const char *to = http_query_find(http_request_query(request), "to");
        http_answer_header(request, "Location", to);
        http_answer(request, 307, NULL, "", 0);
    } else if (g_str_equal(path, "/secret")) {
        const char *secret = http_request_header(request, "Authorization");
        http_answer(request, 200, NULL, secret != NULL ? secret : "none", -1);
    } else if (g_str_equal(path, "/empty")) {
        http_answer(request, 204, NULL, "", 0);
    } else {
        http_answer(request, 404, NULL, path, -1);
    }
}

static HttpClient *new_client(void)
{
    return http_client_new(&(HttpClientOptions){.retry_pause_ms = 1}, NULL);
}

static char *url_of(const char *path)
{
    return g_strconcat(http_server_url(server), path, NULL);
}

typedef struct {
    const char *label, *method, *path, *body;
    int status;
    const char *answer; /* NULL: not looked at */
} Case;

static const Case cases[] = {
    {"echo", "POST", "/echo", "hello", 200, "hello"},
    {"echo-empty", "POST", "/echo", "", 200, ""},
    {"echo-no-body", "POST", "/echo", NULL, 200, ""},
    {"put", "PUT", "/echo", "x", 200, "x"},
    {"patch", "PATCH", "/echo", "x", 200, "x"},
    {"refused-with-body", "POST", "/refuse", "hello", 401, "refused"},
    {"unknown", "GET", "/a%20b?c=d", NULL, 404, "/a b"},
    {"malformed", "GET", "/a%2", NULL, 400, NULL},
    {"malformed-query", "GET", "/?a=%", NULL, 400, NULL},
    {"file", "GET", "/file", NULL, 206, "ELF"},
    {"file-head", "HEAD", "/file", NULL, 206, ""},
    {"head", "HEAD", "/refuse", NULL, 401, ""},
    {"no-content", "DELETE", "/empty", NULL, 204, ""},
    {"retried", "GET", "/flaky", NULL, 200, "x"},
    {"redirect", "GET", "/away?to=/file", NULL, 206, "ELF"},
    {"redirect-of-put", "PUT", "/away?to=/file", "x", 307, ""},
};

static void test_case(const void *data)
{
    const Case *c = data;
    g_autoptr(HttpClient) client = new_client();
    g_autofree char *url = url_of(c->path);
    HttpExchange exchange = {.method = c->method,
                             .url = url,
                             .body = c->body,
                             .body_length = c->body != NULL ? (int64_t) strlen(c->body) : 0};
    for (int round = 0; round < 2; round++) { /* the second one on the kept connection */
        g_auto(HttpAnswer) answer = {0};
        g_autoptr(GError) error = NULL;
        g_assert_true(http_client_send(client, &exchange, &answer, &error));
        g_assert_no_error(error);
        if (error != NULL)
            return;
        g_assert_cmpint(answer.status, ==, c->status);
        if (c->answer != NULL)
            g_assert_cmpstr((const char *) answer.body->data, ==, c->answer);
        g_assert_null(http_answer_find(&answer, "X-Injected"));
        if (g_str_equal(c->label, "file-head"))
            g_assert_cmpstr(http_answer_find(&answer, "content-length"), ==, "3");
    }
}

static bool count(const HttpAnswer *answer, const void *bytes, size_t length, void *state,
                  GError **error)
{
    *(int64_t *) state += (int64_t) length;
    return true;
}

static void test_large(void)
{
    enum { SIZE = 3 * 1024 * 1024 + 7 };
    g_autofree char *bytes = g_malloc(SIZE);
    memset(bytes, 'x', SIZE);
    g_autofree char *folder = file_make_temporary_folder(g_get_tmp_dir(), "test-http", NULL);
    g_autofree char *path = g_build_filename(folder, "body", NULL);
    g_assert_true(file_write_atomic(AT_FDCWD, path, bytes, SIZE, 0600, NULL));
    autofd int fd = open(path, O_RDONLY | O_CLOEXEC);

    g_autoptr(HttpClient) client = new_client();
    g_autofree char *url = url_of("/echo");
    int64_t received = 0;
    HttpExchange exchange = {.method = "PUT",
                             .url = url,
                             .body_from_fd = true,
                             .body_fd = fd,
                             .body_offset = 2,
                             .body_length = SIZE - 2,
                             .sink = count,
                             .sink_state = &received};
    g_auto(HttpAnswer) answer = {0};
    g_autoptr(GError) error = NULL;
    g_assert_true(http_client_send(client, &exchange, &answer, &error));
    g_assert_no_error(error);
    g_assert_cmpint(received, ==, SIZE - 2);

    /* refused before the body is sent: the answer arrives all the same */
    g_autofree char *refusing = url_of("/refuse");
    exchange.url = refusing;
    g_auto(HttpAnswer) second = {0};
    g_assert_true(http_client_send(client, &exchange, &second, &error));
    g_assert_no_error(error);
    g_assert_cmpint(second.status, ==, 401);
    file_remove_tree(AT_FDCWD, folder, NULL);
}

static void test_bounds(void)
{
    g_autoptr(HttpClient) client = new_client();
    g_autofree char *echo = url_of("/echo");
    g_auto(HttpAnswer) answer = {0};
    g_autoptr(GError) error = NULL;
    HttpExchange exchange = {
        .method = "POST", .url = echo, .body = "hello", .body_length = 5, .body_limit = 4};
    g_assert_false(http_client_send(client, &exchange, &answer, &error));
    g_assert_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID);

    static const char *const bad[] = {"ftp://localhost/", "file:///etc/passwd", "localhost", ""};
    for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_auto(HttpAnswer) none = {0};
        g_clear_error(&error);
        g_assert_false(http_client_send(client, &(HttpExchange){.url = bad[i]}, &none, &error));
        g_assert_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID);
    }
}

/* A token goes along within an origin and stays behind when it changes. */
static void test_credentials(void)
{
    g_autoptr(GError) error = NULL;
    HttpServer *second = http_server_start(
        &(HttpServerOptions){.address = "127.0.0.1:0", .handle = handle, .threads = 2}, &error);
    g_assert_no_error(error);
    g_autoptr(HttpClient) client = new_client();
    static const char *const headers[] = {"Authorization: Bearer t", NULL};

    g_autofree char *same = url_of("/away?to=/secret");
    g_auto(HttpAnswer) kept = {0};
    g_assert_true(
        http_client_send(client, &(HttpExchange){.url = same, .headers = headers}, &kept, &error));
    g_assert_cmpstr((const char *) kept.body->data, ==, "Bearer t");

    g_autofree char *target = g_strconcat(http_server_url(second), "/secret", NULL);
    g_autofree char *query = g_strconcat("/away?to=", target, NULL);
    g_autofree char *away = url_of(query);
    g_auto(HttpAnswer) dropped = {0};
    g_assert_true(http_client_send(client, &(HttpExchange){.url = away, .headers = headers},
                                   &dropped, &error));
    g_assert_cmpstr((const char *) dropped.body->data, ==, "none");

    g_autofree char *inward = url_of("/away?to=http://169.254.169.254/latest");
    g_auto(HttpAnswer) refused = {0};
    g_assert_false(http_client_send(client, &(HttpExchange){.url = inward}, &refused, &error));
    g_assert_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_DENIED);
    http_server_stop(second, 0);
}

/* Framing that two parties could read in two ways ends the connection. */
static void test_framing(void)
{
    static const char *const two_lengths[] = {"Content-Length: 5", "Content-Length: 0", NULL};
    static const char *const both[] = {"Content-Length: 5", "Transfer-Encoding: chunked", NULL};
    static const char *const coding[] = {"Transfer-Encoding: gzip", NULL};
    static const char *const *const rows[] = {two_lengths, both, coding};
    int port = atoi(strrchr(http_server_url(server), ':') + 1);
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        HttpProbe probe = {.method = "POST", .path = "/echo", .headers = rows[i]};
        g_auto(HttpProbeAnswer) answer = {0};
        g_autoptr(GError) error = NULL;
        g_assert_true(http_probe("127.0.0.1", port, &probe, &answer, &error));
        g_assert_no_error(error);
        g_assert_cmpint(answer.status, ==, 400);
    }
}

static void test_addresses(void)
{
    static const struct {
        const char *address;
        int code;
    } rows[] = {
        {"127.0.0.1", SLIPWAY_ERROR_INVALID},
        {"127.0.0.1:x", SLIPWAY_ERROR_INVALID},
        {"127.0.0.1:70000", SLIPWAY_ERROR_INVALID},
        {"no such host:0", SLIPWAY_ERROR_INVALID},
        {"", SLIPWAY_ERROR_INVALID},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GError) error = NULL;
        HttpServer *none = http_server_start(
            &(HttpServerOptions){.address = rows[i].address, .handle = handle}, &error);
        g_assert_null(none);
        g_assert_error(error, SLIPWAY_ERROR, rows[i].code);
    }
    g_autoptr(GError) error = NULL;
    const char *taken = http_server_url(server) + strlen("http://");
    g_assert_null(
        http_server_start(&(HttpServerOptions){.address = taken, .handle = handle}, &error));
    g_assert_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_UNAVAILABLE);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_set_nonfatal_assertions();
    g_autoptr(GError) error = NULL;
    server = http_server_start(
        &(HttpServerOptions){.address = "127.0.0.1:0", .handle = handle, .threads = 2}, &error);
    g_assert_no_error(error);

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *path = g_strdup_printf("/http_server/%s", cases[i].label);
        g_test_add_data_func(path, &cases[i], test_case);
    }
    g_test_add_func("/http_server/large", test_large);
    g_test_add_func("/http_server/bounds", test_bounds);
    g_test_add_func("/http_server/credentials", test_credentials);
    g_test_add_func("/http_server/framing", test_framing);
    g_test_add_func("/http_server/addresses", test_addresses);
    int status = g_test_run();
    http_server_stop(server, 1000);
    g_assert_cmpint(g_atomic_int_get(&freed_states), >, 0);
    return status;
}
