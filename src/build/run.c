/* run.c - RUN: one process tree in a sandbox over the image's layers, its writes the new layer. */
#include "build/build_private.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/file.h"
#include "build/account.h"
#include "build/run_mount.h"
#include "crypto/hash.h"
#include "format/json.h"
#include "sandbox/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/file.h>

#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define LAST_LINES 20
#define LINE_LIMIT 65536

typedef struct {
    Stage *stage;
    const Instruction *in;
    GPtrArray *argv; /* char *, NULL at the end */
    char *script;    /* heredoc with #!: its content; NULL: none */
    char *script_target;
    GPtrArray *mounts;      /* RunMount * */
    GPtrArray *variables;   /* char *: the environment, secrets' variables apart */
    GPtrArray *environment; /* what the process gets */
    char *folder;
    Account account;
    SandboxNetwork network;
    bool insecure;
    char *shown; /* "/bin/sh -c …", for messages */
    /* while it runs */
    GArray *sandbox_mounts; /* SandboxMount */
    GPtrArray *texts;       /* what those point at */
    GArray *locks;          /* int: descriptors of locked caches */
    GQueue *last_lines;     /* char * */
    GString *line;
} Run;

static void run_clear(Run *run)
{
    g_ptr_array_unref(run->argv);
    g_free(run->script);
    g_free(run->script_target);
    g_ptr_array_unref(run->mounts);
    g_ptr_array_unref(run->variables);
    g_ptr_array_unref(run->environment);
    g_free(run->folder);
    account_clear(&run->account);
    g_free(run->shown);
    g_array_unref(run->sandbox_mounts);
    g_ptr_array_unref(run->texts);
    for (guint i = 0; i < run->locks->len; i++)
        close(g_array_index(run->locks, int, i));
    g_array_unref(run->locks);
    g_queue_free_full(run->last_lines, g_free);
    g_string_free(run->line, TRUE);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Run, run_clear)

static void run_init(Run *run, Stage *stage, const Instruction *in)
{
    *run = (Run){
        .stage = stage,
        .in = in,
        .argv = g_ptr_array_new_with_free_func(g_free),
        .mounts = g_ptr_array_new_with_free_func((GDestroyNotify) run_mount_free),
        .variables = g_ptr_array_new_with_free_func(g_free),
        .environment = g_ptr_array_new_with_free_func(g_free),
        .sandbox_mounts = g_array_new(FALSE, TRUE, sizeof(SandboxMount)),
        .texts = g_ptr_array_new_with_free_func(g_free),
        .locks = g_array_new(FALSE, FALSE, sizeof(int)),
        .last_lines = g_queue_new(),
        .line = g_string_new(NULL),
    };
}

static char *keep(Run *run, char *text)
{
    g_ptr_array_add(run->texts, text);
    return text;
}

/* The text for the shell: heredocs after the first are joined to it again. */
static char *shell_text(Run *run)
{
    const Instruction *in = run->in;
    if (in->heredocs->len == 0)
        return g_strdup(in->rest);
    const Heredoc *first = in->heredocs->pdata[0];
    const char *word = in->rest + 2 + (in->rest[0] == '<' && in->rest[2] == '-');
    bool alone = in->heredocs->len == 1 && g_str_has_prefix(in->rest, "<<") &&
                 strpbrk(word + strspn(word, " \t"), " \t|&;<>") == NULL;
    if (alone && g_str_has_prefix(first->content, "#!")) {
        run->script = g_strdup(first->content);
        run->script_target = g_strconcat("/dev/pipes/", first->name, NULL);
        return NULL;
    }
    if (alone)
        return g_strdup(first->content);
    GString *text = g_string_new(in->rest);
    for (guint i = 0; i < in->heredocs->len; i++) {
        const Heredoc *heredoc = in->heredocs->pdata[i];
        g_string_append_printf(text, "\n%s%s", heredoc->content, heredoc->name);
    }
    g_string_append_c(text, '\n');
    return g_string_free(text, FALSE);
}

