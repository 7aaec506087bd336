/* The life of a client's connection:
 *
 *   READING ─ head whole ─→ dispatch ─→ WAITING ─→ CONNECTING ─→ EXCHANGE ─→ FLUSHING ─→ READING …
 *      │                       ↑ ↓          └──── failed, may be replayed ────┘  │
 *      │                HELD (pause), RETRYING                101 ─→ TUNNEL      └─ close ─→
 * LINGERING └─ malformed ─→ FLUSHING our own answer ─→ LINGERING
 *
 * A step function does what it can without waiting and says whether it got anywhere. */
#include "container/proxy_core.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define RUN_BUDGET 64     /* steps before other connections get their turn */
#define KEEP_BUFFER 16384 /* a larger one is given back after its request */

static void arm(Client *client, int milliseconds)
{
    client->deadline_us = g_get_monotonic_time() + milliseconds * INT64_C(1000);
}

/* Reads at most LIMIT bytes in all into BUFFER. Sets the flags; true when bytes came. */
static bool fill(Watch *watch, Buffer *buffer, size_t limit, bool *readable, bool *ended,
                 bool *broken)
{
    size_t length = buffer_length(buffer);
    if (!*readable || *ended || length >= limit)
        return false;
    buffer_reserve(buffer, MIN(limit - length, (size_t) 16384));
    size_t room = MIN(buffer->capacity - buffer->end, limit - length);
    ssize_t n = recv(watch->fd, buffer->bytes + buffer->end, room, 0);
    if (n > 0) {
        buffer->end += (size_t) n;
        if ((size_t) n < room && !watch->hang_up)
            *readable = false; /* empty; more of it is another edge */
        return true;
    }
    if (n < 0 && errno == EINTR)
        return true;
    if (n < 0 && errno == EAGAIN) {
        *readable = false;
        return false;
    }
    *ended = true;
    if (n < 0 && broken != NULL)
        *broken = true;
    return false;
}

/* Writes what BUFFER has. True when bytes went; *BROKEN when none ever will. */
static bool drain(Watch *watch, Buffer *buffer, bool *writable, bool *broken)
{
    if (!*writable || buffer_length(buffer) == 0)
        return false;
    ssize_t n = send(watch->fd, buffer_at(buffer), buffer_length(buffer), MSG_NOSIGNAL);
    if (n > 0) {
        buffer_take(buffer, (size_t) n);
        return true;
    }
    *writable = false;
    *broken = n < 0 && errno != EAGAIN && errno != EINTR;
    return false;
}

static void client_ready(Watch *watch, uint32_t events)
{
    Client *client = (Client *) watch;
    if ((events & (EPOLLIN | EPOLLRDHUP)) != 0)
        client->readable = true;
    if ((events & EPOLLOUT) != 0)
        client->writable = true;
    if ((events & (EPOLLHUP | EPOLLERR)) != 0) {
        client_close(client);
        return;
    }
    client_run(client);
}

