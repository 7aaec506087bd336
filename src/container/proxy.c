#include "container/proxy.h"

#include "base/crash.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/file.h"
#include "container/control.h"
#include "container/detached.h"
#include "container/port.h"
#include "container/route.h"
#include "container/unit_spec.h"
#include "format/json.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define CALL_MS 10000
#define READY_MS 10000
#define END_MS 5000

static char *proxy_folder(UnitManager *manager, const char *name)
{
    return g_build_filename(unit_manager_home(manager), "proxies", name, NULL);
}

static json_t *call_proxy(UnitManager *manager, const char *name, json_t *taken, int timeout_ms,
                          GError **error)
{
    g_autofree char *folder = proxy_folder(manager, name);
    g_autoptr(GError) problem = NULL;
    json_t *answer = control_call(folder, "sock", taken, timeout_ms, NULL, &problem);
    if (answer != NULL)
        return answer;
    if (g_error_matches(problem, SLIPWAY_ERROR, SLIPWAY_ERROR_NOT_FOUND))
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_UNAVAILABLE, "proxy '%s' does not run",
                    name);
    else
        g_propagate_prefixed_error(error, g_steal_pointer(&problem), "proxy '%s': ", name);
    return NULL;
}

static json_t *read_json(const char *folder, const char *name)
{
    g_autofree char *path = g_build_filename(folder, name, NULL);
    size_t length = 0;
    g_autofree char *text = file_read(AT_FDCWD, path, 1024 * 1024, &length, NULL);
    return text != NULL ? json_parse(path, text, length, NULL) : NULL;
}

static pid_t find_process(const char *folder)
{
    g_autoptr(json_t) identity = read_json(folder, "state.json");
    return detached_find(identity);
}

static bool write_listen(const char *folder, const char *name, const char *address, GError **error)
{
    g_autoptr(json_t) json = json_pack("{s:s, s:s}", "name", name, "address", address);
    g_autofree char *text = json_compact(json);
    g_autofree char *path = g_build_filename(folder, "listen.json", NULL);
    return file_write_atomic(AT_FDCWD, path, text, -1, 0600, error);
}

/* An address that could not be had is not what should run: nobody tries it again. */
static void restore_listen(const char *folder, const char *name, const json_t *before)
{
    const char *address = json_get_string(before, "address");
    g_autofree char *path = g_build_filename(folder, "listen.json", NULL);
    if (address == NULL)
        unlink(path);
    else
        write_listen(folder, name, address, NULL);
}

static bool await_ready(int ready, const char *folder, GError **error)
{
    struct pollfd waiting = {.fd = ready, .events = POLLIN};
    int count;
    while ((count = poll(&waiting, 1, READY_MS)) < 0 && errno == EINTR)
        continue;
    char byte;
    if (count == 1 && read(ready, &byte, 1) == 1)
        return true;
    g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_UNAVAILABLE,
                "it ended before it listened; see '%s/log'", folder);
    return false;
}

/* Binds here, so that a taken port is our error and not a line in its log. */
static bool start_process(UnitManager *manager, const char *folder, const char *address,
                          GError **error)
{
    autofd int listener = port_bind(address, error);
    if (listener < 0)
        return false;
    int ready_pipe[2];
    if (pipe2(ready_pipe, O_CLOEXEC) < 0)
        return error_set_errno(error, errno, "pipe for", folder);
    autofd int ready_out = ready_pipe[0];
    autofd int ready_in = ready_pipe[1];
    g_autofree char *log_path = g_build_filename(folder, "log", NULL);
    autofd int log = open(log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    const char *const argv[] = {"slipway", "proxy", folder, NULL};
    DetachedSpec start = {.program = unit_manager_program(manager),
                          .argv = argv,
                          .stdin_fd = -1,
                          .stderr_fd = log,
                          .extra_fd = {listener, ready_in}};
    if (!detached_start(&start, error))
        return false;
    close(steal_fd(&ready_in));
    return await_ready(ready_out, folder, error);
}

static bool await_end(const char *folder, GError **error)
{
    int64_t deadline = g_get_monotonic_time() + END_MS * 1000;
    while (find_process(folder) != 0) {
        if (g_get_monotonic_time() > deadline) {
            g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_UNAVAILABLE, "it does not end");
            return false;
        }
        g_usleep(5000);
    }
    return true;
}

