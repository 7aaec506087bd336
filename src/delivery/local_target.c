#include "delivery/local_target.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/file.h"
#include "format/json.h"
#include "identity/secret.h"
#include "oci/layer.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define PASSWD_LIMIT (1024 * 1024)

char *local_unit_id(const Deployment *deployment, int ordinal)
{
    return g_strdup_printf("%s-%s-%s-%d", deployment->project, deployment->environment,
                           deployment->id, ordinal);
}

char *local_proxy_name(const Deployment *deployment)
{
    return g_strdup_printf("%s-%s", deployment->project, deployment->environment);
}

char *local_proxy_address(const EnvironmentSettings *settings)
{
    return g_strdup_printf("%s:%d", settings->address, settings->port);
}

void local_plan_free(LocalPlan *plan)
{
    if (plan == NULL)
        return;
    image_free(plan->image);
    g_strfreev(plan->layers);
    g_strfreev(plan->argv);
    g_strfreev(plan->environment);
    g_free(plan->folder);
    g_strfreev(plan->health_argv);
    json_decref(plan->labels);
    json_decref(plan->secrets);
    g_free(plan->mounts);
    g_clear_pointer(&plan->owned, g_ptr_array_unref);
    g_free(plan);
}

static void append_strings(GPtrArray *into, const json_t *array)
{
    size_t i;
    json_t *item;
    json_array_foreach(array, i, item) g_ptr_array_add(into, g_strdup(json_string_value(item)));
}

/* The file PATH of the topmost layer that has it. */
static char *read_from_layers(char **layers, const char *path)
{
    for (size_t i = 0; layers[i] != NULL; i++) {
        autofd int root = open(layers[i], O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (root < 0)
            continue;
        autofd int fd = file_open_in_root(root, path, O_RDONLY, 0, NULL);
        if (fd >= 0)
            return file_read_fd(fd, PASSWD_LIMIT, NULL, NULL);
    }
    return NULL;
}

/* The line of a passwd or group file whose first field is NAME (or whose third is the number), as
 * its fields; NULL when there is none. */
static char **find_line(const char *text, const char *name)
{
    if (text == NULL)
        return NULL;
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    for (size_t i = 0; lines[i] != NULL; i++) {
        g_auto(GStrv) fields = g_strsplit(lines[i], ":", -1);
        if (g_strv_length(fields) >= 4 &&
            (g_str_equal(fields[0], name) || g_str_equal(fields[2], name)))
            return g_steal_pointer(&fields);
    }
    return NULL;
}

/* config.User ("", "app", "app:web", "1000:1000") → uid and gid, and HOME for the environment. */
static bool resolve_user(LocalPlan *plan, const char *user, char **home, GError **error)
{
    *home = g_strdup("/");
    if (user == NULL || user[0] == '\0')
        user = "0";
    g_auto(GStrv) parts = g_strsplit(user, ":", 2);
    g_autofree char *passwd = read_from_layers(plan->layers, "etc/passwd");
    g_autofree char *group = read_from_layers(plan->layers, "etc/group");
    g_auto(GStrv) entry = find_line(passwd, parts[0]);
    char *end;
    guint64 number = g_ascii_strtoull(parts[0], &end, 10);
    if (entry != NULL) {
        plan->uid = (uid_t) g_ascii_strtoull(entry[2], NULL, 10);
        plan->gid = (gid_t) g_ascii_strtoull(entry[3], NULL, 10);
        if (g_strv_length(entry) > 5 && entry[5][0] != '\0') {
            g_free(*home);
            *home = g_strdup(entry[5]);
        }
    } else if (*end == '\0' && number < G_MAXUINT32) {
        plan->uid = (uid_t) number;
        plan->gid = 0;
    } else {
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID,
                    "the image's user '%s' is not in its /etc/passwd", parts[0]);
        return false;
    }
    if (parts[1] == NULL)
        return true;
    g_auto(GStrv) group_entry = find_line(group, parts[1]);
    number = g_ascii_strtoull(parts[1], &end, 10);
    if (group_entry == NULL && *end != '\0') {
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID,
                    "the image's group '%s' is not in its /etc/group", parts[1]);
        return false;
    }
    plan->gid = (gid_t) (group_entry != NULL ? g_ascii_strtoull(group_entry[2], NULL, 10) : number);
    return true;
}

/* The image's ENV, then the environment's own; HOME, PORT and what slipway says of the release
 * where neither does. */
