/* One thread runs the unit; the control threads only ask it, or use the sandbox while they hold it:
 *
 *   start ─→ RUNNING ─ ended ─→ STARTING (waits, longer each time) ─→ RUNNING …
 *                │                  └─ too often, or stopped ─→ EXITED: the shim ends
 *                └─ stop: signal, grace, SIGKILL ─→ EXITED */
#include "container/shim.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/file.h"
#include "container/control.h"
#include "container/detached.h"
#include "container/log_writer.h"
#include "container/secret_mount.h"
#include "container/unit_spec.h"
#include "format/json.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define SPEC_LIMIT (16 * 1024 * 1024)
#define EXEC_OUTPUT_LIMIT (8 * 1024 * 1024)
#define STABLE_US (10 * G_USEC_PER_SEC) /* a run of this length forgives the ends before it */
#define BACKOFF_MS 200
#define BACKOFF_LIMIT_MS 30000
#define TMP_SIZE (UINT64_C(64) << 20)
#define RUN_SIZE (UINT64_C(16) << 20)
#define NEVER INT64_MAX

typedef struct {
    char *folder;
    UnitSpecCopy *copy;
    SecretMount *secrets;
    LogWriter *log;
    bool log_failing;
    int pipes[LOG_STREAMS]; /* reading ends of the unit's stdout and stderr; -1: closed */

    GMutex mutex; /* guards all below */
    GCond changed;
    Sandbox *sandbox; /* NULL: nothing runs */
    int users;        /* control threads that use SANDBOX */
    UnitStatus status;
    bool stopping;
    bool over; /* EXITED, and the file says so */
    int exit_status;
    bool out_of_memory;
    int64_t started_at, ended_at; /* wall clock, ns */
    int restarts;

    int64_t begun_us, restart_us, kill_us; /* monotonic; NEVER: not waited for */
    int quick_ends;                        /* in a row */
} Shim;

static int wake_fd = -1;
static volatile sig_atomic_t told_to_stop;

static void wake(void)
{
    uint64_t one = 1;
    ssize_t n = write(wake_fd, &one, sizeof one); /* fails only when it is full: awake anyway */
    (void) n;
}

static void on_stop_signal(int number)
{
    int saved = errno;
    told_to_stop = 1;
    wake();
    errno = saved;
}

static const char *status_name(UnitStatus status)
{
    static const char *const names[] = {"starting", "running", "exited", "lost"};
    return names[status];
}

/* With the mutex held. */
static json_t *format_state(const Shim *shim)
{
    return json_pack("{s:s, s:o, s:s, s:i, s:i, s:b, s:I, s:I, s:i}", "id", shim->copy->spec.id,
                     "shim", detached_identity(getpid()), "status", status_name(shim->status),
                     "pid", shim->sandbox != NULL ? (int) sandbox_pid(shim->sandbox) : 0,
                     "exit_status", shim->exit_status, "out_of_memory", shim->out_of_memory,
                     "started_at", (json_int_t) shim->started_at, "ended_at",
                     (json_int_t) shim->ended_at, "restarts", shim->restarts);
}

/* A full disk is no reason to end a service: what cannot be written is said in shim.log, and the
 * socket still tells the truth. */
static void write_state(Shim *shim)
{
    g_mutex_lock(&shim->mutex);
    g_autoptr(json_t) state = format_state(shim);
    bool over = shim->status == UNIT_EXITED;
    g_mutex_unlock(&shim->mutex);

    g_autofree char *text = json_compact(state);
    g_autofree char *path = g_build_filename(shim->folder, "state.json", NULL);
    g_autoptr(GError) problem = NULL;
    if (!file_write_atomic(AT_FDCWD, path, text, -1, 0600, &problem))
        g_printerr("state: %s\n", problem->message);

    g_mutex_lock(&shim->mutex);
    shim->over = over;
    g_cond_broadcast(&shim->changed);
    g_mutex_unlock(&shim->mutex);
}

static bool has_mount(const UnitSpec *spec, const char *target)
{
    for (size_t i = 0; i < spec->mount_count; i++)
        if (g_str_equal(spec->mounts[i].target, target))
            return true;
    return false;
}