static bool stop_process(const char *folder, GError **error)
{
    if (find_process(folder) == 0)
        return true;
    json_decref(
        control_call(folder, "sock", json_pack("{s:s}", "op", "stop"), CALL_MS, NULL, NULL));
    return await_end(folder, error);
}

/* One that was just killed is a process for a moment longer. */
static bool is_answering(const char *folder)
{
    g_autoptr(json_t) answer =
        control_call(folder, "sock", json_pack("{s:s}", "op", "ping"), CALL_MS, NULL, NULL);
    return answer != NULL;
}

static bool ensure_locked(UnitManager *manager, const char *folder, const char *name,
                          const char *address, GError **error)
{
    g_autoptr(json_t) present = read_json(folder, "listen.json");
    bool alive = find_process(folder) != 0;
    bool same = g_strcmp0(json_get_string(present, "address"), address) == 0;
    if (alive && same && is_answering(folder))
        return true;
    if (alive && !stop_process(folder, error))
        return false;
    if (!write_listen(folder, name, address, error))
        return false;
    crash_boundary("proxy.start.intended");
    bool started = start_process(manager, folder, address, error);
    if (!started)
        restore_listen(folder, name, present);
    crash_boundary("proxy.start.done");
    return started;
}

static int lock_proxy(const char *folder, GError **error)
{
    g_autofree char *path = g_build_filename(folder, "lock", NULL);
    autofd int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    while (fd >= 0 && flock(fd, LOCK_EX) < 0)
        if (errno != EINTR)
            close(steal_fd(&fd));
    if (fd < 0)
        error_set_errno(error, errno, "lock", path);
    return steal_fd(&fd);
}

bool proxy_ensure(UnitManager *manager, const char *name, const char *address, GError **error)
{
    if (!unit_id_check(name, error))
        return false;
    g_autofree char *folder = proxy_folder(manager, name);
    if (!file_make_folders(folder, 0700, error))
        return false;
    autofd int lock = lock_proxy(folder, error);
    if (lock >= 0 && ensure_locked(manager, folder, name, address, error))
        return true;
    g_prefix_error(error, "proxy '%s': ", name);
    return false;
}

bool proxy_set_route(UnitManager *manager, const char *name, int64_t number,
                     const ProxyBackend *backends, size_t count, int slow_ms, GError **error)
{
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(list,
                              json_pack("{s:s, s:s, s:i, s:i}", "generation",
                                        backends[i].generation, "unit", backends[i].unit, "port",
                                        backends[i].port, "weight", backends[i].weight));
    json_t *request = json_pack("{s:s, s:I, s:i, s:o}", "op", "route", "number",
                                (json_int_t) number, "slow_ms", slow_ms, "backends", list);
    g_autoptr(json_t) answer = call_proxy(manager, name, request, CALL_MS, error);
    return answer != NULL;
}

json_t *proxy_get_route(UnitManager *manager, const char *name, int64_t *route, GError **error)
{
    g_autofree char *folder = proxy_folder(manager, name);
    g_autofree char *path = g_build_filename(folder, "route.json", NULL);
    g_autoptr(GError) problem = NULL;
    size_t length = 0;
    g_autofree char *text = file_read(AT_FDCWD, path, 1024 * 1024, &length, &problem);
    *route = 0;
    if (text == NULL) {
        if (g_error_matches(problem, SLIPWAY_ERROR, SLIPWAY_ERROR_NOT_FOUND))
            return json_array();
        g_propagate_error(error, g_steal_pointer(&problem));
        return NULL;
    }
    g_autoptr(json_t) json = json_parse(path, text, length, error);
    json_t *backends = json_object_get(json, "backends");
    if (json == NULL)
        return NULL;
    *route = json_get_integer(json, "number", 0);
    return backends != NULL ? json_incref(backends) : json_array();
}

