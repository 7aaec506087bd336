/* job_root.c
 *
 *   we                                    inside: sh, the agent
 *   write "N\n" to its stdin ──────────►  ( . /run/slipway/step-N )
 *   stdout pipe  ◄────────────────────────  output of the step (and of what earlier ones left)
 *   stderr pipe  ◄────────────────────────  "pid P", then "end STATUS": the control channel
 *
 * The folder /run/slipway is read-only inside. */
#include "pipeline/job_root.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/file.h"
#include "oci/layer.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define MOUNTS_LIMIT 64
#define POLL_MS 100

static const char agent[] = "exec 3>&2 2>&1\n"
                            "while IFS= read -r n; do\n"
                            "  ( . " JOB_ROOT_FOLDER "/step-$n ) </dev/null\n"
                            "  echo \"end $?\" >&3\n"
                            "done\n";

/* Ends a step's whole tree with builtins alone: $1 is the signal, $2 the process. */
static const char kill_tree[] =
    "t() { read -r kids < /proc/$1/task/$1/children && for k in $kids; do t $k; done;"
    " kill -KILL $1; } 2>/dev/null; "
    "if [ $1 = KILL ]; then t $2; else kill -$1 $2; fi";

struct JobRoot {
    Sandbox *sandbox;
    char *name;
    char *folder; /* of the agent, on this machine */
    json_t *config;
    char *path; /* PATH that the agent looks programs up in */
    int commands, output, control;
    GString *control_text;
    int steps;
};

static const char default_path[] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/* -- start ------------------------------------------------------------------------------------ */

static bool set_image(JobRoot *root, const JobRootSpec *spec, SandboxRoot *into, char ***layers,
                      GError **error)
{
    if (spec->store == NULL) {
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INTERNAL, "no store for image '%s'",
                    spec->image);
        return false;
    }
    root->name = image_resolve(spec->store, spec->image, error);
    if (root->name == NULL)
        return false;
    g_autoptr(Image) image = image_load(spec->store, root->name, error);
    if (image == NULL)
        return false;
    root->config = json_incref(json_object_get(image->config, "config"));
    *layers = layer_folders(spec->store, image, error);
    into->layers = (const char *const *) *layers;
    return *layers != NULL;
}

static char *image_path(const json_t *config)
{
    const json_t *env = json_object_get(config, "Env");
    for (size_t i = 0; i < json_array_size(env); i++) {
        const char *entry = json_string_value(json_array_get(env, i));
        if (entry != NULL && g_str_has_prefix(entry, "PATH="))
            return g_strdup(entry + strlen("PATH="));
    }
    return g_strdup(default_path);
}

static bool make_folder(const char *scratch, const char *name, char **path, GError **error)
{
    *path = g_build_filename(scratch, name, NULL);
    return file_make_folders(*path, 0755, error);
}

/* The ends of the three pipes; ours are not blocking. */
typedef struct {
    int in[2], out[2], err[2];
} Pipes;

static void pipes_clear(Pipes *pipes)
{
    int *all[] = {pipes->in, pipes->out, pipes->err};
    for (size_t i = 0; i < G_N_ELEMENTS(all); i++)
        for (int j = 0; j < 2; j++)
            if (all[i][j] >= 0)
                close(all[i][j]);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Pipes, pipes_clear)

static bool pipes_open(Pipes *pipes, GError **error)
{
    if (pipe2(pipes->in, O_CLOEXEC) < 0 || pipe2(pipes->out, O_CLOEXEC) < 0 ||
        pipe2(pipes->err, O_CLOEXEC) < 0)
        return error_set_errno(error, errno, "make pipe for", "job");
    fcntl(pipes->out[0], F_SETFL, O_NONBLOCK);
    fcntl(pipes->err[0], F_SETFL, O_NONBLOCK);
    return true;
}

static bool start_sandbox(JobRoot *root, const JobRootSpec *spec, const SandboxRoot *folders,
                          Pipes *pipes, GError **error)
{
    SandboxMount mounts[MOUNTS_LIMIT];
    g_assert(spec->mount_count + 1 <= MOUNTS_LIMIT);
    for (size_t i = 0; i < spec->mount_count; i++)
        mounts[i] = spec->mounts[i];
    mounts[spec->mount_count] = (SandboxMount){.kind = SANDBOX_MOUNT_BIND,
                                               .source = root->folder,
                                               .target = JOB_ROOT_FOLDER,
                                               .read_only = true};
    g_autofree char *path = g_strconcat("PATH=", root->path, NULL);
    const char *const environment[] = {path, NULL};
    const char *const argv[] = {"/bin/sh", "-c", agent, NULL};
    const SandboxSpec sandbox = {
        .root = *folders,
        .mounts = mounts,
        .mount_count = spec->mount_count + 1,
        .argv = argv,
        .environment = environment,
        .hostname = spec->hostname,
        .extra_hosts = spec->extra_hosts,
        .network = spec->network,
        .limits = spec->limits,
        .capabilities = SANDBOX_CAPABILITIES_DEFAULT,
        .certificates = true,
        .stdin_fd = pipes->in[0],
        .stdout_fd = pipes->out[1],
        .stderr_fd = pipes->err[1],
    };
    root->sandbox = sandbox_start(&sandbox, error);
    return root->sandbox != NULL;
}

