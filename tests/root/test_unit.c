/* Real units from a root of one static program. Skips with the reason where this machine makes no
 * sandboxes. */
#include "base/error.h"
#include "base/file.h"
#include "container/log_reader.h"
#include "container/supervisor.h"
#include "container/unit.h"
#include "format/json.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char *scratch, *layer;
static UnitManager *manager;

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

static const char *const service_argv[] = {"/service", NULL};
static const char *const plain_environment[] = {"PORT=8000", "GENERATION=g1", NULL};
static const char *layers[2];

static UnitSpec make_spec(const char *id)
{
    return (UnitSpec){.id = id,
                      .image = "sha256:0",
                      .layers = layers,
                      .argv = service_argv,
                      .environment = plain_environment,
                      .uid = 10001,
                      .gid = 10001};
}

/* GET PATH of unit ID; the body. */
static char *get(const char *id, const char *path)
{
    g_autoptr(GError) error = NULL;
    int fd = -1;
    for (int i = 0; i < 100 && fd < 0; i++) {
        g_clear_error(&error);
        fd = unit_connect(manager, id, 8000, 1000, &error);
        if (fd < 0)
            g_usleep(20000);
    }
    g_assert_no_error(error);
    if (fd < 0)
        return g_strdup("");
    fcntl(fd, F_SETFL, 0);
    g_autofree char *request = g_strdup_printf("GET %s HTTP/1.1\r\nHost: x\r\n\r\n", path);
    g_assert_true(file_write_all(fd, request, strlen(request), NULL));
    shutdown(fd, SHUT_WR);
    g_autofree char *answer = file_read_fd(fd, 1 << 20, NULL, &error);
    close(fd);
    g_assert_no_error(error);
    const char *body = answer != NULL ? strstr(answer, "\r\n\r\n") : NULL;
    return g_strdup(body != NULL ? body + 4 : "");
}

static UnitStatus await_status(const char *id, UnitStatus wanted, int timeout_ms)
{
    UnitStatus status = UNIT_LOST;
    for (int i = 0; i < timeout_ms / 20; i++) {
        g_autoptr(Unit) unit = unit_get(manager, id, NULL);
        status = unit != NULL ? unit->status : UNIT_LOST;
        if (status == wanted)
            break;
        g_usleep(20000);
    }
    return status;
}

/* A zombie is not: who reaps an orphan, and when, is the machine's affair. */
static bool is_alive(pid_t pid)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/stat", (int) pid);
    g_autofree char *text = file_read(AT_FDCWD, path, 8192, NULL, NULL);
    const char *state = text != NULL ? strrchr(text, ')') : NULL;
    return state != NULL && state[2] != 'Z' && state[2] != 'X';
}

static char *log_text(const char *id)
{
    g_autofree char *path = unit_log_path(manager, id);
    g_autofree char *folder = g_path_get_dirname(path);
    return log_reader_text(folder, 1 << 20, NULL);
}

static void test_life(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(json_t) labels = json_pack("{s:s, s:s}", "environment", "staging", "deployment", "7");
    UnitSpec spec = make_spec("life");
    spec.labels = labels;
    g_assert_true(unit_start(manager, &spec, &error));
    g_assert_no_error(error);

    g_autoptr(Unit) unit = unit_get(manager, "life", &error);
    g_assert_nonnull(unit);
    g_assert_cmpint(unit->status, ==, UNIT_RUNNING);
    g_assert_cmpint(unit->pid, >, 0);
    g_autofree char *hello = get("life", "/");
    g_assert_cmpstr(hello, ==, "hello\n");

    g_assert_true(unit_start(manager, &spec, &error)); /* adopts: the same process */
    g_autoptr(Unit) again = unit_get(manager, "life", &error);
    g_assert_cmpint(again->pid, ==, unit->pid);

    g_autoptr(GPtrArray) found = unit_list(manager, "deployment", "7", &error);
    g_assert_cmpuint(found->len, ==, 1);
    g_autoptr(GPtrArray) other = unit_list(manager, "deployment", "8", &error);
    g_assert_cmpuint(other->len, ==, 0);

    g_assert_true(unit_stop(manager, "life", &error));
    g_assert_no_error(error);
    g_assert_true(unit_stop(manager, "life", &error));
    g_autoptr(Unit) ended = unit_get(manager, "life", &error);
    g_assert_cmpint(ended->status, ==, UNIT_EXITED);
    g_assert_cmpint(ended->exit_status, ==, 0);
    g_assert_cmpint(kill(unit->pid, 0), ==, -1);

    g_autofree char *log = log_text("life");
    g_assert_cmpstr(log, ==, "serving g1 on port 8000\n");
    g_assert_true(unit_remove(manager, "life", &error));
    g_assert_null(unit_get(manager, "life", NULL));
    g_assert_true(unit_remove(manager, "life", &error));
}

