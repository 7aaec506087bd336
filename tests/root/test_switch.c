/* A steady stream of requests through a proxy while all behind it changes: nothing may be lost.
 * Skips with the reason where this machine makes no sandboxes. */
#include "base/error.h"
#include "base/file.h"
#include "container/proxy.h"
#include "format/json.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define SWITCHES 100

static char *home, *layer;
static const char *layers[2];
static UnitManager *manager;
static int port;

static int find_free_port(void)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    g_assert_cmpint(bind(fd, (struct sockaddr *) &address, size), ==, 0);
    g_assert_cmpint(getsockname(fd, (struct sockaddr *) &address, &size), ==, 0);
    close(fd);
    return ntohs(address.sin_port);
}

static void make_layer(const char *service)
{
    g_autofree char *bytes = NULL;
    gsize length = 0;
    g_assert_true(g_file_get_contents(service, &bytes, &length, NULL));
    g_autofree char *program = g_build_filename(layer, "service", NULL);
    g_assert_cmpint(g_mkdir_with_parents(layer, 0755), ==, 0);
    g_assert_true(g_file_set_contents_full(program, bytes, (gssize) length,
                                           G_FILE_SET_CONTENTS_NONE, 0755, NULL));
}

static void start_unit(const char *id)
{
    static const char *const argv[] = {"/service", NULL};
    g_autofree char *generation = g_strdup_printf("GENERATION=%s", id);
    const char *const environment[] = {"PORT=8000", generation, NULL};
    g_autoptr(GError) error = NULL;
    UnitSpec spec = {.id = id,
                     .image = "sha256:0",
                     .layers = layers,
                     .argv = argv,
                     .environment = environment,
                     .uid = 10001,
                     .gid = 10001};
    g_assert_true(unit_start(manager, &spec, &error));
    g_assert_no_error(error);
    for (int i = 0; i < 200; i++) {
        int fd = unit_connect(manager, id, 8000, 1000, NULL);
        if (fd >= 0) {
            close(fd);
            return;
        }
        g_usleep(5000);
    }
    g_test_fail_printf("unit '%s' does not listen", id);
}

/* Backends as ID=WEIGHT words. */
static void set_route(int64_t number, const char *a, int weight_a, const char *b, int weight_b)
{
    g_autoptr(GError) error = NULL;
    const ProxyBackend backends[] = {{a, a, 8000, weight_a}, {b, b, 8000, weight_b}};
    g_assert_true(
        proxy_set_route(manager, "web", number, backends, b != NULL ? 2 : 1, 500, &error));
    g_assert_no_error(error);
}

typedef struct {
    GPid pid;
    int out;
} Load;

static Load start_load(const char *rate)
{
    Load load = {0};
    g_autofree char *url = g_strdup_printf("http://127.0.0.1:%d/", port);
    const char *const argv[] = {
        g_getenv("LOAD_PROGRAM"), "--rate",       rate, "--fresh", "30", "--seconds", "300",
        "--generation-header",    "X-Generation", url,  NULL};
    g_assert_true(g_spawn_async_with_pipes(NULL, (char **) argv, NULL, G_SPAWN_DO_NOT_REAP_CHILD,
                                           NULL, NULL, &load.pid, NULL, &load.out, NULL, NULL));
    return load;
}

static json_t *end_load(Load *load)
{
    kill(load->pid, SIGTERM);
    g_autofree char *text = file_read_fd(load->out, 1 << 20, NULL, NULL);
    close(load->out);
    waitpid(load->pid, NULL, 0);
    json_t *result = json_parse("load", text != NULL ? text : "", text ? strlen(text) : 0, NULL);
    g_test_message("%s", text);
    return result;
}

static pid_t main_pid(const char *id)
{
    g_autoptr(Unit) unit = unit_get(manager, id, NULL);
    return unit != NULL ? unit->pid : 0;
}

/* A unit that is about to be restarted has no process to kill. */
static void kill_unit(const char *id)
{
    pid_t pid = main_pid(id);
    if (pid > 0)
        kill(pid, SIGKILL);
}

static void begin(const char *first)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *address = g_strdup_printf("127.0.0.1:%d", port);
    g_assert_true(proxy_ensure(manager, "web", address, &error));
    g_assert_no_error(error);
    start_unit(first);
}