static void decide_argv(Run *run)
{
    const Instruction *in = run->in;
    json_t *shell = json_object_get(config_section(run->stage), "Shell");
    g_autofree char *text = in->json ? NULL : shell_text(run);
    if (in->json) {
        for (char **word = in->args; *word != NULL; word++)
            g_ptr_array_add(run->argv, g_strdup(*word));
    } else if (run->script != NULL) {
        g_ptr_array_add(run->argv, g_strdup(run->script_target));
    } else {
        size_t index;
        json_t *word;
        json_array_foreach(shell, index, word)
            g_ptr_array_add(run->argv, g_strdup(json_string_value(word)));
        if (!json_is_array(shell)) {
            g_ptr_array_add(run->argv, g_strdup("/bin/sh"));
            g_ptr_array_add(run->argv, g_strdup("-c"));
        }
        g_ptr_array_add(run->argv, g_steal_pointer(&text));
    }
    g_ptr_array_add(run->argv, NULL);
    run->shown = g_strjoinv(" ", (char **) run->argv->pdata);
}

static void add_variable(GPtrArray *environment, const char *name, const char *value)
{
    g_ptr_array_add(environment, g_strdup_printf("%s=%s", name, value));
}

/* ENV of the image, then ARGs that no ENV hides, PATH and HOME. */
static void decide_environment(Run *run)
{
    json_t *own = config_environment(run->stage);
    size_t index;
    json_t *pair;
    json_array_foreach(own, index, pair)
        g_ptr_array_add(run->variables, g_strdup(json_string_value(pair)));
    const Variables *args = run->stage->args;
    for (guint i = 0; i < args->names->len; i++) {
        const char *name = args->names->pdata[i], *value = variables_get(args, name);
        if (value != NULL && environment_get(own, name) == NULL)
            add_variable(run->variables, name, value);
    }
    if (environment_get(own, "PATH") == NULL)
        add_variable(run->variables, "PATH", DEFAULT_PATH);
    if (environment_get(own, "HOME") == NULL)
        add_variable(run->variables, "HOME", run->account.home);
}

/* Proxies given with --build-arg or by our own environment: seen by the step, not part of its key.
 */
static void add_proxies(Run *run)
{
    static const char *const names[] = {"HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy",
                                        "FTP_PROXY",  "ftp_proxy",  "NO_PROXY",    "no_proxy",
                                        "ALL_PROXY",  "all_proxy"};
    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        const char *given = variables_get(run->stage->build->given, names[i]);
        const char *ours = g_getenv(names[i]);
        bool declared = environment_get(config_environment(run->stage), names[i]) != NULL ||
                        variables_get(run->stage->args, names[i]) != NULL;
        if (declared)
            continue;
        if (given != NULL)
            add_variable(run->environment, names[i], given);
        else if (ours != NULL && strchr(ours, '@') == NULL)
            add_variable(run->environment, names[i], ours);
    }
}

static const char *lookup(void *data, const char *name)
{
    Stage *stage = data;
    const char *value = environment_get(config_environment(stage), name);
    return value != NULL ? value : variables_get(stage->args, name);
}

static bool parse_mounts(Run *run, GError **error)
{
    ExpandScope scope = {run->stage->build->file->escape, lookup, run->stage};
    for (char **flag = run->in->flags; *flag != NULL; flag++) {
        if (!g_str_has_prefix(*flag, "--mount="))
            continue;
        RunMount *mount = run_mount_parse(*flag + strlen("--mount="), &scope, error);
        if (mount == NULL)
            return false;
        g_ptr_array_add(run->mounts, mount);
    }
    return true;
}

static bool decide_isolation(Run *run, GError **error)
{
    const char *network = instruction_flag(run->in, "network");
    const char *security = instruction_flag(run->in, "security");
    const BuildSpec *spec = run->stage->build->spec;
    run->network = SANDBOX_NETWORK_SLIRP;
    if (network != NULL && g_str_equal(network, "none"))
        run->network = SANDBOX_NETWORK_NONE;
    else if (network != NULL && g_str_equal(network, "host"))
        run->network = SANDBOX_NETWORK_HOST;
    else if (network != NULL && !g_str_equal(network, "default"))
        return stage_error(run->stage, error, "--network=%s: expected default, none or host",
                           network);
    run->insecure = security != NULL && g_str_equal(security, "insecure");
    if (security != NULL && !run->insecure && !g_str_equal(security, "sandbox"))
        return stage_error(run->stage, error, "--security=%s: expected sandbox or insecure",
                           security);
    const char *wanted = run->network == SANDBOX_NETWORK_HOST && !spec->host_network
                             ? "network.host"
                         : run->insecure && !spec->insecure ? "security.insecure"
                                                            : NULL;
    if (wanted == NULL)
        return true;
    g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_DENIED,
                "%s is not allowed; whoever builds grants it with --allow %s", wanted, wanted);
    return stage_fail(run->stage, error);
}