static char **make_environment(const LocalPlan *plan, const json_t *config, const char *home,
                               const Release *release)
{
    char **environment = g_new0(char *, 1);
    size_t i;
    json_t *item, *value;
    const char *name;
    json_array_foreach(json_object_get(config, "Env"), i, item)
    {
        g_auto(GStrv) pair = g_strsplit(json_string_value(item), "=", 2);
        if (pair[0] != NULL && pair[1] != NULL)
            environment = g_environ_setenv(environment, pair[0], pair[1], TRUE);
    }
    json_object_foreach(plan->settings->env, name, value) environment =
        g_environ_setenv(environment, name, json_string_value(value), TRUE);
    environment = g_environ_setenv(environment, "HOME", home, FALSE);
    environment = g_environ_setenv(
        environment, "PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", FALSE);
    g_autofree char *port = g_strdup_printf("%d", plan->port);
    g_autofree char *shown =
        g_strdup_printf("%.12s", release->version != NULL ? release->version : release->commit);
    environment = g_environ_setenv(environment, "SLIPWAY_RELEASE", shown, FALSE);
    environment = g_environ_setenv(environment, "SLIPWAY_ENVIRONMENT", plan->settings->name, FALSE);
    return g_environ_setenv(environment, "PORT", port, FALSE);
}

/* The smallest exposed TCP port. */
static int exposed_port(const json_t *config)
{
    int smallest = 0;
    const char *key;
    json_t *value;
    json_object_foreach(json_object_get(config, "ExposedPorts"), key, value)
    {
        int port = (int) g_ascii_strtoull(key, NULL, 10);
        if (!g_str_has_suffix(key, "/udp") && port > 0 && (smallest == 0 || port < smallest))
            smallest = port;
    }
    return smallest;
}

static char **read_healthcheck(const json_t *config)
{
    const json_t *test = json_object_get(json_object_get(config, "Healthcheck"), "Test");
    const char *kind = json_string_value(json_array_get(test, 0));
    g_autoptr(GPtrArray) argv = g_ptr_array_new();
    if (g_strcmp0(kind, "CMD-SHELL") == 0) {
        g_ptr_array_add(argv, g_strdup("/bin/sh"));
        g_ptr_array_add(argv, g_strdup("-c"));
    } else if (g_strcmp0(kind, "CMD") != 0)
        return NULL;
    for (size_t i = 1; i < json_array_size(test); i++)
        g_ptr_array_add(argv, g_strdup(json_string_value(json_array_get(test, i))));
    g_ptr_array_add(argv, NULL);
    return (char **) g_ptr_array_free(g_steal_pointer(&argv), FALSE);
}

static bool read_config(LocalPlan *plan, const Release *release, GError **error)
{
    const json_t *config = json_object_get(plan->image->config, "config");
    g_autoptr(GPtrArray) argv = g_ptr_array_new_with_free_func(g_free);
    append_strings(argv, json_object_get(config, "Entrypoint"));
    append_strings(argv, json_object_get(config, "Cmd"));
    if (argv->len == 0) {
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID,
                    "the image names no command; add CMD or ENTRYPOINT to the Dockerfile");
        return false;
    }
    g_ptr_array_add(argv, NULL);
    g_ptr_array_set_free_func(argv, NULL);
    plan->argv = (char **) g_ptr_array_free(g_steal_pointer(&argv), FALSE);

    plan->port = plan->settings->container_port;
    if (plan->port == 0)
        plan->port = exposed_port(config);
    if (plan->port == 0) {
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID,
                    "the image exposes no port; add EXPOSE to the Dockerfile or "
                    "`container_port:` to environment '%s'",
                    plan->settings->name);
        return false;
    }
    const char *folder = json_get_string(config, "WorkingDir");
    plan->folder = g_strdup(folder != NULL && folder[0] != '\0' ? folder : "/");
    plan->health_argv = read_healthcheck(config);
    g_autofree char *home = NULL;
    if (!resolve_user(plan, json_get_string(config, "User"), &home, error))
        return false;
    plan->environment = make_environment(plan, config, home, release);
    return true;
}

/* What the image has at TARGET decides who owns a new volume; else its user does. */
static bool make_volume(Delivery *delivery, LocalPlan *plan, const char *name, const char *target,
                        char **path, GError **error)
{
    *path = state_path(delivery->state, "volumes", plan->deployment->project,
                       plan->deployment->environment, name, NULL);
    if (g_file_test(*path, G_FILE_TEST_IS_DIR))
        return true;
    if (!file_make_folders(*path, 0755, error))
        return false;
    if (geteuid() == 0 && chown(*path, plan->uid, plan->gid) < 0)
        return error_set_errno(error, errno, "give volume to the image's user", *path);
    return true;
}

static bool plan_mounts(Delivery *delivery, LocalPlan *plan, GError **error)
{
    size_t count = json_object_size(plan->settings->volumes);
    plan->mounts = g_new0(SandboxMount, count + 1);
    plan->owned = g_ptr_array_new_with_free_func(g_free);
    const char *name;
    json_t *target;
    json_object_foreach(plan->settings->volumes, name, target)
    {
        const char *at = json_string_value(target);
        if (at == NULL || at[0] != '/' || strchr(name, '/') != NULL || name[0] == '.') {
            g_set_error(
                error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID,
                "volume '%s': expected a name and an absolute path inside the container, as "
                "`data: /data`",
                name);
            return false;
        }
        char *path = NULL;
        bool ok = make_volume(delivery, plan, name, at, &path, error);
        g_ptr_array_add(plan->owned, path);
        if (!ok)
            return false;
        plan->mounts[plan->mount_count++] =
            (SandboxMount){.kind = SANDBOX_MOUNT_BIND, .source = path, .target = at};
    }
    return true;
}

