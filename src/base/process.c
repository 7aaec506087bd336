#include "base/process.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#define ERRORS_LIMIT (64 * 1024)
#define OUTPUT_LIMIT (256 * 1024 * 1024)

extern char **environ;

static void child_setup(gpointer parent)
{
    /* Async-signal-safe only: GLib calls this between fork and exec. */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != (pid_t) GPOINTER_TO_INT(parent))
        _exit(127);
}

static char **clean_environment(void)
{
    GPtrArray *kept = g_ptr_array_new();
    for (char **e = environ; *e != NULL; e++)
        if (!g_str_has_prefix(*e, "G_DEBUG=") && !g_str_has_prefix(*e, "G_SLICE=") &&
            !g_str_has_prefix(*e, "G_MESSAGES_") && !g_str_has_prefix(*e, "SLIPWAY_CRASH_"))
            g_ptr_array_add(kept, g_strdup(*e));
    g_ptr_array_add(kept, NULL);
    return (char **) g_ptr_array_free(kept, FALSE);
}

static void append_bounded(GByteArray *into, const char *bytes, size_t length, size_t limit)
{
    size_t room = limit > into->len ? limit - into->len : 0;
    g_byte_array_append(into, (const guint8 *) bytes, (guint) MIN(room, length));
}

/* Feeds INPUT and drains both pipes until they close; none of the three can block the others. */
static void pump(int in, int out, int err, const char *input, size_t input_length,
                 GByteArray *output, GByteArray *errors)
{
    while (in >= 0 || out >= 0 || err >= 0) {
        struct pollfd fds[3] = {{in, POLLOUT, 0}, {out, POLLIN, 0}, {err, POLLIN, 0}};
        char buffer[65536];
        if (poll(fds, 3, -1) < 0 && errno != EINTR)
            break;
        if (in >= 0 && fds[0].revents != 0) {
            ssize_t n = input_length > 0 ? write(in, input, input_length) : 0;
            if (n > 0) {
                input += n;
                input_length -= (size_t) n;
            }
            if (input_length == 0 || (n < 0 && errno != EINTR && errno != EAGAIN)) {
                close(in);
                in = -1;
            }
        }
        int *pipes[] = {&out, &err};
        for (int i = 0; i < 2; i++) {
            if (*pipes[i] < 0 || fds[i + 1].revents == 0)
                continue;
            ssize_t n = read(*pipes[i], buffer, sizeof buffer);
            if (n > 0)
                append_bounded(i == 0 ? output : errors, buffer, (size_t) n,
                               i == 0 ? OUTPUT_LIMIT : ERRORS_LIMIT);
            else if (n == 0 || errno != EINTR) {
                close(*pipes[i]);
                *pipes[i] = -1;
            }
        }
    }
}

bool process_run(const ProcessSpec *spec, ProcessResult *result, GError **error)
{
    *result = (ProcessResult){.status = -1};
    g_auto(GStrv) ours = spec->environment == NULL ? clean_environment() : NULL;
    const char *const *environment = ours != NULL ? (const char *const *) ours : spec->environment;
    bool own_output = spec->stdout_fd <= 0;
    autofd int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    int out_pipe[2] = {-1, -1};
    int in = -1, out = -1, err = -1;
    if (spec->merge_stderr && pipe2(out_pipe, O_CLOEXEC) < 0)
        return error_set_errno(error, errno, "pipe for", spec->argv[0]);

    g_autoptr(GError) spawn_error = NULL;
    pid_t pid;
    gboolean started = g_spawn_async_with_pipes_and_fds(
        spec->folder, spec->argv, environment, G_SPAWN_SEARCH_PATH | G_SPAWN_DO_NOT_REAP_CHILD,
        child_setup, GINT_TO_POINTER((int) getpid()), spec->input != NULL ? -1 : null_fd,
        spec->merge_stderr ? out_pipe[1] : (own_output ? -1 : spec->stdout_fd),
        spec->merge_stderr ? out_pipe[1] : (spec->inherit_stderr ? STDERR_FILENO : -1), NULL, NULL,
        0, &pid, spec->input != NULL ? &in : NULL, own_output && !spec->merge_stderr ? &out : NULL,
        !spec->merge_stderr && !spec->inherit_stderr ? &err : NULL, &spawn_error);
    if (out_pipe[1] >= 0)
        close(out_pipe[1]);
    if (!started) {
        if (out_pipe[0] >= 0)
            close(out_pipe[0]);
        bool missing = g_error_matches(spawn_error, G_SPAWN_ERROR, G_SPAWN_ERROR_NOENT);
        g_set_error(error, SLIPWAY_ERROR,
                    missing ? SLIPWAY_ERROR_NOT_FOUND : SLIPWAY_ERROR_UNAVAILABLE, "run '%s': %s",
                    spec->argv[0], missing ? "program not found" : spawn_error->message);
        return false;
    }
    if (spec->merge_stderr)
        out = out_pipe[0];

    GByteArray *output = g_byte_array_new();
    GByteArray *errors = g_byte_array_new();
    size_t input_length = 0;
    if (spec->input != NULL)
        input_length = spec->input_length < 0 ? strlen(spec->input) : (size_t) spec->input_length;
    pump(in, out, err, spec->input, input_length, output, errors);

    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    result->status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    result->output_length = output->len;
    g_byte_array_append(output, (const guint8 *) "", 1);
    g_byte_array_append(errors, (const guint8 *) "", 1);
    result->output = (char *) g_byte_array_free(output, FALSE);
    result->errors = (char *) g_byte_array_free(errors, FALSE);
    return true;
}

bool process_run_checked(const ProcessSpec *spec, ProcessResult *result, GError **error)
{
    if (!process_run(spec, result, error))
        return false;
    if (result->status == 0)
        return true;
    const char *words = result->errors[0] != '\0' ? result->errors : result->output;
    g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_UNAVAILABLE, "'%s' ended with status %d%s%s",
                spec->argv[0], result->status, words[0] != '\0' ? ": " : "",
                g_strchomp((char *) words));
    return false;
}

void process_result_clear(ProcessResult *result)
{
    g_clear_pointer(&result->output, g_free);
    g_clear_pointer(&result->errors, g_free);
}