/* The unit's own mounts after ours: /tmp and /run of memory, then secrets inside /run. */
static GArray *collect_mounts(const Shim *shim)
{
    const UnitSpec *spec = &shim->copy->spec;
    GArray *mounts = g_array_new(FALSE, FALSE, sizeof(SandboxMount));
    SandboxMount tmp = {
        .kind = SANDBOX_MOUNT_TMPFS, .target = "/tmp", .size = TMP_SIZE, .mode = 01777};
    SandboxMount run = {.kind = SANDBOX_MOUNT_TMPFS,
                        .target = "/run",
                        .size = RUN_SIZE,
                        .mode = 0755,
                        .uid = spec->uid,
                        .gid = spec->gid};
    if (!has_mount(spec, "/tmp"))
        g_array_append_val(mounts, tmp);
    if (!has_mount(spec, "/run"))
        g_array_append_val(mounts, run);
    if (shim->secrets != NULL) {
        SandboxMount secrets = {.kind = SANDBOX_MOUNT_BIND,
                                .source = secret_mount_folder(shim->secrets),
                                .target = "/run/secrets",
                                .read_only = true,
                                .no_exec = true};
        g_array_append_val(mounts, secrets);
    }
    g_array_append_vals(mounts, spec->mounts, (guint) spec->mount_count);
    return mounts;
}

static void close_pipes(Shim *shim)
{
    for (int i = 0; i < LOG_STREAMS; i++)
        if (shim->pipes[i] >= 0)
            close(steal_fd(&shim->pipes[i]));
}

static Sandbox *make_sandbox(Shim *shim, int out, int err, GError **error)
{
    const UnitSpec *spec = &shim->copy->spec;
    g_autoptr(GArray) mounts = collect_mounts(shim);
    g_autofree char *hostname = g_strndup(spec->id, 63);
    SandboxSpec sandbox = {
        .root = {.layers = spec->layers, .read_only = !spec->writable_root},
        .mounts = (const SandboxMount *) (void *) mounts->data,
        .mount_count = mounts->len,
        .argv = spec->argv,
        .environment = spec->environment,
        .folder = spec->folder,
        .uid = spec->uid,
        .gid = spec->gid,
        .hostname = hostname,
        .network = spec->network,
        .limits = spec->limits,
        .capabilities = UINT64_C(1) << CAP_NET_BIND_SERVICE,
        .no_new_privileges = true,
        .stdin_fd = -1,
        .stdout_fd = out,
        .stderr_fd = err,
    };
    return sandbox_start(&sandbox, error);
}

static bool start_unit(Shim *shim, GError **error)
{
    int ends[LOG_STREAMS][2] = {{-1, -1}, {-1, -1}};
    for (int i = 0; i < LOG_STREAMS; i++) {
        if (pipe2(ends[i], O_CLOEXEC) < 0)
            return error_set_errno(error, errno, "pipe for", shim->copy->spec.id);
        fcntl(ends[i][0], F_SETFL, O_NONBLOCK);
        shim->pipes[i] = ends[i][0];
    }
    Sandbox *sandbox = make_sandbox(shim, ends[LOG_STDOUT][1], ends[LOG_STDERR][1], error);
    close(ends[LOG_STDOUT][1]);
    close(ends[LOG_STDERR][1]);
    if (sandbox == NULL) {
        close_pipes(shim);
        return false;
    }
    g_mutex_lock(&shim->mutex);
    shim->sandbox = sandbox;
    shim->status = UNIT_RUNNING;
    shim->started_at = clock_now_ns();
    shim->begun_us = g_get_monotonic_time();
    shim->restart_us = NEVER;
    g_mutex_unlock(&shim->mutex);
    write_state(shim);
    return true;
}

/* Says once for each row of failures that lines of the log are lost. */
static void note_log(Shim *shim, bool ok, const GError *problem)
{
    if (!ok && !shim->log_failing)
        g_printerr("log: %s\n", problem->message);
    shim->log_failing = !ok;
}

static void feed_log(Shim *shim, LogStream stream, const char *bytes, size_t length)
{
    g_autoptr(GError) problem = NULL;
    bool ok = log_writer_feed(shim->log, stream, bytes, length, &problem);
    note_log(shim, ok, problem);
}

/* Reads what STREAM has, at most one buffer; closes it at its end. */
static void read_log(Shim *shim, LogStream stream)
{
    char bytes[65536];
    ssize_t n = read(shim->pipes[stream], bytes, sizeof bytes);
    if (n > 0)
        feed_log(shim, stream, bytes, (size_t) n);
    else if (n == 0 || (errno != EAGAIN && errno != EINTR))
        close(steal_fd(&shim->pipes[stream]));
}

