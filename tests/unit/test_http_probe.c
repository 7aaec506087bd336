/* The probe against a scripted peer: a thread that reads the request and answers with fixed bytes.
 */
#include "base/error.h"
#include "base/fd.h"
#include "net/http_probe.h"

#include <string.h>
#include <sys/socket.h>

typedef struct {
    const char *label;
    const char *answer; /* NULL: the peer stays silent */
    int status;         /* 0: an error of CODE */
    const char *body;
    int code;
    size_t limit;
} Case;

static const Case cases[] = {
    {"length", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 200, "hello", 0, 0},
    {"chunked",
     "HTTP/1.1 401 No\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n", 401,
     "hello", 0, 0},
    {"close", "HTTP/1.0 200 OK\r\n\r\nuntil the end", 200, "until the end", 0, 0},
    {"interim", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n", 204, "", 0, 0},
    {"limit", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 200, "hel", 0, 3},
    {"cut-head", "HTTP/1.1 200 OK\r\nConte", 0, NULL, SLIPWAY_ERROR_UNAVAILABLE, 0},
    {"cut-body", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello", 0, NULL,
     SLIPWAY_ERROR_UNAVAILABLE, 0},
    {"cut-chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel", 0, NULL,
     SLIPWAY_ERROR_UNAVAILABLE, 0},
    {"empty", "", 0, NULL, SLIPWAY_ERROR_UNAVAILABLE, 0},
    {"no-http", "220 mail.example ESMTP\r\n\r\n", 0, NULL, SLIPWAY_ERROR_INVALID, 0},
    {"silent", NULL, 0, NULL, SLIPWAY_ERROR_UNAVAILABLE, 0},
};

typedef struct {
    int fd;
    const char *answer;
} Peer;

static gpointer answer_once(gpointer data)
{
    Peer *peer = data;
    char request[4096];
    size_t length = 0;
    while (length < sizeof request && memmem(request, length, "\r\n\r\n", 4) == NULL) {
        ssize_t n = recv(peer->fd, request + length, sizeof request - length, 0);
        if (n <= 0)
            break;
        length += (size_t) n;
    }
    if (peer->answer != NULL &&
        send(peer->fd, peer->answer, strlen(peer->answer), MSG_NOSIGNAL) >= 0)
        shutdown(peer->fd, SHUT_WR);
    return NULL;
}

static void test_case(const void *data)
{
    const Case *c = data;
    int pair[2];
    g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), ==, 0);
    autofd int ours = pair[0];
    autofd int theirs = pair[1];
    Peer peer = {theirs, c->answer};
    GThread *thread = g_thread_new("peer", answer_once, &peer);

    HttpProbe probe = {
        .path = "/health?x=1", .timeout_ms = c->answer == NULL ? 50 : 5000, .body_limit = c->limit};
    g_auto(HttpProbeAnswer) answer = {0};
    g_autoptr(GError) error = NULL;
    bool ok = http_probe_fd(ours, &probe, &answer, &error);
    g_thread_join(thread);

    g_assert_cmpint(ok, ==, c->status != 0);
    if (!ok) {
        g_assert_error(error, SLIPWAY_ERROR, c->code);
        return;
    }
    g_assert_cmpint(answer.status, ==, c->status);
    g_assert_cmpstr(answer.body, ==, c->body);
    g_assert_cmpint(answer.truncated, ==, c->limit != 0);
}

static void test_refused_input(void)
{
    static const char *const split[] = {"A: b\r\nX: y", NULL};
    const HttpProbe rows[] = {
        {.path = "health"},
        {.path = "/a b"},
        {.path = "/a\r\nX: y"},
        {.path = "/", .method = "GET /"},
        {.path = "/", .headers = split},
        {.path = "/", .host = "a\r\nX: y"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_auto(HttpProbeAnswer) answer = {0};
        g_autoptr(GError) error = NULL;
        g_assert_false(http_probe_fd(-1, &rows[i], &answer, &error));
        g_assert_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID);
    }
}

static void test_nobody_listens(void)
{
    g_auto(HttpProbeAnswer) answer = {0};
    g_autoptr(GError) error = NULL;
    g_assert_false(http_probe("127.0.0.1", 1, &(HttpProbe){.path = "/"}, &answer, &error));
    g_assert_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_UNAVAILABLE);
    if (error != NULL)
        g_assert_cmpstr(error->message, ==, "http://127.0.0.1:1/: connect: Connection refused");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_set_nonfatal_assertions();

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *path = g_strdup_printf("/http_probe/%s", cases[i].label);
        g_test_add_data_func(path, &cases[i], test_case);
    }
    g_test_add_func("/http_probe/refused-input", test_refused_input);
    g_test_add_func("/http_probe/nobody-listens", test_nobody_listens);
    return g_test_run();
}
