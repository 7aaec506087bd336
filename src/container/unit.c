#include "container/unit.h"

#include "base/crash.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/file.h"
#include "container/control.h"
#include "container/detached.h"
#include "container/log_reader.h"
#include "container/unit_spec.h"
#include "format/json.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <unistd.h>

#define START_MS 120000   /* for a shim to say that its unit runs */
#define CALL_MS 10000     /* for an answer that needs no waiting */
#define SHIM_EXIT_MS 5000 /* for a shim to end after its unit has */
#define STATE_LIMIT (1024 * 1024)
#define OUTPUT_LIMIT (8 * 1024 * 1024)

struct UnitManager {
    char *home, *folder, *program;
};

UnitManager *unit_manager_open_folder(const char *home, GError **error)
{
    g_autofree char *folder = g_build_filename(home, "units", NULL);
    if (!file_make_folders(folder, 0700, error))
        return NULL;
    UnitManager *manager = g_new0(UnitManager, 1);
    manager->home = g_strdup(home);
    manager->folder = g_steal_pointer(&folder);
    return manager;
}

UnitManager *unit_manager_open(State *state, GError **error)
{
    return unit_manager_open_folder(state->home, error);
}

void unit_manager_set_program(UnitManager *manager, const char *path)
{
    g_free(manager->program);
    manager->program = g_strdup(path);
}

const char *unit_manager_home(const UnitManager *manager)
{
    return manager->home;
}

const char *unit_manager_program(const UnitManager *manager)
{
    return manager->program;
}

void unit_manager_free(UnitManager *manager)
{
    if (manager == NULL)
        return;
    g_free(manager->home);
    g_free(manager->folder);
    g_free(manager->program);
    g_free(manager);
}

void unit_free(Unit *unit)
{
    if (unit == NULL)
        return;
    g_free(unit->id);
    json_decref(unit->labels);
    g_free(unit);
}

static char *unit_folder(const UnitManager *manager, const char *id)
{
    return g_build_filename(manager->folder, id, NULL);
}

static json_t *read_json(const char *folder, const char *name, GError **error)
{
    g_autofree char *path = g_build_filename(folder, name, NULL);
    size_t length = 0;
    g_autofree char *text = file_read(AT_FDCWD, path, STATE_LIMIT, &length, error);
    return text != NULL ? json_parse(path, text, length, error) : NULL;
}

/* Held by whoever starts, stops or removes the unit; -1 on error. */
static int lock_unit(const char *folder, GError **error)
{
    g_autofree char *path = g_build_filename(folder, "lock", NULL);
    autofd int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) {
        error_set_errno(error, errno, "open", path);
        return -1;
    }
    while (flock(fd, LOCK_EX) < 0) {
        if (errno == EINTR)
            continue;
        error_set_errno(error, errno, "lock", path);
        return -1;
    }
    return steal_fd(&fd);
}

static UnitStatus parse_status(const char *name)
{
    if (g_strcmp0(name, "running") == 0)
        return UNIT_RUNNING;
    if (g_strcmp0(name, "starting") == 0)
        return UNIT_STARTING;
    return g_strcmp0(name, "exited") == 0 ? UNIT_EXITED : UNIT_LOST;
}

/* The unit as its folder says; what was alive when it was written may be gone since. */
static Unit *read_unit(const char *folder, const char *id, pid_t *shim)
{
    g_autoptr(json_t) spec = read_json(folder, "spec.json", NULL);
    g_autoptr(json_t) state = read_json(folder, "state.json", NULL);
    json_t *labels = json_object_get(spec, "labels");
    pid_t alive = detached_find(json_object_get(state, "shim"));
    if (shim != NULL)
        *shim = alive;

    Unit *unit = g_new0(Unit, 1);
    *unit = (Unit){
        .id = g_strdup(id),
        .labels = labels != NULL ? json_incref(labels) : json_object(),
        .status = parse_status(json_get_string(state, "status")),
        .pid = (pid_t) json_get_integer(state, "pid", 0),
        .exit_status = (int) json_get_integer(state, "exit_status", 0),
        .out_of_memory = json_get_boolean(state, "out_of_memory", false),
        .started_at = json_get_integer(state, "started_at", 0),
        .ended_at = json_get_integer(state, "ended_at", 0),
        .restarts = (int) json_get_integer(state, "restarts", 0),
    };
    if (unit->status != UNIT_EXITED && alive == 0) {
        unit->status = UNIT_LOST;
        unit->pid = 0;
    }
    return unit;
}

