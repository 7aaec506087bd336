#include "pipeline/step.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/file.h"
#include "pipeline/job_root.h"
#include "pipeline/mask.h"
#include "pipeline/output.h"

#include <errno.h>
#include <fcntl.h>

#define WORKSPACE "/workspace"

static char **command_environment(const PipelineCommandSpec *spec)
{
    char **environment = g_environ_setenv(
        NULL, "PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", TRUE);
    environment = g_environ_setenv(environment, "HOME", "/root", TRUE);
    environment = g_environ_setenv(environment, "LANG", "C.UTF-8", TRUE);
    environment = g_environ_setenv(environment, "CI", "true", TRUE);
    for (const char *const *entry = spec->environment; entry != NULL && *entry != NULL; entry++) {
        g_auto(GStrv) pair = g_strsplit(*entry, "=", 2);
        if (pair[0] != NULL && pair[1] != NULL)
            environment = g_environ_setenv(environment, pair[0], pair[1], TRUE);
    }
    return environment;
}

static void feed_output(void *output, const char *bytes, size_t length)
{
    output_feed(output, bytes, length);
}

static JobRoot *start_root(const PipelineCommandSpec *spec, const char *scratch, GError **error)
{
    const SandboxMount workspace = {
        .kind = SANDBOX_MOUNT_BIND, .source = spec->workspace, .target = WORKSPACE};
    const JobRootSpec root = {
        .store = spec->store,
        .image = spec->image,
        .scratch = scratch,
        .mounts = &workspace,
        .mount_count = 1,
        .network = spec->network,
        .limits = spec->limits,
    };
    return job_root_start(&root, error);
}

/* Runs the line in ROOT with its output through MASK. */
static bool run_line(const PipelineCommandSpec *spec, JobRoot *root, int log_fd, Mask *mask,
                     PipelineCommandResult *result, GError **error)
{
    bool bash = job_root_has(root, "bash");
    const char *const with_bash[] = {"bash", "-e", "-o", "pipefail", "-c", spec->command, NULL};
    const char *const with_sh[] = {"sh", "-e", "-c", spec->command, NULL};
    g_auto(GStrv) environment = command_environment(spec);
    const OutputSpec stream = {
        .mask = mask, .sink = spec->sink, .job = spec->job, .step = spec->step, .log_fd = log_fd};
    g_autoptr(Output) output = output_new(&stream);
    const JobRootCommand command = {
        .argv = bash ? with_bash : with_sh,
        .environment = (const char *const *) environment,
        .folder = WORKSPACE,
        .timeout_ms = spec->timeout_ms,
        .cancelled = spec->cancelled,
        .output = feed_output,
        .user = output,
    };
    JobRootResult ended;
    if (!job_root_run(root, &command, &ended, error))
        return false;
    output_flush(output);
    result->status = ended.timed_out ? 124 : ended.status;
    result->timed_out = ended.timed_out;
    result->cancelled = ended.cancelled;
    result->out_of_memory = ended.out_of_memory;
    result->tail = output_tail(output);
    return true;
}

bool pipeline_command_run(const PipelineCommandSpec *spec, PipelineCommandResult *result,
                          GError **error)
{
    *result = (PipelineCommandResult){.status = -1, .started_at = clock_now_ns()};
    g_autofree char *cache = state_folder(spec->state, error, "cache", "roots", NULL);
    if (cache == NULL)
        return false;
    g_autofree char *scratch = file_make_temporary_folder(cache, "command", error);
    if (scratch == NULL)
        return false;
    autofd int log_fd = -1;
    if (spec->log_path != NULL) {
        log_fd = open(spec->log_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        if (log_fd < 0)
            error_set_errno(error, errno, "write log", spec->log_path);
    }
    g_autoptr(Mask) mask = mask_new();
    for (const char *const *value = spec->masks; value != NULL && *value != NULL; value++)
        mask_add(mask, *value);
    JobRoot *root = spec->log_path == NULL || log_fd >= 0 ? start_root(spec, scratch, error) : NULL;
    bool ran = root != NULL && run_line(spec, root, log_fd, mask, result, error);
    if (ran)
        result->root = g_strdup(job_root_name(root));
    job_root_free(root);
    file_remove_tree(AT_FDCWD, scratch, NULL);
    result->ended_at = clock_now_ns();
    return ran;
}

void pipeline_command_result_clear(PipelineCommandResult *result)
{
    g_clear_pointer(&result->root, g_free);
    g_clear_pointer(&result->tail, g_free);
}
