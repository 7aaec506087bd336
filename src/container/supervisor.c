#include "container/supervisor.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/file.h"
#include "container/control.h"
#include "container/detached.h"
#include "container/proxy.h"
#include "format/json.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SOCKET_NAME "supervisor.sock"
#define LOOK_MS 1000        /* between two looks at the proxies */
#define START_WAIT_MS 15000 /* for a supervisor that was just started to answer */
#define END_WAIT_MS 3000    /* for requests when the supervisor is told to end */
#define REVIVE_PAUSE_US (2 * G_USEC_PER_SEC)

typedef struct {
    UnitManager *units;
    const SupervisorOperation *operations;
    size_t operation_count;
    void (*on_start)(void *);
    void *self;
    gint starting; /* ON_START still runs */
    gint stop;     /* 1: end; 2: and end all units */
    int wake_fd;
    GHashTable *revived; /* proxy name → monotonic time of the last revival */
} Supervisor;

static int signal_wake_fd = -1;

static void on_stop_signal(int number)
{
    int saved = errno;
    uint64_t one = 1;
    ssize_t n = write(signal_wake_fd, &one, sizeof one);
    (void) n;
    errno = saved;
}

static void ask_to_stop(Supervisor *supervisor, bool units)
{
    g_atomic_int_set(&supervisor->stop, units ? 2 : 1);
    uint64_t one = 1;
    if (write(supervisor->wake_fd, &one, sizeof one) < 0)
        g_warning("wake the supervisor: %s", g_strerror(errno));
}

static json_t *answer_ps(Supervisor *supervisor, GError **error)
{
    static const char *const names[] = {"starting", "running", "exited", "lost"};
    g_autoptr(GPtrArray) units = unit_list(supervisor->units, NULL, NULL, error);
    if (units == NULL)
        return NULL;
    json_t *list = json_array();
    for (guint i = 0; i < units->len; i++) {
        const Unit *unit = g_ptr_array_index(units, i);
        json_array_append_new(
            list, json_pack("{s:s, s:O, s:s, s:i, s:i, s:b, s:I, s:I, s:i}", "id", unit->id,
                            "labels", unit->labels, "status", names[unit->status], "pid",
                            (int) unit->pid, "exit_status", unit->exit_status, "out_of_memory",
                            unit->out_of_memory, "started_at", (json_int_t) unit->started_at,
                            "ended_at", (json_int_t) unit->ended_at, "restarts", unit->restarts));
    }
    return json_pack("{s:o}", "units", list);
}

static json_t *answer_logs(Supervisor *supervisor, const json_t *request, GError **error)
{
    const char *id = json_get_string(request, "unit");
    g_autoptr(Unit) unit = unit_get(supervisor->units, id, error);
    if (unit == NULL)
        return NULL;
    g_autofree char *path = unit_log_path(supervisor->units, id);
    return json_pack("{s:s}", "path", path);
}

static json_t *answer_stop(Supervisor *supervisor, const json_t *request, GError **error)
{
    const char *id = json_get_string(request, "unit");
    if (id != NULL)
        return unit_stop(supervisor->units, id, error) ? json_object() : NULL;
    ask_to_stop(supervisor, json_get_boolean(request, "units", false));
    return json_object();
}

static json_t *answer(void *self, const json_t *request, ControlFds *fds, GError **error)
{
    Supervisor *supervisor = self;
    const char *op = json_get_string(request, "op");
    if (g_strcmp0(op, "ping") == 0)
        return json_pack("{s:i}", "pid", (int) getpid());
    if (g_strcmp0(op, "ps") == 0)
        return answer_ps(supervisor, error);
    if (g_strcmp0(op, "logs") == 0)
        return answer_logs(supervisor, request, error);
    if (g_strcmp0(op, "stop") == 0)
        return answer_stop(supervisor, request, error);
    for (size_t i = 0; i < supervisor->operation_count; i++)
        if (g_strcmp0(op, supervisor->operations[i].name) == 0)
            return supervisor->operations[i].run(supervisor->operations[i].self, request, error);
    g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID, "the supervisor has no operation '%s'",
                op != NULL ? op : "");
    return NULL;
}

