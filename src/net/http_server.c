#include "net/http_server.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/library.h"
#include "net/http1.h"
#include "net/http_url.h"

#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

/* What one connection holds at most: its request head, and the piece of a body that is read at
 * once. Idle connections cost this much, so it is no larger than uploads need to be quick. */
#define CONNECTION_MEMORY (64 * 1024)
#define CONNECTION_LIMIT 4096
/* A refused request's body up to this size is read past, so that the client sees the answer and
 * keeps its connection; a larger one ends the connection. */
#define DRAIN_LIMIT (16 * 1024 * 1024)
/* Files up to this size go out with the head in one piece; sendfile is worth its calls above. */
#define SMALL_FILE (32 * 1024)

/* The functions that are used of the library, resolved at the first start. */
#define LIBRARY_FUNCTIONS(F)                                                                       \
    F(MHD_start_daemon)                                                                            \
    F(MHD_stop_daemon)                                                                             \
    F(MHD_quiesce_daemon)                                                                          \
    F(MHD_get_connection_values)                                                                   \
    F(MHD_lookup_connection_value)                                                                 \
    F(MHD_get_connection_info)                                                                     \
    F(MHD_create_response_from_buffer)                                                             \
    F(MHD_create_response_from_fd_at_offset64)                                                     \
    F(MHD_create_response_from_callback)                                                           \
    F(MHD_add_response_header)                                                                     \
    F(MHD_queue_response)                                                                          \
    F(MHD_destroy_response)

#define DECLARE_MEMBER(name) __typeof__(&name) name;
static struct {
    LIBRARY_FUNCTIONS(DECLARE_MEMBER)
} library;
#undef DECLARE_MEMBER

struct HttpServer {
    struct MHD_Daemon *daemon;
    void (*handle)(HttpRequest *request, void *context);
    void *context;
    char *url;
    int active; /* requests under way; atomic */
};

struct HttpRequest {
    HttpServer *server;
    struct MHD_Connection *connection;
    char *target, *path, *method;
    GPtrArray *query;
    bool malformed; /* target cannot be decoded */
    bool begun, answered, queued;
    bool drain; /* answered, but the body is still read past */
    bool deaf;  /* the reader wants no more data */
    const HttpBodyReader *reader;
    void *state;
    GPtrArray *headers; /* name, value, name, value … of the answer */
    struct MHD_Response *response;
    unsigned status;
};

static bool open_microhttpd(GError **error)
{
#define SYMBOL(name) {#name, (void **) &library.name},
    static const LibrarySymbol symbols[] = {LIBRARY_FUNCTIONS(SYMBOL){NULL, NULL}};
#undef SYMBOL
    static Library microhttpd = {"http server", "libmicrohttpd.so.12", "libmicrohttpd12", symbols,
                                 false};
    return library_open(&microhttpd, error);
}

/* --- requests ---------------------------------------------------------------------------- */

static void *request_new(void *data, const char *target, struct MHD_Connection *connection)
{
    HttpRequest *request = g_new0(HttpRequest, 1);
    request->server = data;
    request->connection = connection;
    request->target = g_strdup(target);
    request->headers = g_ptr_array_new_with_free_func(g_free);

    /* An absolute form names the host again; only its path matters. */
    const char *path = target;
    if (path[0] != '/' && strstr(path, "://") != NULL) {
        path = strchr(strstr(path, "://") + 3, '/');
        path = path != NULL ? path : "/";
    }
    size_t length = strcspn(path, "?");
    request->path = http_url_decode(path, length, false);
    request->query = http_query_parse(path[length] == '?' ? path + length + 1 : NULL);
    request->malformed = request->path == NULL || request->query == NULL || request->path[0] != '/';
    g_atomic_int_inc(&request->server->active);
    return request;
}

static void request_free(HttpRequest *request)
{
    if (request->reader != NULL && request->reader->free != NULL)
        request->reader->free(request->state);
    if (request->response != NULL)
        library.MHD_destroy_response(request->response);
    g_clear_pointer(&request->query, g_ptr_array_unref);
    g_ptr_array_unref(request->headers);
    g_free(request->target);
    g_free(request->path);
    g_free(request->method);
    g_atomic_int_add(&request->server->active, -1);
    g_free(request);
}

