#include "container/proxy_core.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define STOCK_ASKED 16
#define STOCK_LOW 4
#define STOCK_TRUST_US 200000 /* a stock older than this may be of a network that is gone */

static const char dispenser_request[] = "{\"op\":\"socket\",\"count\":16}\n";
G_STATIC_ASSERT(STOCK_ASKED == 16 && STOCK_ASKED + STOCK_LOW <= CONTROL_FD_LIMIT);

static bool is_address(const Backend *backend)
{
    return backend->unit[0] == '@';
}

static void dispenser_ready(Watch *watch, uint32_t events);

Backend *backend_new(Proxy *proxy, const RouteBackend *from, Generation *generation)
{
    Backend *backend = g_new0(Backend, 1);
    *backend = (Backend){
        .dispenser = {.fd = -1, .ready = dispenser_ready},
        .proxy = proxy,
        .unit = g_strdup(from->unit),
        .port = from->port,
        .generation = generation,
        .references = 1,
    };
    g_queue_init(&backend->waiting);
    return backend;
}

Backend *backend_reference(Backend *backend)
{
    backend->references++;
    return backend;
}

static void drop_stock(Backend *backend)
{
    while (backend->stock_count > 0)
        close(backend->stock[--backend->stock_count]);
}

static void close_dispenser(Backend *backend)
{
    if (backend->dispenser.fd >= 0)
        close(backend->dispenser.fd);
    backend->dispenser.fd = -1;
    backend->asked = false;
    drop_stock(backend);
}

void backend_release(Backend *backend)
{
    if (--backend->references > 0)
        return;
    close_dispenser(backend);
    g_free(backend->unit);
    proxy_bury(backend->proxy, &backend->dispenser);
}

static void unlink_idle(Upstream *upstream)
{
    Backend *backend = upstream->backend;
    if (upstream->newer != NULL)
        upstream->newer->older = upstream->older;
    else
        backend->idle = upstream->older;
    if (upstream->older != NULL)
        upstream->older->newer = upstream->newer;
    upstream->newer = upstream->older = NULL;
    backend->idle_count--;
}

void backend_retire(Backend *backend)
{
    backend->current = false;
    backend_reference(backend); /* the last connection may hold the last reference */
    while (backend->idle != NULL)
        upstream_close(backend->idle);
    drop_stock(backend);
    backend_release(backend);
}

void backend_expire_idle(Backend *backend, int64_t now_us)
{
    Upstream *older = NULL;
    for (Upstream *u = backend->idle; u != NULL; u = older) {
        older = u->older;
        if (now_us - u->idle_since_us > PROXY_POOL_MS * INT64_C(1000))
            upstream_close(u);
    }
}

/* Whether the other side neither closed nor sent something unasked. */
static bool is_alive(const Upstream *upstream)
{
    char byte;
    return recv(upstream->watch.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN;
}

/* The look costs a system call, but a late byte of the answer before would be taken for ours. */
Upstream *backend_take_idle(Backend *backend)
{
    while (backend->idle != NULL) {
        Upstream *upstream = backend->idle;
        if (!is_alive(upstream)) {
            upstream_close(upstream);
            continue;
        }
        unlink_idle(upstream);
        upstream->reused = true;
        return upstream;
    }
    return NULL;
}

/* The unit's socket, connected without waiting (its shim's backlog is long). */
static bool open_dispenser(Backend *backend)
{
    g_autofree char *path =
        g_strdup_printf("%s/%s/sock", backend->proxy->units_folder, backend->unit);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (g_strlcpy(address.sun_path, path, sizeof address.sun_path) >= sizeof address.sun_path)
        return false;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return false;
    backend->dispenser.fd = fd;
    if (connect(fd, (struct sockaddr *) &address, sizeof address) == 0 &&
        proxy_watch(backend->proxy, &backend->dispenser, EPOLLIN | EPOLLRDHUP))
        return true;
    close_dispenser(backend);
    return false;
}

static bool ask_for_sockets(Backend *backend)
{
    if (backend->asked)
        return true;
    if (backend->dispenser.fd < 0 && !open_dispenser(backend))
        return false;
    size_t length = sizeof dispenser_request - 1;
    if (send(backend->dispenser.fd, dispenser_request, length, MSG_NOSIGNAL) != (ssize_t) length) {
        close_dispenser(backend);
        return false;
    }
    backend->asked = true;
    return true;
}

static void fail_waiting(Backend *backend)
{
    backend_reference(backend);
    GQueue waiting = backend->waiting;
    g_queue_init(&backend->waiting);
    Client *client = NULL;
    while ((client = g_queue_pop_head(&waiting)) != NULL)
        client_upstream_failed(client, "its unit does not run");
    backend_release(backend);
}

static void keep_sockets(Backend *backend, struct msghdr *packet)
{
    for (struct cmsghdr *h = CMSG_FIRSTHDR(packet); h != NULL; h = CMSG_NXTHDR(packet, h)) {
        if (h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS)
            continue;
        size_t count = (h->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < count; i++) {
            int fd = -1;
            memcpy(&fd, CMSG_DATA(h) + i * sizeof(int), sizeof fd);
            if (backend->stock_count < G_N_ELEMENTS(backend->stock))
                backend->stock[backend->stock_count++] = fd;
            else
                close(fd);
        }
        backend->stocked_us = g_get_monotonic_time();
    }
}

static void serve_waiting(Backend *backend)
{
    backend_reference(backend);
    while (backend->stock_count > 0 && !g_queue_is_empty(&backend->waiting))
        client_give_socket(g_queue_pop_head(&backend->waiting),
                           backend->stock[--backend->stock_count]);
    if (!g_queue_is_empty(&backend->waiting) && !ask_for_sockets(backend))
        fail_waiting(backend);
    backend_release(backend);
}

/* Only descriptors matter in the dispenser's answers: a line without any is a refusal. */
static void dispenser_ready(Watch *watch, uint32_t events)
{
    Backend *backend = (Backend *) watch;
    char text[4096];
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(CONTROL_FD_LIMIT * sizeof(int))];
    } control;
    struct iovec part = {text, sizeof text};
    struct msghdr packet = {.msg_iov = &part,
                            .msg_iovlen = 1,
                            .msg_control = control.bytes,
                            .msg_controllen = sizeof control.bytes};
    ssize_t n = recvmsg(watch->fd, &packet, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    size_t before = backend->stock_count;
    if (n > 0)
        keep_sockets(backend, &packet);
    if (n <= 0) {
        close_dispenser(backend);
        fail_waiting(backend);
        return;
    }
    if (memchr(text, '\n', (size_t) n) != NULL)
        backend->asked = false;
    if (backend->stock_count == before && !backend->asked)
        fail_waiting(backend);
    else
        serve_waiting(backend);
}

