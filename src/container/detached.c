#include "container/detached.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/file.h"
#include "format/json.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* Puts FD at NUMBER without close-on-exec. Only system calls: this runs between fork and exec. */
static void place_fd(int fd, int number, int null_fd)
{
    if (fd < 0 && number > STDERR_FILENO)
        return;
    int source = fd >= 0 ? fd : null_fd;
    if (source == number)
        fcntl(number, F_SETFD, 0);
    else
        dup2(source, number);
}

/* The descriptors are first moved above those they become, so that none overwrites another. */
static void run_child(const DetachedSpec *spec, const char *program, int null_fd)
{
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    int from[] = {spec->stdin_fd, spec->stderr_fd, spec->stderr_fd, spec->extra_fd[0],
                  spec->extra_fd[1]};
    int high_null = fcntl(null_fd, F_DUPFD_CLOEXEC, 16);
    for (size_t i = 0; i < G_N_ELEMENTS(from); i++)
        if (from[i] >= 0)
            from[i] = fcntl(from[i], F_DUPFD_CLOEXEC, 16);
    for (size_t i = 0; i < G_N_ELEMENTS(from); i++)
        place_fd(from[i], (int) i, high_null);
    execve(program, (char *const *) spec->argv,
           spec->environment != NULL ? (char *const *) spec->environment : environ);
}

bool detached_start(const DetachedSpec *spec, GError **error)
{
    const char *program = spec->program != NULL ? spec->program : "/proc/self/exe";
    autofd int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    int report[2];
    if (null_fd < 0 || pipe2(report, O_CLOEXEC) < 0)
        return error_set_errno(error, errno, "start", spec->argv[0]);

    pid_t middle = fork();
    if (middle == 0) {
        /* Only async-signal-safe calls from here: the parent may have threads. */
        setsid();
        pid_t child = fork();
        if (child == 0) {
            run_child(spec, program, null_fd);
            int cause = errno;
            if (write(report[1], &cause, sizeof cause) < 0)
                _exit(126);
            _exit(127);
        }
        _exit(child < 0 ? errno & 0x7f : 0);
    }
    int fork_cause = errno;
    close(report[1]);
    autofd int report_fd = report[0];
    if (middle < 0)
        return error_set_errno(error, fork_cause, "start", spec->argv[0]);
    int status = 0;
    while (waitpid(middle, &status, 0) < 0 && errno == EINTR)
        continue;
    if (status != 0)
        return error_set_errno(error, WIFEXITED(status) ? WEXITSTATUS(status) : EAGAIN, "start",
                               spec->argv[0]);
    int cause = 0;
    ssize_t n;
    while ((n = read(report_fd, &cause, sizeof cause)) < 0 && errno == EINTR)
        continue;
    return n <= 0 || error_set_errno(error, cause, "start", program);
}

static char *read_boot_id(void)
{
    char *text = file_read(AT_FDCWD, "/proc/sys/kernel/random/boot_id", 128, NULL, NULL);
    return text != NULL ? g_strstrip(text) : g_strdup("");
}

/* Field 22 of /proc/PID/stat: clock ticks since boot; 0 when there is no such live process. */
static gint64 read_start(pid_t pid)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/stat", (int) pid);
    g_autofree char *text = file_read(AT_FDCWD, path, 8192, NULL, NULL);
    const char *rest = text != NULL ? strrchr(text, ')') : NULL; /* the name may hold anything */
    if (rest == NULL)
        return 0;
    g_auto(GStrv) fields = g_strsplit(rest + 2, " ", 21); /* fields[0] is field 3, the state */
    if (g_strv_length(fields) < 20 || fields[0][0] == 'Z' || fields[0][0] == 'X')
        return 0;
    return g_ascii_strtoll(fields[19], NULL, 10);
}

json_t *detached_identity(pid_t pid)
{
    g_autofree char *boot = read_boot_id();
    return json_pack("{s:i, s:I, s:s}", "pid", (int) pid, "start", (json_int_t) read_start(pid),
                     "boot", boot);
}

pid_t detached_find(const json_t *identity)
{
    const char *boot = json_get_string(identity, "boot");
    pid_t pid = (pid_t) json_get_integer(identity, "pid", 0);
    gint64 start = json_get_integer(identity, "start", 0);
    g_autofree char *now = read_boot_id();
    if (boot == NULL || pid <= 0 || start == 0 || !g_str_equal(boot, now))
        return 0;
    return read_start(pid) == start ? pid : 0;
}