static void request_completed(void *data, struct MHD_Connection *connection, void **slot,
                              enum MHD_RequestTerminationCode code)
{
    if (*slot != NULL)
        request_free(*slot);
    *slot = NULL;
}

const char *http_request_method(const HttpRequest *request)
{
    return request->method;
}

const char *http_request_path(const HttpRequest *request)
{
    return request->path;
}

const GPtrArray *http_request_query(const HttpRequest *request)
{
    return request->query;
}

const char *http_request_header(const HttpRequest *request, const char *name)
{
    return library.MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND, name);
}

int64_t http_request_content_length(const HttpRequest *request)
{
    const char *text = http_request_header(request, "Content-Length");
    guint64 length = 0;
    if (text == NULL || !g_ascii_string_to_unsigned(text, 10, 0, G_MAXINT64, &length, NULL))
        return -1;
    return (int64_t) length;
}

char *http_request_peer(const HttpRequest *request)
{
    const union MHD_ConnectionInfo *info =
        library.MHD_get_connection_info(request->connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    char text[INET6_ADDRSTRLEN] = "unknown";
    if (info == NULL || info->client_addr == NULL)
        return g_strdup(text);
    if (info->client_addr->sa_family == AF_INET)
        inet_ntop(AF_INET, &((const struct sockaddr_in *) info->client_addr)->sin_addr, text,
                  sizeof text);
    else if (info->client_addr->sa_family == AF_INET6)
        inet_ntop(AF_INET6, &((const struct sockaddr_in6 *) info->client_addr)->sin6_addr, text,
                  sizeof text);
    return g_strdup(text);
}

void http_request_read_body(HttpRequest *request, const HttpBodyReader *reader, void *state)
{
    g_assert(request->reader == NULL && !request->answered);
    request->reader = reader;
    request->state = state;
}

/* --- answers ----------------------------------------------------------------------------- */

void http_answer_header(HttpRequest *request, const char *name, const char *value)
{
    if (!http1_is_field_value(value, strlen(value)))
        return;
    g_ptr_array_add(request->headers, g_strdup(name));
    g_ptr_array_add(request->headers, g_strdup(value));
}

static void answer(HttpRequest *request, int status, const char *type,
                   struct MHD_Response *response)
{
    g_assert(!request->answered);
    request->answered = true;
    request->status = (unsigned) status;
    request->response = response;
    if (type != NULL)
        library.MHD_add_response_header(response, "Content-Type", type);
    for (guint i = 0; i + 1 < request->headers->len; i += 2)
        library.MHD_add_response_header(response, g_ptr_array_index(request->headers, i),
                                        g_ptr_array_index(request->headers, i + 1));
}

void http_answer(HttpRequest *request, int status, const char *type, const void *body,
                 gssize length)
{
    size_t size = length < 0 ? strlen(body) : (size_t) length;
    answer(request, status, type,
           library.MHD_create_response_from_buffer(size, (void *) (uintptr_t) body,
                                                   MHD_RESPMEM_MUST_COPY));
}

/* Stands in for the content of an answer to HEAD, which is never read. */
static ssize_t read_nothing(void *data, uint64_t position, char *bytes, size_t room)
{
    return MHD_CONTENT_READER_END_WITH_ERROR;
}

/* The LENGTH bytes of FD from OFFSET as an answer of its own; NULL where they cannot be read. */
static struct MHD_Response *read_small_file(int fd, int64_t offset, size_t length)
{
    g_autofree char *bytes = g_malloc(length);
    if (pread(fd, bytes, length, offset) != (ssize_t) length)
        return NULL;
    return library.MHD_create_response_from_buffer(length, bytes, MHD_RESPMEM_MUST_COPY);
}

void http_answer_file(HttpRequest *request, int status, const char *type, int fd, int64_t offset,
                      int64_t length)
{
    autofd int taken = fd;
    struct MHD_Response *response = NULL;
    if (length == 0 || g_str_equal(request->method, "HEAD"))
        response = library.MHD_create_response_from_callback((uint64_t) length, 1024, read_nothing,
                                                             NULL, NULL);
    else if (length <= SMALL_FILE)
        response = read_small_file(taken, offset, (size_t) length);
    if (response == NULL)
        response = library.MHD_create_response_from_fd_at_offset64(
            (uint64_t) length, steal_fd(&taken), (uint64_t) offset);
    answer(request, status, type, response);
}

/* Hands the answer to the library; from here on it is sent by itself. */
static enum MHD_Result queue(HttpRequest *request)
{
    request->queued = true;
    return library.MHD_queue_response(request->connection, request->status, request->response);
}

/* --- the library's calls ----------------------------------------------------------------- */

/* What says how long the body is. A proxy before us may believe another one than the library, so
 * there may be one only. */
typedef struct {
    int lengths, codings;
    bool unknown; /* a coding other than chunked */
} Framing;

static enum MHD_Result count_framing(void *data, enum MHD_ValueKind kind, const char *name,
                                     const char *value)
{
    Framing *framing = data;
    if (g_ascii_strcasecmp(name, "Content-Length") == 0)
        framing->lengths++;
    if (g_ascii_strcasecmp(name, "Transfer-Encoding") == 0) {
        framing->codings++;
        framing->unknown |= value == NULL || g_ascii_strcasecmp(value, "chunked") != 0;
    }
    return MHD_YES;
}

/* The head is there, nothing of the body yet. */
static enum MHD_Result begin(HttpRequest *request, const char *method)
{
    request->begun = true;
    request->method = g_strdup(method);
    Framing framing = {0};
    library.MHD_get_connection_values(request->connection, MHD_HEADER_KIND, count_framing,
                                      &framing);
    bool chunked = framing.codings > 0;
    if (framing.unknown || framing.codings + framing.lengths > 1) {
        http_answer(request, 400, "text/plain", "ambiguous length of the body\n", -1);
        return queue(request);
    }
    if (request->malformed)
        http_answer(request, 400, "text/plain", "malformed request target\n", -1);
    else
        request->server->handle(request, request->server->context);

    if (!request->answered)
        return MHD_YES; /* the body comes next */
    int64_t length = http_request_content_length(request);
    bool waits = http_request_header(request, "Expect") != NULL;
    /* An answer that is queued before the body has been read ends the connection; one without a
     * body is asked for again at once. */
    if (length <= DRAIN_LIMIT && !waits && !chunked) {
        request->drain = true;
        return MHD_YES;
    }
    return queue(request);
}

static enum MHD_Result finish(HttpRequest *request)
{
    if (!request->answered && request->reader != NULL)
        request->reader->end(request, request->state);
    if (!request->answered)
        http_answer(request, 500, "text/plain", "no answer\n", -1);
    return queue(request);
}

static enum MHD_Result on_request(void *data, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *bytes,
                                  size_t *length, void **slot)
{
    HttpRequest *request = *slot;
    if (request == NULL || request->queued)
        return request == NULL ? MHD_NO : MHD_YES;
    if (!request->begun)
        return begin(request, method);
    if (*length == 0)
        return finish(request);
    if (!request->drain && !request->deaf && request->reader != NULL)
        request->deaf = !request->reader->data(request, bytes, *length, request->state);
    *length = 0;
    return MHD_YES;
}

/* --- listening --------------------------------------------------------------------------- */

static bool split_address(const char *address, char **host, char **port, GError **error)
{
    const char *colon = strrchr(address, ':');
    guint64 number = 0;
    if (colon == NULL || !g_ascii_string_to_unsigned(colon + 1, 10, 0, 65535, &number, NULL)) {
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID,
                    "address '%s': expected HOST:PORT, such as 127.0.0.1:5000", address);
        return false;
    }
    bool bracketed = address[0] == '[' && colon > address && colon[-1] == ']';
    *host = bracketed ? g_strndup(address + 1, (size_t) (colon - address) - 2)
                      : g_strndup(address, (size_t) (colon - address));
    *port = g_strdup(colon + 1);
    return true;
}

