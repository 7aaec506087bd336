#include "delivery/migrate.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/file.h"
#include "crypto/hash.h"
#include "oci/layer.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define SQL_LIMIT (16 * 1024 * 1024)
#define MIGRATE_TIMEOUT_MS (10 * 60 * 1000)

static int compare_names(gconstpointer a, gconstpointer b)
{
    return strcmp(*(const char *const *) a, *(const char *const *) b);
}

/* Names of the .sql files in the open folder FD (taken), sorted. */
static GPtrArray *list_sql(int taken_fd, GError **error)
{
    DIR *dir = fdopendir(taken_fd);
    if (dir == NULL) {
        close(taken_fd);
        error_set_errno(error, errno, "list", "migrations");
        return NULL;
    }
    GPtrArray *names = g_ptr_array_new_with_free_func(g_free);
    struct dirent *entry;
    while ((entry = readdir(dir)) != NULL)
        if (g_str_has_suffix(entry->d_name, ".sql"))
            g_ptr_array_add(names, g_strdup(entry->d_name));
    closedir(dir);
    g_ptr_array_sort(names, compare_names);
    return names;
}

/* DIR of the settings as a path in the image: below its working folder unless absolute. */
static char *folder_in_image(const Image *image, const char *folder)
{
    const char *work =
        json_string_value(json_object_get(json_object_get(image->config, "config"), "WorkingDir"));
    g_autofree char *full = g_path_is_absolute(folder)
                                ? g_strdup(folder)
                                : g_build_filename("/", work != NULL ? work : "", folder, NULL);
    return g_canonicalize_filename(full, "/");
}

/* The topmost layer that has FOLDER with .sql files in it: migrations come in by one COPY. */
static int open_in_layers(char **layers, const char *folder)
{
    for (size_t i = 0; layers[i] != NULL; i++) {
        autofd int root = open(layers[i], O_PATH | O_DIRECTORY | O_CLOEXEC);
        int fd = root < 0 ? -1 : file_open_in_root(root, folder, O_RDONLY | O_DIRECTORY, 0, NULL);
        if (fd >= 0)
            return fd;
    }
    return -1;
}

/* The first environment with migrations says which tool and folder count. */
static const MigrateSettings *find_settings(const Project *project)
{
    for (guint i = 0; i < project->environments->len; i++) {
        const EnvironmentSettings *e = g_ptr_array_index(project->environments, i);
        if (e->migrate.tool != NULL)
            return &e->migrate;
    }
    return NULL;
}

char *migrate_digest(ContentStore *store, const char *image_digest, const Project *project,
                     GError **error)
{
    const MigrateSettings *settings = find_settings(project);
    if (settings == NULL)
        return g_strdup("");
    /* Other tools keep their files where they like: the image's digest stands for them. */
    if (!g_str_equal(settings->tool, "sql"))
        return g_strdup(image_digest);
    g_autoptr(Image) image = image_load(store, image_digest, error);
    g_auto(GStrv) layers = image != NULL ? layer_folders(store, image, error) : NULL;
    if (layers == NULL)
        return NULL;
    g_autofree char *folder = folder_in_image(image, settings->folder);
    autofd int fd = open_in_layers(layers, folder);
    if (fd < 0) {
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID,
                    "the image has no folder '%s' for `migrate:`; COPY it in the Dockerfile",
                    folder);
        return NULL;
    }
    g_autoptr(GPtrArray) names = list_sql(dup(fd), error);
    if (names == NULL)
        return NULL;
    g_autoptr(Hash) hash = hash_new(HASH_SHA256);
    for (guint i = 0; i < names->len; i++) {
        const char *name = g_ptr_array_index(names, i);
        size_t length;
        autofd int file = file_open_beneath(fd, name, O_RDONLY, 0, error);
        g_autofree char *text = file >= 0 ? file_read_fd(file, SQL_LIMIT, &length, error) : NULL;
        if (text == NULL)
            return NULL;
        g_autofree char *line = g_strdup_printf("%s %zu\n", name, length);
        hash_update(hash, line, strlen(line));
        hash_update(hash, text, length);
    }
    return hash_finish_digest(hash);
}

