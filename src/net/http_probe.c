#include "net/http_probe.h"

#include "base/error.h"
#include "base/fd.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#define DEFAULT_TIMEOUT_MS 5000
#define DEFAULT_BODY_LIMIT (64 * 1024)

typedef struct {
    int fd;
    int64_t deadline; /* monotonic, µs */
    int timeout_ms;
} Exchange;

static bool unavailable(GError **error, const char *format, ...) G_GNUC_PRINTF(2, 3);
static bool unavailable(GError **error, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    g_autofree char *text = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    g_set_error_literal(error, SLIPWAY_ERROR, SLIPWAY_ERROR_UNAVAILABLE, text);
    return false;
}

/* Waits until FD is ready for EVENTS, at most to the deadline. */
static bool wait_for(const Exchange *exchange, short events, GError **error)
{
    for (;;) {
        int64_t left = exchange->deadline - g_get_monotonic_time();
        if (left <= 0)
            return unavailable(error, "no answer within %d ms", exchange->timeout_ms);
        struct pollfd poll_fd = {.fd = exchange->fd, .events = events};
        int ready = poll(&poll_fd, 1, (int) (left / 1000 + 1));
        if (ready > 0)
            return true;
        if (ready < 0 && errno != EINTR)
            return unavailable(error, "poll: %s", g_strerror(errno));
    }
}

static bool send_all(const Exchange *exchange, const char *bytes, size_t length, GError **error)
{
    while (length > 0) {
        ssize_t n = send(exchange->fd, bytes, length, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n >= 0) {
            bytes += n;
            length -= (size_t) n;
        } else if (errno == EAGAIN) {
            if (!wait_for(exchange, POLLOUT, error))
                return false;
        } else if (errno != EINTR) {
            return unavailable(error, "send: %s", g_strerror(errno));
        }
    }
    return true;
}

/* Reads what is there; *COUNT 0 is the end of the connection. */
static bool receive(const Exchange *exchange, char *bytes, size_t room, size_t *count,
                    GError **error)
{
    for (;;) {
        ssize_t n = recv(exchange->fd, bytes, room, MSG_DONTWAIT);
        if (n >= 0) {
            *count = (size_t) n;
            return true;
        }
        if (errno == EAGAIN) {
            if (!wait_for(exchange, POLLIN, error))
                return false;
        } else if (errno != EINTR) {
            return unavailable(error, "receive: %s", g_strerror(errno));
        }
    }
}

static bool format_request(const HttpProbe *probe, const char *method, GString *request,
                           GError **error)
{
    const char *host = probe->host != NULL ? probe->host : "localhost";
    bool clean = http1_is_token(method, strlen(method)) && probe->path[0] == '/' &&
                 http1_is_field_value(host, strlen(host)) && strpbrk(probe->path, " \t") == NULL &&
                 http1_is_field_value(probe->path, strlen(probe->path));
    for (size_t i = 0; probe->headers != NULL && probe->headers[i] != NULL; i++)
        clean = clean && http1_is_field_value(probe->headers[i], strlen(probe->headers[i]));
    if (!clean) {
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID,
                    "probe '%s %s': malformed method, path or header", method, probe->path);
        return false;
    }
    g_string_printf(request, "%s %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n", method,
                    probe->path, host);
    for (size_t i = 0; probe->headers != NULL && probe->headers[i] != NULL; i++)
        g_string_append_printf(request, "%s\r\n", probe->headers[i]);
    if (probe->body_length > 0)
        g_string_append_printf(request, "Content-Length: %zu\r\n", probe->body_length);
    g_string_append(request, "\r\n");
    return true;
}

/* Reads until the head of the final answer (not 1xx) is whole at the beginning of BUFFER. */
static bool read_head(const Exchange *exchange, const char *method, GByteArray *buffer,
                      Http1Head *head, GError **error)
{
    char piece[4096];
    for (;;) {
        Http1Result result =
            http1_parse_response((const char *) buffer->data, buffer->len, method, head, error);
        if (result == HTTP1_BAD)
            return false;
        if (result == HTTP1_DONE && head->status >= 200)
            return true;
        if (result == HTTP1_DONE) {
            if (head->status == 101)
                return unavailable(error, "the peer switched protocols");
            g_byte_array_remove_range(buffer, 0, (guint) head->length);
            continue;
        }
        size_t n = 0;
        if (!receive(exchange, piece, sizeof piece, &n, error))
            return false;
        if (n == 0)
            return unavailable(error, "the peer closed the connection %s",
                               buffer->len == 0 ? "without an answer" : "within its answer's head");
        g_byte_array_append(buffer, (const guint8 *) piece, (guint) n);
    }
}

/* Reads the body into CONTENT, at most LIMIT bytes. PIECE begins with LENGTH bytes that came
 * with the head. */
