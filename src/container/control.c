#include "container/control.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/file.h"
#include "format/json.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static const struct {
    SlipwayErrorCode code;
    const char *name;
} codes[] = {
    {SLIPWAY_ERROR_INVALID, "invalid"},   {SLIPWAY_ERROR_NOT_FOUND, "not_found"},
    {SLIPWAY_ERROR_DENIED, "denied"},     {SLIPWAY_ERROR_UNAVAILABLE, "unavailable"},
    {SLIPWAY_ERROR_INTERNAL, "internal"},
};

json_t *control_failure(const GError *error)
{
    const char *name = "internal";
    for (size_t i = 0; i < G_N_ELEMENTS(codes); i++)
        if (error->domain == SLIPWAY_ERROR && codes[i].code == (SlipwayErrorCode) error->code)
            name = codes[i].name;
    g_autofree char *text = g_utf8_make_valid(error->message, -1);
    return json_pack("{s:b, s:s, s:s}", "ok", 0, "error", text, "code", name);
}

bool control_check(const json_t *answer, GError **error)
{
    if (json_get_boolean(answer, "ok", false))
        return true;
    const char *text = json_get_string(answer, "error");
    const char *name = json_get_string(answer, "code");
    SlipwayErrorCode code = SLIPWAY_ERROR_INTERNAL;
    for (size_t i = 0; i < G_N_ELEMENTS(codes); i++)
        if (name != NULL && g_str_equal(codes[i].name, name))
            code = codes[i].code;
    g_set_error_literal(error, SLIPWAY_ERROR, code, text != NULL ? text : "no reason was given");
    return false;
}

/* sun_path holds 107 bytes and a state folder may lie deeper: the folder is opened, and the
 * address names it by that descriptor. */
static int open_address(const char *folder, const char *name, struct sockaddr_un *address,
                        GError **error)
{
    int folder_fd = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (folder_fd < 0) {
        error_set_errno(error, errno, "open folder", folder);
        return -1;
    }
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    g_snprintf(address->sun_path, sizeof address->sun_path, "/proc/self/fd/%d/%s", folder_fd, name);
    return folder_fd;
}

int control_connect(const char *folder, const char *name, GError **error)
{
    struct sockaddr_un address;
    autofd int folder_fd = open_address(folder, name, &address, error);
    if (folder_fd < 0)
        return -1;
    autofd int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *) &address, sizeof address) < 0) {
        g_autofree char *path = g_build_filename(folder, name, NULL);
        error_set_errno(error, errno, "connect", path);
        return -1;
    }
    return steal_fd(&fd);
}

static bool send_line(int fd, const json_t *message, const ControlFds *fds, GError **error)
{
    g_autofree char *text = json_compact(message);
    g_autofree char *line = g_strconcat(text, "\n", NULL);
    size_t length = strlen(line);
    size_t sent = 0;
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(CONTROL_FD_LIMIT * sizeof(int))];
    } control = {0};

    while (sent < length) {
        struct iovec part = {line + sent, length - sent};
        struct msghdr packet = {.msg_iov = &part, .msg_iovlen = 1};
        if (sent == 0 && fds != NULL && fds->fd_count > 0) {
            packet.msg_control = control.bytes;
            packet.msg_controllen = CMSG_SPACE(fds->fd_count * sizeof(int));
            struct cmsghdr *header = CMSG_FIRSTHDR(&packet);
            header->cmsg_level = SOL_SOCKET;
            header->cmsg_type = SCM_RIGHTS;
            header->cmsg_len = CMSG_LEN(fds->fd_count * sizeof(int));
            memcpy(CMSG_DATA(header), fds->fds, fds->fd_count * sizeof(int));
        }
        ssize_t n = sendmsg(fd, &packet, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return error_set_errno(error, errno, "write", "control socket");
        sent += (size_t) n;
    }
    return true;
}

static void keep_fds(struct msghdr *packet, ControlFds *fds)
{
    for (struct cmsghdr *h = CMSG_FIRSTHDR(packet); h != NULL; h = CMSG_NXTHDR(packet, h)) {
        if (h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS)
            continue;
        size_t count = (h->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < count; i++) {
            int fd = -1;
            memcpy(&fd, CMSG_DATA(h) + i * sizeof(int), sizeof fd);
            if (fds != NULL && fds->fd_count < CONTROL_FD_LIMIT)
                fds->fds[fds->fd_count++] = fd;
            else
                close(fd);
        }
    }
}

/* Reads until a line is whole; what follows it stays in BUFFER for the next one. Returns the
 * line's object; NULL without error at a clean end. */