static int64_t next_route(void)
{
    int64_t route = 0;
    json_decref(proxy_get_route(manager, "web", &route, NULL));
    return route + 1;
}

/* Each old generation ends at once, without a drain: every second one by TERM, the others by KILL.
 */
static void test_switches(void)
{
    g_autofree char *old = g_strdup("g0");
    begin(old);
    set_route(next_route(), old, 10000, NULL, 0);
    Load load = start_load("300");
    g_usleep(200000);
    for (int i = 1; i <= SWITCHES; i++) {
        g_autofree char *new = g_strdup_printf("g%d", i);
        start_unit(new);
        set_route(next_route(), new, 10000, NULL, 0);
        g_autoptr(GError) error = NULL;
        if (i % 2 == 0)
            kill_unit(old);
        g_assert_true(unit_remove(manager, old, &error));
        g_assert_no_error(error);
        g_free(old);
        old = g_steal_pointer(&new);
    }
    g_usleep(200000);
    g_autoptr(json_t) result = end_load(&load);
    g_assert_cmpint(json_get_integer(result, "failed", -1), ==, 0);
    g_assert_cmpint(json_get_integer(result, "sent", 0), >, 1000);
    g_assert_cmpint((int) json_object_size(json_object_get(result, "generations")), >=,
                    SWITCHES * 9 / 10);
    g_assert_true(unit_remove(manager, old, NULL));
}

static void test_share(void)
{
    begin("old");
    start_unit("new");
    set_route(next_route(), "old", 9000, "new", 1000);
    Load load = start_load("500");
    g_usleep(1000000);
    g_autoptr(json_t) result = end_load(&load);
    const json_t *generations = json_object_get(result, "generations");
    int64_t sent = json_get_integer(result, "sent", 0);
    g_assert_cmpint(ABS(json_get_integer(generations, "new", 0) - sent / 10), <=, 1);
    g_autoptr(GError) error = NULL;
    ProxyFigures figures = {0};
    g_assert_true(proxy_figures(manager, "web", "new", &figures, &error));
    g_assert_cmpint(figures.requests, ==, json_get_integer(generations, "new", 0));
    g_assert_cmpint(figures.errors, ==, 0);
    g_assert_cmpint(figures.p50_us, >, 0);
    g_assert_true(unit_remove(manager, "old", NULL));
    g_assert_true(unit_remove(manager, "new", NULL));
}

/* A unit that dies is restarted; what has another place to go loses nothing meanwhile. */
static void test_death_of_one(void)
{
    begin("one");
    start_unit("two");
    set_route(next_route(), "one", 5000, "two", 5000);
    Load load = start_load("300");
    for (int i = 0; i < 3; i++) {
        g_usleep(400000);
        kill_unit("one");
    }
    g_usleep(500000);
    g_autoptr(json_t) result = end_load(&load);
    g_assert_cmpint(json_get_integer(result, "failed", -1), ==, 0);
    g_assert_true(unit_remove(manager, "one", NULL));
    g_assert_true(unit_remove(manager, "two", NULL));
}

/* Where there is no other place to go, a request waits for the restart. */
static void test_death_of_the_only_one(void)
{
    begin("only");
    set_route(next_route(), "only", 10000, NULL, 0);
    Load load = start_load("200");
    g_usleep(300000);
    kill_unit("only");
    g_usleep(1200000);
    g_autoptr(json_t) result = end_load(&load);
    g_assert_cmpint(json_get_integer(result, "failed", -1), ==, 0);
    ProxyFigures figures = {0};
    g_assert_true(proxy_figures(manager, "web", "only", &figures, NULL));
    g_assert_cmpint(figures.errors, >, 0); /* the meter has seen it all the same */
    g_assert_true(unit_remove(manager, "only", NULL));
}

static char *run_slipway(const char *const *words)
{
    g_autoptr(GPtrArray) argv = g_ptr_array_new();
    g_ptr_array_add(argv, (gpointer) g_getenv("SLIPWAY_PROGRAM"));
    for (size_t i = 0; words[i] != NULL; i++)
        g_ptr_array_add(argv, (gpointer) words[i]);
    g_ptr_array_add(argv, NULL);
    char *out = NULL;
    int status = -1;
    g_spawn_sync(NULL, (char **) argv->pdata, NULL, 0, NULL, NULL, &out, NULL, &status, NULL);
    g_assert_cmpint(status, ==, 0);
    return out;
}