static void test_deaf(void)
{
    static const char *const environment[] = {"PORT=8000", "MODE=deaf", NULL};
    g_autoptr(GError) error = NULL;
    UnitSpec spec = make_spec("deaf");
    spec.environment = environment;
    spec.stop_grace_ms = 300;
    g_assert_true(unit_start(manager, &spec, &error));
    g_autofree char *hello = get("deaf", "/");
    g_assert_cmpstr(hello, ==, "hello\n");
    g_assert_true(unit_stop(manager, "deaf", &error));
    g_autoptr(Unit) unit = unit_get(manager, "deaf", &error);
    g_assert_cmpint(unit->exit_status, ==, 137);
    g_assert_true(unit_remove(manager, "deaf", &error));
}

static void test_crash(void)
{
    static const char *const environment[] = {"MODE=crash", NULL};
    g_autoptr(GError) error = NULL;
    UnitSpec spec = make_spec("crash");
    spec.environment = environment;
    spec.restart_limit = 2;
    g_assert_true(unit_start(manager, &spec, &error));
    g_assert_cmpint(await_status("crash", UNIT_EXITED, 5000), ==, UNIT_EXITED);
    g_autoptr(Unit) unit = unit_get(manager, "crash", &error);
    g_assert_cmpint(unit->restarts, ==, 2);
    g_assert_cmpint(unit->exit_status, ==, 3);
    g_autofree char *log = log_text("crash");
    g_assert_cmpstr(log, ==, "crashing as told\ncrashing as told\ncrashing as told\n");
    g_assert_true(unit_remove(manager, "crash", &error));
}

static void test_restart(void)
{
    g_autoptr(GError) error = NULL;
    UnitSpec spec = make_spec("restart");
    g_assert_true(unit_start(manager, &spec, &error));
    g_autofree char *hello = get("restart", "/");
    g_autoptr(Unit) unit = unit_get(manager, "restart", &error);
    kill(unit->pid, SIGKILL);
    g_usleep(50000);
    g_autofree char *again = get("restart", "/");
    g_assert_cmpstr(again, ==, "hello\n");
    g_autoptr(Unit) second = unit_get(manager, "restart", &error);
    g_assert_cmpint(second->restarts, ==, 1);
    g_assert_cmpint(second->pid, !=, unit->pid);
    g_assert_true(unit_remove(manager, "restart", &error));
}

/* A secret is a file of its user's in memory; no trace of it elsewhere. */
static void test_secrets(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(json_t) secrets = json_pack("{s:s}", "PASSWORD", "open sesame 4711");
    UnitSpec spec = make_spec("secret");
    spec.secrets = secrets;
    g_assert_true(unit_start(manager, &spec, &error));
    g_assert_no_error(error);
    g_autofree char *seen = get("secret", "/file/run/secrets/PASSWORD");
    g_assert_cmpstr(seen, ==, "open sesame 4711");
    const char *const grep[] = {"grep", "-rl", "4711", scratch, NULL};
    g_autofree char *found = NULL;
    g_spawn_sync(NULL, (char **) grep, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, &found, NULL, NULL,
                 NULL);
    g_assert_cmpstr(found, ==, "");
    g_assert_true(unit_remove(manager, "secret", &error));
    g_assert_no_error(error);
}

static void test_hardening(void)
{
    g_autoptr(GError) error = NULL;
    UnitSpec spec = make_spec("hard");
    spec.limits = (SandboxLimits){.memory = 64 << 20, .pids = 50, .cpus = 0.5};
    g_assert_true(unit_start(manager, &spec, &error));
    g_autofree char *status = get("hard", "/file/proc/self/status");
    g_assert_nonnull(strstr(status, "NoNewPrivs:\t1"));
    g_assert_nonnull(strstr(status, "Seccomp:\t2"));
    g_assert_nonnull(strstr(status, "CapEff:\t0000000000000000"));
    g_assert_nonnull(strstr(status, "Uid:\t10001"));
    g_autofree char *mounts = get("hard", "/file/proc/mounts");
    g_auto(GStrv) lines = g_strsplit(mounts, "\n", -1);
    bool root_read_only = false;
    for (size_t i = 0; lines[i] != NULL; i++)
        root_read_only |= strstr(lines[i], " / ") != NULL && strstr(lines[i], " ro,") != NULL;
    g_assert_true(root_read_only);
    g_assert_true(unit_remove(manager, "hard", &error));
}