JobRoot *job_root_start(const JobRootSpec *spec, GError **error)
{
    g_autoptr(JobRoot) root = g_new0(JobRoot, 1);
    root->commands = root->output = root->control = -1;
    root->control_text = g_string_new(NULL);
    g_auto(GStrv) layers = NULL;
    g_autofree char *upper = NULL, *work = NULL;
    SandboxRoot folders = {.host = spec->image == NULL};
    if (!make_folder(spec->scratch, "agent", &root->folder, error))
        return NULL;
    if (spec->image != NULL) {
        if (!set_image(root, spec, &folders, &layers, error) ||
            !make_folder(spec->scratch, "upper", &upper, error) ||
            !make_folder(spec->scratch, "work", &work, error))
            return NULL;
        folders.upper = upper;
        folders.work = work;
    } else
        root->name = g_strdup("host");
    root->path = image_path(root->config);
    g_auto(Pipes) pipes = {{-1, -1}, {-1, -1}, {-1, -1}};
    if (!pipes_open(&pipes, error) || !start_sandbox(root, spec, &folders, &pipes, error))
        return NULL;
    root->commands = steal_fd(&pipes.in[1]);
    root->output = steal_fd(&pipes.out[0]);
    root->control = steal_fd(&pipes.err[0]);
    return g_steal_pointer(&root);
}

void job_root_free(JobRoot *root)
{
    if (root == NULL)
        return;
    sandbox_free(root->sandbox);
    const int fds[] = {root->commands, root->output, root->control};
    for (size_t i = 0; i < G_N_ELEMENTS(fds); i++)
        if (fds[i] >= 0)
            close(fds[i]);
    g_string_free(root->control_text, TRUE);
    json_decref(root->config);
    g_free(root->name);
    g_free(root->folder);
    g_free(root->path);
    g_free(root);
}

const char *job_root_name(const JobRoot *root)
{
    return root->name;
}

const char *job_root_folder(const JobRoot *root)
{
    return root->folder;
}

const json_t *job_root_config(const JobRoot *root)
{
    return root->config;
}

/* -- one command ------------------------------------------------------------------------------ */

static void append_quoted(GString *out, const char *text)
{
    g_string_append_c(out, '\'');
    for (const char *p = text; *p != '\0'; p++)
        if (*p == '\'')
            g_string_append(out, "'\\''");
        else
            g_string_append_c(out, *p);
    g_string_append_c(out, '\'');
}

static bool is_shell_name(const char *entry, size_t length)
{
    if (length == 0 || g_ascii_isdigit(entry[0]))
        return false;
    for (size_t i = 0; i < length; i++)
        if (!g_ascii_isalnum(entry[i]) && entry[i] != '_')
            return false;
    return true;
}

/* The script of a step, read by the agent's subshell: it becomes the command by exec. */
static char *step_script(const JobRootCommand *command)
{
    GString *text = g_string_new("read -r p rest </proc/self/stat; echo \"pid $p\" >&3\n");
    g_autoptr(GString) odd = g_string_new(NULL); /* names a shell cannot export */
    for (const char *const *entry = command->environment; *entry != NULL; entry++) {
        const char *equals = strchr(*entry, '=');
        size_t length = equals != NULL ? (size_t) (equals - *entry) : 0;
        if (equals == NULL)
            continue;
        if (is_shell_name(*entry, length)) {
            g_string_append_printf(text, "export %.*s=", (int) length, *entry);
            append_quoted(text, equals + 1);
            g_string_append_c(text, '\n');
        } else if (length > 0) {
            g_string_append_c(odd, ' ');
            append_quoted(odd, *entry);
        }
    }
    g_string_append(text, "cd ");
    append_quoted(text, command->folder);
    g_string_append(text, " || exit 1\nexec 3>&-\nexec");
    if (odd->len > 0)
        g_string_append_printf(text, " env%s", odd->str);
    for (const char *const *word = command->argv; *word != NULL; word++) {
        g_string_append_c(text, ' ');
        append_quoted(text, *word);
    }
    g_string_append_c(text, '\n');
    return g_string_free(text, FALSE);
}

static bool post_step(JobRoot *root, const JobRootCommand *command, GError **error)
{
    g_autofree char *script = step_script(command);
    g_autofree char *name = g_strdup_printf("step-%d", ++root->steps);
    g_autofree char *path = g_build_filename(root->folder, name, NULL);
    autofd int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0)
        return error_set_errno(error, errno, "write", path);
    if (!file_write_all(fd, script, strlen(script), error))
        return false;
    g_autofree char *line = g_strdup_printf("%d\n", root->steps);
    return file_write_all(root->commands, line, strlen(line), error);
}