/* ---- inside the sandbox ---- */

static bool apply_file(Database *database, int folder, const char *name, bool *applied,
                       GError **error)
{
    size_t length;
    autofd int fd = file_open_beneath(folder, name, O_RDONLY, 0, error);
    g_autofree char *sql = fd >= 0 ? file_read_fd(fd, SQL_LIMIT, &length, error) : NULL;
    if (sql == NULL)
        return false;
    g_autofree char *digest = hash_digest(HASH_SHA256, sql, length);
    if (!database_begin(database, error))
        return false;

    g_autoptr(Statement) known = database_prepare(
        database, error, "SELECT digest FROM slipway_migrations WHERE name = ?", "s", name);
    *applied = known != NULL && !statement_step(known, NULL);
    bool ok = known != NULL && statement_end(known, error);
    if (ok && !*applied && !g_str_equal(statement_text(known, 0), digest)) {
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID,
                    "%s: applied before in another form; a change is a new file", name);
        ok = false;
    }
    g_clear_pointer(&known, statement_free);
    if (ok && *applied)
        ok = database_execute(database, sql, error) &&
             database_run(database, error,
                          "INSERT INTO slipway_migrations VALUES(?, ?, unixepoch())", "ss", name,
                          digest);
    if (!ok) {
        g_prefix_error(error, "%s: ", name);
        database_rollback(database);
        return false;
    }
    return database_commit(database, error);
}

bool migrate_sql_files(const char *path, const char *folder, int *applied, GError **error)
{
    *applied = 0;
    autofd int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return error_set_errno(error, errno, "open", folder);
    g_autoptr(GPtrArray) names = list_sql(dup(fd), error);
    g_autoptr(Database) database = names != NULL ? database_open(path, error) : NULL;
    if (database == NULL ||
        !database_execute(database,
                          "CREATE TABLE IF NOT EXISTS slipway_migrations(name TEXT PRIMARY KEY, "
                          "digest TEXT NOT NULL, applied_at INTEGER NOT NULL) STRICT",
                          error))
        return false;
    for (guint i = 0; i < names->len; i++) {
        bool fresh = false;
        if (!apply_file(database, fd, g_ptr_array_index(names, i), &fresh, error))
            return false;
        *applied += fresh;
    }
    return true;
}

/* ---- from outside ---- */

/* Runs this very program in a copy of the host's root: the image need have no SQL tool, and what
 * the SQL says stays in a sandbox with no network and only the volumes to write to. */
/* Where this program lies; after an upgrade under a running supervisor, where its successor does.
 */
static char *own_path(void)
{
    char *path = g_file_read_link("/proc/self/exe", NULL);
    if (path != NULL && g_str_has_suffix(path, " (deleted)"))
        path[strlen(path) - strlen(" (deleted)")] = '\0';
    return path;
}