static bool write_spec(const char *folder, const json_t *spec, GError **error)
{
    g_autoptr(json_t) shown = unit_spec_without_secrets(spec);
    g_autofree char *text = json_compact(shown);
    g_autofree char *path = g_build_filename(folder, "spec.json", NULL);
    return file_write_atomic(AT_FDCWD, path, text, -1, 0600, error);
}

/* Starts the shim with the writing end of the pipe it reports by, and gives it SPEC. */
static bool spawn_shim(const UnitManager *manager, const char *folder, const json_t *spec,
                       int taken_report, GError **error)
{
    autofd int report = taken_report;
    int spec_pipe[2];
    if (pipe2(spec_pipe, O_CLOEXEC) < 0)
        return error_set_errno(error, errno, "pipe for", folder);
    autofd int spec_out = spec_pipe[0];
    autofd int spec_in = spec_pipe[1];
    g_autofree char *log_path = g_build_filename(folder, "shim.log", NULL);
    autofd int log = open(log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    const char *const argv[] = {"slipway", "unit-shim", folder, NULL};
    DetachedSpec start = {.program = manager->program,
                          .argv = argv,
                          .stdin_fd = spec_out,
                          .stderr_fd = log,
                          .extra_fd = {report, -1}};
    if (!detached_start(&start, error))
        return false;
    close(steal_fd(&spec_out));
    g_autofree char *text = json_compact(spec);
    bool ok = file_write_all(spec_in, text, strlen(text), error);
    explicit_bzero(text, strlen(text));
    return ok;
}

static bool start_shim(const UnitManager *manager, const char *folder, const json_t *spec,
                       GError **error)
{
    int ready_pipe[2];
    if (pipe2(ready_pipe, O_CLOEXEC) < 0)
        return error_set_errno(error, errno, "pipe for", folder);
    autofd int ready = ready_pipe[0];
    if (!spawn_shim(manager, folder, spec, ready_pipe[1], error))
        return false;

    struct pollfd waiting = {.fd = ready, .events = POLLIN};
    int count;
    while ((count = poll(&waiting, 1, START_MS)) < 0 && errno == EINTR)
        continue;
    if (count == 0) {
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_UNAVAILABLE, "no start within %d s",
                    START_MS / 1000);
        return false;
    }
    size_t length = 0;
    g_autofree char *text = file_read_fd(ready, STATE_LIMIT, &length, error);
    if (text == NULL)
        return false;
    if (length == 0) {
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INTERNAL,
                    "its shim ended without a word; see '%s/shim.log'", folder);
        return false;
    }
    g_autoptr(json_t) answer = json_parse("shim", text, length, error);
    return answer != NULL && control_check(answer, error);
}

/* The shim writes its last state before it answers; its process takes a moment longer. */
static void await_shim_end(const char *folder)
{
    g_autoptr(json_t) state = read_json(folder, "state.json", NULL);
    int64_t deadline = g_get_monotonic_time() + SHIM_EXIT_MS * 1000;
    while (detached_find(json_object_get(state, "shim")) != 0 && g_get_monotonic_time() < deadline)
        g_usleep(2000);
}

/* With the unit's lock held. */
static bool start_locked(const UnitManager *manager, const char *folder, const UnitSpec *spec,
                         GError **error)
{
    pid_t shim = 0;
    g_autoptr(Unit) now = read_unit(folder, spec->id, &shim);
    if (shim != 0 && now->status != UNIT_EXITED)
        return true; /* it runs: adopted */
    if (shim != 0)
        await_shim_end(folder); /* its last act is to remove the socket */
    g_autofree char *state = g_build_filename(folder, "state.json", NULL);
    unlink(state);
    g_autoptr(json_t) json = unit_spec_format(spec);
    if (!write_spec(folder, json, error))
        return false;
    crash_boundary("unit.start.intended");
    if (!start_shim(manager, folder, json, error))
        return false;
    crash_boundary("unit.start.done");
    return true;
}

bool unit_start(UnitManager *manager, const UnitSpec *spec, GError **error)
{
    if (!unit_id_check(spec->id, error))
        return false;
    g_autofree char *folder = unit_folder(manager, spec->id);
    if (!file_make_folders(folder, 0700, error))
        return false;
    autofd int lock = lock_unit(folder, error);
    if (lock < 0)
        return false;
    if (start_locked(manager, folder, spec, error))
        return true;
    g_prefix_error(error, "unit '%s': ", spec->id);
    file_remove_tree(AT_FDCWD, folder, NULL);
    return false;
}