static json_t *receive_line(int fd, GByteArray *buffer, int timeout_ms, ControlFds *fds,
                            GError **error)
{
    gint64 deadline = g_get_monotonic_time() + (gint64) timeout_ms * 1000;
    size_t scanned = 0;
    for (;;) {
        const guint8 *end = buffer->len > scanned
                                ? memchr(buffer->data + scanned, '\n', buffer->len - scanned)
                                : NULL;
        if (end != NULL) {
            size_t length = (size_t) (end - buffer->data);
            json_t *message =
                json_parse("control message", (const char *) buffer->data, length, error);
            g_byte_array_remove_range(buffer, 0, (guint) length + 1);
            return message;
        }
        scanned = buffer->len;
        if (buffer->len > CONTROL_MESSAGE_LIMIT) {
            g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID, "control message too large");
            return NULL;
        }

        gint64 left_ms = (deadline - g_get_monotonic_time() + 999) / 1000;
        struct pollfd waiting = {.fd = fd, .events = POLLIN};
        int ready = poll(&waiting, 1, timeout_ms < 0 ? -1 : (int) MAX(left_ms, 0));
        if (ready < 0 && errno == EINTR)
            continue;
        if (ready == 0) {
            g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_UNAVAILABLE, "no answer within %d ms",
                        timeout_ms);
            return NULL;
        }

        char bytes[16384];
        union {
            struct cmsghdr header;
            char bytes[CMSG_SPACE(CONTROL_FD_LIMIT * sizeof(int))];
        } control;
        struct iovec part = {bytes, sizeof bytes};
        struct msghdr packet = {.msg_iov = &part,
                                .msg_iovlen = 1,
                                .msg_control = control.bytes,
                                .msg_controllen = sizeof control.bytes};
        ssize_t n = recvmsg(fd, &packet, MSG_CMSG_CLOEXEC);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            error_set_errno(error, errno, "read", "control socket");
            return NULL;
        }
        keep_fds(&packet, fds);
        if (n == 0) {
            if (buffer->len > 0)
                g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_UNAVAILABLE,
                            "control message was cut off");
            return NULL;
        }
        g_byte_array_append(buffer, (const guint8 *) bytes, (guint) n);
    }
}

json_t *control_exchange(int fd, const json_t *request, int timeout_ms, ControlFds *fds,
                         GError **error)
{
    if (fds != NULL)
        fds->fd_count = 0;
    if (!send_line(fd, request, NULL, error))
        return NULL;
    g_autoptr(GByteArray) buffer = g_byte_array_new();
    g_autoptr(GError) problem = NULL;
    g_autoptr(json_t) answer = receive_line(fd, buffer, timeout_ms, fds, &problem);
    if (answer == NULL && problem == NULL)
        g_set_error(&problem, SLIPWAY_ERROR, SLIPWAY_ERROR_UNAVAILABLE,
                    "the other side ended without an answer");
    if (answer == NULL || !control_check(answer, problem != NULL ? NULL : &problem)) {
        for (size_t i = 0; fds != NULL && i < fds->fd_count; i++)
            close(fds->fds[i]);
        if (fds != NULL)
            fds->fd_count = 0;
        g_propagate_error(error, g_steal_pointer(&problem));
        return NULL;
    }
    return g_steal_pointer(&answer);
}

json_t *control_call(const char *folder, const char *name, json_t *taken, int timeout_ms,
                     ControlFds *fds, GError **error)
{
    g_autoptr(json_t) request = taken;
    autofd int fd = control_connect(folder, name, error);
    if (fd < 0)
        return NULL;
    return control_exchange(fd, request, timeout_ms, fds, error);
}

struct ControlServer {
    ControlHandler handler;
    void *self;
    char *folder, *name;
    int listener;
    int wake[2]; /* a pipe whose end tells the accepting thread to stop */
    GThread *acceptor;

    GMutex mutex;
    GCond ended;
    GHashTable *connections; /* descriptors, by number, of connections that have a thread */
    int busy;
    gint64 last_us; /* monotonic time of the last begin or end of a request */
};

typedef struct {
    ControlServer *server;
    int fd;
} Connection;

static void count_busy(ControlServer *server, int by)
{
    g_mutex_lock(&server->mutex);
    server->busy += by;
    server->last_us = g_get_monotonic_time();
    g_mutex_unlock(&server->mutex);
}

/* Answers one request of FD. False when the connection is to end. */
static bool answer_one(ControlServer *server, int fd, GByteArray *buffer)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(json_t) request = receive_line(fd, buffer, -1, NULL, &error);
    if (request == NULL && error == NULL)
        return false;

    count_busy(server, 1);
    ControlFds fds = {.fd_count = 0};
    g_autoptr(json_t) answer = NULL;
    if (request != NULL)
        answer = server->handler(server->self, request, &fds, &error);
    bool usable = request != NULL;
    if (answer == NULL)
        answer = error != NULL ? control_failure(error) : json_pack("{s:b}", "ok", 1);
    else if (json_object_get(answer, "ok") == NULL)
        json_object_set_new(answer, "ok", json_true());
    bool sent = send_line(fd, answer, &fds, NULL);
    for (size_t i = 0; i < fds.fd_count; i++)
        close(fds.fds[i]);
    count_busy(server, -1);
    return usable && sent;
}