static int listen_on(const char *address, const struct addrinfo *at, GError **error)
{
    autofd int fd = socket(at->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int on = 1;
    if (fd < 0) {
        error_set_errno(error, errno, "socket for", address);
        return -1;
    }
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, at->ai_addr, at->ai_addrlen) < 0 || listen(fd, 511) < 0) {
        const char *mend = errno == EADDRINUSE ? "; another program listens there, choose another "
                                                 "port (0 takes any free one)"
                                               : "";
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_UNAVAILABLE, "listen on '%s': %s%s",
                    address, g_strerror(errno), mend);
        return -1;
    }
    return steal_fd(&fd);
}

static int open_listener(const char *address, GError **error)
{
    g_autofree char *host = NULL, *port = NULL;
    if (!split_address(address, &host, &port, error))
        return -1;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    int code = getaddrinfo(host[0] != '\0' ? host : NULL, port, &hints, &found);
    if (code != 0) {
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID, "address '%s': %s", address,
                    gai_strerror(code));
        return -1;
    }
    int fd = listen_on(address, found, error);
    freeaddrinfo(found);
    return fd;
}

static char *format_url(int fd, bool tls)
{
    struct sockaddr_storage name = {0};
    socklen_t size = sizeof name;
    char host[INET6_ADDRSTRLEN + 8] = "", port[8] = "";
    getsockname(fd, (struct sockaddr *) &name, &size);
    getnameinfo((struct sockaddr *) &name, size, host, sizeof host, port, sizeof port,
                NI_NUMERICHOST | NI_NUMERICSERV);
    bool six = name.ss_family == AF_INET6;
    return g_strdup_printf("http%s://%s%s%s:%s", tls ? "s" : "", six ? "[" : "", host,
                           six ? "]" : "", port);
}

