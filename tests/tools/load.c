/* load.c - a steady stream of requests over loopback, and an honest count of what became of them.
 *
 *   load [--rate N] [--seconds S] [--connections N] [--fresh PERCENT] [--method M] [--body TEXT]
 *        [--generation-header NAME] [--timeout-ms N] http://HOST:PORT/PATH
 *
 * The stream is open: requests are due at their time whether or not earlier ones were answered,
 * so that an outage cannot hide behind a client that waits. --rate 0 sends as fast as answers come.
 * PERCENT of the requests take a new connection; the rest reuse idle ones. Nothing is ever
 * repeated: a request that gets no whole answer, or one from 500 up, has failed. SIGTERM and SIGINT
 * end the stream early. The result is one JSON object on stdout. */
#include "container/histogram.h"
#include "net/http1.h"

#include <arpa/inet.h>
#include <errno.h>
#include <jansson.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNECTION_LIMIT 4096

typedef struct {
    int fd;
    bool busy, connecting, head_done, lone; /* LONE: closed after its one answer */
    size_t written;
    int64_t due_us;
    int status;
    bool keep_alive;
    Http1Body body;
    GByteArray *in;
    char generation[64];
} Connection;

static gint rate = 200, connection_limit = 64, fresh_percent, timeout_ms = 10000;
static gdouble seconds = 10;
static gchar *method, *body_text, *generation_header;

static const GOptionEntry entries[] = {
    {"rate", 0, 0, G_OPTION_ARG_INT, &rate, "requests a second; 0: as many as go", "N"},
    {"seconds", 0, 0, G_OPTION_ARG_DOUBLE, &seconds, "length of the stream", "S"},
    {"connections", 0, 0, G_OPTION_ARG_INT, &connection_limit, "connections at rate 0", "N"},
    {"fresh", 0, 0, G_OPTION_ARG_INT, &fresh_percent, "share with a new connection", "PERCENT"},
    {"method", 0, 0, G_OPTION_ARG_STRING, &method, "GET by default", "M"},
    {"body", 0, 0, G_OPTION_ARG_STRING, &body_text, "sent with its length", "TEXT"},
    {"generation-header", 0, 0, G_OPTION_ARG_STRING, &generation_header,
     "answers are counted by it", "NAME"},
    {"timeout-ms", 0, 0, G_OPTION_ARG_INT, &timeout_ms, "10000 by default", "N"},
    {0},
};

static struct sockaddr_in target;
static GString *request_text, *lone_request_text;
static int epoll_fd;
static GPtrArray *idle, *all;
static GHashTable *statuses, *generations, *failures;
static Histogram times;
static int64_t sent, answered, failed, in_flight, slowest_us;
static volatile sig_atomic_t ended;

static void on_signal(int number)
{
    ended = 1;
}

static void count(GHashTable *table, const char *key)
{
    gint64 n = GPOINTER_TO_SIZE(g_hash_table_lookup(table, key)) + 1;
    g_hash_table_replace(table, g_strdup(key), GSIZE_TO_POINTER((gsize) n));
}

static void drop(Connection *c)
{
    g_ptr_array_remove_fast(idle, c);
    close(c->fd);
    c->fd = -1;
    c->busy = false;
}

static void fail(Connection *c, const char *why)
{
    if (c->busy) {
        failed++;
        in_flight--;
        count(failures, why);
    }
    drop(c);
}

static Connection *find_slot(void)
{
    for (guint i = 0; i < all->len; i++) {
        Connection *c = g_ptr_array_index(all, i);
        if (c->fd < 0)
            return c;
    }
    Connection *c = g_new0(Connection, 1);
    c->fd = -1;
    c->in = g_byte_array_new();
    g_ptr_array_add(all, c);
    return c;
}

static Connection *open_connection(void)
{
    Connection *c = find_slot();
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (c->fd < 0)
        return NULL;
    int on = 1;
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    c->connecting = true;
    c->busy = false;
    if (connect(c->fd, (struct sockaddr *) &target, sizeof target) < 0 && errno != EINPROGRESS) {
        close(c->fd);
        c->fd = -1;
        return NULL;
    }
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = c};
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, c->fd, &event);
    return c;
}