static bool read_body(const Exchange *exchange, const Http1Head *head, const char *first,
                      size_t first_length, size_t limit, GByteArray *content, bool *truncated,
                      GError **error)
{
    Http1Body body;
    http1_body_begin(&body, head);
    char piece[16384];
    const char *at = first;
    size_t left = first_length;
    for (;;) {
        size_t consumed = 0;
        Http1Slice data = {NULL, 0};
        Http1Result result = http1_body_feed(&body, at, left, &consumed, &data, error);
        if (result == HTTP1_BAD)
            return false;
        size_t room = limit - content->len;
        g_byte_array_append(content, (const guint8 *) data.at, (guint) MIN(room, data.length));
        *truncated = data.length > room;
        if (result == HTTP1_DONE || *truncated)
            return true;
        at += consumed;
        left -= consumed;
        if (left > 0)
            continue;
        if (!receive(exchange, piece, sizeof piece, &left, error))
            return false;
        at = piece;
        if (left == 0)
            return body.kind == HTTP1_BODY_CLOSE ||
                   unavailable(error, "the peer closed the connection within its answer");
    }
}

bool http_probe_fd(int fd, const HttpProbe *probe, HttpProbeAnswer *answer, GError **error)
{
    *answer = (HttpProbeAnswer){0};
    int timeout_ms = probe->timeout_ms > 0 ? probe->timeout_ms : DEFAULT_TIMEOUT_MS;
    Exchange exchange = {fd, g_get_monotonic_time() + timeout_ms * INT64_C(1000), timeout_ms};
    const char *method = probe->method != NULL ? probe->method : "GET";

    g_autoptr(GString) request = g_string_new(NULL);
    if (!format_request(probe, method, request, error) ||
        !send_all(&exchange, request->str, request->len, error))
        return false;
    /* A peer may refuse before it has read the body: its answer counts, not our broken pipe. */
    g_autoptr(GError) send_error = NULL;
    bool sent = probe->body_length == 0 ||
                send_all(&exchange, probe->body, probe->body_length, &send_error);

    g_autoptr(GByteArray) buffer = g_byte_array_new();
    g_autofree Http1Head *head = g_new0(Http1Head, 1);
    if (!read_head(&exchange, method, buffer, head, sent ? error : NULL)) {
        if (!sent)
            g_propagate_error(error, g_steal_pointer(&send_error));
        return false;
    }

    size_t limit = probe->body_limit > 0 ? probe->body_limit : DEFAULT_BODY_LIMIT;
    g_autoptr(GByteArray) content = g_byte_array_new();
    bool truncated = false;
    if (!read_body(&exchange, head, (const char *) buffer->data + head->length,
                   buffer->len - head->length, limit, content, &truncated, error))
        return false;

    answer->status = head->status;
    answer->truncated = truncated;
    answer->body_length = content->len;
    g_byte_array_append(content, (const guint8 *) "", 1);
    answer->body = (char *) g_byte_array_free(g_steal_pointer(&content), FALSE);
    answer->head = g_steal_pointer(&head);
    answer->head_bytes = (char *) g_byte_array_free(g_steal_pointer(&buffer), FALSE);
    return true;
}

/* Connects to ADDRESS before the deadline; -1 on error. */
static int connect_to(const struct addrinfo *address, int64_t deadline, int timeout_ms,
                      GError **error)
{
    autofd int fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        unavailable(error, "socket: %s", g_strerror(errno));
        return -1;
    }
    if (connect(fd, address->ai_addr, address->ai_addrlen) == 0)
        return steal_fd(&fd);
    if (errno != EINPROGRESS) {
        unavailable(error, "connect: %s", g_strerror(errno));
        return -1;
    }
    Exchange exchange = {fd, deadline, timeout_ms};
    if (!wait_for(&exchange, POLLOUT, error))
        return -1;
    int problem = 0;
    socklen_t size = sizeof problem;
    getsockopt(fd, SOL_SOCKET, SO_ERROR, &problem, &size);
    if (problem != 0) {
        unavailable(error, "connect: %s", g_strerror(problem));
        return -1;
    }
    return steal_fd(&fd);
}

bool http_probe(const char *host, int port, const HttpProbe *probe, HttpProbeAnswer *answer,
                GError **error)
{
    *answer = (HttpProbeAnswer){0};
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    g_autofree char *service = g_strdup_printf("%d", port);
    int code = getaddrinfo(host, service, &hints, &found);
    if (code != 0)
        return unavailable(error, "look up '%s': %s", host, gai_strerror(code));

    int timeout_ms = probe->timeout_ms > 0 ? probe->timeout_ms : DEFAULT_TIMEOUT_MS;
    int64_t deadline = g_get_monotonic_time() + timeout_ms * INT64_C(1000);
    autofd int fd = -1;
    for (struct addrinfo *a = found; a != NULL && fd < 0; a = a->ai_next) {
        g_clear_error(error);
        fd = connect_to(a, deadline, timeout_ms, error);
    }
    freeaddrinfo(found);
    bool ok = fd >= 0;
    if (ok) {
        HttpProbe rest = *probe;
        rest.timeout_ms = MAX(1, (int) ((deadline - g_get_monotonic_time()) / 1000));
        ok = http_probe_fd(fd, &rest, answer, error);
    }
    if (!ok)
        g_prefix_error(error, "http://%s:%d%s: ", host, port, probe->path);
    return ok;
}

void http_probe_answer_clear(HttpProbeAnswer *answer)
{
    g_clear_pointer(&answer->body, g_free);
    g_clear_pointer(&answer->head, g_free);
    g_clear_pointer(&answer->head_bytes, g_free);
}