static bool apply_sql(Delivery *delivery, const LocalPlan *plan, int *applied, char **output,
                      GError **error)
{
    g_autofree char *folder = folder_in_image(plan->image, plan->settings->migrate.folder);
    autofd int fd = open_in_layers(plan->layers, folder);
    if (fd < 0) {
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID, "the image has no folder '%s'",
                    folder);
        return false;
    }
    g_autofree char *source = g_strdup_printf("/proc/self/fd/%d", fd);
    g_autofree char *real_folder = g_file_read_link(source, NULL);
    g_autofree char *program = own_path();

    SandboxMount *mounts = g_new0(SandboxMount, plan->mount_count + 2);
    g_autofree SandboxMount *owned = mounts;
    size_t count = plan->mount_count;
    if (count > 0)
        memcpy(mounts, plan->mounts, count * sizeof *mounts);
    mounts[count++] = (SandboxMount){.kind = SANDBOX_MOUNT_BIND,
                                     .source = program,
                                     .target = "/run/slipway/slipway",
                                     .read_only = true};
    mounts[count++] = (SandboxMount){.kind = SANDBOX_MOUNT_BIND,
                                     .source = real_folder,
                                     .target = "/run/slipway/migrations",
                                     .read_only = true};
    const char *argv[] = {"/run/slipway/slipway", "migrate-sql", plan->settings->migrate.database,
                          "/run/slipway/migrations", NULL};
    autofd int log = memfd_create("migrate", MFD_CLOEXEC);
    SandboxSpec spec = {
        .root = {.host = true},
        .mounts = mounts,
        .mount_count = count,
        .argv = argv,
        .uid = plan->uid,
        .gid = plan->gid,
        .network = SANDBOX_NETWORK_NONE,
        .no_new_privileges = true,
        .stdin_fd = -1,
        .stdout_fd = log,
        .stderr_fd = log,
    };
    g_autoptr(Sandbox) sandbox = sandbox_start(&spec, error);
    int status;
    if (sandbox == NULL)
        return false;
    if (!sandbox_wait(sandbox, MIGRATE_TIMEOUT_MS, &status, error)) {
        if (error != NULL && *error == NULL)
            g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_UNAVAILABLE,
                        "it did not end within 10 minutes");
        return false;
    }
    lseek(log, 0, SEEK_SET);
    *output = file_read_fd(log, SQL_LIMIT, NULL, NULL);
    if (status != 0) {
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID, "status %d: %s", status,
                    *output != NULL ? g_strstrip(*output) : "");
        return false;
    }
    *applied = *output != NULL ? atoi(*output) : 0;
    return true;
}

static const struct {
    const char *tool;
    const char *status[8]; /* exit 0: nothing is pending; [0] NULL: it has no such command */
    const char *apply[8];
} tools[] = {
    {"prisma", {"npx", "prisma", "migrate", "status"}, {"npx", "prisma", "migrate", "deploy"}},
    {"laravel",
     {"php", "artisan", "migrate:status", "--pending=2"},
     {"php", "artisan", "migrate", "--force", "--no-interaction"}},
    {"alembic", {"alembic", "current", "--check-heads"}, {"alembic", "upgrade", "head"}},
    {"django",
     {"python3", "manage.py", "migrate", "--check"},
     {"python3", "manage.py", "migrate", "--no-input"}},
};

static bool apply_command(Delivery *delivery, const LocalPlan *plan, int *applied, char **output,
                          GError **error)
{
    const char *const *apply = (const char *const *) plan->settings->migrate.command;
    const char *const *ask = NULL;
    for (size_t i = 0; i < G_N_ELEMENTS(tools); i++)
        if (g_str_equal(tools[i].tool, plan->settings->migrate.tool)) {
            ask = tools[i].status;
            if (apply[0] == NULL)
                apply = tools[i].apply;
        }
    int status = 1;
    *applied = -1;
    if (ask != NULL) {
        g_autofree char *answer = NULL;
        if (!local_run_once(delivery, plan, "migrate-status", ask, MIGRATE_TIMEOUT_MS, &answer,
                            &status, error))
            return false;
        if (status == 0) {
            *applied = 0;
            return true;
        }
    }
    if (!local_run_once(delivery, plan, "migrate", apply, MIGRATE_TIMEOUT_MS, output, &status,
                        error))
        return false;
    if (status == 0)
        return true;
    g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID, "'%s' ended with status %d: %s",
                apply[0], status, *output != NULL ? g_strstrip(*output) : "");
    return false;
}

bool migrate_apply(Delivery *delivery, const LocalPlan *plan, int *applied, char **output,
                   GError **error)
{
    *output = NULL;
    *applied = 0;
    if (plan->settings->migrate.tool == NULL)
        return true;
    if (g_str_equal(plan->settings->migrate.tool, "sql"))
        return apply_sql(delivery, plan, applied, output, error);
    return apply_command(delivery, plan, applied, output, error);
}