static void push(Connection *c)
{
    const GString *text = c->lone ? lone_request_text : request_text;
    while (c->busy && !c->connecting && c->written < text->len) {
        ssize_t n = send(c->fd, text->str + c->written, text->len - c->written, MSG_NOSIGNAL);
        if (n < 0 && errno == EAGAIN)
            return;
        if (n < 0)
            return; /* the reading side says what happened */
        c->written += (size_t) n;
    }
}

static void begin(int64_t due_us, bool fresh)
{
    Connection *c = NULL;
    if (!fresh && idle->len > 0)
        c = g_ptr_array_steal_index_fast(idle, idle->len - 1);
    if (c == NULL && all->len - idle->len < CONNECTION_LIMIT)
        c = open_connection();
    sent++;
    if (c == NULL) {
        failed++;
        count(failures, "no connection");
        return;
    }
    c->busy = true;
    c->lone = fresh;
    c->written = 0;
    c->head_done = false;
    c->due_us = due_us;
    c->generation[0] = '\0';
    g_byte_array_set_size(c->in, 0);
    in_flight++;
    push(c);
}

static void finish(Connection *c)
{
    int64_t took = g_get_monotonic_time() - c->due_us;
    char status[16];
    g_snprintf(status, sizeof status, "%d", c->status);
    count(statuses, status);
    if (c->generation[0] != '\0')
        count(generations, c->generation);
    histogram_add(&times, took);
    slowest_us = MAX(slowest_us, took);
    in_flight--;
    if (c->status >= 500) {
        failed++;
        count(failures, "status");
    } else {
        answered++;
    }
    c->busy = false;
    if (!c->keep_alive || c->lone)
        drop(c);
    else
        g_ptr_array_add(idle, c);
}

/* True when the answer is whole. Negative length: the connection has ended. */
static bool parse(Connection *c, bool at_end)
{
    if (!c->head_done) {
        Http1Head head;
        g_autoptr(GError) error = NULL;
        Http1Result result = http1_parse_response((const char *) c->in->data, c->in->len,
                                                  method != NULL ? method : "GET", &head, &error);
        if (result == HTTP1_BAD)
            fail(c, "malformed");
        if (result != HTTP1_DONE)
            return false;
        c->status = head.status;
        c->keep_alive = head.keep_alive;
        c->head_done = true;
        if (generation_header != NULL) {
            g_autofree char *value = http1_head_value(&head, generation_header);
            g_strlcpy(c->generation, value != NULL ? value : "", sizeof c->generation);
        }
        http1_body_begin(&c->body, &head);
        g_byte_array_remove_range(c->in, 0, (guint) head.length);
    }
    for (;;) {
        size_t consumed = 0;
        Http1Slice data;
        Http1Result result = http1_body_feed(&c->body, (const char *) c->in->data, c->in->len,
                                             &consumed, &data, NULL);
        if (consumed > 0)
            g_byte_array_remove_range(c->in, 0, (guint) consumed);
        if (result == HTTP1_DONE)
            return true;
        if (result == HTTP1_BAD) {
            fail(c, "malformed");
            return false;
        }
        if (consumed == 0)
            return at_end && c->body.kind == HTTP1_BODY_CLOSE;
    }
}

static void pull(Connection *c)
{
    while (c->fd >= 0) {
        guint8 bytes[16384];
        ssize_t n = recv(c->fd, bytes, sizeof bytes, 0);
        if (n < 0 && errno == EAGAIN)
            return;
        if (!c->busy) {
            drop(c); /* an idle connection may be closed; that is nobody's failure */
            return;
        }
        if (n > 0)
            g_byte_array_append(c->in, bytes, (guint) n);
        if ((n > 0 || c->head_done) && parse(c, n <= 0)) {
            finish(c);
            if (n <= 0 && c->fd >= 0)
                drop(c);
            return;
        }
        if (n <= 0 && c->fd >= 0) {
            fail(c, c->in->len > 0 || c->head_done ? "cut off" : (n < 0 ? "reset" : "no answer"));
            return;
        }
    }
}

static void handle(Connection *c, uint32_t events)
{
    if (c->fd < 0)
        return;
    if (c->connecting && (events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) != 0) {
        int cause = 0;
        socklen_t size = sizeof cause;
        getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &cause, &size);
        if (cause != 0) {
            fail(c, "refused");
            return;
        }
        c->connecting = false;
    }
    push(c);
    if ((events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0)
        pull(c);
}

