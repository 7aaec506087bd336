#include "base/error.h"
#include "base/file.h"
#include "identity/secret.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

typedef struct {
    char *home;
    State *state;
} Fixture;

static void set_up(Fixture *f, const void *data)
{
    g_autoptr(GError) error = NULL;
    f->home = file_make_temporary_folder(g_get_tmp_dir(), "slipway-secret", &error);
    f->state = state_open(f->home, &error);
    g_assert_no_error(error);
}

static void tear_down(Fixture *f, const void *data)
{
    state_close(f->state);
    file_remove_tree(AT_FDCWD, f->home, NULL);
    g_free(f->home);
}

static int64_t set(Fixture *f, const char *environment, const char *name, const char *value)
{
    g_autoptr(GError) error = NULL;
    int64_t version =
        secret_set(f->state, "orders", environment, name, value, strlen(value), &error);
    g_assert_no_error(error);
    return version;
}

static void expect(Fixture *f, const char *environment, const char *name, const char *value)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Secret) secret = secret_get(f->state, "orders", environment, name, &error);
    g_assert_no_error(error);
    g_assert_cmpstr(secret != NULL ? secret->value : NULL, ==, value);
}

static void test_set(Fixture *f, const void *data)
{
    g_assert_cmpint(set(f, "staging", "PASSWORD", "one"), ==, 1);
    g_assert_cmpint(set(f, "staging", "PASSWORD", "two"), ==, 2);
    g_assert_cmpint(set(f, "", "PASSWORD", "for all"), ==, 1);
    g_assert_cmpint(set(f, "", "EMPTY", ""), ==, 1);
    expect(f, "staging", "PASSWORD", "two");
    expect(f, "production", "PASSWORD", "for all");
    expect(f, "production", "EMPTY", "");

    g_autoptr(GError) error = NULL;
    g_autoptr(Secret) none = secret_get(f->state, "orders", "staging", "OTHER", &error);
    g_assert_null(none);
    g_assert_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_NOT_FOUND);
    g_autoptr(GPtrArray) names = secret_list(f->state, NULL, NULL);
    g_assert_cmpuint(names->len, ==, 3);

    g_autofree char *path = state_path(f->state, "keys", "master.key", NULL);
    struct stat st;
    g_assert_cmpint(stat(path, &st), ==, 0);
    g_assert_cmpint(st.st_mode & 0777, ==, 0400);
}

static const struct {
    const char *label, *sql;
} moves[] = {
    {"environment", "UPDATE secret SET environment = 'production'"},
    {"name", "UPDATE secret SET name = 'OTHER'"},
    {"version", "UPDATE secret SET version = 7"},
    {"project", "UPDATE secret SET project = 'mine' WHERE project = 'orders'"},
    {"project-with-key",
     "PRAGMA foreign_keys = OFF; DELETE FROM secret_data_key WHERE project = 'mine';"
     "UPDATE secret_data_key SET project = 'mine'; UPDATE secret SET project = 'mine'"},
    {"bytes", "UPDATE secret SET sealed = replace(sealed, substr(sealed, 30, 1), '/')"},
};

/* A row that was moved or altered does not open, wherever it is asked for. */
static void test_move(Fixture *f, const void *data)
{
    set(f, "staging", "PASSWORD", "a value that is long enough to be altered");
    g_autoptr(GError) error = NULL;
    g_assert_cmpint(secret_set(f->state, "mine", "x", "X", "x", 1, &error), ==, 1);
    g_assert_true(
        database_execute(f->state->database, "DELETE FROM secret WHERE project = 'mine'", &error));
    g_assert_true(database_execute(f->state->database, moves[GPOINTER_TO_SIZE(data)].sql, &error));
    g_assert_no_error(error);
    static const char *const projects[] = {"orders", "mine"};
    static const char *const environments[] = {"staging", "production"};
    static const char *const names[] = {"PASSWORD", "OTHER"};
    int denied = 0;
    for (int i = 0; i < 8; i++) {
        g_autoptr(GError) trouble = NULL;
        g_autoptr(Secret) secret = secret_get(f->state, projects[i & 1], environments[i >> 1 & 1],
                                              names[i >> 2], &trouble);
        g_assert_null(secret);
        denied += g_error_matches(trouble, SLIPWAY_ERROR, SLIPWAY_ERROR_DENIED);
    }
    g_assert_cmpint(denied, ==, 1);
}