static gpointer serve_connection(gpointer data)
{
    g_autofree Connection *connection = data;
    ControlServer *server = connection->server;
    g_autoptr(GByteArray) buffer = g_byte_array_new();
    while (answer_one(server, connection->fd, buffer))
        continue;

    g_mutex_lock(&server->mutex);
    g_hash_table_remove(server->connections, GINT_TO_POINTER(connection->fd));
    close(connection->fd);
    g_cond_broadcast(&server->ended);
    g_mutex_unlock(&server->mutex);
    return NULL;
}

static bool is_ours(int fd)
{
    struct ucred peer;
    socklen_t size = sizeof peer;
    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 &&
           (peer.uid == geteuid() || peer.uid == 0);
}

static void begin_connection(ControlServer *server, int fd)
{
    Connection *connection = g_new(Connection, 1);
    *connection = (Connection){server, fd};
    g_mutex_lock(&server->mutex);
    g_hash_table_add(server->connections, GINT_TO_POINTER(fd));
    g_mutex_unlock(&server->mutex);
    g_thread_unref(g_thread_new("control", serve_connection, connection));
}

static gpointer accept_connections(gpointer data)
{
    ControlServer *server = data;
    for (;;) {
        struct pollfd waiting[] = {{server->listener, POLLIN, 0}, {server->wake[0], POLLIN, 0}};
        if (poll(waiting, 2, -1) < 0 && errno != EINTR)
            return NULL;
        if (waiting[1].revents != 0)
            return NULL;
        if ((waiting[0].revents & POLLIN) == 0)
            continue;
        int fd = accept4(server->listener, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0)
            continue;
        if (is_ours(fd))
            begin_connection(server, fd);
        else
            close(fd);
    }
}

static int listen_on(const char *folder, const char *name, GError **error)
{
    struct sockaddr_un address;
    autofd int folder_fd = open_address(folder, name, &address, error);
    if (folder_fd < 0)
        return -1;
    unlinkat(folder_fd, name, 0);
    autofd int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *) &address, sizeof address) < 0 ||
        fchmodat(folder_fd, name, 0600, 0) < 0 || listen(fd, 128) < 0) {
        g_autofree char *path = g_build_filename(folder, name, NULL);
        error_set_errno(error, errno, "listen on", path);
        return -1;
    }
    return steal_fd(&fd);
}

ControlServer *control_server_new(const char *folder, const char *name, ControlHandler handler,
                                  void *self, GError **error)
{
    int fd = listen_on(folder, name, error);
    if (fd < 0)
        return NULL;
    int wake[2];
    if (pipe2(wake, O_CLOEXEC) < 0) {
        error_set_errno(error, errno, "pipe for", name);
        close(fd);
        return NULL;
    }
    ControlServer *server = g_new0(ControlServer, 1);
    *server = (ControlServer){
        .handler = handler,
        .self = self,
        .folder = g_strdup(folder),
        .name = g_strdup(name),
        .listener = fd,
        .wake = {wake[0], wake[1]},
        .connections = g_hash_table_new(NULL, NULL),
        .last_us = g_get_monotonic_time(),
    };
    g_mutex_init(&server->mutex);
    g_cond_init(&server->ended);
    server->acceptor = g_thread_new("accept", accept_connections, server);
    return server;
}

int control_server_busy(ControlServer *server)
{
    g_mutex_lock(&server->mutex);
    int busy = server->busy;
    g_mutex_unlock(&server->mutex);
    return busy;
}

int control_server_quiet_seconds(ControlServer *server)
{
    g_mutex_lock(&server->mutex);
    gint64 since = g_get_monotonic_time() - server->last_us;
    bool busy = server->busy > 0;
    g_mutex_unlock(&server->mutex);
    return busy ? 0 : (int) (since / G_USEC_PER_SEC);
}

void control_server_free(ControlServer *server)
{
    if (server == NULL)
        return;
    close(server->wake[1]);
    g_thread_join(server->acceptor);
    close(server->listener);
    g_autofree char *path = g_build_filename(server->folder, server->name, NULL);
    unlink(path);

    g_mutex_lock(&server->mutex);
    GHashTableIter each;
    gpointer fd;
    g_hash_table_iter_init(&each, server->connections);
    while (g_hash_table_iter_next(&each, &fd, NULL))
        shutdown(GPOINTER_TO_INT(fd), SHUT_RD); /* an answer that is on its way still gets out */
    while (g_hash_table_size(server->connections) > 0)
        g_cond_wait(&server->ended, &server->mutex);
    g_mutex_unlock(&server->mutex);

    close(server->wake[0]);
    g_hash_table_unref(server->connections);
    g_mutex_clear(&server->mutex);
    g_cond_clear(&server->ended);
    g_free(server->folder);
    g_free(server->name);
    g_free(server);
}