bool proxy_figures(UnitManager *manager, const char *name, const char *generation,
                   ProxyFigures *figures, GError **error)
{
    json_t *request = json_pack("{s:s, s:s}", "op", "figures", "generation", generation);
    g_autoptr(json_t) answer = call_proxy(manager, name, request, CALL_MS, error);
    if (answer == NULL)
        return false;
    const json_t *g = json_array_get(json_object_get(answer, "generations"), 0);
    if (g == NULL) {
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_NOT_FOUND,
                    "proxy '%s' knows no generation '%s'", name, generation);
        return false;
    }
    *figures = (ProxyFigures){
        .generation = generation,
        .requests = json_get_integer(g, "requests", 0),
        .errors = json_get_integer(g, "errors", 0),
        .slow = json_get_integer(g, "slow", 0),
        .in_flight = json_get_integer(g, "in_flight", 0),
        .p50_us = json_get_integer(g, "p50_us", 0),
        .p99_us = json_get_integer(g, "p99_us", 0),
    };
    return true;
}

bool proxy_drain(UnitManager *manager, const char *name, const char *generation, int timeout_ms,
                 GError **error)
{
    json_t *request = json_pack("{s:s, s:s, s:i}", "op", "drain", "generation", generation,
                                "timeout_ms", timeout_ms);
    g_autoptr(json_t) answer = call_proxy(manager, name, request, timeout_ms + CALL_MS, error);
    return answer != NULL;
}

bool proxy_pause(UnitManager *manager, const char *name, int timeout_ms, GError **error)
{
    json_t *request = json_pack("{s:s, s:i}", "op", "pause", "timeout_ms", timeout_ms);
    g_autoptr(json_t) answer = call_proxy(manager, name, request, CALL_MS, error);
    return answer != NULL;
}

bool proxy_stop(UnitManager *manager, const char *name, GError **error)
{
    g_autofree char *folder = proxy_folder(manager, name);
    if (!unit_id_check(name, error))
        return false;
    if (!g_file_test(folder, G_FILE_TEST_IS_DIR))
        return true;
    autofd int lock = lock_proxy(folder, error);
    g_autofree char *listen_path = g_build_filename(folder, "listen.json", NULL);
    if (lock < 0)
        return false;
    unlink(listen_path); /* first: what has no address is not started again */
    if (stop_process(folder, error))
        return true;
    g_prefix_error(error, "proxy '%s': ", name);
    return false;
}

bool proxy_revive(UnitManager *manager, const char *name, GError **error)
{
    g_autofree char *folder = proxy_folder(manager, name);
    g_autoptr(json_t) wanted = read_json(folder, "listen.json");
    const char *address = json_get_string(wanted, "address");
    return address == NULL || proxy_ensure(manager, name, address, error);
}

GPtrArray *proxy_list(UnitManager *manager, GError **error)
{
    g_autofree char *folder = g_build_filename(unit_manager_home(manager), "proxies", NULL);
    GPtrArray *proxies = g_ptr_array_new_with_free_func((GDestroyNotify) proxy_state_free);
    g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL); /* none yet: an empty list */
    const char *name;
    while (dir != NULL && (name = g_dir_read_name(dir)) != NULL) {
        g_autofree char *path = g_build_filename(folder, name, NULL);
        g_autoptr(json_t) wanted = read_json(path, "listen.json");
        const char *address = json_get_string(wanted, "address");
        if (address == NULL)
            continue;
        ProxyState *state = g_new(ProxyState, 1);
        *state = (ProxyState){g_strdup(name), g_strdup(address), find_process(path)};
        g_ptr_array_add(proxies, state);
    }
    return proxies;
}

void proxy_state_free(ProxyState *state)
{
    g_free(state->name);
    g_free(state->address);
    g_free(state);
}