/* What the library has to say (malformed requests, clients that left) is the client's trouble. */
G_GNUC_PRINTF(2, 0)
static void ignore_message(void *data, const char *format, va_list arguments)
{
}

HttpServer *http_server_start(const HttpServerOptions *options, GError **error)
{
    if (!open_microhttpd(error))
        return NULL;
    autofd int fd = open_listener(options->address, error);
    if (fd < 0)
        return NULL;

    HttpServer *server = g_new0(HttpServer, 1);
    server->handle = options->handle;
    server->context = options->context;
    bool tls = options->tls_certificate != NULL;
    server->url = format_url(fd, tls);
    struct MHD_OptionItem tls_items[] = {
        {MHD_OPTION_HTTPS_MEM_CERT, 0, (void *) (uintptr_t) options->tls_certificate},
        {MHD_OPTION_HTTPS_MEM_KEY, 0, (void *) (uintptr_t) options->tls_key},
        {MHD_OPTION_END, 0, NULL},
    };
    unsigned threads = options->threads > 0 ? options->threads : g_get_num_processors() + 2;
    server->daemon = library.MHD_start_daemon(
        MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_ERROR_LOG | (tls ? MHD_USE_TLS : 0), 0, NULL, NULL,
        on_request, NULL, MHD_OPTION_EXTERNAL_LOGGER, ignore_message, NULL,
        MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_THREAD_POOL_SIZE, threads,
        MHD_OPTION_CONNECTION_LIMIT, (unsigned) CONNECTION_LIMIT,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t) CONNECTION_MEMORY,
        MHD_OPTION_CONNECTION_TIMEOUT, options->idle_seconds > 0 ? options->idle_seconds : 60U,
        MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_URI_LOG_CALLBACK, request_new, server,
        MHD_OPTION_NOTIFY_COMPLETED, request_completed, NULL, MHD_OPTION_ARRAY,
        tls ? tls_items : &tls_items[2], MHD_OPTION_END);
    if (server->daemon == NULL) {
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_UNAVAILABLE,
                    "http server: cannot serve '%s'%s", options->address,
                    tls ? "; check the TLS certificate and key" : "");
        g_free(server->url);
        g_free(server);
        return NULL;
    }
    steal_fd(&fd); /* the daemon's now */
    return server;
}

const char *http_server_url(const HttpServer *server)
{
    return server->url;
}

void http_server_stop(HttpServer *server, int grace_ms)
{
    if (server == NULL)
        return;
    int listener = library.MHD_quiesce_daemon(server->daemon);
    if (listener >= 0)
        close(listener);
    for (int waited = 0; waited < grace_ms && g_atomic_int_get(&server->active) > 0; waited += 10)
        g_usleep(10 * 1000);
    library.MHD_stop_daemon(server->daemon);
    g_free(server->url);
    g_free(server);
}
