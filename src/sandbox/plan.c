#include "sandbox/plan.h"

#include "base/error.h"
#include "sandbox/certificates.h"
#include "sandbox/network.h"
#include "sandbox/seccomp_filter.h"
#include "sandbox/user_namespace.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define CERTIFICATES "/run/ca-certificates.crt"
#define LAYERS_MAX 500

static void plan_mount_clear(void *data)
{
    PlanMount *mount = data;
    g_free(mount->source);
    g_free(mount->content);
    g_free(mount->target);
    g_free(mount->options);
}

static bool invalid(GError **error, const char *what, const char *name)
{
    g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID, "%s '%s'", what, name);
    return false;
}

/* -- the program ------------------------------------------------------------------------------ */

static const char *environment_get(char *const *environment, const char *name)
{
    size_t length = strlen(name);
    for (; *environment != NULL; environment++)
        if (strncmp(*environment, name, length) == 0 && (*environment)[length] == '=')
            return *environment + length + 1;
    return NULL;
}

static char **find_candidates(const char *name, char *const *environment)
{
    GPtrArray *paths = g_ptr_array_new();
    if (strchr(name, '/') != NULL) {
        g_ptr_array_add(paths, g_strdup(name));
    } else {
        const char *path = environment_get(environment, "PATH");
        g_auto(GStrv) folders = g_strsplit(path != NULL ? path : DEFAULT_PATH, ":", 256);
        for (size_t i = 0; folders[i] != NULL && name[0] != '\0'; i++)
            g_ptr_array_add(paths,
                            g_strconcat(folders[i][0] != '\0' ? folders[i] : ".", "/", name, NULL));
    }
    g_ptr_array_add(paths, NULL);
    return (char **) g_ptr_array_free(paths, FALSE);
}

static void set_argv(Program *program, const char *const *argv)
{
    program->argv = g_strdupv((char **) argv);
    program->candidates = find_candidates(argv[0], program->environment);
}

void program_init_copy(Program *program, const Program *original, const char *const *argv)
{
    *program = *original;
    program->environment = g_strdupv(original->environment);
    program->folder = g_strdup(original->folder);
    program->groups = g_memdup2(original->groups, original->group_count * sizeof(gid_t));
    program->stdio[0] = program->stdio[1] = program->stdio[2] = -1;
    set_argv(program, argv);
}

void program_clear(Program *program)
{
    g_clear_pointer(&program->argv, g_strfreev);
    g_clear_pointer(&program->candidates, g_strfreev);
    g_clear_pointer(&program->environment, g_strfreev);
    g_clear_pointer(&program->folder, g_free);
    g_clear_pointer(&program->groups, g_free);
}

static bool init_program(Plan *plan, const SandboxSpec *spec, GError **error)
{
    static const char *const bare[] = {"PATH=" DEFAULT_PATH, NULL};
    Program *program = &plan->program;
    if (spec->argv == NULL || spec->argv[0] == NULL)
        return invalid(error, "no program to run in sandbox",
                       spec->hostname != NULL ? spec->hostname : "");
    *program = (Program){
        .environment = g_strdupv((char **) (spec->environment != NULL ? spec->environment : bare)),
        .folder = g_strdup(spec->folder != NULL ? spec->folder : "/"),
        .uid = spec->uid,
        .gid = spec->gid,
        .groups = g_memdup2(spec->groups, spec->group_count * sizeof(gid_t)),
        .group_count = spec->group_count,
        .set_groups = !plan->single_id && user_namespace_may_set_groups(),
        .capabilities = spec->capabilities,
        .no_new_privileges = spec->no_new_privileges,
        .stdio = {spec->stdin_fd, spec->stdout_fd, spec->stderr_fd},
    };
    set_argv(program, spec->argv);
    if (program->folder[0] != '/')
        return invalid(error, "working folder is not absolute:", program->folder);
    if (spec->insecure_syscalls)
        return true;
    program->filter = seccomp_filter_default(spec->capabilities, error);
    return program->filter != NULL;
}

/* -- mounts ----------------------------------------------------------------------------------- */

static void plan_add_file(Plan *plan, const char *target, char *content, bool writable)
{
    PlanMount mount = {.kind = PLAN_MOUNT_FILE,
                       .content = content,
                       .target = g_strdup(target),
                       .read_only = !writable,
                       .no_exec = true,
                       .no_suid = true,
                       .fd = -1};
    g_array_append_val(plan->mounts, mount);
}

