#include "container/proxy_process.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/file.h"
#include "container/detached.h"
#include "container/proxy_core.h"
#include "format/json.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define EVENT_BATCH 256
#define TICK_MS 50
#define STOP_MS 2000 /* for the requests that are on their way when the proxy is told to stop */
#define ROUTE_FILE_LIMIT (1024 * 1024)

bool proxy_watch(Proxy *proxy, Watch *watch, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = watch};
    return epoll_ctl(proxy->epoll_fd, EPOLL_CTL_ADD, watch->fd, &event) == 0;
}

void proxy_bury(Proxy *proxy, Watch *watch)
{
    if (watch->fd >= 0)
        close(watch->fd);
    watch->fd = -1;
    g_ptr_array_add(proxy->graveyard, watch);
}

void proxy_run_again(Proxy *proxy, Client *client)
{
    if (client->queued || client->watch.fd < 0)
        return;
    client->queued = true;
    g_ptr_array_add(proxy->again, client);
}

void proxy_forget_again(Proxy *proxy, Client *client)
{
    guint index;
    if (g_ptr_array_find(proxy->again, client, &index))
        proxy->again->pdata[index] = NULL;
    client->queued = false;
}

static void run_queued(Proxy *proxy)
{
    guint count = proxy->again->len; /* what is added meanwhile has its turn after the events */
    for (guint i = 0; i < count; i++) {
        Client *client = proxy->again->pdata[i];
        if (client == NULL)
            continue;
        proxy->again->pdata[i] = NULL;
        client->queued = false;
        client_run(client);
    }
    if (count > 0)
        g_ptr_array_remove_range(proxy->again, 0, count);
}

static void set_accepting(Proxy *proxy, bool accepting)
{
    if (proxy->accepting == accepting || proxy->listener.fd < 0)
        return;
    proxy->accepting = accepting;
    if (accepting)
        proxy_watch(proxy, &proxy->listener, EPOLLIN);
    else
        epoll_ctl(proxy->epoll_fd, EPOLL_CTL_DEL, proxy->listener.fd, NULL);
}

static void format_address(const struct sockaddr_storage *address, char *text, size_t size)
{
    const void *bytes = address->ss_family == AF_INET6
                            ? (const void *) &((const struct sockaddr_in6 *) address)->sin6_addr
                            : (const void *) &((const struct sockaddr_in *) address)->sin_addr;
    if (inet_ntop(address->ss_family, bytes, text, (socklen_t) size) == NULL)
        g_strlcpy(text, "unknown", size);
}

/* At the limit of clients the kernel's backlog keeps the next ones until one of ours is done. */
static void listener_ready(Watch *watch, uint32_t events)
{
    Proxy *proxy = (Proxy *) ((char *) watch - G_STRUCT_OFFSET(Proxy, listener));
    for (int i = 0; i < 64; i++) {
        if (proxy->client_count >= PROXY_CLIENT_LIMIT) {
            set_accepting(proxy, false);
            return;
        }
        struct sockaddr_storage address;
        socklen_t size = sizeof address;
        int fd =
            accept4(watch->fd, (struct sockaddr *) &address, &size, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd < 0 && (errno == EMFILE || errno == ENFILE))
            set_accepting(proxy, false);
        if (fd < 0)
            return;
        char text[48];
        format_address(&address, text, sizeof text);
        client_accept(proxy, fd, text);
    }
}

/* A function that a control thread has run in the loop's thread. */
typedef struct {
    void (*run)(Proxy *proxy, void *data);
    void *data;
    bool done;
    GCond ended;
} Call;

static void call_in_loop(Proxy *proxy, void (*run)(Proxy *, void *), void *data)
{
    Call call = {.run = run, .data = data};
    g_cond_init(&call.ended);
    g_mutex_lock(&proxy->mutex);
    if (proxy->ended) {
        run(proxy, data);
        g_mutex_unlock(&proxy->mutex);
        return;
    }
    g_queue_push_tail(&proxy->calls, &call);
    uint64_t one = 1;
    if (write(proxy->calls_watch.fd, &one, sizeof one) < 0)
        g_warning("wake the loop: %s", g_strerror(errno));
    while (!call.done)
        g_cond_wait(&call.ended, &proxy->mutex);
    g_mutex_unlock(&proxy->mutex);
    g_cond_clear(&call.ended);
}