static void test_missing_program(void)
{
    static const char *const argv[] = {"/nothing", NULL};
    g_autoptr(GError) error = NULL;
    UnitSpec spec = make_spec("missing");
    spec.argv = argv;
    g_assert_false(unit_start(manager, &spec, &error));
    g_assert_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID);
    g_assert_cmpstr(error != NULL ? error->message : "", ==,
                    "unit 'missing': exec '/nothing': not found");
    g_assert_null(unit_get(manager, "missing", NULL));
}

/* The unit does not outlive its shim; the folder tells that it was lost, and it can start anew. */
static void test_lost(void)
{
    g_autoptr(GError) error = NULL;
    UnitSpec spec = make_spec("lost");
    g_assert_true(unit_start(manager, &spec, &error));
    g_autoptr(Unit) unit = unit_get(manager, "lost", &error);
    g_autofree char *path = g_build_filename(scratch, "units", "lost", "state.json", NULL);
    g_autoptr(json_t) state = json_load_file(path, 0, NULL);
    json_int_t shim = 0;
    g_assert_cmpint(json_unpack(state, "{s:{s:I}}", "shim", "pid", &shim), ==, 0);
    kill((pid_t) shim, SIGKILL);
    g_assert_cmpint(await_status("lost", UNIT_LOST, 2000), ==, UNIT_LOST);
    for (int i = 0; i < 100 && is_alive(unit->pid); i++)
        g_usleep(10000);
    g_assert_false(is_alive(unit->pid));
    g_assert_true(unit_start(manager, &spec, &error));
    g_autofree char *hello = get("lost", "/");
    g_assert_cmpstr(hello, ==, "hello\n");
    g_assert_true(unit_remove(manager, "lost", &error));
}

static void test_run_once(void)
{
    static const char *const environment[] = {"MODE=crash", NULL};
    g_autoptr(GError) error = NULL;
    UnitSpec spec = make_spec("once");
    spec.environment = environment;
    g_autofree char *output = NULL;
    int status = -1;
    g_assert_true(unit_run_once(manager, &spec, 5000, &output, &status, &error));
    g_assert_cmpint(status, ==, 3);
    g_assert_cmpstr(output, ==, "crashing as told\n");
    g_assert_null(unit_get(manager, "once", NULL));

    spec.environment = plain_environment; /* runs until it is stopped */
    g_autofree char *none = NULL;
    g_assert_false(unit_run_once(manager, &spec, 300, &none, &status, &error));
    g_assert_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_UNAVAILABLE);
    g_assert_null(unit_get(manager, "once", NULL));
}

