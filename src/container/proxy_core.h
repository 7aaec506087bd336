/* proxy_core.h - what the files of the proxy's process share. One thread, one epoll loop:
 *
 *   Client ── the connection of a client and the request it is at
 *     └─ Upstream ── a connection to a backend; idle ones wait in the backend's pool
 *          └─ Backend ── one unit and port; gets its sockets from the unit's dispenser
 *               └─ Generation ── the figures of one deployment
 *
 * Nothing here is used outside the process that proxy_process.h runs. */
#pragma once

#include "container/buffer.h"
#include "container/control.h"
#include "container/histogram.h"
#include "container/route.h"
#include "net/http1.h"

#include <stdbool.h>
#include <stdint.h>

#define PROXY_CLIENT_LIMIT 8192
#define PROXY_HELD_LIMIT 4096          /* requests that wait for the end of a pause */
#define PROXY_BUFFER_LIMIT (64 * 1024) /* bytes on their way in one direction */
#define PROXY_POOL_LIMIT 64            /* idle connections to one backend */
#define PROXY_ATTEMPT_LIMIT 3 /* at once; an unwritten request then waits for a unit's restart */
#define PROXY_RETRY_MS 50
#define PROXY_RETRY_WINDOW_MS 3000
#define PROXY_RETRY_LIMIT 1024 /* requests that wait so */

#define PROXY_HEAD_MS 30000   /* for the head of a request, from its first byte */
#define PROXY_IDLE_MS 75000   /* between two requests */
#define PROXY_CONNECT_MS 5000 /* to reach a backend */
#define PROXY_ANSWER_MS 60000 /* until an answer begins */
#define PROXY_BODY_MS 300000  /* between two pieces of a body or of an event stream */
#define PROXY_LINGER_MS 2000  /* for a client to read the last answer */
#define PROXY_POOL_MS 30000   /* an idle connection to a backend */

typedef struct Proxy Proxy;
typedef struct Client Client;
typedef struct Upstream Upstream;
typedef struct Backend Backend;

/* A descriptor of the loop; the first member of what it belongs to. -1: closed. */
typedef struct Watch Watch;
struct Watch {
    int fd;
    bool hang_up; /* the other side has ended its direction: a short read is not the last one */
    void (*ready)(Watch *watch, uint32_t events);
};

typedef struct {
    char *name;
    int64_t requests, errors, slow; /* since the present route */
    int64_t all_requests, all_errors;
    int64_t in_flight;
    Histogram times;
} Generation;

struct Backend {
    Watch dispenser; /* the unit's socket that hands out sockets */
    Proxy *proxy;
    char *unit;
    int port;
    Generation *generation; /* owned by the proxy; lives as long as its backends */
    bool current;           /* of the present route, with a weight */
    int references;
    Upstream *idle; /* the latest one first */
    int idle_count;
    int stock[CONTROL_FD_LIMIT]; /* unconnected sockets of the unit's network */
    size_t stock_count;
    int64_t stocked_us;
    bool asked;
    GQueue waiting; /* Client * that wait for a socket */
};

struct Upstream {
    Watch watch;
    Backend *backend;
    Client *client; /* NULL: idle in the pool */
    Upstream *newer, *older;
    bool connected, readable, writable;
    bool ended;  /* nothing more comes */
    bool broken; /* by an error, not by an orderly end */
    bool reused;
    int64_t idle_since_us;
};

typedef enum {
    CLIENT_READING, /* a request's head */
    CLIENT_HELD,    /* by a pause */
    CLIENT_WAITING, /* for a socket of the unit */
    CLIENT_CONNECTING,
    CLIENT_RETRYING, /* soon, for want of another backend: a unit that is restarted comes back */
    CLIENT_EXCHANGE, /* request and answer on their way */
    CLIENT_TUNNEL,   /* upgraded: bytes, no messages */
    CLIENT_FLUSHING, /* the answer is whole, some of it not written yet */
    CLIENT_LINGERING /* shut; what still comes is thrown away */
} ClientState;

