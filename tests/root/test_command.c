/* One command line in a fresh root, as `ship` runs a project's own checks. */
#include "base/file.h"
#include "pipeline/step.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

typedef struct {
    const char *label, *command;
    int timeout_ms, status;
    const char *tail; /* of the output */
} Case;

static const Case cases[] = {
    {"status", "echo one; exit 3", 0, 3, "one\n"},
    {"workspace", "pwd; cat given; echo made > made", 0, 0, "/workspace\nhere\n"},
    {"environment", "echo \"$NAME-$CI-$HOME-$SLIPWAY_HOME\"", 0, 0, "a b-true-/root-\n"},
    {"masked", "echo x hidden-value y; printf hidden; sleep 0.1; echo -value", 0, 0,
     "x *** y\n***\n"},
    {"pipefail", "false | true", 0, 1, ""},
    {"stderr", "echo err >&2", 0, 0, "err\n"},
    {"unknown", "no-such-program", 0, 127, NULL},
    {"timeout", "echo begun; sleep 20", 300, 124, NULL},
    {"last-line", "printf 'no newline'", 0, 0, "no newline\n"},
};

static State *state;
static char *workspace;

static void test_case(const void *data)
{
    const Case *c = data;
    const char *const environment[] = {"NAME=a b", NULL};
    const char *const masks[] = {"hidden-value", NULL};
    g_autofree char *log = g_build_filename(workspace, "..", "log", NULL);
    const PipelineCommandSpec spec = {
        .state = state,
        .command = c->command,
        .workspace = workspace,
        .environment = environment,
        .masks = masks,
        .network = SANDBOX_NETWORK_NONE,
        .timeout_ms = c->timeout_ms,
        .log_path = log,
    };
    g_autoptr(GError) error = NULL;
    g_auto(PipelineCommandResult) result = {0};
    bool ran = pipeline_command_run(&spec, &result, &error);
    g_assert_no_error(error);
    if (!ran)
        return;
    g_assert_cmpint(result.status, ==, c->status);
    g_assert_cmpint(result.timed_out, ==, c->status == 124);
    g_assert_cmpstr(result.root, ==, "host");
    if (c->tail == NULL)
        return;
    g_autofree char *logged = file_read(AT_FDCWD, log, 65536, NULL, NULL);
    g_assert_cmpstr(result.tail, ==, c->tail);
    g_assert_cmpstr(logged, ==, c->tail);
}

static void test_nothing_left(void)
{
    g_autofree char *roots = state_path(state, "cache", "roots", NULL);
    GDir *listing = g_dir_open(roots, 0, NULL);
    g_assert_null(g_dir_read_name(listing));
    g_dir_close(listing);
    g_autofree char *made = g_build_filename(workspace, "made", NULL);
    g_assert_true(access(made, F_OK) == 0);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_set_nonfatal_assertions();
    g_autofree char *obstacle = sandbox_obstacle();
    if (obstacle != NULL) {
        g_print("1..0 # SKIP %s\n", obstacle);
        return 0;
    }
    g_autoptr(GError) error = NULL;
    g_autofree char *folder =
        file_make_temporary_folder(g_get_tmp_dir(), "slipway-command", &error);
    g_assert_no_error(error);
    g_autofree char *home = g_build_filename(folder, "home", NULL);
    workspace = g_build_filename(folder, "workspace", NULL);
    g_autofree char *given = g_build_filename(workspace, "given", NULL);
    file_make_folders(workspace, 0755, NULL);
    file_write_atomic(AT_FDCWD, given, "here\n", -1, 0644, NULL);
    state = state_open(home, &error);
    g_assert_no_error(error);
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *path = g_strdup_printf("/command/%s", cases[i].label);
        g_test_add_data_func(path, &cases[i], test_case);
    }
    g_test_add_func("/command/zz-nothing-left", test_nothing_left);
    int status = g_test_run();
    state_close(state);
    file_remove_tree(AT_FDCWD, folder, NULL);
    g_free(workspace);
    return status;
}