static void calls_ready(Watch *watch, uint32_t events)
{
    Proxy *proxy = (Proxy *) ((char *) watch - G_STRUCT_OFFSET(Proxy, calls_watch));
    uint64_t many;
    if (read(watch->fd, &many, sizeof many) < 0 && errno != EAGAIN)
        g_warning("read the loop's wake-up: %s", g_strerror(errno));
    g_mutex_lock(&proxy->mutex);
    Call *call = NULL;
    while ((call = g_queue_pop_head(&proxy->calls)) != NULL) {
        g_mutex_unlock(&proxy->mutex);
        call->run(proxy, call->data);
        g_mutex_lock(&proxy->mutex);
        call->done = true;
        g_cond_signal(&call->ended);
    }
    g_mutex_unlock(&proxy->mutex);
}

/* The loop has ended; what control threads still ask is done in their own thread. */
static void end_calls(Proxy *proxy)
{
    g_mutex_lock(&proxy->mutex);
    proxy->ended = true;
    g_mutex_unlock(&proxy->mutex);
    calls_ready(&proxy->calls_watch, 0);
}

static void generation_free(gpointer data)
{
    Generation *generation = data;
    g_free(generation->name);
    g_free(generation);
}

static Generation *find_generation(Proxy *proxy, const char *name)
{
    Generation *generation = g_hash_table_lookup(proxy->generations, name);
    if (generation == NULL) {
        generation = g_new0(Generation, 1);
        generation->name = g_strdup(name);
        g_hash_table_insert(proxy->generations, generation->name, generation);
    }
    return generation;
}

/* Figures begin anew with each route. A generation that is neither routed nor at work is
 * forgotten one route later, so that its last figures can still be asked for. */
static void begin_figures(Proxy *proxy, const Route *next)
{
    GHashTableIter each;
    gpointer value;
    g_hash_table_iter_init(&each, proxy->generations);
    while (g_hash_table_iter_next(&each, NULL, &value)) {
        Generation *generation = value;
        bool used = generation->in_flight > 0;
        for (size_t i = 0; i < proxy->backend_count; i++)
            used |= proxy->backends[i]->generation == generation;
        for (guint i = 0; i < next->backends->len; i++) {
            const RouteBackend *b = g_ptr_array_index(next->backends, i);
            used |= g_str_equal(b->generation, generation->name);
        }
        generation->requests = generation->errors = generation->slow = 0;
        generation->times = (Histogram){0};
        if (!used)
            g_hash_table_iter_remove(&each);
    }
}

static Backend *take_backend(Proxy *proxy, const RouteBackend *wanted)
{
    Generation *generation = find_generation(proxy, wanted->generation);
    for (size_t i = 0; i < proxy->backend_count; i++) {
        Backend *b = proxy->backends[i];
        if (b->generation == generation && b->port == wanted->port &&
            g_str_equal(b->unit, wanted->unit))
            return backend_reference(b);
    }
    return backend_new(proxy, wanted, generation);
}

static void resume_held(Proxy *proxy)
{
    proxy->paused = false;
    for (Client *c = proxy->clients, *next = NULL; c != NULL; c = next) {
        next = c->next;
        if (c->state == CLIENT_HELD)
            client_resume(c);
    }
}

/* Runs in the loop, between two events: the switch itself. Takes the route. */
static void apply_route(Proxy *proxy, void *data)
{
    Route *next = data;
    size_t count = next->backends->len;
    Backend **backends = g_new0(Backend *, count + 1);
    RouteShare *shares = g_new0(RouteShare, count + 1);
    begin_figures(proxy, next);
    for (size_t i = 0; i < count; i++) {
        const RouteBackend *wanted = g_ptr_array_index(next->backends, (guint) i);
        backends[i] = take_backend(proxy, wanted);
        shares[i].weight = wanted->weight;
    }
    for (size_t i = 0; i < proxy->backend_count; i++)
        proxy->backends[i]->current = false;
    for (size_t i = 0; i < count; i++)
        backends[i]->current = shares[i].weight > 0;
    for (size_t i = 0; i < proxy->backend_count; i++)
        if (!proxy->backends[i]->current)
            backend_retire(proxy->backends[i]);

    Backend **old = proxy->backends;
    size_t old_count = proxy->backend_count;
    g_free(proxy->shares);
    route_free(proxy->route);
    proxy->backends = backends;
    proxy->shares = shares;
    proxy->backend_count = count;
    proxy->route = next;
    for (size_t i = 0; i < old_count; i++)
        backend_release(old[i]);
    g_free(old);
    resume_held(proxy);
}