static bool find_folder(const UnitManager *manager, const char *id, char **folder, GError **error)
{
    if (!unit_id_check(id, error))
        return false;
    *folder = unit_folder(manager, id);
    if (g_file_test(*folder, G_FILE_TEST_IS_DIR))
        return true;
    g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_NOT_FOUND, "no unit '%s'", id);
    return false;
}

Unit *unit_get(UnitManager *manager, const char *id, GError **error)
{
    g_autofree char *folder = NULL;
    return find_folder(manager, id, &folder, error) ? read_unit(folder, id, NULL) : NULL;
}

static gint compare_ids(gconstpointer a, gconstpointer b)
{
    return strcmp((*(Unit *const *) a)->id, (*(Unit *const *) b)->id);
}

GPtrArray *unit_list(UnitManager *manager, const char *key, const char *value, GError **error)
{
    g_autoptr(GError) problem = NULL;
    g_autoptr(GDir) dir = g_dir_open(manager->folder, 0, &problem);
    if (dir == NULL) {
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_UNAVAILABLE, "%s", problem->message);
        return NULL;
    }
    GPtrArray *units = g_ptr_array_new_with_free_func((GDestroyNotify) unit_free);
    const char *id;
    while ((id = g_dir_read_name(dir)) != NULL) {
        if (!unit_id_check(id, NULL))
            continue;
        g_autofree char *folder = unit_folder(manager, id);
        Unit *unit = read_unit(folder, id, NULL);
        if (key == NULL || g_strcmp0(json_get_string(unit->labels, key), value) == 0)
            g_ptr_array_add(units, unit);
        else
            unit_free(unit);
    }
    g_ptr_array_sort(units, compare_ids);
    return units;
}

/* The unit has gone with its shim: the record says so from now on. */
static bool record_lost(const char *folder, const char *id, GError **error)
{
    g_autoptr(json_t) state = read_json(folder, "state.json", NULL);
    g_autoptr(json_t) next = state != NULL ? json_incref(state) : json_object();
    json_object_set_new(next, "id", json_string(id));
    json_object_set_new(next, "status", json_string("exited"));
    json_object_set_new(next, "exit_status", json_integer(128 + SIGKILL));
    json_object_set_new(next, "pid", json_integer(0));
    g_autofree char *text = json_compact(next);
    g_autofree char *path = g_build_filename(folder, "state.json", NULL);
    return file_write_atomic(AT_FDCWD, path, text, -1, 0600, error);
}

bool unit_stop(UnitManager *manager, const char *id, GError **error)
{
    g_autofree char *folder = NULL;
    g_autoptr(GError) missing = NULL;
    if (!find_folder(manager, id, &folder, &missing)) {
        if (g_error_matches(missing, SLIPWAY_ERROR, SLIPWAY_ERROR_NOT_FOUND))
            return true;
        g_propagate_error(error, g_steal_pointer(&missing));
        return false;
    }
    autofd int lock = lock_unit(folder, error);
    if (lock < 0)
        return false;
    g_autoptr(Unit) unit = read_unit(folder, id, NULL);
    if (unit->status == UNIT_EXITED)
        return true;
    if (unit->status == UNIT_LOST)
        return record_lost(folder, id, error);
    g_autoptr(GError) problem = NULL;
    g_autoptr(json_t) answer =
        control_call(folder, "sock", json_pack("{s:s}", "op", "stop"), -1, NULL, &problem);
    await_shim_end(folder);
    g_autoptr(Unit) after = read_unit(folder, id, NULL);
    if (answer != NULL || after->status == UNIT_EXITED)
        return true;
    if (after->status == UNIT_LOST)
        return record_lost(folder, id, error);
    g_propagate_prefixed_error(error, g_steal_pointer(&problem), "stop unit '%s': ", id);
    return false;
}

bool unit_remove(UnitManager *manager, const char *id, GError **error)
{
    if (!unit_stop(manager, id, error))
        return false;
    g_autofree char *folder = unit_folder(manager, id);
    await_shim_end(folder);
    return file_remove_tree(AT_FDCWD, folder, error);
}

static json_t *call_unit(UnitManager *manager, const char *id, json_t *taken, int timeout_ms,
                         ControlFds *fds, GError **error)
{
    g_autoptr(json_t) request = taken;
    g_autofree char *folder = NULL;
    if (!find_folder(manager, id, &folder, error))
        return NULL;
    g_autoptr(GError) problem = NULL;
    json_t *answer =
        control_call(folder, "sock", g_steal_pointer(&request), timeout_ms, fds, &problem);
    if (answer != NULL)
        return answer;
    bool gone = g_error_matches(problem, SLIPWAY_ERROR, SLIPWAY_ERROR_NOT_FOUND);
    if (gone)
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_UNAVAILABLE, "unit '%s' does not run", id);
    else
        g_propagate_prefixed_error(error, g_steal_pointer(&problem), "unit '%s': ", id);
    return NULL;
}