static void add_mount(Run *run, SandboxMount mount)
{
    g_array_append_val(run->sandbox_mounts, mount);
}

/* Where MOUNT goes in the root. */
static char *target_of(Run *run, const char *text)
{
    return keep(run, config_path(run->stage, text));
}

/* A copy of what the mount's source selects, so that writes are nobody else's. */
static char *copy_source(Run *run, const RunMount *mount, GError **error)
{
    Build *build = run->stage->build;
    g_autoptr(RootTree) owned = NULL;
    RootTree *tree = source_tree(run->stage, mount->from, &owned, error);
    if (tree == NULL)
        return NULL;
    const char *source = mount->source != NULL ? mount->source : "";
    g_auto(RootEntry) entry = {0};
    if (!root_tree_lookup(tree, source, true, &entry, error)) {
        if (error == NULL || *error == NULL)
            g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_NOT_FOUND, "\"/%s\": not found",
                        source[0] == '/' ? source + 1 : source);
        return NULL;
    }
    g_autofree char *folder = file_make_temporary_folder(build->scratch, "mount", error);
    g_autoptr(Selection) selection = selection_new();
    SelectionRules rules = {.keep_owner = mount->from != NULL};
    static const char *const nothing[] = {NULL};
    g_autoptr(RootTree) empty = root_tree_of_layers(nothing);
    g_auto(Upper) upper = {.lower = empty, .folder = folder};
    if (folder == NULL || !selection_add(selection, tree, source, "it", false, &rules, error) ||
        !upper_copy(&upper, selection, &rules, true, error))
        return NULL;
    chmod(folder, 0755);
    return keep(run, g_build_filename(folder, "it", NULL));
}

static bool prepare_bind(Run *run, const RunMount *mount, GError **error)
{
    char *source = copy_source(run, mount, error);
    if (source != NULL)
        add_mount(run, (SandboxMount){.kind = SANDBOX_MOUNT_BIND,
                                      .source = source,
                                      .target = target_of(run, mount->target),
                                      .read_only = mount->read_only});
    return source != NULL;
}

/* Takes the lock of a cache that only one step at a time may use. */
static bool lock_cache(Run *run, const char *folder, GError **error)
{
    g_autofree char *path = g_strconcat(folder, ".lock", NULL);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || flock(fd, LOCK_EX) != 0) {
        int errnum = errno;
        if (fd >= 0)
            close(fd);
        return error_set_errno(error, errnum, "lock cache", path);
    }
    g_array_append_val(run->locks, fd);
    return true;
}

static bool prepare_cache(Run *run, const RunMount *mount, GError **error)
{
    Build *build = run->stage->build;
    char *target = target_of(run, mount->target);
    const char *id = mount->id != NULL ? mount->id : target;
    g_autofree char *name = hash_hex(HASH_SHA256, id, strlen(id));
    g_autofree char *parent = state_folder(build->state, error, "cache", "build", "mounts", NULL);
    if (parent == NULL)
        return false;
    bool private = g_strcmp0(mount->sharing, "private") == 0;
    char *folder = private ? file_make_temporary_folder(build->scratch, "cache", error)
                           : g_build_filename(parent, name, NULL);
    if (folder == NULL)
        return false;
    keep(run, folder);
    bool fresh = private || mkdir(folder, 0700) == 0;
    if (!fresh && errno != EEXIST)
        return error_set_errno(error, errno, "make cache", folder);
    if (fresh && (chmod(folder, mount->mode_set ? mount->mode : 0755) != 0 ||
                  (chown(folder, mount->uid, mount->gid) != 0 && geteuid() == 0)))
        return error_set_errno(error, errno, "set owner of cache", folder);
    if (g_strcmp0(mount->sharing, "locked") == 0 && !lock_cache(run, folder, error))
        return false;
    add_mount(run, (SandboxMount){.kind = SANDBOX_MOUNT_BIND,
                                  .source = folder,
                                  .target = target,
                                  .read_only = mount->read_only});
    return true;
}

