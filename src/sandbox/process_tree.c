#include "sandbox/process_tree.h"

#include "base/error.h"
#include "sandbox/syscalls.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

/* clone3 is missing from kernels before 5.3 and refused by older container engines. */
static pid_t clone_either(uint64_t flags, int *pidfd)
{
    struct clone_args args = {.flags = flags | CLONE_PIDFD, .pidfd = (uint64_t) (uintptr_t) pidfd};
    pid_t pid = sys_clone3(&args, sizeof args);
    if (pid < 0 && errno == ENOSYS)
        pid = (pid_t) syscall(SYS_clone, (unsigned long) (flags | CLONE_PIDFD), NULL, pidfd, NULL,
                              0UL);
    return pid;
}

pid_t process_clone(uint64_t flags, int *pidfd)
{
    /* A handler of the parent must not run in the child, which lacks its threads. */
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    pid_t pid = clone_either(flags, pidfd);
    if (pid == 0)
        return 0;
    int errnum = errno;
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (pid > 0)
        fcntl(*pidfd, F_SETFD, FD_CLOEXEC);
    errno = errnum;
    return pid;
}

static int64_t now_ms(void)
{
    return g_get_monotonic_time() / 1000;
}

bool process_await(int pidfd, int timeout_ms, GError **error)
{
    int64_t deadline = timeout_ms >= 0 ? now_ms() + timeout_ms : 0;
    for (;;) {
        struct pollfd wait = {.fd = pidfd, .events = POLLIN};
        int left = timeout_ms < 0 ? -1 : (int) MAX(0, deadline - now_ms());
        int got = poll(&wait, 1, left);
        if (got >= 0)
            return got > 0;
        if (errno != EINTR)
            return error_set_errno(error, errno, "wait for", "sandbox");
    }
}

bool process_reap(int pidfd, int *status, GError **error)
{
    siginfo_t info = {0};
    while (waitid(P_PIDFD, (id_t) pidfd, &info, WEXITED | __WALL) < 0)
        if (errno != EINTR)
            return error_set_errno(error, errno, "wait for", "sandbox");
    *status = info.si_code == CLD_EXITED ? info.si_status : 128 + info.si_status;
    return true;
}

static bool set_failure(const Failure *failure, GError **error)
{
    if (!failure->program) {
        g_autofree char *step = failure->what[0] != '\0'
                                    ? g_strdup_printf("%s '%s'", failure->step, failure->what)
                                    : g_strdup(failure->step);
        int code = failure->errnum == ENOENT || failure->errnum == ENOTDIR ? SLIPWAY_ERROR_NOT_FOUND
                   : failure->errnum == EPERM || failure->errnum == EACCES
                       ? SLIPWAY_ERROR_DENIED
                       : SLIPWAY_ERROR_UNAVAILABLE;
        g_set_error(error, SLIPWAY_ERROR, code, "%s: %s", step, g_strerror(failure->errnum));
        return false;
    }
    const char *why = failure->errnum == ENOENT ? "not found"
                      : failure->errnum == ELIBBAD
                          ? "the interpreter or loader it asks for is not there"
                          : g_strerror(failure->errnum);
    g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID, "exec '%s': %s", failure->what, why);
    return false;
}

bool process_read_failure(int fd, GError **error)
{
    Failure failure;
    ssize_t n;
    while ((n = read(fd, &failure, sizeof failure)) < 0 && errno == EINTR)
        continue;
    if (n != (ssize_t) sizeof failure)
        return true;
    failure.step[sizeof failure.step - 1] = failure.what[sizeof failure.what - 1] = '\0';
    return set_failure(&failure, error);
}

void process_release(int control)
{
    const char go = CONTROL_GO;
    (void) !send(control, &go, 1, MSG_NOSIGNAL);
}
