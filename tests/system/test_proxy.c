/* The proxy's process between raw sockets and small services on loopback; needs no root. */
#include "base/error.h"
#include "base/file.h"
#include "container/proxy.h"
#include "format/json.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

static char *home;
static UnitManager *manager;
static int proxy_port, dead_port;
static int64_t route;

static int free_port(void)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    g_assert_cmpint(bind(fd, (struct sockaddr *) &address, size), ==, 0);
    g_assert_cmpint(getsockname(fd, (struct sockaddr *) &address, &size), ==, 0);
    close(fd);
    return ntohs(address.sin_port);
}

static int connect_to(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t) port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct timeval limit = {.tv_sec = 5};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    if (connect(fd, (struct sockaddr *) &address, sizeof address) == 0)
        return fd;
    close(fd);
    return -1;
}

typedef struct {
    GPid pid;
    int port;
    const char *generation;
} Service;

static Service services[2] = {{.generation = "g1"}, {.generation = "g2"}};

static void start_service(Service *service)
{
    service->port = free_port();
    g_auto(GStrv) environment = g_get_environ();
    g_autofree char *port = g_strdup_printf("%d", service->port);
    environment = g_environ_setenv(environment, "PORT", port, TRUE);
    environment = g_environ_setenv(environment, "GENERATION", service->generation, TRUE);
    const char *const argv[] = {g_getenv("SERVICE_PROGRAM"), NULL};
    g_assert_true(g_spawn_async(NULL, (char **) argv, environment,
                                G_SPAWN_DO_NOT_REAP_CHILD | G_SPAWN_STDOUT_TO_DEV_NULL, NULL, NULL,
                                &service->pid, NULL));
    for (int i = 0; i < 200; i++) {
        int fd = connect_to(service->port);
        if (fd >= 0) {
            close(fd);
            return;
        }
        g_usleep(10000);
    }
}

static void set_route(const ProxyBackend *backends, size_t count)
{
    g_autoptr(GError) error = NULL;
    g_assert_true(proxy_set_route(manager, "web", ++route, backends, count, 200, &error));
    g_assert_no_error(error);
}

static void route_to(const Service *service)
{
    const ProxyBackend one = {service->generation, "@127.0.0.1", service->port, 10000};
    set_route(&one, 1);
}

static char *read_all(int fd)
{
    char *text = file_read_fd(fd, 16 << 20, NULL, NULL);
    close(fd);
    return text != NULL ? text : g_strdup("(no end)");
}

static char *exchange_length(const char *request, size_t length)
{
    int fd = connect_to(proxy_port);
    g_assert_cmpint(fd, >=, 0);
    g_assert_true(file_write_all(fd, request, length, NULL));
    return read_all(fd);
}

static char *exchange(const char *request)
{
    return exchange_length(request, strlen(request));
}

typedef struct {
    const char *label, *request, *answer; /* the answer begins so */
    const char *contains;                 /* NULL: anything */
} Row;