static char *write_secret(Run *run, const char *value, mode_t mode, uid_t uid, gid_t gid,
                          GError **error)
{
    char *folder = file_make_temporary_folder("/dev/shm", "slipway-secret", NULL);
    if (folder == NULL)
        folder = file_make_temporary_folder(run->stage->build->scratch, "secret", error);
    if (folder == NULL)
        return NULL;
    g_autofree char *holder = folder;
    char *path = keep(run, g_build_filename(folder, "value", NULL));
    autofd int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0 || !file_write_all(fd, value, strlen(value), error))
        return NULL;
    if ((fchown(fd, uid, gid) != 0 && geteuid() == 0) || fchmod(fd, mode) != 0) {
        error_set_errno(error, errno, "set owner of", "secret");
        return NULL;
    }
    return path;
}

static bool prepare_secret(Run *run, const RunMount *mount, GError **error)
{
    const char *from_target = mount->target != NULL ? strrchr(mount->target, '/') : NULL;
    const char *id = mount->id != NULL       ? mount->id
                     : mount->source != NULL ? mount->source
                     : from_target != NULL   ? from_target + 1
                                             : mount->target;
    const char *value = g_hash_table_lookup(run->stage->build->secret_values, id);
    if (value == NULL && !mount->required)
        return true;
    if (value == NULL) {
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_NOT_FOUND,
                    "secret %s: not found, give it with --secret id=%s,src=FILE", id, id);
        return false;
    }
    if (mount->variable != NULL) {
        add_variable(run->environment, mount->variable, value);
        if (mount->target == NULL)
            return true;
    }
    char *target = mount->target != NULL ? target_of(run, mount->target)
                                         : keep(run, g_strconcat("/run/secrets/", id, NULL));
    char *file = write_secret(run, value, mount->mode_set ? mount->mode : 0400, mount->uid,
                              mount->gid, error);
    if (file != NULL)
        add_mount(run, (SandboxMount){.kind = SANDBOX_MOUNT_BIND,
                                      .source = file,
                                      .target = target,
                                      .read_only = true});
    return file != NULL;
}

static bool prepare_ssh(Run *run, const RunMount *mount, GError **error)
{
    const char *socket = g_getenv("SSH_AUTH_SOCK");
    if (socket == NULL && !mount->required)
        return true;
    if (socket == NULL) {
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_NOT_FOUND,
                    "ssh %s: no agent, SSH_AUTH_SOCK is not set",
                    mount->id != NULL ? mount->id : "default");
        return false;
    }
    char *target = mount->target != NULL ? target_of(run, mount->target)
                                         : keep(run, g_strdup("/run/buildkit/ssh_agent.0"));
    add_variable(run->environment, "SSH_AUTH_SOCK", target);
    add_mount(run, (SandboxMount){.kind = SANDBOX_MOUNT_BIND, .source = socket, .target = target});
    return true;
}

static bool prepare_mount(Run *run, const RunMount *mount, GError **error)
{
    switch (mount->kind) {
    case RUN_MOUNT_BIND:
        return prepare_bind(run, mount, error);
    case RUN_MOUNT_CACHE:
        return prepare_cache(run, mount, error);
    case RUN_MOUNT_SECRET:
        return prepare_secret(run, mount, error);
    case RUN_MOUNT_SSH:
        return prepare_ssh(run, mount, error);
    case RUN_MOUNT_TMPFS:
        break;
    }
    add_mount(run, (SandboxMount){.kind = SANDBOX_MOUNT_TMPFS,
                                  .target = target_of(run, mount->target),
                                  .size = mount->size,
                                  .mode = mount->mode_set ? mount->mode : 01777});
    return true;
}