static pid_t supervisor_pid(void)
{
    g_autofree char *path = g_build_filename(home, "supervisor.lock", NULL);
    g_autofree char *text = file_read(AT_FDCWD, path, 64, NULL, NULL);
    return text != NULL ? (pid_t) g_ascii_strtoll(text, NULL, 10) : 0;
}

static pid_t proxy_pid(void)
{
    g_autoptr(GPtrArray) proxies = proxy_list(manager, NULL);
    return proxies->len > 0 ? ((const ProxyState *) g_ptr_array_index(proxies, 0))->pid : 0;
}

static void test_supervisor_killed(void)
{
    static const char *const ps[] = {"ps", "--format", "json", NULL};
    begin("kept");
    set_route(next_route(), "kept", 10000, NULL, 0);
    g_free(run_slipway(ps)); /* starts the supervisor */
    pid_t first = supervisor_pid();
    pid_t unit = main_pid("kept");
    pid_t proxy = proxy_pid();
    g_assert_cmpint(first, >, 0);

    Load load = start_load("300");
    g_usleep(300000);
    if (first > 0)
        kill(first, SIGKILL);
    g_usleep(300000);
    g_autofree char *listed = run_slipway(ps);
    g_usleep(300000);
    g_autoptr(json_t) result = end_load(&load);
    g_assert_cmpint(json_get_integer(result, "failed", -1), ==, 0);
    g_assert_nonnull(strstr(listed, "\"unit\":\"kept\""));
    g_assert_cmpint(supervisor_pid(), !=, first);
    g_assert_cmpint(main_pid("kept"), ==, unit);
    g_assert_cmpint(proxy_pid(), ==, proxy);
}

/* The supervisor of the test before starts it again, with the route it had. */
static void test_proxy_killed(void)
{
    int64_t before = next_route();
    pid_t proxy = proxy_pid();
    if (proxy > 0)
        kill(proxy, SIGKILL);
    for (int i = 0; i < 300 && (proxy_pid() == proxy || proxy_pid() == 0); i++)
        g_usleep(10000);
    g_assert_cmpint(proxy_pid(), >, 0);
    g_assert_cmpint(next_route(), ==, before);
    g_usleep(100000);
    Load load = start_load("100");
    g_usleep(200000);
    g_autoptr(json_t) result = end_load(&load);
    g_assert_cmpint(json_get_integer(result, "failed", -1), ==, 0);
}

static void test_stop_all(void)
{
    static const char *const stop[] = {"supervise", "--stop", "--units", NULL};
    pid_t unit = main_pid("kept");
    g_free(run_slipway(stop));
    g_assert_cmpint(proxy_pid(), ==, 0);
    g_autoptr(Unit) after = unit_get(manager, "kept", NULL);
    g_assert_cmpint(after != NULL ? (int) after->status : -1, ==, UNIT_EXITED);
    g_assert_cmpint(unit, >, 0);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_set_nonfatal_assertions();
    g_autofree char *obstacle = sandbox_obstacle();
    if (obstacle != NULL || geteuid() != 0) {
        g_print("1..0 # SKIP %s\n", obstacle != NULL ? obstacle : "needs root");
        return 0;
    }
    home = file_make_temporary_folder(g_get_tmp_dir(), "slipway-switch", NULL);
    g_setenv("SLIPWAY_HOME", home, TRUE);
    layer = g_build_filename(home, "layer", NULL);
    layers[0] = layer;
    make_layer(g_getenv("SERVICE_PROGRAM"));
    manager = unit_manager_open_folder(home, NULL);
    unit_manager_set_program(manager, g_getenv("SLIPWAY_PROGRAM"));
    port = find_free_port();

    g_test_add_func("/switch/hundred", test_switches);
    g_test_add_func("/switch/share", test_share);
    g_test_add_func("/switch/death-of-one", test_death_of_one);
    g_test_add_func("/switch/death-of-the-only-one", test_death_of_the_only_one);
    g_test_add_func("/switch/supervisor-killed", test_supervisor_killed);
    g_test_add_func("/switch/proxy-killed", test_proxy_killed);
    g_test_add_func("/switch/stop-all", test_stop_all);
    int status = g_test_run();
    static const char *const stop[] = {"supervise", "--stop", "--units", NULL};
    g_free(run_slipway(stop));
    file_remove_tree(AT_FDCWD, home, NULL);
    return status;
}