static void test_rotate(Fixture *f, const void *data)
{
    set(f, "staging", "PASSWORD", "one");
    g_autofree char *path = state_path(f->state, "keys", "master.key", NULL);
    g_autofree char *before = file_read(AT_FDCWD, path, 1000, NULL, NULL);
    g_autoptr(GError) error = NULL;
    g_assert_cmpint(secret_rotate_master(f->state, &error), ==, 1);
    g_assert_no_error(error);
    g_autofree char *after = file_read(AT_FDCWD, path, 1000, NULL, NULL);
    g_assert_cmpstr(before, !=, after);
    expect(f, "staging", "PASSWORD", "one");

    /* With the old key, or none, nothing opens and nothing is made anew. */
    g_assert_true(file_write_atomic(AT_FDCWD, path, before, -1, 0400, NULL));
    g_autoptr(Secret) none = secret_get(f->state, "orders", "staging", "PASSWORD", &error);
    g_assert_null(none);
    g_assert_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_DENIED);
    g_clear_error(&error);
    g_assert_cmpint(unlink(path), ==, 0);
    g_assert_cmpint(secret_set(f->state, "new", "", "X", "x", 1, &error), ==, -1);
    g_assert_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_DENIED);
    g_assert_cmpint(access(path, F_OK), ==, -1);
}

static const char *const boundaries[] = {"secret.rotate.wrapped", "secret.rotate.committed"};

/* Killed on either side of the commit: the values open, and the next rotation works. */
static void test_killed(Fixture *f, const void *data)
{
    set(f, "staging", "PASSWORD", "one");
    g_clear_pointer(&f->state, state_close);
    pid_t child = fork();
    if (child == 0) {
        /* Anew, because the boundaries are read from the environment once a process. */
        g_setenv("SLIPWAY_CRASH_AT", boundaries[GPOINTER_TO_SIZE(data)], TRUE);
        execl("/proc/self/exe", "test_secret", "--rotate", f->home, NULL);
        _exit(0);
    }
    int status = 0;
    g_assert_cmpint(waitpid(child, &status, 0), ==, child);
    g_assert_true(WIFSIGNALED(status));
    g_autoptr(GError) error = NULL;
    f->state = state_open(f->home, &error);
    g_assert_no_error(error);
    expect(f, "staging", "PASSWORD", "one");
    g_assert_cmpint(secret_rotate_master(f->state, &error), ==, 1);
    g_assert_no_error(error);
    expect(f, "staging", "PASSWORD", "one");
}

static const struct {
    const char *text;
    bool good;
} names[] = {
    {"orders/staging/PASSWORD", true},
    {"orders/PASSWORD", true},
    {"PASSWORD", false},
    {"a/b/c/d", false},
    {"a//c", false},
    {"/b/c", false},
    {"a/b/", false},
    {"a/b|c/d", false},
    {"a/../c", false},
    {"", false},
};

static void test_names(void)
{
    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autoptr(SecretName) name = secret_name_parse(names[i].text, NULL);
        g_assert_cmpint(name != NULL, ==, names[i].good);
    }
}

static int rotate(const char *home)
{
    g_autoptr(State) state = state_open(home, NULL);
    return state != NULL && secret_rotate_master(state, NULL) >= 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
    if (argc == 3 && g_str_equal(argv[1], "--rotate"))
        return rotate(argv[2]);
    g_test_init(&argc, &argv, NULL);
    g_test_set_nonfatal_assertions();
    g_test_add("/secret/set", Fixture, NULL, set_up, test_set, tear_down);
    g_test_add("/secret/rotate", Fixture, NULL, set_up, test_rotate, tear_down);
    g_test_add_func("/secret/names", test_names);
    for (size_t i = 0; i < G_N_ELEMENTS(moves); i++) {
        g_autofree char *path = g_strdup_printf("/secret/moved/%s", moves[i].label);
        g_test_add(path, Fixture, GSIZE_TO_POINTER(i), set_up, test_move, tear_down);
    }
    for (size_t i = 0; i < G_N_ELEMENTS(boundaries); i++) {
        g_autofree char *path = g_strdup_printf("/secret/killed/%s", boundaries[i]);
        g_test_add(path, Fixture, GSIZE_TO_POINTER(i), set_up, test_killed, tear_down);
    }
    return g_test_run();
}