static void expire(int64_t now)
{
    for (guint i = 0; i < all->len; i++) {
        Connection *c = g_ptr_array_index(all, i);
        if (c->fd >= 0 && c->busy && now - c->due_us > timeout_ms * INT64_C(1000))
            fail(c, "timeout");
    }
}

static void run(void)
{
    int64_t start = g_get_monotonic_time();
    int64_t end = start + (int64_t) (seconds * 1e6);
    int64_t issued = 0;
    for (;;) {
        int64_t now = g_get_monotonic_time();
        bool over = ended || now >= end;
        while (!over && (rate > 0 ? start + issued * G_USEC_PER_SEC / rate <= now
                                  : in_flight < connection_limit)) {
            bool fresh = (issued * fresh_percent) / 100 != ((issued + 1) * fresh_percent) / 100;
            begin(rate > 0 ? start + issued * G_USEC_PER_SEC / rate : now, fresh);
            issued++;
        }
        if (over && in_flight == 0)
            return;
        int64_t wait_us = 1000;
        if (rate > 0)
            wait_us = CLAMP(start + issued * G_USEC_PER_SEC / rate - now, 0, 50000);
        if (over)
            wait_us = 20000;
        struct timespec wait = {.tv_nsec = wait_us * 1000};
        struct epoll_event events[256];
        int count_events = epoll_pwait2(epoll_fd, events, 256, &wait, NULL);
        for (int i = 0; i < count_events; i++)
            handle(events[i].data.ptr, events[i].events);
        expire(g_get_monotonic_time());
    }
}

static json_t *format_table(GHashTable *table)
{
    json_t *object = json_object();
    GHashTableIter each;
    gpointer key, value;
    g_hash_table_iter_init(&each, table);
    while (g_hash_table_iter_next(&each, &key, &value))
        json_object_set_new(object, key, json_integer((json_int_t) GPOINTER_TO_SIZE(value)));
    return object;
}

static bool parse_target(const char *url, char **path)
{
    char host[64];
    unsigned port = 0;
    int used = 0;
    if (sscanf(url, "http://%63[0-9.]:%u%n", host, &port, &used) != 2 || port > 65535)
        return false;
    target = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t) port)};
    *path = g_strdup(url[used] == '/' ? url + used : "/");
    return inet_pton(AF_INET, host, &target.sin_addr) == 1;
}

static GString *write_request(const char *path, const char *host, bool last)
{
    GString *text = g_string_new(NULL);
    g_string_printf(text, "%s %s HTTP/1.1\r\nHost: %s\r\n", method != NULL ? method : "GET", path,
                    host);
    if (last)
        g_string_append(text, "Connection: close\r\n");
    if (body_text != NULL)
        g_string_append_printf(text, "Content-Length: %zu\r\n", strlen(body_text));
    g_string_append_printf(text, "\r\n%s", body_text != NULL ? body_text : "");
    return text;
}

int main(int argc, char **argv)
{
    g_autoptr(GOptionContext) context = g_option_context_new("http://HOST:PORT/PATH");
    g_autoptr(GError) error = NULL;
    g_option_context_add_main_entries(context, entries, NULL);
    g_autofree char *path = NULL;
    if (!g_option_context_parse(context, &argc, &argv, &error) || argc != 2 ||
        !parse_target(argv[1], &path)) {
        fprintf(stderr, "load: %s\n",
                error != NULL ? error->message : "expected http://IPV4:PORT/PATH");
        return 2;
    }
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    request_text = write_request(path, "localhost", false);
    lone_request_text = write_request(path, "localhost", true);
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    idle = g_ptr_array_new();
    all = g_ptr_array_new();
    statuses = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    generations = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    failures = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

    int64_t start = g_get_monotonic_time();
    run();
    double took = (double) (g_get_monotonic_time() - start) / 1e6;
    json_t *result = json_pack(
        "{s:I, s:I, s:I, s:f, s:o, s:o, s:o, s:I, s:I, s:I}", "sent", (json_int_t) sent, "ok",
        (json_int_t) answered, "failed", (json_int_t) failed, "seconds", took, "statuses",
        format_table(statuses), "generations", format_table(generations), "failures",
        format_table(failures), "p50_us", (json_int_t) histogram_quantile(&times, 0.5), "p99_us",
        (json_int_t) histogram_quantile(&times, 0.99), "max_us", (json_int_t) slowest_us);
    json_dumpf(result, stdout, JSON_COMPACT | JSON_REAL_PRECISION(6));
    putchar('\n');
    return 0;
}