typedef struct {
    const char *generation; /* NULL: all */
    json_t *answer;
    int64_t in_flight;
    bool found;
    int pause_ms;
} Question;

static json_t *format_figures(const Generation *g)
{
    return json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "generation", g->name,
                     "requests", (json_int_t) g->requests, "errors", (json_int_t) g->errors, "slow",
                     (json_int_t) g->slow, "in_flight", (json_int_t) g->in_flight, "p50_us",
                     (json_int_t) histogram_quantile(&g->times, 0.5), "p99_us",
                     (json_int_t) histogram_quantile(&g->times, 0.99), "all_requests",
                     (json_int_t) g->all_requests, "all_errors", (json_int_t) g->all_errors);
}

static void ask_figures(Proxy *proxy, void *data)
{
    Question *question = data;
    json_t *list = json_array();
    GHashTableIter each;
    gpointer value;
    g_hash_table_iter_init(&each, proxy->generations);
    while (g_hash_table_iter_next(&each, NULL, &value)) {
        const Generation *generation = value;
        if (question->generation == NULL || g_str_equal(question->generation, generation->name))
            json_array_append_new(list, format_figures(generation));
    }
    question->answer = json_pack("{s:o, s:I, s:i, s:b}", "generations", list, "route",
                                 (json_int_t) proxy->route->number, "connections",
                                 proxy->client_count, "paused", proxy->paused);
}

static void ask_route(Proxy *proxy, void *data)
{
    Question *question = data;
    question->answer = route_format(proxy->route);
    json_object_set_new(question->answer, "name", json_string(proxy->name));
    json_object_set_new(question->answer, "address", json_string(proxy->address));
}

static void ask_in_flight(Proxy *proxy, void *data)
{
    Question *question = data;
    const Generation *generation = g_hash_table_lookup(proxy->generations, question->generation);
    question->found = generation != NULL;
    question->in_flight = generation != NULL ? generation->in_flight : 0;
}

/* Upgraded connections have no end of their own: at the end of a drain they are cut. */
static void cut_tunnels(Proxy *proxy, void *data)
{
    const Question *question = data;
    for (Client *c = proxy->clients, *next = NULL; c != NULL; c = next) {
        next = c->next;
        if (c->state == CLIENT_TUNNEL &&
            g_str_equal(c->backend->generation->name, question->generation))
            client_close(c);
    }
}

static void begin_pause(Proxy *proxy, void *data)
{
    const Question *question = data;
    proxy->paused = true;
    proxy->pause_ms = question->pause_ms;
}

static void begin_stop(Proxy *proxy, void *data)
{
    set_accepting(proxy, false);
    proxy->stopping = true;
}

/* Written before it is in force: after a crash no older route can come back. */
static json_t *answer_route(Proxy *proxy, const json_t *request, GError **error)
{
    g_autoptr(Route) next = route_parse(request, error);
    if (next == NULL)
        return NULL;
    g_mutex_lock(&proxy->route_mutex);
    bool same = next->number == proxy->route->number && route_equal(next, proxy->route);
    bool ok = route_may_follow(proxy->route, next, error);
    if (ok && !(same && !proxy->paused)) {
        g_autoptr(json_t) json = route_format(next);
        g_autofree char *text = json_compact(json);
        g_autofree char *path = g_build_filename(proxy->folder, "route.json", NULL);
        ok = file_write_atomic(AT_FDCWD, path, text, -1, 0600, error);
        if (ok)
            call_in_loop(proxy, apply_route, g_steal_pointer(&next));
    }
    g_mutex_unlock(&proxy->route_mutex);
    return ok ? json_object() : NULL;
}

static json_t *answer_drain(Proxy *proxy, const json_t *request, GError **error)
{
    Question question = {.generation = json_get_string(request, "generation")};
    int64_t timeout_ms = json_get_integer(request, "timeout_ms", 30000);
    if (question.generation == NULL) {
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID, "drain: which generation?");
        return NULL;
    }
    int64_t deadline = g_get_monotonic_time() + timeout_ms * 1000;
    bool cut = false;
    for (;;) {
        call_in_loop(proxy, ask_in_flight, &question);
        if (question.in_flight == 0)
            return json_object();
        if (cut) {
            g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_UNAVAILABLE,
                        "generation '%s' still has %" G_GINT64_FORMAT
                        " requests after %" G_GINT64_FORMAT " ms",
                        question.generation, question.in_flight, timeout_ms);
            return NULL;
        }
        if (g_get_monotonic_time() >= deadline) {
            call_in_loop(proxy, cut_tunnels, &question);
            cut = true;
            continue;
        }
        g_usleep(5000);
    }
}