#define END "Connection: close\r\n\r\n"
static const Row rows[] = {
    {"plain", "GET / HTTP/1.1\r\nHost: x\r\n" END, "HTTP/1.1 200 OK\r\n", "\r\n\r\nhello\n"},
    {"old-version", "GET / HTTP/1.0\r\n\r\n", "HTTP/1.1 200 OK\r\n", "Connection: close\r\n"},
    {"head", "HEAD / HTTP/1.1\r\nHost: x\r\n" END, "HTTP/1.1 200 OK\r\n", "Content-Length: 6\r\n"},
    {"pipelined", "GET / HTTP/1.1\r\nHost: x\r\n\r\nGET /status/404 HTTP/1.1\r\nHost: x\r\n" END,
     "HTTP/1.1 200 OK\r\n", "hello\nHTTP/1.1 404 Bad\r\n"},
    {"absolute-form", "GET http://y.example/head HTTP/1.1\r\nHost: x\r\n" END, "HTTP/1.1 200 ",
     "\r\n\r\nGET /head HTTP/1.1\r\nHost: y.example\r\n"},
    {"body-with-length", "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n" END "12345",
     "HTTP/1.1 200 ", "\r\n\r\n12345"},
    {"body-in-chunks",
     "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n" END
     "3;a=b\r\nabc\r\n2\r\nde\r\n0\r\nX-Trailer: y\r\n\r\n",
     "HTTP/1.1 200 ", "\r\n\r\nabcde"},
    {"expect",
     "PUT /echo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n" END "ok",
     "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 ", "\r\n\r\nok"},
    {"answer-in-chunks", "GET /chunks/2 HTTP/1.1\r\nHost: x\r\n" END, "HTTP/1.1 200 ",
     "\r\n0\r\n\r\n"},
    {"chunks-for-old-version", "GET /chunks/2 HTTP/1.0\r\n\r\n", "HTTP/1.1 200 ",
     "\r\n\r\ndata: 0\n\ndata: 1\n\n"},
    {"half-closed-alone", "\r\nGET / HTTP/1.1\r\nHost: x\r\n" END, "HTTP/1.1 200 OK\r\n", NULL},
    {"until-the-end", "GET /close HTTP/1.1\r\nHost: x\r\n" END,
     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n", "a\r\nto the end\r\n0\r\n\r\n"},
    {"until-the-end-for-old-version", "GET /close HTTP/1.0\r\n\r\n",
     "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nto the end", NULL},
    {"cut-off-is-not-whole", "GET /cut HTTP/1.1\r\nHost: x\r\n" END, "(no end)", NULL},
    {"5xx-is-passed-on", "GET /status/503 HTTP/1.1\r\nHost: x\r\n" END, "HTTP/1.1 503 ",
     "\r\n\r\nas asked\n"},
    /* what could be read in two ways */
    {"length-beside-chunks",
     "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: "
     "chunked\r\n\r\n0\r\n\r\n",
     "HTTP/1.1 400 ", NULL},
    {"two-lengths",
     "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nabcd",
     "HTTP/1.1 400 ", NULL},
    {"signed-length", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: +4\r\n\r\nabcd",
     "HTTP/1.1 400 ", NULL},
    {"other-coding", "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n",
     "HTTP/1.1 501 ", NULL},
    {"coding-list", "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
     "HTTP/1.1 501 ", NULL},
    {"folded", "GET / HTTP/1.1\r\nHost: x\r\nA: b\r\n c\r\n\r\n", "HTTP/1.1 400 ", NULL},
    {"bare-line-feed", "GET / HTTP/1.1\nHost: x\n\n", "HTTP/1.1 400 ", NULL},
    {"blank-before-colon", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length : 4\r\n\r\nabcd",
     "HTTP/1.1 400 ", NULL},
    {"chunks-in-old-version", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
     "HTTP/1.1 400 ", NULL},
    {"bad-chunk-size",
     "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0x3\r\nabc\r\n",
     "HTTP/1.1 400 ", NULL},
    {"no-host", "GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 400 ", NULL},
    {"two-hosts", "GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", "HTTP/1.1 400 ", NULL},
    {"later-version", "GET / HTTP/2.0\r\nHost: x\r\n\r\n", "HTTP/1.1 505 ", NULL},
    {"connect", "CONNECT x:1 HTTP/1.1\r\nHost: x:1\r\n\r\n", "HTTP/1.1 405 ", NULL},
};

static void test_row(const void *data)
{
    const Row *row = data;
    g_autofree char *answer = exchange(row->request);
    if (!g_str_has_prefix(answer, row->answer))
        g_test_fail_printf("expected '%s', got '%s'", row->answer, answer);
    if (row->contains != NULL && strstr(answer, row->contains) == NULL)
        g_test_fail_printf("expected '%s' in '%s'", row->contains, answer);
}

static void test_too_large(void)
{
    g_autoptr(GString) text = g_string_new("GET / HTTP/1.1\r\nHost: x\r\n");
    for (int i = 0; i < 90; i++)
        g_string_append_printf(text, "A%d: %0500d\r\n", i, i);
    g_autofree char *answer = exchange(text->str);
    g_assert_true(g_str_has_prefix(answer, "HTTP/1.1 431 "));

    g_string_printf(text, "GET /%09000d HTTP/1.1\r\nHost: x\r\n\r\n", 0);
    g_autofree char *second = exchange(text->str);
    g_assert_true(g_str_has_prefix(second, "HTTP/1.1 414 "));
}

/* What speaks of the connection stays on it, and a client cannot say who it is. */
static void test_fields(void)
{
    g_autofree char *answer = exchange(
        "GET /head HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 6.6.6.6\r\nForwarded: for=6.6.6.6\r\n"
        "Connection: close, X-Secret, Host\r\nX-Secret: s\r\nTE: trailers\r\nKeep-Alive: 5\r\n"
        "Upgrade: h2c\r\nAccept: */*\r\n\r\n");
    const char *seen = strstr(answer, "\r\n\r\n");
    g_assert_cmpstr(seen, ==,
                    "\r\n\r\nGET /head HTTP/1.1\r\nHost: x\r\nAccept: */*\r\n"
                    "X-Forwarded-For: 127.0.0.1\r\nX-Forwarded-Proto: http\r\n"
                    "X-Forwarded-Host: x\r\n\r\n");
}

/* A body larger than all buffers, both ways. */
static void test_large_body(void)
{
    size_t size = 3 * 1024 * 1024;
    g_autoptr(GString) request = g_string_new(NULL);
    g_string_printf(request, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n" END, size);
    for (size_t i = 0; i < size; i++)
        g_string_append_c(request, (char) ('a' + i % 23));
    g_autofree char *answer = exchange_length(request->str, request->len);
    const char *body = strstr(answer, "\r\n\r\n");
    g_assert_nonnull(body);
    g_assert_cmpuint(body != NULL ? strlen(body + 4) : 0, ==, size);
    g_assert_true(body != NULL && g_str_has_suffix(request->str, body + 4));
}

static void test_events(void)
{
    const char *request = "GET /events/20 HTTP/1.1\r\nHost: x\r\n" END;
    char bytes[4096];
    int fd = connect_to(proxy_port);
    int64_t start = g_get_monotonic_time();
    g_assert_true(file_write_all(fd, request, strlen(request), NULL));
    size_t length = 0;
    while (length < sizeof bytes - 1) {
        ssize_t n = recv(fd, bytes + length, sizeof bytes - 1 - length, 0);
        if (n <= 0)
            break;
        length += (size_t) n;
        bytes[length] = '\0';
        if (strstr(bytes, "data: 0") != NULL)
            break;
    }
    g_assert_cmpint(g_get_monotonic_time() - start, <, 200000); /* all of it takes 400 ms */
    g_autofree char *rest = read_all(fd);
    g_assert_nonnull(strstr(rest, "data: 19\n"));
}

static void test_tunnel(void)
{
    const char *request = "GET /tunnel HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\n"
                          "Upgrade: echo\r\n\r\nearly";
    int fd = connect_to(proxy_port);
    g_assert_true(file_write_all(fd, request, strlen(request), NULL));
    g_autoptr(GString) seen = g_string_new(NULL);
    char bytes[4096];
    ssize_t n;
    while (strstr(seen->str, "early") == NULL && (n = recv(fd, bytes, sizeof bytes, 0)) > 0)
        g_string_append_len(seen, bytes, n);
    g_assert_true(g_str_has_prefix(seen->str, "HTTP/1.1 101 "));
    g_assert_nonnull(strstr(seen->str, "Connection: upgrade\r\nUpgrade: echo\r\n"));
    g_assert_true(file_write_all(fd, "late", 4, NULL));
    n = recv(fd, bytes, sizeof bytes, 0);
    g_assert_cmpint((int) n, ==, 4);
    g_assert_cmpint(memcmp(bytes, "late", 4), ==, 0);

    g_autoptr(GError) error = NULL;
    g_assert_true(proxy_drain(manager, "web", "g1", 100, &error)); /* cut when the time is out */
    g_assert_no_error(error);
    g_assert_cmpint((int) recv(fd, bytes, sizeof bytes, 0), <=, 0);
    close(fd);
}

static ProxyFigures figures_of(const char *generation)
{
    ProxyFigures figures = {0};
    g_autoptr(GError) error = NULL;
    g_assert_true(proxy_figures(manager, "web", generation, &figures, &error));
    g_assert_no_error(error);
    return figures;
}

/* No answer came. What is idempotent is tried again, what is not is not, once bytes were sent. */
static void test_no_answer(void)
{
    route_to(&services[0]);
    g_autofree char *get = exchange("GET /drop HTTP/1.1\r\nHost: x\r\n" END);
    g_assert_true(g_str_has_prefix(get, "HTTP/1.1 502 "));
    g_assert_cmpint(figures_of("g1").errors, ==, 3);
    route_to(&services[0]);
    g_autofree char *post =
        exchange("POST /drop HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n" END "x");
    g_assert_true(g_str_has_prefix(post, "HTTP/1.1 502 "));
    g_assert_cmpint(figures_of("g1").errors, ==, 1);
}

/* Nothing reached the dead one: the other gets the request, whatever its method. */
static void test_refused(void)
{
    const ProxyBackend both[] = {{"dead", "@127.0.0.1", dead_port, 5000},
                                 {"g1", "@127.0.0.1", services[0].port, 5000}};
    set_route(both, 2);
    for (int i = 0; i < 4; i++) {
        g_autofree char *post =
            exchange("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n" END "x");
        g_assert_true(g_str_has_prefix(post, "HTTP/1.1 200 "));
    }
    g_assert_cmpint(figures_of("g1").requests, ==, 4);
    g_assert_cmpint(figures_of("dead").errors, ==, 2);
}

static void test_figures(void)
{
    route_to(&services[0]);
    for (int i = 0; i < 3; i++)
        g_free(exchange("GET / HTTP/1.1\r\nHost: x\r\n" END));
    g_free(exchange("GET /status/500 HTTP/1.1\r\nHost: x\r\n" END));
    g_free(exchange("GET /sleep/250 HTTP/1.1\r\nHost: x\r\n" END));
    ProxyFigures figures = figures_of("g1");
    g_assert_cmpint(figures.requests, ==, 5);
    g_assert_cmpint(figures.errors, ==, 1);
    g_assert_cmpint(figures.slow, ==, 1);
    g_assert_cmpint(figures.in_flight, ==, 0);
    g_assert_cmpint(figures.p50_us, <, 100000);
    g_assert_cmpint(figures.p99_us, >=, 250000);
}

static void test_share(void)
{
    const ProxyBackend both[] = {{"g1", "@127.0.0.1", services[0].port, 9000},
                                 {"g2", "@127.0.0.1", services[1].port, 1000}};
    set_route(both, 2);
    for (int i = 0; i < 40; i++)
        g_free(exchange("GET / HTTP/1.1\r\nHost: x\r\n" END));
    g_assert_cmpint(figures_of("g1").requests, ==, 36);
    g_assert_cmpint(figures_of("g2").requests, ==, 4);
}

static void test_nothing_there(void)
{
    set_route(NULL, 0);
    g_autofree char *answer = exchange("GET / HTTP/1.1\r\nHost: x\r\n" END);
    g_assert_true(g_str_has_prefix(answer, "HTTP/1.1 503 "));
    g_assert_nonnull(strstr(answer, "\r\nRetry-After: 1\r\n"));
    route_to(&services[0]);
}

static gpointer get_in_thread(gpointer path)
{
    g_autofree char *request =
        g_strdup_printf("GET %s HTTP/1.1\r\nHost: x\r\n" END, (const char *) path);
    return exchange(request);
}

static void test_pause(void)
{
    g_autoptr(GError) error = NULL;
    g_assert_true(proxy_pause(manager, "web", 5000, &error));
    GThread *held = g_thread_new("held", get_in_thread, (gpointer) "/");
    g_usleep(300000);
    route_to(&services[1]);
    g_autofree char *answer = g_thread_join(held);
    g_assert_true(g_str_has_prefix(answer, "HTTP/1.1 200 "));
    g_assert_nonnull(strstr(answer, "X-Generation: g2\r\n"));

    g_assert_true(proxy_pause(manager, "web", 200, &error));
    g_autofree char *late = exchange("GET / HTTP/1.1\r\nHost: x\r\n" END);
    g_assert_true(g_str_has_prefix(late, "HTTP/1.1 503 "));
    route_to(&services[0]);
}

static void test_drain(void)
{
    g_autoptr(GError) error = NULL;
    GThread *sleeper = g_thread_new("sleeper", get_in_thread, (gpointer) "/sleep/400");
    g_usleep(100000);
    route_to(&services[1]);
    g_assert_cmpint(figures_of("g1").in_flight, ==, 1);
    g_assert_false(proxy_drain(manager, "web", "g1", 50, &error));
    g_assert_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_UNAVAILABLE);
    g_clear_error(&error);
    g_assert_true(proxy_drain(manager, "web", "g1", 5000, &error));
    g_assert_no_error(error);
    g_autofree char *answer = g_thread_join(sleeper);
    g_assert_nonnull(strstr(answer, "X-Generation: g1\r\n"));
    route_to(&services[0]);
}

static void test_fencing(void)
{
    const ProxyBackend one = {"g1", "@127.0.0.1", services[0].port, 10000};
    const ProxyBackend other = {"g2", "@127.0.0.1", services[1].port, 10000};
    g_autoptr(GError) error = NULL;
    g_assert_false(proxy_set_route(manager, "web", route - 1, &other, 1, 200, &error));
    g_assert_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_DENIED);
    g_clear_error(&error);
    g_assert_false(proxy_set_route(manager, "web", route, &other, 1, 200, &error));
    g_assert_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_DENIED);
    g_clear_error(&error);
    g_assert_true(proxy_set_route(manager, "web", route, &one, 1, 200, &error));
    g_assert_no_error(error);
}