static void plan_add_bind(Plan *plan, const char *source, const char *target, bool folder)
{
    PlanMount mount = {.kind = PLAN_MOUNT_BIND,
                       .source = g_strdup(source),
                       .target = g_strdup(target),
                       .folder = folder,
                       .read_only = true,
                       .no_suid = true,
                       .fd = -1};
    g_array_append_val(plan->mounts, mount);
}

void plan_add_group(Plan *plan, const char *controller, int version, const char *folder)
{
    if (version == 2) {
        plan_add_bind(plan, folder, "/sys/fs/cgroup", true);
        return;
    }
    const PlanMount *last = &g_array_index(plan->mounts, PlanMount, plan->mounts->len - 1);
    if (!g_str_has_prefix(last->target, "/sys/fs/cgroup/")) {
        PlanMount mount = {.kind = PLAN_MOUNT_TMPFS,
                           .target = g_strdup("/sys/fs/cgroup"),
                           .options = g_strdup("mode=0755,size=64k"),
                           .folder = true,
                           .no_exec = true,
                           .fd = -1};
        g_array_append_val(plan->mounts, mount);
    }
    g_autofree char *target = g_build_filename("/sys/fs/cgroup", controller, NULL);
    plan_add_bind(plan, folder, target, true);
}

static char *tmpfs_options(const SandboxMount *given, const Plan *plan)
{
    GString *options = g_string_new(NULL);
    g_string_append_printf(options, "mode=%04o", given->mode != 0 ? given->mode & 07777 : 0755);
    if (given->size > 0)
        g_string_append_printf(options, ",size=%" G_GUINT64_FORMAT, given->size);
    if (!plan->single_id)
        g_string_append_printf(options, ",uid=%u,gid=%u", given->uid, given->gid);
    return g_string_free(options, FALSE);
}

static bool add_mount(Plan *plan, const SandboxMount *given, GError **error)
{
    if (given->target == NULL || given->target[0] != '/' || given->target[1] == '\0')
        return invalid(error, "mount target must be an absolute path below the root:",
                       given->target != NULL ? given->target : "");
    PlanMount mount = {.target = g_strdup(given->target),
                       .read_only = given->read_only,
                       .no_exec = given->no_exec,
                       .folder = true,
                       .fd = -1};
    if (given->kind == SANDBOX_MOUNT_TMPFS) {
        mount.kind = PLAN_MOUNT_TMPFS;
        mount.options = tmpfs_options(given, plan);
        g_array_append_val(plan->mounts, mount);
        return true;
    }
    mount.kind = given->kind == SANDBOX_MOUNT_BIND ? PLAN_MOUNT_BIND : PLAN_MOUNT_OVERLAY;
    mount.source = g_strdup(given->source);
    g_array_append_val(plan->mounts, mount);
    struct stat info;
    if (stat(given->source, &info) < 0)
        return error_set_errno(error, errno, "open mount source", given->source);
    g_array_index(plan->mounts, PlanMount, plan->mounts->len - 1).folder = S_ISDIR(info.st_mode);
    if (given->kind == SANDBOX_MOUNT_OVERLAY && !S_ISDIR(info.st_mode))
        return invalid(error, "overlay mount needs a folder, not a file:", given->source);
    return true;
}

static void add_network_files(Plan *plan, const SandboxSpec *spec)
{
    GString *hosts = g_string_new(NULL);
    g_string_printf(hosts, "127.0.0.1\tlocalhost %s\n::1\tlocalhost ip6-localhost ip6-loopback\n",
                    plan->hostname);
    for (size_t i = 0; spec->extra_hosts != NULL && spec->extra_hosts[i] != NULL; i++)
        g_string_append_printf(hosts, "%s\n", spec->extra_hosts[i]);
    plan_add_file(plan, "/etc/hosts", g_string_free(hosts, FALSE), true);
    plan_add_file(plan, "/etc/hostname", g_strconcat(plan->hostname, "\n", NULL), true);
    plan_add_file(plan, "/etc/resolv.conf", network_resolver_text(spec->network), true);
}