static json_t *answer(void *self, const json_t *request, ControlFds *fds, GError **error)
{
    Proxy *proxy = self;
    const char *op = json_get_string(request, "op");
    Question question = {.generation = json_get_string(request, "generation")};
    if (g_strcmp0(op, "ping") == 0 || g_strcmp0(op, "get_route") == 0) {
        call_in_loop(proxy, ask_route, &question);
        return question.answer;
    }
    if (g_strcmp0(op, "figures") == 0) {
        call_in_loop(proxy, ask_figures, &question);
        return question.answer;
    }
    if (g_strcmp0(op, "route") == 0)
        return answer_route(proxy, request, error);
    if (g_strcmp0(op, "drain") == 0)
        return answer_drain(proxy, request, error);
    if (g_strcmp0(op, "pause") == 0) {
        question.pause_ms = (int) CLAMP(json_get_integer(request, "timeout_ms", 30000), 1, 600000);
        call_in_loop(proxy, begin_pause, &question);
        return json_object();
    }
    if (g_strcmp0(op, "stop") == 0) {
        call_in_loop(proxy, begin_stop, &question);
        return json_object();
    }
    g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID, "a proxy has no operation '%s'",
                op != NULL ? op : "");
    return NULL;
}

static void tick(Proxy *proxy, int64_t now_us)
{
    for (Client *c = proxy->clients, *next = NULL; c != NULL; c = next) {
        next = c->next;
        client_tick(c, now_us);
    }
    for (size_t i = 0; i < proxy->backend_count; i++)
        backend_expire_idle(proxy->backends[i], now_us);
    if (!proxy->stopping && proxy->client_count < PROXY_CLIENT_LIMIT * 9 / 10)
        set_accepting(proxy, true);
}

static bool has_idle_backends(const Proxy *proxy)
{
    for (size_t i = 0; i < proxy->backend_count; i++)
        if (proxy->backends[i]->idle != NULL)
            return true;
    return false;
}

/* Idle client connections are not waited for when the proxy ends. */
static bool is_at_work(const Proxy *proxy)
{
    for (const Client *c = proxy->clients; c != NULL; c = c->next)
        if (c->state != CLIENT_READING || buffer_length(&c->in) > 0)
            return true;
    return false;
}

static void free_buried(Proxy *proxy)
{
    for (guint i = 0; i < proxy->graveyard->len; i++)
        g_free(proxy->graveyard->pdata[i]);
    g_ptr_array_set_size(proxy->graveyard, 0);
}

static void serve(Proxy *proxy)
{
    struct epoll_event events[EVENT_BATCH];
    int64_t next_tick = g_get_monotonic_time() + TICK_MS * 1000;
    int64_t stop_at = INT64_MAX;
    for (;;) {
        bool ticking = proxy->clients != NULL || proxy->stopping || !proxy->accepting ||
                       has_idle_backends(proxy);
        int wait_ms = proxy->again->len > 0 ? 0 : (ticking ? TICK_MS : -1);
        int count = epoll_wait(proxy->epoll_fd, events, EVENT_BATCH, wait_ms);
        for (int i = 0; i < count; i++) {
            Watch *watch = events[i].data.ptr;
            if (watch->fd < 0)
                continue;
            watch->hang_up |= (events[i].events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
            watch->ready(watch, events[i].events);
        }
        run_queued(proxy);
        int64_t now = g_get_monotonic_time();
        if (now >= next_tick) {
            tick(proxy, now);
            next_tick = now + TICK_MS * 1000;
        }
        free_buried(proxy);
        if (proxy->stopping && stop_at == INT64_MAX)
            stop_at = now + STOP_MS * 1000;
        if (proxy->stopping && (now >= stop_at || !is_at_work(proxy)))
            return;
    }
}

static json_t *read_object(const char *folder, const char *name, GError **error)
{
    g_autofree char *path = g_build_filename(folder, name, NULL);
    size_t length = 0;
    g_autofree char *text = file_read(AT_FDCWD, path, ROUTE_FILE_LIMIT, &length, error);
    return text != NULL ? json_parse(path, text, length, error) : NULL;
}

static bool load(Proxy *proxy, GError **error)
{
    g_autoptr(json_t) listen_json = read_object(proxy->folder, "listen.json", error);
    if (listen_json == NULL)
        return false;
    proxy->name = g_strdup(json_get_string(listen_json, "name"));
    proxy->address = g_strdup(json_get_string(listen_json, "address"));

    g_autoptr(GError) missing = NULL;
    g_autoptr(json_t) route_json = read_object(proxy->folder, "route.json", &missing);
    if (route_json == NULL && g_error_matches(missing, SLIPWAY_ERROR, SLIPWAY_ERROR_NOT_FOUND))
        return true;
    if (route_json == NULL) {
        g_propagate_error(error, g_steal_pointer(&missing));
        return false;
    }
    Route *route = route_parse(route_json, error);
    if (route != NULL)
        apply_route(proxy, route);
    return route != NULL;
}

static void raise_descriptor_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

static bool begin(Proxy *proxy, int listener, GError **error)
{
    proxy->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    proxy->calls_watch =
        (Watch){.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), .ready = calls_ready};
    proxy->listener = (Watch){.fd = listener, .ready = listener_ready};
    if (proxy->epoll_fd < 0 || proxy->calls_watch.fd < 0)
        return error_set_errno(error, errno, "open", "event queue");
    if (!load(proxy, error))
        return false;
    fcntl(listener, F_SETFD, FD_CLOEXEC);
    fcntl(listener, F_SETFL, O_RDWR | O_NONBLOCK);
    if (listen(listener, 4096) < 0)
        return error_set_errno(error, errno, "listen on", proxy->address);
    proxy_watch(proxy, &proxy->calls_watch, EPOLLIN);
    set_accepting(proxy, true);

    g_autoptr(json_t) identity = detached_identity(getpid());
    g_autofree char *text = json_compact(identity);
    g_autofree char *path = g_build_filename(proxy->folder, "state.json", NULL);
    return file_write_atomic(AT_FDCWD, path, text, -1, 0600, error);
}