static bool fetch_secrets(Delivery *delivery, LocalPlan *plan, GError **error)
{
    plan->secrets = json_object();
    size_t i;
    json_t *item;
    json_array_foreach(plan->settings->secrets, i, item)
    {
        const char *name = json_string_value(item);
        g_autoptr(Secret) secret = secret_get(delivery->state, plan->deployment->project,
                                              plan->deployment->environment, name, error);
        if (secret == NULL)
            return false;
        json_object_set_new(plan->secrets, name,
                            json_stringn_nocheck(secret->value, secret->length));
    }
    return true;
}

LocalPlan *local_plan_new(Delivery *delivery, const Release *release, const Deployment *deployment,
                          GError **error)
{
    g_autoptr(LocalPlan) plan = g_new0(LocalPlan, 1);
    plan->deployment = deployment;
    plan->settings = project_environment(release->settings, deployment->environment);
    plan->image = image_load(delivery->store, deployment->digest, error);
    if (plan->image == NULL)
        return NULL;
    plan->layers = layer_folders(delivery->store, plan->image, error);
    if (plan->layers == NULL || !read_config(plan, release, error) ||
        !plan_mounts(delivery, plan, error) || !fetch_secrets(delivery, plan, error))
        return NULL;
    plan->labels = json_pack("{s:s, s:s, s:s, s:s}", "project", deployment->project, "environment",
                             deployment->environment, "deployment", deployment->id, "digest",
                             deployment->digest);
    return g_steal_pointer(&plan);
}

static UnitSpec unit_spec(const LocalPlan *plan, const char *id, const char *const *argv)
{
    return (UnitSpec){
        .id = id,
        .labels = plan->labels,
        .image = plan->deployment->digest,
        .layers = (const char *const *) plan->layers,
        .argv = argv,
        .environment = (const char *const *) plan->environment,
        .folder = plan->folder,
        .uid = plan->uid,
        .gid = plan->gid,
        .mounts = plan->mounts,
        .mount_count = plan->mount_count,
        .secrets = plan->secrets,
        .limits = {.cpus = plan->settings->cpus,
                   .memory = plan->settings->memory,
                   .pids = plan->settings->pids},
        .network = plan->settings->egress ? SANDBOX_NETWORK_SLIRP : SANDBOX_NETWORK_NONE,
    };
}

static char *pin_holder(const char *deployment)
{
    return g_strdup_printf("deployment:%s", deployment);
}

bool local_start(Delivery *delivery, const LocalPlan *plan, GError **error)
{
    /* What runs must not be collected, whatever becomes of its names. */
    g_autofree char *holder = pin_holder(plan->deployment->id);
    if (!image_pin(delivery->store, holder, plan->deployment->digest, error))
        return false;
    for (int i = 1; i <= plan->settings->replicas; i++) {
        g_autofree char *id = local_unit_id(plan->deployment, i);
        UnitSpec spec = unit_spec(plan, id, (const char *const *) plan->argv);
        if (!unit_start(delivery->units, &spec, error))
            return false;
    }
    return true;
}

bool local_stop(Delivery *delivery, const char *deployment, GError **error)
{
    g_autoptr(GPtrArray) units = unit_list(delivery->units, "deployment", deployment, error);
    if (units == NULL)
        return false;
    for (guint i = 0; i < units->len; i++) {
        const Unit *unit = g_ptr_array_index(units, i);
        if (!unit_stop(delivery->units, unit->id, error) ||
            !unit_remove(delivery->units, unit->id, error))
            return false;
    }
    g_autofree char *holder = pin_holder(deployment);
    return image_unpin(delivery->store, holder, error);
}

bool local_is_running(Delivery *delivery, const Deployment *deployment, int replicas)
{
    for (int i = 1; i <= replicas; i++) {
        g_autofree char *id = local_unit_id(deployment, i);
        g_autoptr(Unit) unit = unit_get(delivery->units, id, NULL);
        if (unit == NULL || unit->status != UNIT_RUNNING)
            return false;
    }
    return true;
}

bool local_run_once(Delivery *delivery, const LocalPlan *plan, const char *name,
                    const char *const *argv, int timeout_ms, char **output, int *status,
                    GError **error)
{
    g_autofree char *id =
        g_strdup_printf("%s-%s-%s-%s", plan->deployment->project, plan->deployment->environment,
                        plan->deployment->id, name);
    UnitSpec spec = unit_spec(plan, id, argv);
    return unit_run_once(delivery->units, &spec, timeout_ms, output, status, error);
}