/* All that the ended unit left in its pipes. */
static void finish_log(Shim *shim)
{
    for (int i = 0; i < LOG_STREAMS; i++) {
        if (shim->pipes[i] >= 0)
            fcntl(shim->pipes[i], F_SETFL, 0);
        while (shim->pipes[i] >= 0)
            read_log(shim, (LogStream) i);
    }
    g_autoptr(GError) problem = NULL;
    bool ok = log_writer_flush(shim->log, &problem);
    note_log(shim, ok, problem);
}

static void free_sandbox(Shim *shim)
{
    g_mutex_lock(&shim->mutex);
    Sandbox *sandbox = g_steal_pointer(&shim->sandbox);
    while (shim->users > 0)
        g_cond_wait(&shim->changed, &shim->mutex);
    g_mutex_unlock(&shim->mutex);
    sandbox_free(sandbox);
}

/* Decides what follows an end: another start after a while, or none. */
static void plan_restart(Shim *shim)
{
    int64_t now = g_get_monotonic_time();
    int limit = shim->copy->spec.restart_limit;
    g_mutex_lock(&shim->mutex);
    shim->quick_ends = now - shim->begun_us >= STABLE_US ? 1 : shim->quick_ends + 1;
    shim->kill_us = NEVER;
    if (shim->stopping || shim->quick_ends > limit) {
        shim->status = UNIT_EXITED;
    } else {
        int64_t wait_ms = BACKOFF_MS << MIN(shim->quick_ends - 1, 16);
        shim->status = UNIT_STARTING;
        shim->restarts++;
        shim->restart_us = now + MIN(wait_ms, BACKOFF_LIMIT_MS) * 1000;
    }
    g_mutex_unlock(&shim->mutex);
}

static void end_unit(Shim *shim)
{
    int status = 0;
    if (!sandbox_wait(shim->sandbox, 0, &status, NULL))
        return;
    bool out_of_memory = sandbox_was_out_of_memory(shim->sandbox);
    free_sandbox(shim);
    finish_log(shim);
    g_mutex_lock(&shim->mutex);
    shim->exit_status = status;
    shim->out_of_memory = out_of_memory;
    shim->ended_at = clock_now_ns();
    g_mutex_unlock(&shim->mutex);
    plan_restart(shim);
    write_state(shim);
}

/* A start that fails later on counts as a run that ended at once. */
static void restart_unit(Shim *shim)
{
    g_autoptr(GError) problem = NULL;
    if (start_unit(shim, &problem))
        return;
    g_autofree char *line = g_strdup_printf("slipway: restart: %s\n", problem->message);
    feed_log(shim, LOG_STDERR, line, strlen(line));
    shim->begun_us = g_get_monotonic_time();
    plan_restart(shim);
    write_state(shim);
}

static void begin_stop(Shim *shim)
{
    const UnitSpec *spec = &shim->copy->spec;
    g_mutex_lock(&shim->mutex);
    bool begin = shim->stopping && shim->kill_us == NEVER && shim->status != UNIT_EXITED;
    bool waiting = begin && shim->sandbox == NULL;
    if (waiting)
        shim->status = UNIT_EXITED;
    else if (begin)
        shim->kill_us = g_get_monotonic_time() + spec->stop_grace_ms * INT64_C(1000);
    g_mutex_unlock(&shim->mutex);
    if (waiting)
        write_state(shim);
    else if (begin)
        sandbox_signal(shim->sandbox, spec->stop_signal, NULL);
}

static int next_timeout(const Shim *shim)
{
    int64_t next = MIN(shim->kill_us, shim->restart_us);
    if (next == NEVER)
        return -1;
    return (int) CLAMP((next - g_get_monotonic_time() + 999) / 1000, 0, 60000);
}

static void run_step(Shim *shim)
{
    struct pollfd waiting[] = {
        {shim->pipes[LOG_STDOUT], POLLIN, 0},
        {shim->pipes[LOG_STDERR], POLLIN, 0},
        {shim->sandbox != NULL ? sandbox_pidfd(shim->sandbox) : -1, POLLIN, 0},
        {wake_fd, POLLIN, 0},
    };
    if (poll(waiting, G_N_ELEMENTS(waiting), next_timeout(shim)) < 0)
        return; /* a signal: look again */
    uint64_t many;
    if (waiting[3].revents != 0 && read(wake_fd, &many, sizeof many) < 0)
        g_printerr("wake-up: %s\n", g_strerror(errno));
    for (int i = 0; i < LOG_STREAMS; i++)
        if (waiting[i].revents != 0)
            read_log(shim, (LogStream) i);
    if (waiting[2].revents != 0)
        end_unit(shim);

    g_mutex_lock(&shim->mutex);
    shim->stopping |= told_to_stop != 0;
    g_mutex_unlock(&shim->mutex);
    begin_stop(shim);
    int64_t now = g_get_monotonic_time();
    if (shim->sandbox != NULL && now >= shim->kill_us)
        sandbox_signal(shim->sandbox, SIGKILL, NULL);
    if (shim->status == UNIT_STARTING && now >= shim->restart_us)
        restart_unit(shim);
}