static void proxy_free(Proxy *proxy)
{
    while (proxy->clients != NULL)
        client_close(proxy->clients);
    for (size_t i = 0; i < proxy->backend_count; i++) {
        backend_retire(proxy->backends[i]);
        backend_release(proxy->backends[i]);
    }
    free_buried(proxy);
    g_free(proxy->backends);
    g_free(proxy->shares);
    route_free(proxy->route);
    g_hash_table_unref(proxy->generations);
    g_ptr_array_unref(proxy->again);
    g_ptr_array_unref(proxy->graveyard);
    if (proxy->epoll_fd >= 0)
        close(proxy->epoll_fd);
    if (proxy->calls_watch.fd >= 0)
        close(proxy->calls_watch.fd);
    if (proxy->listener.fd >= 0)
        close(proxy->listener.fd);
    g_free(proxy->folder);
    g_free(proxy->units_folder);
    g_free(proxy->name);
    g_free(proxy->address);
    g_mutex_clear(&proxy->mutex);
    g_mutex_clear(&proxy->route_mutex);
    g_free(proxy);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Proxy, proxy_free)

bool proxy_process_run(const char *folder, int listener, int taken_ready, GError **error)
{
    autofd int ready = taken_ready;
    signal(SIGPIPE, SIG_IGN);
    raise_descriptor_limit();
    mallopt(M_ARENA_MAX, 2);
    g_autofree char *units = g_build_filename(folder, "../../units", NULL);
    g_autofree char *units_path = g_canonicalize_filename(units, NULL);
    autofd int units_fd = open(units_path, O_PATH | O_DIRECTORY | O_CLOEXEC);

    g_autoptr(Proxy) proxy = g_new0(Proxy, 1);
    proxy->folder = g_strdup(folder);
    /* By descriptor: the sockets below it must fit into sun_path. */
    proxy->units_folder =
        units_fd >= 0 ? g_strdup_printf("/proc/self/fd/%d", units_fd) : g_strdup(units_path);
    proxy->listener.fd = listener;
    proxy->epoll_fd = proxy->calls_watch.fd = -1;
    proxy->route = route_empty();
    proxy->generations = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, generation_free);
    proxy->again = g_ptr_array_new();
    proxy->graveyard = g_ptr_array_new();
    g_mutex_init(&proxy->mutex);
    g_mutex_init(&proxy->route_mutex);

    if (!begin(proxy, listener, error))
        return false;
    g_autoptr(ControlServer) control = control_server_new(folder, "sock", answer, proxy, error);
    if (control == NULL || (ready >= 0 && !file_write_all(ready, "\n", 1, error)))
        return false;
    if (ready >= 0)
        close(steal_fd(&ready));
    serve(proxy);
    end_calls(proxy);
    return true;
}