static bool prepare_script(Run *run, GError **error)
{
    if (run->script == NULL)
        return true;
    g_autofree char *folder =
        file_make_temporary_folder(run->stage->build->scratch, "script", error);
    char *path = folder != NULL ? keep(run, g_build_filename(folder, "script", NULL)) : NULL;
    if (path == NULL || !file_write_atomic(AT_FDCWD, path, run->script, -1, 0755, error))
        return false;
    add_mount(run, (SandboxMount){.kind = SANDBOX_MOUNT_BIND,
                                  .source = path,
                                  .target = run->script_target,
                                  .read_only = true});
    return true;
}

/* Secrets are masked in all that leaves the step. */
static char *mask(const Build *build, const char *text)
{
    g_autofree char *masked = g_strdup(text);
    for (guint i = 0; i < build->secrets->len; i++) {
        const char *secret = build->secrets->pdata[i];
        if (strlen(secret) < 4 || strstr(masked, secret) == NULL)
            continue;
        g_auto(GStrv) parts = g_strsplit(masked, secret, -1);
        g_free(masked);
        masked = g_strjoinv("***", parts);
    }
    return g_steal_pointer(&masked);
}

static void end_line(Run *run)
{
    g_autofree char *valid = g_utf8_make_valid(run->line->str, (gssize) run->line->len);
    char *text = mask(run->stage->build, valid);
    g_string_truncate(run->line, 0);
    event_emit(run->stage->build->spec->events, "build.output",
               json_pack("{s:i, s:s}", "number", (int) run->stage->step, "text", text));
    g_queue_push_tail(run->last_lines, text);
    if (g_queue_get_length(run->last_lines) > LAST_LINES)
        g_free(g_queue_pop_head(run->last_lines));
}

static void take_output(Run *run, const char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (bytes[i] != '\n' && run->line->len < LINE_LIMIT)
            g_string_append_c(run->line, bytes[i]);
        if (bytes[i] == '\n' || run->line->len >= LINE_LIMIT)
            end_line(run);
    }
}

/* Reads what the step says until it has ended. */
static bool follow(Run *run, Sandbox *sandbox, int output, int *status, GError **error)
{
    int timeout = run->stage->build->spec->step_timeout_ms;
    int64_t deadline = timeout > 0 ? g_get_monotonic_time() + (int64_t) timeout * 1000 : -1;
    char buffer[16384];
    for (;;) {
        int64_t left = deadline < 0 ? -1 : (deadline - g_get_monotonic_time()) / 1000;
        struct pollfd wait = {.fd = output, .events = POLLIN};
        int ready = deadline >= 0 && left <= 0 ? 0 : poll(&wait, 1, (int) left);
        if (ready < 0 && errno == EINTR)
            continue;
        if (ready == 0) {
            sandbox_signal(sandbox, SIGKILL, NULL);
            g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID,
                        "process \"%s\" did not end within %d ms", run->shown, timeout);
            return false;
        }
        ssize_t n = read(output, buffer, sizeof buffer);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        take_output(run, buffer, (size_t) n);
    }
    if (run->line->len > 0)
        end_line(run);
    return sandbox_wait(sandbox, -1, status, error);
}

static bool fail_status(Run *run, Sandbox *sandbox, int status, GError **error)
{
    g_autoptr(GString) last = g_string_new(NULL);
    for (GList *line = run->last_lines->head; line != NULL; line = line->next)
        g_string_append_printf(last, "\n  %s", (char *) line->data);
    g_autofree char *shown = mask(run->stage->build, run->shown);
    g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID,
                "process \"%s\" did not complete successfully: exit code: %d%s%s", shown, status,
                sandbox_was_out_of_memory(sandbox) ? " (out of memory)" : "", last->str);
    return false;
}