/* All that can be read from the step's output now. */
static void drain(JobRoot *root, const JobRootCommand *command)
{
    char buffer[65536];
    ssize_t n;
    while ((n = read(root->output, buffer, sizeof buffer)) > 0)
        if (command->output != NULL)
            command->output(command->user, buffer, (size_t) n);
}

/* Takes "pid P" and "end S" lines of the control channel. true: the step has ended. */
static bool read_control(JobRoot *root, int *pid, int *status)
{
    char buffer[256];
    ssize_t n;
    while ((n = read(root->control, buffer, sizeof buffer)) > 0)
        g_string_append_len(root->control_text, buffer, n);
    char *newline;
    bool ended = false;
    while (!ended && (newline = strchr(root->control_text->str, '\n')) != NULL) {
        const char *line = root->control_text->str;
        if (g_str_has_prefix(line, "pid "))
            *pid = atoi(line + 4);
        else if (g_str_has_prefix(line, "end ")) {
            *status = atoi(line + 4);
            ended = true;
        }
        g_string_erase(root->control_text, 0, newline - line + 1);
    }
    return ended;
}

static void signal_step(JobRoot *root, const char *name, int pid)
{
    g_autofree char *process = g_strdup_printf("%d", pid);
    const char *const argv[] = {"/bin/sh", "-c", kill_tree, "sh", name, process, NULL};
    g_autofree char *output = NULL;
    int status;
    if (pid > 0) /* failing means that it has ended by itself */
        sandbox_exec(root->sandbox, argv, 5000, 4096, &output, &status, NULL);
}

/* How far the ending of a step has gone: SIGINT, SIGTERM, SIGKILL, each after its grace. */
typedef struct {
    gint64 next; /* monotonic µs; 0: nothing asked */
    int stage;
} Ending;

static void advance(JobRoot *root, Ending *ending, int pid, gint64 now)
{
    static const struct {
        const char *signal;
        gint64 grace_ms;
    } stages[] = {
        {"INT", JOB_ROOT_GRACE_INT_MS}, {"TERM", JOB_ROOT_GRACE_TERM_MS}, {"KILL", 60000}};
    if (ending->stage >= (int) G_N_ELEMENTS(stages) || now < ending->next)
        return;
    signal_step(root, stages[ending->stage].signal, pid);
    ending->next = now + stages[ending->stage].grace_ms * 1000;
    ending->stage++;
}

static bool fail_gone(JobRoot *root, JobRootResult *result, GError **error)
{
    int status = 0;
    sandbox_wait(root->sandbox, 1000, &status, NULL);
    result->out_of_memory = sandbox_was_out_of_memory(root->sandbox);
    if (result->out_of_memory) {
        result->status = 137;
        return true;
    }
    g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_UNAVAILABLE,
                "the job's root has ended by itself with status %d", status);
    return false;
}

bool job_root_run(JobRoot *root, const JobRootCommand *command, JobRootResult *result,
                  GError **error)
{
    *result = (JobRootResult){.status = -1};
    if (!post_step(root, command, error))
        return false;
    gint64 deadline =
        command->timeout_ms > 0 ? g_get_monotonic_time() + command->timeout_ms * 1000LL : 0;
    Ending ending = {0};
    int pid = 0;
    for (;;) {
        struct pollfd fds[3] = {{root->output, POLLIN, 0},
                                {root->control, POLLIN, 0},
                                {sandbox_pidfd(root->sandbox), POLLIN, 0}};
        bool timed = deadline > 0 || command->cancelled != NULL || ending.next > 0;
        if (poll(fds, 3, timed ? POLL_MS : -1) < 0 && errno != EINTR)
            return error_set_errno(error, errno, "wait for", command->argv[0]);
        drain(root, command);
        if (read_control(root, &pid, &result->status)) {
            drain(root, command);
            return true;
        }
        if (fds[2].revents != 0)
            return fail_gone(root, result, error);
        gint64 now = g_get_monotonic_time();
        result->timed_out = result->timed_out || (deadline > 0 && now >= deadline);
        result->cancelled =
            result->cancelled || (command->cancelled != NULL && *command->cancelled != 0);
        if (result->timed_out || result->cancelled)
            advance(root, &ending, pid, now);
    }
}

bool job_root_has(JobRoot *root, const char *program)
{
    g_autofree char *line = g_strdup_printf("command -v %s >/dev/null 2>&1", program);
    g_autofree char *path = g_strconcat("PATH=", root->path, NULL);
    const char *const environment[] = {path, NULL};
    const char *const argv[] = {"/bin/sh", "-c", line, NULL};
    const JobRootCommand command = {.argv = argv, .environment = environment, .folder = "/"};
    JobRootResult result;
    return job_root_run(root, &command, &result, NULL) && result.status == 0;
}