/* The sandbox, kept from being freed until release_sandbox; NULL when nothing runs. */
static Sandbox *hold_sandbox(Shim *shim, GError **error)
{
    g_mutex_lock(&shim->mutex);
    Sandbox *sandbox = shim->sandbox;
    shim->users += sandbox != NULL;
    g_mutex_unlock(&shim->mutex);
    if (sandbox == NULL)
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_UNAVAILABLE,
                    "unit '%s' does not run at the moment", shim->copy->spec.id);
    return sandbox;
}

static void release_sandbox(Shim *shim)
{
    g_mutex_lock(&shim->mutex);
    shim->users--;
    g_cond_broadcast(&shim->changed);
    g_mutex_unlock(&shim->mutex);
}

static json_t *answer_socket(Shim *shim, const json_t *request, ControlFds *fds, GError **error)
{
    int64_t count = CLAMP(json_get_integer(request, "count", 1), 1, CONTROL_FD_LIMIT);
    Sandbox *sandbox = hold_sandbox(shim, error);
    if (sandbox == NULL)
        return NULL;
    while (fds->fd_count < (size_t) count) {
        int fd = sandbox_socket(sandbox, fds->fd_count == 0 ? error : NULL);
        if (fd < 0)
            break;
        fds->fds[fds->fd_count++] = fd;
    }
    release_sandbox(shim);
    return fds->fd_count > 0 ? json_object() : NULL;
}

static json_t *answer_exec(Shim *shim, const json_t *request, GError **error)
{
    const json_t *words = json_object_get(request, "argv");
    g_autoptr(GPtrArray) argv = g_ptr_array_new_with_free_func(g_free);
    for (size_t i = 0; i < json_array_size(words); i++) {
        gsize length = 0;
        const char *word = json_string_value(json_array_get(words, i));
        guchar *bytes = word != NULL ? g_base64_decode(word, &length) : NULL;
        bytes = g_realloc(bytes, length + 1);
        bytes[length] = '\0';
        g_ptr_array_add(argv, bytes);
    }
    g_ptr_array_add(argv, NULL);
    if (argv->len < 2) {
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID, "exec: no command");
        return NULL;
    }
    Sandbox *sandbox = hold_sandbox(shim, error);
    if (sandbox == NULL)
        return NULL;
    g_autofree char *output = NULL;
    int status = 0;
    bool ok = sandbox_exec(sandbox, (const char *const *) argv->pdata,
                           (int) json_get_integer(request, "timeout_ms", -1), EXEC_OUTPUT_LIMIT,
                           &output, &status, error);
    release_sandbox(shim);
    if (!ok)
        return NULL;
    g_autofree char *text = g_base64_encode((const guchar *) output, strlen(output));
    return json_pack("{s:i, s:s}", "status", status, "output", text);
}

static json_t *answer_signal(Shim *shim, const json_t *request, GError **error)
{
    Sandbox *sandbox = hold_sandbox(shim, error);
    if (sandbox == NULL)
        return NULL;
    bool ok = sandbox_signal(sandbox, (int) json_get_integer(request, "signal", SIGTERM), error);
    release_sandbox(shim);
    return ok ? json_object() : NULL;
}

/* Waits until the unit has ended for good. */
static json_t *answer_wait(Shim *shim, int64_t timeout_ms, GError **error)
{
    int64_t deadline = timeout_ms < 0 ? NEVER : g_get_monotonic_time() + timeout_ms * 1000;
    json_t *state = NULL;
    g_mutex_lock(&shim->mutex);
    while (!shim->over)
        if (!g_cond_wait_until(&shim->changed, &shim->mutex, deadline))
            break;
    if (shim->over)
        state = format_state(shim);
    g_mutex_unlock(&shim->mutex);
    if (state == NULL)
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_UNAVAILABLE,
                    "unit '%s' has not ended within %" G_GINT64_FORMAT " ms", shim->copy->spec.id,
                    timeout_ms);
    return state;
}