int unit_connect(UnitManager *manager, const char *id, int port, int timeout_ms, GError **error)
{
    ControlFds fds = {.fd_count = 0};
    g_autoptr(json_t) answer = call_unit(
        manager, id, json_pack("{s:s, s:i}", "op", "socket", "count", 1), CALL_MS, &fds, error);
    if (answer == NULL)
        return -1;
    autofd int fd = fds.fd_count > 0 ? fds.fds[0] : -1;
    struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = htons((uint16_t) port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    int cause = 0;
    if (connect(fd, (struct sockaddr *) &address, sizeof address) < 0)
        cause = errno;
    if (cause == EINPROGRESS) {
        struct pollfd waiting = {.fd = fd, .events = POLLOUT};
        socklen_t size = sizeof cause;
        cause = poll(&waiting, 1, timeout_ms) == 1 ? 0 : ETIMEDOUT;
        if (cause == 0)
            getsockopt(fd, SOL_SOCKET, SO_ERROR, &cause, &size);
    }
    if (cause == 0)
        return steal_fd(&fd);
    g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_UNAVAILABLE,
                "connect to port %d of unit '%s': %s", port, id, g_strerror(cause));
    return -1;
}

bool unit_exec(UnitManager *manager, const char *id, const char *const *argv, int timeout_ms,
               char **output, int *status, GError **error)
{
    json_t *words = json_array();
    for (size_t i = 0; argv[i] != NULL; i++) {
        g_autofree char *word = g_base64_encode((const guchar *) argv[i], strlen(argv[i]));
        json_array_append_new(words, json_string(word));
    }
    json_t *request =
        json_pack("{s:s, s:o, s:i}", "op", "exec", "argv", words, "timeout_ms", timeout_ms);
    int wait_ms = timeout_ms < 0 ? -1 : timeout_ms + CALL_MS;
    g_autoptr(json_t) answer = call_unit(manager, id, request, wait_ms, NULL, error);
    if (answer == NULL)
        return false;
    gsize length = 0;
    const char *text = json_get_string(answer, "output");
    guchar *bytes = g_base64_decode(text != NULL ? text : "", &length);
    bytes = g_realloc(bytes, length + 1);
    bytes[length] = '\0';
    *status = (int) json_get_integer(answer, "status", -1);
    *output = (char *) bytes;
    return true;
}

/* Waits for the end of unit ID and takes its output. */
static bool await_end(UnitManager *manager, const char *id, int timeout_ms, char **output,
                      int *status, GError **error)
{
    g_autoptr(GError) problem = NULL;
    g_autoptr(json_t) answer =
        call_unit(manager, id, json_pack("{s:s, s:i}", "op", "wait", "timeout_ms", timeout_ms),
                  timeout_ms < 0 ? -1 : timeout_ms + CALL_MS, NULL, &problem);
    g_autofree char *folder = unit_folder(manager, id);
    g_autoptr(Unit) unit = read_unit(folder, id, NULL);
    if (unit->status == UNIT_EXITED) {
        *status = unit->exit_status;
        *output = log_reader_text(folder, OUTPUT_LIMIT, error);
        return *output != NULL;
    }
    if (unit->status == UNIT_LOST)
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_UNAVAILABLE,
                    "unit '%s' was lost before it had ended; find out what it has done", id);
    else
        g_propagate_error(error, g_steal_pointer(&problem));
    return false;
}

bool unit_run_once(UnitManager *manager, const UnitSpec *spec, int timeout_ms, char **output,
                   int *status, GError **error)
{
    UnitSpec once = *spec;
    once.restart_limit = -1;
    g_autoptr(Unit) earlier = unit_get(manager, spec->id, NULL);
    if (earlier == NULL && !unit_start(manager, &once, error))
        return false;
    bool ok = await_end(manager, spec->id, timeout_ms, output, status, error);
    if (!unit_remove(manager, spec->id, ok ? error : NULL) && ok) {
        g_clear_pointer(output, g_free);
        return false;
    }
    return ok;
}

char *unit_log_path(UnitManager *manager, const char *id)
{
    return g_build_filename(manager->folder, id, "log", NULL);
}