/* A proxy that dies again and again is started every two seconds, not faster. */
static void revive(Supervisor *supervisor, const ProxyState *proxy)
{
    gint64 *last = g_hash_table_lookup(supervisor->revived, proxy->name);
    gint64 now = g_get_monotonic_time();
    if (last != NULL && now - *last < REVIVE_PAUSE_US)
        return;
    gint64 *time = g_new(gint64, 1);
    *time = now;
    g_hash_table_replace(supervisor->revived, g_strdup(proxy->name), time);
    g_autoptr(GError) problem = NULL;
    if (!proxy_revive(supervisor->units, proxy->name, &problem))
        g_printerr("slipway supervise: %s\n", problem->message);
}

/* Starts proxies that have died and watches the others' processes: their end wakes the loop.
 * Returns how many there are. */
static guint look_after_proxies(Supervisor *supervisor, GArray *waiting)
{
    for (guint i = 1; i < waiting->len; i++)
        close(g_array_index(waiting, struct pollfd, i).fd);
    g_array_set_size(waiting, 1);
    g_autoptr(GPtrArray) proxies = proxy_list(supervisor->units, NULL);
    for (guint i = 0; i < proxies->len; i++) {
        const ProxyState *proxy = g_ptr_array_index(proxies, i);
        if (proxy->pid == 0) {
            revive(supervisor, proxy);
            continue;
        }
        struct pollfd process = {(int) syscall(SYS_pidfd_open, proxy->pid, 0), POLLIN, 0};
        if (process.fd >= 0)
            g_array_append_val(waiting, process);
    }
    return proxies->len;
}

static bool has_living_unit(Supervisor *supervisor)
{
    g_autoptr(GPtrArray) units = unit_list(supervisor->units, NULL, NULL, NULL);
    for (guint i = 0; units != NULL && i < units->len; i++) {
        const Unit *unit = g_ptr_array_index(units, i);
        if (unit->status == UNIT_RUNNING || unit->status == UNIT_STARTING)
            return true;
    }
    return false;
}

static void close_watched(GArray *waiting)
{
    for (guint i = 1; i < waiting->len; i++)
        close(g_array_index(waiting, struct pollfd, i).fd);
    g_array_unref(waiting);
}

static void run(Supervisor *supervisor, ControlServer *control, bool always)
{
    GArray *waiting = g_array_new(FALSE, FALSE, sizeof(struct pollfd));
    struct pollfd wake = {supervisor->wake_fd, POLLIN, 0};
    g_array_append_val(waiting, wake);
    for (;;) {
        guint proxies = look_after_proxies(supervisor, waiting);
        struct pollfd *fds = (struct pollfd *) (void *) waiting->data;
        if (poll(fds, waiting->len, LOOK_MS) < 0 && errno != EINTR)
            break;
        if (fds[0].revents != 0 || g_atomic_int_get(&supervisor->stop) != 0)
            break;
        bool idle = !always && proxies == 0 && g_atomic_int_get(&supervisor->starting) == 0 &&
                    control_server_quiet_seconds(control) >= SUPERVISOR_IDLE_SECONDS;
        if (idle && !has_living_unit(supervisor))
            break;
    }
    close_watched(waiting);
}

static void stop_all(Supervisor *supervisor)
{
    g_autoptr(GPtrArray) proxies = proxy_list(supervisor->units, NULL);
    for (guint i = 0; i < proxies->len; i++) {
        const ProxyState *proxy = g_ptr_array_index(proxies, i);
        g_autoptr(GError) problem = NULL;
        if (!proxy_stop(supervisor->units, proxy->name, &problem))
            g_printerr("slipway supervise: %s\n", problem->message);
    }
    g_autoptr(GPtrArray) units = unit_list(supervisor->units, NULL, NULL, NULL);
    for (guint i = 0; units != NULL && i < units->len; i++) {
        const Unit *unit = g_ptr_array_index(units, i);
        g_autoptr(GError) problem = NULL;
        if (!unit_stop(supervisor->units, unit->id, &problem))
            g_printerr("slipway supervise: %s\n", problem->message);
    }
}