/* Neither the unit nor its restart needs the disk that its log and state would go to. */
static void test_full_disk(void)
{
    g_autofree char *small = g_build_filename(scratch, "small", NULL);
    g_assert_cmpint(g_mkdir(small, 0700), ==, 0);
    g_assert_cmpint(mount("tmpfs", small, "tmpfs", 0, "size=1m"), ==, 0);
    UnitManager *whole = manager;
    g_autoptr(GError) error = NULL;
    manager = unit_manager_open_folder(small, &error);
    unit_manager_set_program(manager, g_getenv("SLIPWAY_PROGRAM"));
    UnitSpec spec = make_spec("full");
    g_assert_true(unit_start(manager, &spec, &error));
    g_assert_no_error(error);

    g_autofree char *filler = g_build_filename(small, "filler", NULL);
    int fd = open(filler, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    static const char zeros[4096];
    while (write(fd, zeros, sizeof zeros) > 0)
        continue;
    close(fd);
    g_autoptr(Unit) unit = unit_get(manager, "full", &error);
    if (unit != NULL && unit->pid > 0)
        kill(unit->pid, SIGKILL);
    g_usleep(500000);
    g_autofree char *hello = get("full", "/");
    g_assert_cmpstr(hello, ==, "hello\n");

    unlink(filler);
    g_assert_true(unit_remove(manager, "full", &error));
    g_assert_no_error(error);
    unit_manager_free(manager);
    manager = whole;
    g_assert_cmpint(umount(small), ==, 0);
}

static void test_exec(void)
{
    static const char *const argv[] = {"/service", NULL};
    g_autoptr(GError) error = NULL;
    UnitSpec spec = make_spec("exec");
    g_assert_true(unit_start(manager, &spec, &error));
    g_autofree char *hello = get("exec", "/");
    g_autofree char *output = NULL;
    int status = -1;
    g_assert_true(unit_exec(manager, "exec", argv, 5000, &output, &status, &error));
    g_assert_no_error(error);
    g_assert_cmpint(status, ==, 1); /* its port is taken: it runs in the same network */
    g_assert_cmpstr(output, ==, "listen: Address already in use\n");
    g_assert_true(unit_remove(manager, "exec", &error));
}

typedef struct {
    const char *label;
    const char *words[6];
    int status;
    const char *out; /* its beginning */
} CommandRow;

static const CommandRow command_rows[] = {
    {"logs-of-unit", {"logs", "shown"}, 0, "serving g1 on port 8000\n"},
    {"logs-of-environment", {"logs", "--tail", "1", "staging"}, 0, "serving g1 on port 8000\n"},
    {"logs-of-none", {"logs", "nothing"}, 1, ""},
    {"logs-without-operand", {"logs"}, 2, ""},
    {"exec", {"exec", "staging", "--", "/service"}, 1, "listen: Address already in use\n"},
    {"exec-without-command", {"exec", "shown"}, 2, ""},
    {"ps", {"ps", "shown"}, 0, "UNIT "},
    {"ps-json", {"ps", "--format", "json", "shown"}, 0, "[{\"unit\":\"shown\","},
    {"ps-format", {"ps", "--format", "xml"}, 2, ""},
    {"top", {"top", "--once", "shown"}, 0, "UNIT "},
};

static void test_command(const void *data)
{
    const CommandRow *row = data;
    g_autoptr(GPtrArray) argv = g_ptr_array_new();
    g_ptr_array_add(argv, (gpointer) g_getenv("SLIPWAY_PROGRAM"));
    for (size_t i = 0; row->words[i] != NULL; i++)
        g_ptr_array_add(argv, (gpointer) row->words[i]);
    g_ptr_array_add(argv, NULL);
    g_autofree char *out = NULL;
    int status = -1;
    g_spawn_sync(NULL, (char **) argv->pdata, NULL, G_SPAWN_STDERR_TO_DEV_NULL, NULL, NULL, &out,
                 NULL, &status, NULL);
    g_assert_cmpint(WIFEXITED(status) ? WEXITSTATUS(status) : -1, ==, row->status);
    if (!g_str_has_prefix(out, row->out))
        g_test_fail_printf("expected '%s', got '%s'", row->out, out);
}

/* The unit that the rows of commands look at. */
static void start_shown(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(json_t) labels = json_pack("{s:s}", "environment", "staging");
    UnitSpec spec = make_spec("shown");
    spec.labels = labels;
    g_assert_true(unit_start(manager, &spec, &error));
    g_assert_no_error(error);
    g_autofree char *hello = get("shown", "/");
}

static void stop_shown(void)
{
    g_autoptr(GError) error = NULL;
    g_assert_true(supervisor_stop(scratch, true, &error));
    g_assert_no_error(error);
    g_autoptr(Unit) unit = unit_get(manager, "shown", &error);
    g_assert_cmpint(unit != NULL ? (int) unit->status : -1, ==, UNIT_EXITED);
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
    scratch = file_make_temporary_folder(g_get_tmp_dir(), "slipway-unit", NULL);
    layer = g_build_filename(scratch, "layer", NULL);
    layers[0] = layer;
    make_layer(g_getenv("SERVICE_PROGRAM"));
    manager = unit_manager_open_folder(scratch, NULL);
    unit_manager_set_program(manager, g_getenv("SLIPWAY_PROGRAM"));

    g_test_add_func("/unit/life", test_life);
    g_test_add_func("/unit/deaf", test_deaf);
    g_test_add_func("/unit/crash", test_crash);
    g_test_add_func("/unit/restart", test_restart);
    g_test_add_func("/unit/secrets", test_secrets);
    g_test_add_func("/unit/hardening", test_hardening);
    g_test_add_func("/unit/missing-program", test_missing_program);
    g_test_add_func("/unit/lost", test_lost);
    g_test_add_func("/unit/run-once", test_run_once);
    g_test_add_func("/unit/full-disk", test_full_disk);
    g_test_add_func("/unit/exec", test_exec);
    g_setenv("SLIPWAY_HOME", scratch, TRUE);
    g_test_add_func("/unit/commands/first", start_shown);
    for (size_t i = 0; i < G_N_ELEMENTS(command_rows); i++) {
        g_autofree char *path = g_strdup_printf("/unit/commands/%s", command_rows[i].label);
        g_test_add_data_func(path, &command_rows[i], test_command);
    }
    g_test_add_func("/unit/commands/last", stop_shown);
    int status = g_test_run();
    /* A shim that ends may still write its last state. */
    for (int i = 0; i < 40 && !file_remove_tree(AT_FDCWD, scratch, NULL); i++)
        g_usleep(50 * 1000);
    return status;
}