void client_accept(Proxy *proxy, int taken_fd, const char *address)
{
    Client *client = g_new0(Client, 1);
    client->watch = (Watch){.fd = taken_fd, .ready = client_ready};
    client->proxy = proxy;
    client->avoid = -1;
    client->readable = client->writable = true;
    g_strlcpy(client->address, address, sizeof client->address);
    int on = 1;
    setsockopt(taken_fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (!proxy_watch(proxy, &client->watch, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET)) {
        close(taken_fd);
        g_free(client);
        return;
    }
    client->next = proxy->clients;
    if (proxy->clients != NULL)
        proxy->clients->previous = client;
    proxy->clients = client;
    proxy->client_count++;
    arm(client, PROXY_HEAD_MS);
    client_run(client);
}

/* Lets go of backend and upstream. KEEP: the connection can carry another request. */
static void detach(Client *client, bool keep)
{
    Upstream *upstream = client->upstream;
    client->upstream = NULL;
    if (client->state == CLIENT_WAITING)
        backend_forget_waiter(client->backend, client);
    if (upstream != NULL && keep)
        upstream_rest(upstream);
    else if (upstream != NULL)
        upstream_close(upstream);
    if (client->backend == NULL)
        return;
    client->backend->generation->in_flight--;
    backend_release(client->backend);
    client->backend = NULL;
}

static void count(Client *client, bool failed)
{
    Generation *generation = client->backend->generation;
    int64_t took_us = g_get_monotonic_time() - client->started_us;
    int slow_ms = client->proxy->route->slow_ms;
    generation->requests++;
    generation->all_requests++;
    generation->errors += failed;
    generation->all_errors += failed;
    generation->slow += slow_ms > 0 && took_us > slow_ms * INT64_C(1000);
    histogram_add(&generation->times, took_us);
}

void client_close(Client *client)
{
    Proxy *proxy = client->proxy;
    if (client->state == CLIENT_HELD)
        proxy->held_count--;
    if (client->state == CLIENT_RETRYING)
        proxy->retry_count--;
    detach(client, false);
    if (client->previous != NULL)
        client->previous->next = client->next;
    else
        proxy->clients = client->next;
    if (client->next != NULL)
        client->next->previous = client->previous;
    proxy->client_count--;
    if (client->queued)
        proxy_forget_again(proxy, client);
    buffer_release(&client->in);
    buffer_release(&client->out);
    buffer_release(&client->forward);
    buffer_release(&client->answer);
    proxy_bury(proxy, &client->watch);
}

static void respond(Client *client, int status, const char *text, bool close, int retry_after)
{
    client->close_after = close || !client->request_done || !client->keep_alive;
    head_write_own(&client->out, status, text, client->close_after, client->head_only, retry_after);
    client->state = CLIENT_FLUSHING;
    arm(client, PROXY_ANSWER_MS);
}

static void begin_connect(Client *client, int taken_fd)
{
    client->upstream = upstream_connect(client->backend, taken_fd, client);
    if (client->upstream == NULL) {
        client_upstream_failed(client, "connection refused");
        return;
    }
    client->state = client->upstream->connected ? CLIENT_EXCHANGE : CLIENT_CONNECTING;
    arm(client, client->upstream->connected ? PROXY_ANSWER_MS : PROXY_CONNECT_MS);
}

static void reset_attempt(Client *client)
{
    client->forward_sent = 0;
    buffer_clear(&client->answer);
    client->answer_begun = client->answer_head_done = client->answer_chunked = false;
}

static void assign(Client *client, int index)
{
    Backend *backend = client->proxy->backends[index];
    client->backend = backend_reference(backend);
    backend->generation->in_flight++;
    reset_attempt(client);

    Upstream *idle = client->fresh ? NULL : backend_take_idle(backend);
    if (idle != NULL) {
        idle->client = client;
        client->upstream = idle;
        client->state = CLIENT_EXCHANGE;
        arm(client, PROXY_ANSWER_MS);
        return;
    }
    client->state = CLIENT_WAITING;
    arm(client, PROXY_CONNECT_MS);
    int fd = backend_take_socket(backend, client);
    if (fd >= 0)
        begin_connect(client, fd);
}

/* Gives the request to the backend whose turn it is, or to none. */
static void dispatch(Client *client)
{
    Proxy *proxy = client->proxy;
    if (proxy->paused) {
        if (proxy->held_count >= PROXY_HELD_LIMIT) {
            respond(client, 503, "too many requests wait for the end of a pause", false, 1);
            return;
        }
        client->state = CLIENT_HELD;
        proxy->held_count++;
        arm(client, proxy->pause_ms);
        return;
    }
    int index = route_choose(proxy->shares, proxy->backend_count, client->avoid);
    if (index < 0)
        index = route_choose(proxy->shares, proxy->backend_count, -1);
    if (index < 0)
        respond(client, 503, "nothing is deployed here at the moment", false, 1);
    else
        assign(client, index);
}

void client_resume(Client *client)
{
    client->proxy->held_count--;
    client->state = CLIENT_READING;
    dispatch(client);
    proxy_run_again(client->proxy, client);
}

void client_give_socket(Client *client, int taken_fd)
{
    begin_connect(client, taken_fd);
    client_run(client);
}

void client_upstream_ready(Client *client)
{
    if (client->state == CLIENT_CONNECTING && client->upstream->connected) {
        client->state = CLIENT_EXCHANGE;
        arm(client, PROXY_ANSWER_MS);
    }
    client_run(client);
}

static int backend_index(const Client *client)
{
    for (size_t i = 0; i < client->proxy->backend_count; i++)
        if (client->proxy->backends[i] == client->backend)
            return (int) i;
    return -1;
}

/* The answer has begun and cannot be finished: the client must not take it for whole. */
static void abort_answer(Client *client)
{
    count(client, true);
    struct linger hard = {.l_onoff = 1, .l_linger = 0};
    setsockopt(client->watch.fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    client_close(client);
}

static bool may_wait(const Client *client)
{
    return client->proxy->retry_count < PROXY_RETRY_LIMIT &&
           g_get_monotonic_time() - client->started_us < PROXY_RETRY_WINDOW_MS * INT64_C(1000);
}

/* The retry rule: no byte of an answer came, and the request is idempotent or no byte of it was
 * written. A pooled connection that ended before it answered was stale, which is nobody's
 * fault: the same backend gets a new one. */
void client_upstream_failed(Client *client, const char *why)
{
    if (client->answer_head_done) {
        abort_answer(client);
        return;
    }
    bool may = !client->answer_begun &&
               (client->forward_sent == 0 || (client->idempotent && client->replayable));
    bool stale = client->upstream != NULL && client->upstream->reused;
    client->fresh = true;
    if (stale && may) {
        client->avoid = -1;
        int same = client->backend->current ? backend_index(client) : -1;
        detach(client, false);
        if (same >= 0)
            assign(client, same);
        else
            dispatch(client);
        proxy_run_again(client->proxy, client);
        return;
    }
    bool unwritten = client->forward_sent == 0;
    if (client->attempts < PROXY_ATTEMPT_LIMIT)
        count(client, true);
    client->avoid = backend_index(client);
    detach(client, false);
    if (may && ++client->attempts < PROXY_ATTEMPT_LIMIT) {
        dispatch(client);
    } else if (may && unwritten && may_wait(client)) {
        client->state = CLIENT_RETRYING;
        client->proxy->retry_count++;
        arm(client, PROXY_RETRY_MS);
    } else {
        g_autofree char *text = g_strdup_printf("the service did not answer: %s", why);
        respond(client, 502, text, false, 0);
    }
    proxy_run_again(client->proxy, client);
}

static bool is_idempotent(Http1Slice method)
{
    static const char *const methods[] = {"GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE"};
    for (size_t i = 0; i < G_N_ELEMENTS(methods); i++)
        if (http1_slice_equal(method, methods[i]))
            return true;
    return false;
}

static void begin_request(Client *client, const Http1Head *head)
{
    client->started_us = g_get_monotonic_time();
    client->idempotent = is_idempotent(head->method);
    client->head_only = http1_slice_equal(head->method, "HEAD");
    client->keep_alive = head->keep_alive;
    client->old_version = head->minor == 0;
    client->upgrade = head->upgrade && head->body == HTTP1_BODY_NONE;
    client->request_chunked = head->body == HTTP1_BODY_CHUNKED;
    client->request_done = head->body == HTTP1_BODY_NONE;
    client->replayable = true;
    client->attempts = 0;
    client->avoid = -1;
    client->fresh = client->upgrade; /* a tunnel takes its connection for good */
    client->close_after = false;
    http1_body_begin(&client->request_body, head);
    buffer_clear(&client->forward);

    if (http1_slice_equal(head->method, "CONNECT")) {
        respond(client, 405, "CONNECT is not for this server", true, 0);
        return;
    }
    head_write_request(client, head);
    if (head->expect_continue && !client->request_done)
        buffer_append_text(&client->out, "HTTP/1.1 100 Continue\r\n\r\n");
    buffer_take(&client->in, head->length);
    dispatch(client);
}

static bool step_flush_part(Client *client)
{
    bool broken = false;
    bool moved = drain(&client->watch, &client->out, &client->writable, &broken);
    if (broken)
        client_close(client);
    return moved && !broken;
}

static bool step_reading(Client *client)
{
    if (buffer_length(&client->in) > 0) {
        Http1Head head;
        g_autoptr(GError) error = NULL;
        switch (http1_parse_request(buffer_at(&client->in), buffer_length(&client->in), &head,
                                    &error)) {
        case HTTP1_DONE:
            begin_request(client, &head);
            return true;
        case HTTP1_BAD:
            client->head_only = false;
            respond(client, head.status, error->message, true, 0);
            return true;
        case HTTP1_MORE:
            break;
        }
    }
    bool was_empty = buffer_length(&client->in) == 0;
    if (fill(&client->watch, &client->in, HTTP1_HEAD_LIMIT + 4, &client->readable, &client->ended,
             NULL)) {
        if (was_empty)
            arm(client, PROXY_HEAD_MS);
        return true;
    }
    if (client->ended)
        client_close(client);
    return false;
}

/* Moves body bytes from IN to FORWARD in the backend's framing. False: nothing moved. */
static bool pass_request_body(Client *client)
{
    if (client->request_done)
        return false;
    if (client->forward_sent > 0 && client->forward.end >= PROXY_BUFFER_LIMIT) {
        buffer_take(&client->forward, client->forward_sent);
        client->forward_sent = 0;
        client->replayable = false;
    }
    if (buffer_length(&client->forward) >= PROXY_BUFFER_LIMIT)
        return false;
    bool read = fill(&client->watch, &client->in, 16384, &client->readable, &client->ended, NULL);
    size_t length = buffer_length(&client->in);
    if (length == 0) {
        if (client->ended)
            client_close(client); /* a request that was cut off is nobody's error but its own */
        return read;
    }
    size_t consumed = 0;
    Http1Slice data;
    g_autoptr(GError) error = NULL;
    Http1Result result = http1_body_feed(&client->request_body, buffer_at(&client->in), length,
                                         &consumed, &data, &error);
    if (result == HTTP1_BAD) {
        detach(client, false);
        respond(client, 400, error->message, true, 0);
        return true;
    }
    if (client->request_chunked && data.length > 0) {
        char size[24];
        int n = g_snprintf(size, sizeof size, "%zx\r\n", data.length);
        buffer_append(&client->forward, size, (size_t) n);
    }
    buffer_append(&client->forward, data.at, data.length);
    if (client->request_chunked && data.length > 0)
        buffer_append(&client->forward, "\r\n", 2);
    if (result == HTTP1_DONE) {
        client->request_done = true;
        if (client->request_chunked)
            buffer_append(&client->forward, "0\r\n\r\n", 5);
    }
    buffer_take(&client->in, consumed);
    return true;
}

/* A broken pipe is not yet the end: the backend may have answered before it closed. */
static bool send_request(Client *client)
{
    Upstream *upstream = client->upstream;
    size_t left = buffer_length(&client->forward) - client->forward_sent;
    if (!upstream->writable || left == 0)
        return false;
    ssize_t n = send(upstream->watch.fd, buffer_at(&client->forward) + client->forward_sent, left,
                     MSG_NOSIGNAL);
    if (n < 0 && errno != EINTR) {
        upstream->writable = false;
        if (errno != EAGAIN)
            upstream->readable = upstream->broken = true;
        return upstream->broken;
    }
    client->forward_sent += (size_t) MAX(n, 0);
    return true;
}

static void begin_tunnel(Client *client)
{
    count(client, false);
    buffer_append(&client->out, buffer_at(&client->answer), buffer_length(&client->answer));
    buffer_release(&client->answer);
    buffer_release(&client->forward);
    client->state = CLIENT_TUNNEL;
    client->deadline_us = INT64_MAX;
}

/* How the body travels on: with its length, in chunks where there is none, and until the end of
 * the connection for clients of HTTP/1.0. */
static void begin_answer(Client *client, const Http1Head *head)
{
    bool unsized = head->body == HTTP1_BODY_CHUNKED || head->body == HTTP1_BODY_CLOSE;
    client->status = head->status;
    client->answer_head_done = true;
    client->upstream_keep_alive = head->keep_alive;
    client->answer_chunked = unsized && !client->old_version;
    client->close_after =
        !client->keep_alive || !client->request_done || (unsized && client->old_version);
    http1_body_begin(&client->answer_body, head);
    head_write_answer(client, head);
    arm(client, PROXY_BODY_MS);
}

static bool read_answer_head(Client *client)
{
    Http1Head head;
    g_autoptr(GError) error = NULL;
    size_t length = buffer_length(&client->answer);
    Http1Result result = HTTP1_MORE;
    if (length > 0)
        result = http1_parse_response(buffer_at(&client->answer), length,
                                      client->head_only ? "HEAD" : "GET", &head, &error);
    if (result == HTTP1_MORE) {
        if (client->upstream->ended) {
            client_upstream_failed(client, length > 0 ? "it ended within its answer's head"
                                                      : "it ended without an answer");
            return true;
        }
        return false;
    }
    bool switching = result == HTTP1_DONE && head.status == 101;
    if (result == HTTP1_BAD || (switching && !client->upgrade)) {
        client->answer_begun = true;
        client_upstream_failed(client, error != NULL ? error->message : "an unasked upgrade");
        return true;
    }
    if (head.status >= 200) {
        begin_answer(client, &head);
    } else if (switching || (head.status != 100 && !client->old_version)) {
        client->status = head.status;
        head_write_answer(client, &head);
    }
    buffer_take(&client->answer, head.length);
    if (switching)
        begin_tunnel(client);
    return true;
}

static void end_answer(Client *client)
{
    if (client->answer_chunked)
        buffer_append(&client->out, "0\r\n\r\n", 5);
    count(client, client->status >= 500);
    bool keep = client->upstream_keep_alive && client->request_done &&
                buffer_length(&client->forward) == client->forward_sent &&
                buffer_length(&client->answer) == 0;
    detach(client, keep);
    client->state = CLIENT_FLUSHING;
    arm(client, PROXY_ANSWER_MS);
}

static bool pass_answer_body(Client *client)
{
    if (buffer_length(&client->out) >= PROXY_BUFFER_LIMIT)
        return false;
    size_t length = buffer_length(&client->answer);
    size_t consumed = 0;
    Http1Slice data = {"", 0};
    g_autoptr(GError) error = NULL;
    Http1Result result = HTTP1_MORE;
    if (length > 0 || client->answer_body.kind == HTTP1_BODY_NONE)
        result = http1_body_feed(&client->answer_body, buffer_at(&client->answer), length,
                                 &consumed, &data, &error);
    if (result == HTTP1_BAD) {
        abort_answer(client);
        return true;
    }
    if (client->answer_chunked && data.length > 0) {
        char size[24];
        int n = g_snprintf(size, sizeof size, "%zx\r\n", data.length);
        buffer_append(&client->out, size, (size_t) n);
    }
    buffer_append(&client->out, data.at, data.length);
    if (client->answer_chunked && data.length > 0)
        buffer_append(&client->out, "\r\n", 2);
    buffer_take(&client->answer, consumed);
    if (result == HTTP1_DONE) {
        end_answer(client);
        return true;
    }
    if (consumed > 0)
        return true;
    if (!client->upstream->ended)
        return false;
    if (client->answer_body.kind == HTTP1_BODY_CLOSE && !client->upstream->broken)
        end_answer(client);
    else
        abort_answer(client);
    return true;
}

static bool is_open(const Client *client, ClientState state)
{
    return client->watch.fd >= 0 && client->state == state;
}

static bool step_exchange(Client *client)
{
    bool moved = pass_request_body(client);
    if (!is_open(client, CLIENT_EXCHANGE))
        return client->watch.fd >= 0;
    moved |= send_request(client);

    Upstream *upstream = client->upstream;
    if (fill(&upstream->watch, &client->answer, PROXY_BUFFER_LIMIT, &upstream->readable,
             &upstream->ended, &upstream->broken)) {
        client->answer_begun = true;
        moved = true;
    }
    if (moved)
        arm(client, client->answer_head_done ? PROXY_BODY_MS : PROXY_ANSWER_MS);
    moved |= client->answer_head_done ? pass_answer_body(client) : read_answer_head(client);
    if (!is_open(client, CLIENT_EXCHANGE))
        return client->watch.fd >= 0;
    /* The rest of a short answer may be in the buffer: then one write does for all of it. */
    if (!moved || buffer_length(&client->out) >= PROXY_BUFFER_LIMIT)
        moved |= step_flush_part(client);
    return moved;
}

static bool step_tunnel(Client *client)
{
    Upstream *upstream = client->upstream;
    bool broken = false;
    bool moved = fill(&client->watch, &client->in, PROXY_BUFFER_LIMIT, &client->readable,
                      &client->ended, &broken);
    moved |= fill(&upstream->watch, &client->out, PROXY_BUFFER_LIMIT, &upstream->readable,
                  &upstream->ended, &broken);
    bool gone = false;
    moved |= drain(&upstream->watch, &client->in, &upstream->writable, &gone);
    broken |= gone;
    moved |= drain(&client->watch, &client->out, &client->writable, &gone);
    broken |= gone;

    bool up_done = client->ended && buffer_length(&client->in) == 0;
    bool down_done = upstream->ended && buffer_length(&client->out) == 0;
    if (broken || (up_done && down_done)) {
        client_close(client);
        return false;
    }
    if (up_done)
        shutdown(upstream->watch.fd, SHUT_WR);
    if (down_done)
        shutdown(client->watch.fd, SHUT_WR);
    return moved;
}

static bool step_flushing(Client *client)
{
    if (buffer_length(&client->out) > 0)
        return step_flush_part(client);
    if (client->close_after || client->proxy->stopping) {
        shutdown(client->watch.fd, SHUT_WR);
        client->state = CLIENT_LINGERING;
        arm(client, PROXY_LINGER_MS);
        return true;
    }
    if (client->forward.capacity > KEEP_BUFFER)
        buffer_release(&client->forward);
    if (client->answer.capacity > KEEP_BUFFER)
        buffer_release(&client->answer);
    if (client->out.capacity > KEEP_BUFFER)
        buffer_release(&client->out);
    client->state = CLIENT_READING;
    arm(client, PROXY_IDLE_MS);
    return true;
}

/* Closing while bytes are unread would send a reset, which takes our answer from the client. */
static bool step_lingering(Client *client)
{
    buffer_clear(&client->in);
    if (fill(&client->watch, &client->in, 16384, &client->readable, &client->ended, NULL))
        return true;
    if (client->ended)
        client_close(client);
    return false;
}

void client_run(Client *client)
{
    for (int budget = RUN_BUDGET; budget > 0; budget--) {
        if (client->watch.fd < 0)
            return;
        bool moved = false;
        switch (client->state) {
        case CLIENT_READING:
            moved = step_reading(client);
            break;
        case CLIENT_EXCHANGE:
            moved = step_exchange(client);
            break;
        case CLIENT_TUNNEL:
            moved = step_tunnel(client);
            break;
        case CLIENT_FLUSHING:
            moved = step_flushing(client);
            break;
        case CLIENT_LINGERING:
            moved = step_lingering(client);
            break;
        case CLIENT_HELD:
        case CLIENT_WAITING:
        case CLIENT_CONNECTING:
        case CLIENT_RETRYING:
            moved = step_flush_part(client); /* "100 Continue" */
            break;
        }
        if (!moved)
            return;
    }
    proxy_run_again(client->proxy, client);
}

static void time_out(Client *client)
{
    switch (client->state) {
    case CLIENT_READING:
        if (buffer_length(&client->in) > 0) {
            client->keep_alive = false;
            client->head_only = false;
            respond(client, 408, "the request's head took too long", true, 0);
            proxy_run_again(client->proxy, client);
        } else {
            client_close(client);
        }
        return;
    case CLIENT_HELD:
        client->proxy->held_count--;
        client->state = CLIENT_READING;
        respond(client, 503, "the pause took too long", false, 1);
        proxy_run_again(client->proxy, client);
        return;
    case CLIENT_RETRYING:
        client->proxy->retry_count--;
        client->state = CLIENT_READING;
        dispatch(client);
        proxy_run_again(client->proxy, client);
        return;
    case CLIENT_WAITING:
    case CLIENT_CONNECTING:
        client_upstream_failed(client, "no connection in time");
        return;
    case CLIENT_EXCHANGE:
        if (client->answer_head_done) {
            abort_answer(client);
            return;
        }
        count(client, true);
        detach(client, false);
        respond(client, 504, "the service did not answer in time", true, 0);
        proxy_run_again(client->proxy, client);
        return;
    default:
        client_close(client);
    }
}

void client_tick(Client *client, int64_t now_us)
{
    if (now_us >= client->deadline_us) {
        time_out(client);
        return;
    }
    if (client->state != CLIENT_READING || buffer_length(&client->in) > 0)
        return;
    buffer_release(&client->in); /* an idle connection costs no buffers */
    buffer_release(&client->out);
    buffer_release(&client->forward);
    buffer_release(&client->answer);
}