static void add_certificates(Plan *plan)
{
    static const char *const variables[] = {"SSL_CERT_FILE",      "PIP_CERT",
                                            "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE",
                                            "GIT_SSL_CAINFO",     "NODE_EXTRA_CA_CERTS"};
    const char *bundle = certificates_bundle();
    if (bundle == NULL)
        return;
    plan_add_bind(plan, bundle, CERTIFICATES, false);
    GPtrArray *environment = g_ptr_array_new();
    char **old = plan->program.environment;
    for (size_t i = 0; old[i] != NULL; i++)
        g_ptr_array_add(environment, old[i]);
    for (size_t i = 0; i < G_N_ELEMENTS(variables); i++)
        if (environment_get(old, variables[i]) == NULL)
            g_ptr_array_add(environment, g_strconcat(variables[i], "=" CERTIFICATES, NULL));
    g_ptr_array_add(environment, NULL);
    g_free(old);
    plan->program.environment = (char **) g_ptr_array_free(environment, FALSE);
}

/* -- the whole -------------------------------------------------------------------------------- */

static const char *find_stage(void)
{
    static const char *const folders[] = {"/tmp", "/mnt", "/run", "/sys"};
    for (size_t i = 0; i < G_N_ELEMENTS(folders); i++)
        if (g_file_test(folders[i], G_FILE_TEST_IS_DIR))
            return folders[i];
    return "/";
}

/* Fields 48 and 49 of /proc/self/stat (proc(5)) are where the kernel reads our command line. */
static void find_title(Plan *plan)
{
    g_autofree char *text = NULL;
    if (!g_file_get_contents("/proc/self/stat", &text, NULL, NULL))
        return;
    const char *tail = strrchr(text, ')'); /* ends field 2, which may hold anything */
    g_auto(GStrv) fields = g_strsplit(tail != NULL ? tail + 1 : "", " ", 0);
    if (g_strv_length(fields) <= 47)
        return;
    guint64 start = g_ascii_strtoull(fields[46], NULL, 10);
    guint64 end = g_ascii_strtoull(fields[47], NULL, 10);
    if (start == 0 || end <= start)
        return;
    plan->title = (char *) (uintptr_t) start;
    plan->title_length = (size_t) (end - start);
}

static bool init_root(Plan *plan, const SandboxRoot *root, GError **error)
{
    plan->read_only = root->read_only;
    if (root->host) {
        plan_add_host_root(plan);
        return true;
    }
    if ((root->upper == NULL) != (root->work == NULL))
        return invalid(error, "an upper folder needs a work folder, and the other way round:",
                       root->upper != NULL ? root->upper : root->work);
    if (root->layers != NULL && g_strv_length((char **) root->layers) > LAYERS_MAX)
        return invalid(error, "more layers than an overlay takes (500) below", root->layers[0]);
    plan->layers = g_strdupv((char **) root->layers);
    plan->upper = g_strdup(root->upper);
    plan->work = g_strdup(root->work);
    return true;
}

Plan *plan_new(const SandboxSpec *spec, GError **error)
{
    g_autoptr(Plan) plan = g_new0(Plan, 1);
    plan->mounts = g_array_new(FALSE, TRUE, sizeof(PlanMount));
    g_array_set_clear_func(plan->mounts, plan_mount_clear);
    plan->user_namespace = user_namespace_is_needed();
    plan->user_xattrs = plan->user_namespace || !user_namespace_is_initial();
    plan->single_id = plan->user_namespace && !user_namespace_has_range();
    plan->held = -1;
    plan->own_network = spec->network != SANDBOX_NETWORK_HOST;
    plan->die_with_parent = !spec->keep_after_parent;
    plan->keep_work = spec->keep_after_parent;
    plan->stage = find_stage();
    plan->hostname = g_strdup(spec->hostname != NULL ? spec->hostname : "slipway");
    find_title(plan);
    if (!init_root(plan, &spec->root, error) || !init_program(plan, spec, error))
        return NULL;
    add_network_files(plan, spec);
    for (size_t i = 0; i < spec->mount_count; i++)
        if (!add_mount(plan, &spec->mounts[i], error))
            return NULL;
    if (spec->certificates) /* last, so that a tmpfs on /run does not hide them */
        add_certificates(plan);
    return g_steal_pointer(&plan);
}

void plan_free(Plan *plan)
{
    if (plan == NULL)
        return;
    g_free(plan->hostname);
    g_strfreev(plan->layers);
    g_free(plan->upper);
    g_free(plan->work);
    g_clear_pointer(&plan->host_folders, g_array_unref);
    g_clear_pointer(&plan->host_entries, g_array_unref);
    g_array_unref(plan->mounts);
    program_clear(&plan->program);
    g_free(plan);
}