/* The lock lives as long as the descriptor: after kill -9 the next one gets it at once. */
static int take_lock(const char *home, GError **error)
{
    g_autofree char *path = g_build_filename(home, "supervisor.lock", NULL);
    autofd int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) {
        error_set_errno(error, errno, "open", path);
        return -1;
    }
    if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_UNAVAILABLE,
                    "a supervisor already runs for '%s'", home);
        return -1;
    }
    g_autofree char *pid = g_strdup_printf("%d\n", (int) getpid());
    if (ftruncate(fd, 0) < 0 || write(fd, pid, strlen(pid)) < 0) {
        error_set_errno(error, errno, "write", path);
        return -1;
    }
    return steal_fd(&fd);
}

static gpointer run_on_start(gpointer data)
{
    Supervisor *supervisor = data;
    supervisor->on_start(supervisor->self);
    g_atomic_int_set(&supervisor->starting, 0);
    return NULL;
}

/* Gives what is at work a moment to end. */
static bool await_quiet(Supervisor *supervisor, ControlServer *control)
{
    int64_t deadline = g_get_monotonic_time() + END_WAIT_MS * INT64_C(1000);
    while (control_server_busy(control) > 0 || g_atomic_int_get(&supervisor->starting) != 0) {
        if (g_get_monotonic_time() > deadline)
            return false;
        g_usleep(5000);
    }
    return true;
}

static bool serve(Supervisor *supervisor, const char *home, bool always, GError **error)
{
    autofd int lock = take_lock(home, error);
    if (lock < 0)
        return false;
    autofd int wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    supervisor->wake_fd = signal_wake_fd = wake_fd;
    struct sigaction stop = {.sa_handler = on_stop_signal};
    sigaction(SIGTERM, &stop, NULL);
    sigaction(SIGINT, &stop, NULL);
    signal(SIGPIPE, SIG_IGN);

    /* Proxies first: a port without its proxy is the only thing that traffic feels. */
    g_autoptr(GPtrArray) proxies = proxy_list(supervisor->units, NULL);
    for (guint i = 0; i < proxies->len; i++)
        if (((const ProxyState *) g_ptr_array_index(proxies, i))->pid == 0)
            revive(supervisor, g_ptr_array_index(proxies, i));

    ControlServer *control = control_server_new(home, SOCKET_NAME, answer, supervisor, error);
    if (control == NULL)
        return false;
    GThread *starter = NULL;
    if (supervisor->on_start != NULL) {
        supervisor->starting = 1;
        starter = g_thread_new("resume", run_on_start, supervisor);
    }
    run(supervisor, control, always);
    bool quiet = await_quiet(supervisor, control);
    if (g_atomic_int_get(&supervisor->stop) == 2)
        stop_all(supervisor);
    if (!quiet)
        _exit(0); /* what was at work is on disk, and goes on with the next supervisor */
    control_server_free(control);
    if (starter != NULL)
        g_thread_join(starter);
    return true;
}

static bool serve_with(State *state, UnitManager *units, const SupervisorOperation *operations,
                       size_t count, void (*on_start)(void *), void *self, bool always,
                       GError **error)
{
    Supervisor supervisor = {
        .units = units,
        .operations = operations,
        .operation_count = count,
        .on_start = on_start,
        .self = self,
        .revived = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free),
    };
    bool ok = serve(&supervisor, state->home, always, error);
    g_hash_table_unref(supervisor.revived);
    return ok;
}

bool supervisor_serve(State *state, UnitManager *units, const SupervisorOperation *operations,
                      size_t count, void (*on_start)(void *), void *self, GError **error)
{
    return serve_with(state, units, operations, count, on_start, self, false, error);
}