int backend_take_socket(Backend *backend, Client *client)
{
    if (is_address(backend)) {
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0)
            client_upstream_failed(client, "no descriptor is left");
        return fd;
    }
    bool asked = backend->stock_count > STOCK_LOW || ask_for_sockets(backend);
    if (backend->stock_count > 0)
        return backend->stock[--backend->stock_count];
    if (asked)
        g_queue_push_tail(&backend->waiting, client);
    else
        client_upstream_failed(client, "its unit does not run");
    return -1;
}

void backend_forget_waiter(Backend *backend, Client *client)
{
    g_queue_remove(&backend->waiting, client);
}

static void backend_distrust_stock(Backend *backend)
{
    if (g_get_monotonic_time() - backend->stocked_us > STOCK_TRUST_US)
        drop_stock(backend);
}

static void upstream_ready(Watch *watch, uint32_t events)
{
    Upstream *upstream = (Upstream *) watch;
    if (upstream->client == NULL) {
        if ((events & ~(uint32_t) EPOLLOUT) != 0 && !is_alive(upstream))
            upstream_close(upstream); /* an idle connection has nothing to say but its end */
        return;
    }
    if ((events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0)
        upstream->readable = true;
    if ((events & EPOLLOUT) != 0)
        upstream->writable = true;
    if (!upstream->connected && (events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) != 0) {
        int cause = 0;
        socklen_t size = sizeof cause;
        getsockopt(watch->fd, SOL_SOCKET, SO_ERROR, &cause, &size);
        if (cause != 0) {
            backend_distrust_stock(upstream->backend);
            client_upstream_failed(upstream->client, g_strerror(cause));
            return;
        }
        upstream->connected = true;
    }
    client_upstream_ready(upstream->client);
}

Upstream *upstream_connect(Backend *backend, int taken_fd, Client *client)
{
    Upstream *upstream = g_new0(Upstream, 1);
    *upstream = (Upstream){
        .watch = {.fd = taken_fd, .ready = upstream_ready},
        .backend = backend_reference(backend),
        .client = client,
    };
    struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = htons((uint16_t) backend->port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    if (is_address(backend))
        inet_pton(AF_INET, backend->unit + 1, &address.sin_addr);
    int on = 1;
    setsockopt(taken_fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    int result = connect(taken_fd, (struct sockaddr *) &address, sizeof address);
    if (result < 0 && errno != EINPROGRESS) {
        backend_distrust_stock(backend);
        upstream_close(upstream);
        return NULL;
    }
    upstream->connected = upstream->writable = result == 0;
    if (proxy_watch(backend->proxy, &upstream->watch, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET))
        return upstream;
    upstream_close(upstream);
    return NULL;
}

void upstream_close(Upstream *upstream)
{
    Backend *backend = upstream->backend;
    bool idle = upstream->client == NULL;
    if (idle)
        unlink_idle(upstream);
    proxy_bury(backend->proxy, &upstream->watch);
    backend_release(backend);
}

void upstream_rest(Upstream *upstream)
{
    Backend *backend = upstream->backend;
    if (!backend->current || backend->idle_count >= PROXY_POOL_LIMIT || upstream->ended) {
        upstream_close(upstream);
        return;
    }
    upstream->client = NULL;
    upstream->idle_since_us = g_get_monotonic_time();
    upstream->older = backend->idle;
    upstream->newer = NULL;
    if (backend->idle != NULL)
        backend->idle->newer = upstream;
    backend->idle = upstream;
    backend->idle_count++;
}