static bool run_in_sandbox(Run *run, const char *upper, const char *work, GError **error)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0)
        return error_set_errno(error, errno, "make pipe for", "output");
    autofd int output = ends[0];
    autofd int input = ends[1];
    for (guint i = 0; i < run->variables->len; i++)
        g_ptr_array_add(run->environment, g_strdup(run->variables->pdata[i]));
    g_ptr_array_add(run->environment, NULL);
    SandboxSpec spec = {
        .root = {.layers = (const char *const *) run->stage->folders, .upper = upper, .work = work},
        .mounts = (const SandboxMount *) (void *) run->sandbox_mounts->data,
        .mount_count = run->sandbox_mounts->len,
        .argv = (const char *const *) run->argv->pdata,
        .environment = (const char *const *) run->environment->pdata,
        .folder = run->folder,
        .uid = run->account.uid,
        .gid = run->account.gid,
        .groups = run->account.groups,
        .group_count = run->account.group_count,
        .hostname = "buildkitsandbox",
        .network = run->network,
        .capabilities = run->insecure ? UINT64_MAX : SANDBOX_CAPABILITIES_DEFAULT,
        .insecure_syscalls = run->insecure,
        .certificates = true,
        .stdin_fd = -1,
        .stdout_fd = input,
        .stderr_fd = input,
    };
    g_autoptr(Sandbox) sandbox = sandbox_start(&spec, error);
    if (sandbox == NULL)
        return false;
    close(steal_fd(&input));
    int status = 0;
    if (!follow(run, sandbox, output, &status, error))
        return false;
    return status == 0 || fail_status(run, sandbox, status, error);
}

/* The first component of TARGET that the image does not have: what mounting made in UPPER. */
static char *made_by_mount(Run *run, const char *target)
{
    g_auto(GStrv) parts = g_strsplit(target + 1, "/", -1);
    g_autofree char *path = g_strdup("");
    for (char **part = parts; *part != NULL; part++) {
        char *next = g_strconcat(path, *path != '\0' ? "/" : "", *part, NULL);
        g_free(path);
        path = next;
        g_auto(RootEntry) entry = {0};
        if (!root_tree_lookup(run->stage->tree, path, true, &entry, NULL))
            return g_steal_pointer(&path);
    }
    return NULL;
}

/* Removes the empty mount points from LEVEL down to TARGET. */
static void remove_mount_point(const char *upper, const char *made, const char *target)
{
    g_autofree char *path = g_strdup(target + 1);
    while (strlen(path) >= strlen(made)) {
        g_autofree char *file = g_build_filename(upper, path, NULL);
        struct stat st;
        bool empty_file = lstat(file, &st) == 0 && S_ISREG(st.st_mode) && st.st_size == 0;
        if (empty_file ? unlink(file) != 0 : rmdir(file) != 0)
            return;
        char *slash = strrchr(path, '/');
        if (slash == NULL)
            return;
        *slash = '\0';
    }
}

static void remove_secrets(Run *run)
{
    for (guint i = 0; i < run->texts->len; i++) {
        const char *text = run->texts->pdata[i];
        if (!g_str_has_prefix(text, "/dev/shm/slipway-secret"))
            continue;
        g_autofree char *folder = g_path_get_dirname(text);
        file_remove_tree(AT_FDCWD, folder, NULL);
    }
}

static bool run_work(Stage *stage, const char *upper, const char *scratch, void *data,
                     GError **error)
{
    Run *run = data;
    g_autofree char *obstacle = sandbox_obstacle();
    if (obstacle != NULL) {
        g_set_error_literal(error, SLIPWAY_ERROR, SLIPWAY_ERROR_UNAVAILABLE, obstacle);
        return false;
    }
    add_proxies(run);
    bool ok = prepare_script(run, error);
    for (guint i = 0; ok && i < run->mounts->len; i++)
        ok = prepare_mount(run, run->mounts->pdata[i], error);
    g_autoptr(GPtrArray) made = g_ptr_array_new_with_free_func(g_free);
    for (guint i = 0; i < run->sandbox_mounts->len; i++)
        g_ptr_array_add(
            made, made_by_mount(run, g_array_index(run->sandbox_mounts, SandboxMount, i).target));
    ok = ok && run_in_sandbox(run, upper, scratch, error);
    remove_secrets(run);
    for (guint i = 0; i < made->len; i++)
        if (made->pdata[i] != NULL)
            remove_mount_point(upper, made->pdata[i],
                               g_array_index(run->sandbox_mounts, SandboxMount, i).target);
    return ok;
}