bool supervisor_serve_always(State *state, UnitManager *units,
                             const SupervisorOperation *operations, size_t count,
                             void (*on_start)(void *), void *self, GError **error)
{
    return serve_with(state, units, operations, count, on_start, self, true, error);
}

static bool start_supervisor(const char *home, GError **error)
{
    g_autofree char *log_path = g_build_filename(home, "supervisor.log", NULL);
    autofd int log = open(log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (log < 0)
        return error_set_errno(error, errno, "open", log_path);
    g_auto(GStrv) environment = g_environ_setenv(g_get_environ(), "SLIPWAY_HOME", home, TRUE);
    const char *const argv[] = {"slipway", "supervise", "--background", NULL};
    DetachedSpec start = {.argv = argv,
                          .stdin_fd = -1,
                          .stderr_fd = log,
                          .extra_fd = {-1, -1},
                          .environment = (const char *const *) environment};
    return detached_start(&start, error);
}

/* Nobody there, or its socket is left over from one that was killed. */
static bool is_absent(const GError *error)
{
    return g_error_matches(error, SLIPWAY_ERROR, SLIPWAY_ERROR_NOT_FOUND) ||
           g_error_matches(error, SLIPWAY_ERROR, SLIPWAY_ERROR_UNAVAILABLE);
}

/* A connection to the supervisor, which is started when there is none. Of two that are started at
 * once the lock lets one serve; both callers reach that one. */
static int reach(const char *home, GError **error)
{
    g_autoptr(GError) absent = NULL;
    int fd = control_connect(home, SOCKET_NAME, &absent);
    if (fd >= 0)
        return fd;
    if (!is_absent(absent)) {
        g_propagate_error(error, g_steal_pointer(&absent));
        return -1;
    }
    if (!file_make_folders(home, 0700, error) || !start_supervisor(home, error))
        return -1;
    int64_t deadline = g_get_monotonic_time() + START_WAIT_MS * INT64_C(1000);
    while (g_get_monotonic_time() < deadline) {
        fd = control_connect(home, SOCKET_NAME, NULL);
        if (fd >= 0)
            return fd;
        g_usleep(2000);
    }
    g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_UNAVAILABLE,
                "the supervisor did not start within %d s; see '%s/supervisor.log'",
                START_WAIT_MS / 1000, home);
    return -1;
}

json_t *supervisor_call(const char *home, json_t *taken, GError **error)
{
    g_autoptr(json_t) request = taken;
    autofd int fd = reach(home, error);
    return fd >= 0 ? control_exchange(fd, request, -1, NULL, error) : NULL;
}

/* Waits until the lock is free: then the process is gone, or about to be. */
static void await_end(const char *home)
{
    g_autofree char *path = g_build_filename(home, "supervisor.lock", NULL);
    autofd int fd = open(path, O_RDWR | O_CLOEXEC);
    while (fd >= 0 && flock(fd, LOCK_EX) < 0 && errno == EINTR)
        continue;
}

bool supervisor_stop(const char *home, bool units, GError **error)
{
    g_autoptr(GError) absent = NULL;
    autofd int fd = control_connect(home, SOCKET_NAME, &absent);
    if (fd < 0 && is_absent(absent) && !units)
        return true;
    if (fd < 0 && is_absent(absent)) {
        g_autofree char *folder = g_build_filename(home, "units", NULL);
        if (!g_file_test(folder, G_FILE_TEST_IS_DIR))
            return true;
        fd = reach(home, error); /* its units live on without it: it is needed to end them */
        if (fd < 0)
            return false;
    } else if (fd < 0) {
        g_propagate_error(error, g_steal_pointer(&absent));
        return false;
    }
    g_autoptr(json_t) request = json_pack("{s:s, s:b}", "op", "stop", "units", units);
    g_autoptr(json_t) answered = control_exchange(fd, request, -1, NULL, error);
    if (answered == NULL)
        return false;
    await_end(home);
    return true;
}