static void test_restored(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) proxies = proxy_list(manager, &error);
    g_assert_cmpuint(proxies->len, ==, 1);
    pid_t pid = ((const ProxyState *) g_ptr_array_index(proxies, 0))->pid;
    g_assert_cmpint(pid, >, 0);
    kill(pid, SIGKILL);
    g_assert_true(proxy_revive(manager, "web", &error));
    g_assert_no_error(error);
    int64_t number = 0;
    g_autoptr(json_t) backends = proxy_get_route(manager, "web", &number, &error);
    g_assert_cmpint(number, ==, route);
    g_assert_cmpuint(json_array_size(backends), ==, 1);
    g_autofree char *answer = exchange("GET / HTTP/1.1\r\nHost: x\r\n" END);
    g_assert_true(g_str_has_prefix(answer, "HTTP/1.1 200 "));
}

static void test_port_taken(void)
{
    g_autofree char *address = g_strdup_printf("127.0.0.1:%d", proxy_port);
    g_autoptr(GError) error = NULL;
    g_assert_false(proxy_ensure(manager, "second", address, &error));
    g_assert_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_UNAVAILABLE);
    g_autofree char *begin =
        g_strdup_printf("proxy 'second': port of '%s' is taken by the proxy of web, pid ", address);
    g_assert_true(error != NULL && g_str_has_prefix(error->message, begin));
    g_clear_error(&error);
    g_autoptr(GPtrArray) proxies = proxy_list(manager, NULL); /* nobody will try it again */
    g_assert_cmpuint(proxies->len, ==, 1);
    g_assert_false(proxy_ensure(manager, "second", "nowhere", &error));
    g_assert_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_set_nonfatal_assertions();
    signal(SIGPIPE, SIG_IGN);
    home = file_make_temporary_folder(g_get_tmp_dir(), "slipway-proxy", NULL);
    manager = unit_manager_open_folder(home, NULL);
    unit_manager_set_program(manager, g_getenv("SLIPWAY_PROGRAM"));
    start_service(&services[0]);
    start_service(&services[1]);
    dead_port = free_port();
    proxy_port = free_port();
    g_autofree char *address = g_strdup_printf("127.0.0.1:%d", proxy_port);
    g_autoptr(GError) error = NULL;
    if (!proxy_ensure(manager, "web", address, &error)) {
        g_print("Bail out! %s\n", error->message);
        return 1;
    }
    route_to(&services[0]);

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *path = g_strdup_printf("/proxy/request/%s", rows[i].label);
        g_test_add_data_func(path, &rows[i], test_row);
    }
    g_test_add_func("/proxy/too-large", test_too_large);
    g_test_add_func("/proxy/fields", test_fields);
    g_test_add_func("/proxy/large-body", test_large_body);
    g_test_add_func("/proxy/events", test_events);
    g_test_add_func("/proxy/tunnel", test_tunnel);
    g_test_add_func("/proxy/no-answer", test_no_answer);
    g_test_add_func("/proxy/refused", test_refused);
    g_test_add_func("/proxy/figures", test_figures);
    g_test_add_func("/proxy/share", test_share);
    g_test_add_func("/proxy/nothing-there", test_nothing_there);
    g_test_add_func("/proxy/pause", test_pause);
    g_test_add_func("/proxy/drain", test_drain);
    g_test_add_func("/proxy/fencing", test_fencing);
    g_test_add_func("/proxy/restored", test_restored);
    g_test_add_func("/proxy/port-taken", test_port_taken);
    int status = g_test_run();

    proxy_stop(manager, "web", NULL);
    for (size_t i = 0; i < G_N_ELEMENTS(services); i++) {
        kill(services[i].pid, SIGKILL);
        waitpid(services[i].pid, NULL, 0);
    }
    file_remove_tree(AT_FDCWD, home, NULL);
    return status;
}