/* What a mount adds to the key: its text, and for a bind the content of its source. */
static bool mount_inputs(Run *run, json_t *inputs, GError **error)
{
    guint at = 0;
    for (char **flag = run->in->flags; *flag != NULL; flag++) {
        if (!g_str_has_prefix(*flag, "--mount="))
            continue;
        const RunMount *mount = run->mounts->pdata[at++];
        g_autofree char *name = g_strdup_printf("mount %u", at);
        json_object_set_new(inputs, name, json_string_nocheck(*flag));
        if (mount->kind != RUN_MOUNT_BIND)
            continue;
        g_autoptr(RootTree) owned = NULL;
        RootTree *tree = source_tree(run->stage, mount->from, &owned, error);
        g_autoptr(Selection) selection = selection_new();
        SelectionRules rules = {.keep_owner = mount->from != NULL};
        if (tree == NULL || !selection_add(selection, tree, mount->source ? mount->source : "",
                                           "it", false, &rules, error))
            return false;
        g_autofree char *digest = selection_digest(selection, run->stage->build->index, error);
        if (digest == NULL)
            return false;
        g_autofree char *content = g_strdup_printf("content of mount %u", at);
        json_object_set_new(inputs, content, json_string(digest));
    }
    return true;
}

static json_t *run_inputs(Run *run, GError **error)
{
    g_autoptr(json_t) inputs = json_object();
    g_autoptr(GString) command = g_string_new(NULL);
    for (guint i = 0; run->argv->pdata[i] != NULL; i++)
        g_string_append_printf(command, "%s\n", (char *) run->argv->pdata[i]);
    g_string_append(command, run->script != NULL ? run->script : "");
    json_object_set_new(inputs, "instruction", input_digest(command->str));
    for (guint i = 0; i < run->variables->len; i++) {
        const char *pair = run->variables->pdata[i], *equals = strchr(pair, '=');
        g_autofree char *name = g_strndup(pair, (gsize) (equals - pair));
        if (variable_is_predefined(name) && variables_get(run->stage->args, name) == NULL)
            continue;
        g_autofree char *key = g_strconcat("environment ", name, NULL);
        json_object_set_new(inputs, key, input_digest(equals + 1));
    }
    g_autofree char *user = g_strdup_printf("%u:%u", run->account.uid, run->account.gid);
    json_object_set_new(inputs, "user", json_string(user));
    json_object_set_new(inputs, "folder", json_string_nocheck(run->folder));
    json_object_set_new(inputs, "network", json_integer(run->network));
    json_object_set_new(inputs, "insecure", json_boolean(run->insecure));
    return mount_inputs(run, inputs, error) ? g_steal_pointer(&inputs) : NULL;
}

/* "RUN |2 A=1 B=2 /bin/sh -c … # buildkit" */
static char *created_by(Run *run)
{
    g_autoptr(GString) out = g_string_new("RUN ");
    const Variables *args = run->stage->args;
    g_autoptr(GString) given = g_string_new(NULL);
    guint count = 0;
    for (guint i = 0; i < args->names->len; i++) {
        const char *name = args->names->pdata[i], *value = variables_get(args, name);
        if (value == NULL || variable_is_predefined(name))
            continue;
        g_string_append_printf(given, "%s=%s ", name, value);
        count++;
    }
    if (count > 0)
        g_string_append_printf(out, "|%u %s", count, given->str);
    g_string_append_printf(out, "%s # buildkit", run->shown);
    return g_string_free(g_steal_pointer(&out), FALSE);
}

bool run_apply(Stage *stage, const Instruction *in, GError **error)
{
    g_auto(Run) run;
    run_init(&run, stage, in);
    const char *folder = config_text(stage, "WorkingDir");
    run.folder = g_strdup(*folder != '\0' ? folder : "/");
    decide_argv(&run);
    RootTree *tree = stage_tree(stage, error);
    if (tree == NULL || !parse_mounts(&run, error) ||
        !account_resolve(tree, config_text(stage, "User"), false, &run.account, error))
        return stage_fail(stage, error);
    if (run.argv->len < 2 || *(char *) run.argv->pdata[run.argv->len - 2] == '\0')
        return stage_error(stage, error, "RUN has no command, expected RUN COMMAND");
    if (!decide_isolation(&run, error))
        return false;
    decide_environment(&run);
    json_t *inputs = run_inputs(&run, error);
    if (inputs == NULL)
        return stage_fail(stage, error);
    g_autofree char *history = created_by(&run);
    Step step = {.created_by = history, .inputs = inputs, .work = run_work, .data = &run};
    return step_make_layer(stage, &step, error) || stage_fail(stage, error);
}