static json_t *answer_stop(Shim *shim, GError **error)
{
    g_mutex_lock(&shim->mutex);
    shim->stopping = true;
    g_mutex_unlock(&shim->mutex);
    wake();
    return answer_wait(shim, -1, error);
}

static json_t *answer_status(Shim *shim)
{
    g_mutex_lock(&shim->mutex);
    json_t *state = format_state(shim);
    g_mutex_unlock(&shim->mutex);
    return state;
}

static json_t *answer(void *self, const json_t *request, ControlFds *fds, GError **error)
{
    Shim *shim = self;
    const char *op = json_get_string(request, "op");
    if (g_strcmp0(op, "socket") == 0)
        return answer_socket(shim, request, fds, error);
    if (g_strcmp0(op, "status") == 0)
        return answer_status(shim);
    if (g_strcmp0(op, "exec") == 0)
        return answer_exec(shim, request, error);
    if (g_strcmp0(op, "signal") == 0)
        return answer_signal(shim, request, error);
    if (g_strcmp0(op, "wait") == 0)
        return answer_wait(shim, json_get_integer(request, "timeout_ms", -1), error);
    if (g_strcmp0(op, "stop") == 0)
        return answer_stop(shim, error);
    g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID, "a unit has no operation '%s'",
                op != NULL ? op : "");
    return NULL;
}

static void shim_free(Shim *shim)
{
    sandbox_free(shim->sandbox);
    close_pipes(shim);
    secret_mount_free(shim->secrets);
    log_writer_free(shim->log);
    unit_spec_copy_free(shim->copy);
    g_mutex_clear(&shim->mutex);
    g_cond_clear(&shim->changed);
    g_free(shim->folder);
    g_free(shim);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Shim, shim_free)

static bool load(Shim *shim, GError **error)
{
    size_t length = 0;
    g_autofree char *text = file_read_fd(STDIN_FILENO, SPEC_LIMIT, &length, error);
    if (text == NULL)
        return false;
    json_t *json = json_parse("unit spec", text, length, error);
    explicit_bzero(text, length);
    shim->copy = json != NULL ? unit_spec_parse(json, error) : NULL;
    if (shim->copy == NULL)
        return false;
    const UnitSpec *spec = &shim->copy->spec;
    shim->log = log_writer_open(shim->folder, spec->log_size, spec->log_files, error);
    if (shim->log == NULL)
        return false;
    if (json_object_size(spec->secrets) == 0)
        return true;
    shim->secrets = secret_mount_new(shim->folder, shim->copy, error);
    return shim->secrets != NULL;
}

static void catch_signals(void)
{
    struct sigaction stop = {.sa_handler = on_stop_signal};
    sigaction(SIGTERM, &stop, NULL);
    sigaction(SIGINT, &stop, NULL);
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    sigaction(SIGHUP, &ignore, NULL);
    sigaction(SIGPIPE, &ignore, NULL);
}

static void report(int ready, const GError *error)
{
    g_autoptr(json_t) line = error != NULL ? control_failure(error) : json_pack("{s:b}", "ok", 1);
    g_autofree char *text = json_compact(line);
    if (ready >= 0)
        file_write_all(ready, text, strlen(text), NULL); /* who started us may be gone */
}

bool shim_run(const char *folder, int taken_ready, GError **error)
{
    autofd int ready = taken_ready;
    fcntl(ready, F_SETFD, FD_CLOEXEC);
    g_autoptr(Shim) shim = g_new0(Shim, 1);
    shim->folder = g_strdup(folder);
    shim->pipes[LOG_STDOUT] = shim->pipes[LOG_STDERR] = -1;
    shim->restart_us = shim->kill_us = NEVER;
    g_mutex_init(&shim->mutex);
    g_cond_init(&shim->changed);
    wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    catch_signals();

    g_autoptr(GError) problem = NULL;
    g_autoptr(ControlServer) control = NULL;
    bool started = load(shim, &problem);
    if (started) {
        control = control_server_new(folder, "sock", answer, shim, &problem);
        started = control != NULL && start_unit(shim, &problem);
    }
    if (!started) /* before the report: who hears it removes the folder */
        g_clear_pointer(&control, control_server_free);
    report(ready, started ? NULL : problem);
    close(steal_fd(&ready));
    if (!started) {
        g_propagate_error(error, g_steal_pointer(&problem));
        return false;
    }
    while (shim->status != UNIT_EXITED)
        run_step(shim);
    return true;
}