struct Client {
    Watch watch;
    Proxy *proxy;
    Client *previous, *next;
    ClientState state;
    bool readable, writable, ended;
    bool queued; /* to be run again after the present events */
    char address[48];
    int64_t deadline_us;
    Buffer in, out;

    /* the request */
    Buffer forward; /* its head and body as the backend gets them */
    size_t forward_sent;
    bool replayable; /* FORWARD still has all from its beginning */
    Http1Body request_body;
    bool request_chunked, request_done, idempotent, head_only, keep_alive, old_version, upgrade;
    int64_t started_us;
    int attempts;
    bool fresh; /* the next attempt must use a new connection */
    int avoid;  /* index of the backend that just failed; -1: none */

    /* the answer */
    Backend *backend; /* a reference, held while a request is assigned */
    Upstream *upstream;
    Buffer answer; /* as it came, not yet passed on */
    Http1Body answer_body;
    bool answer_begun, answer_head_done, answer_chunked, upstream_keep_alive, close_after;
    int status;
};

struct Proxy {
    char *folder, *units_folder;
    char *name, *address;
    int epoll_fd;
    Watch listener, calls_watch;
    bool accepting, stopping;

    Client *clients;
    int client_count, held_count, retry_count;
    GPtrArray *again;     /* Client * with more to do at once */
    GPtrArray *graveyard; /* Watch * whose memory goes when no event can name it any more */

    Route *route;
    Backend **backends;
    RouteShare *shares;
    size_t backend_count;
    GHashTable *generations; /* name → Generation */
    bool paused;
    int pause_ms;

    GMutex mutex; /* guards CALLS and ENDED; everything else belongs to the loop */
    GQueue calls;
    bool ended;         /* no loop runs any more */
    GMutex route_mutex; /* one change of the route at a time */
};

/* proxy_process.c */
/* All events are edges: a flag says what is possible until a call says it no longer is. */
bool proxy_watch(Proxy *proxy, Watch *watch, uint32_t events);
void proxy_bury(Proxy *proxy, Watch *watch); /* closes it; g_free when the events are done */
void proxy_run_again(Proxy *proxy, Client *client);
void proxy_forget_again(Proxy *proxy, Client *client);

/* proxy_backend.c */
Backend *backend_new(Proxy *proxy, const RouteBackend *from, Generation *generation);
Backend *backend_reference(Backend *backend);
void backend_release(Backend *backend);
/* No new requests: its idle connections end now, the others with their answer. */
void backend_retire(Backend *backend);
Upstream *backend_take_idle(Backend *backend);
/* A socket of the unit's network or -1; then CLIENT waits and gets client_give_socket, or
 * client_upstream_failed when there will be none. */
int backend_take_socket(Backend *backend, Client *client);
void backend_forget_waiter(Backend *backend, Client *client);
/* After a refused connection: sockets of a network that is gone are thrown away. */
void backend_expire_idle(Backend *backend, int64_t now_us);
Upstream *upstream_connect(Backend *backend, int taken_fd, Client *client);
void upstream_close(Upstream *upstream);
/* Back into the pool, or closed where its backend gets no new requests. */
void upstream_rest(Upstream *upstream);

/* proxy_client.c */
void client_accept(Proxy *proxy, int taken_fd, const char *address);
void client_run(Client *client);
void client_resume(Client *client); /* the pause is over */
void client_give_socket(Client *client, int taken_fd);
void client_upstream_ready(Client *client);
void client_upstream_failed(Client *client, const char *why);
void client_tick(Client *client, int64_t now_us);
void client_close(Client *client);

/* proxy_head.c */
/* The head of CLIENT's request as the backend gets it, into client->forward. */
void head_write_request(Client *client, const Http1Head *head);
void head_write_answer(Client *client, const Http1Head *head);
/* A whole answer of our own. RETRY_AFTER 0: none. */
void head_write_own(Buffer *out, int status, const char *text, bool close, bool head_only,
                    int retry_after);
