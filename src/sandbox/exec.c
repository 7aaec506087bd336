/* Running something beside the main process of a sandbox, and sockets of its network. */
#include "base/error.h"
#include "base/fd.h"
#include "sandbox/process_tree.h"
#include "sandbox/syscalls.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

static bool get_namespaces(const Sandbox *sandbox, Namespaces *namespaces, bool *owned,
                           GError **error)
{
    *owned = !sandbox->plan->user_namespace;
    if (*owned)
        return namespaces_open(namespaces, sandbox->pid, false, sandbox->plan->own_network, error);
    *namespaces = sandbox->namespaces;
    return true;
}

/* -- exec ------------------------------------------------------------------------------------- */

/* The helper stays outside the pid namespace and watches over its only child: a closed CONTROL or
 * the child's end ends both. */
G_NORETURN static void helper_main(const Program *program, const Namespaces *namespaces,
                                   int control, int error_fd)
{
    int kept[4 + NAMESPACE_COUNT] = {control, error_fd, program->stdio[1], program->stdio[0]};
    memcpy(kept + 4, namespaces->fds, sizeof namespaces->fds);
    child_close_others(kept, G_N_ELEMENTS(kept));
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); /* our memory is a copy of the parent's */
    char byte;
    if (read(control, &byte, 1) != 1) /* until it is in the control groups */
        _exit(127);
    if (namespaces_enter(namespaces) < 0)
        child_fail(error_fd, "enter namespaces of sandbox", NULL);
    struct sigaction action = {.sa_handler = SIG_DFL};
    sigaction(SIGCHLD, &action, NULL);
    pid_t pid = vfork();
    if (pid == 0) {
        setsid();
        child_exec(program, error_fd);
    }
    if (pid < 0)
        child_fail(error_fd, "fork", NULL);
    int child = sys_pidfd_open(pid);
    const int still[] = {control, child};
    close(program->stdio[1]);
    child_close_others(still, 2);
    struct pollfd fds[2] = {{.fd = control, .events = POLLIN}, {.fd = child, .events = POLLIN}};
    while (poll(fds, 2, -1) < 0)
        continue;
    if (fds[1].revents == 0)
        kill(-pid, SIGKILL);
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
}

/* Collects from FD what fits into LIMIT until PIDFD ends. false: the deadline passed. */
static bool collect(int fd, int pidfd, int64_t deadline, size_t limit, GString *output)
{
    char buffer[8192];
    bool ended = false;
    for (;;) {
        int64_t left = deadline < 0 ? -1 : MAX(0, (deadline - g_get_monotonic_time()) / 1000);
        struct pollfd fds[2] = {{.fd = fd, .events = POLLIN}, {.fd = pidfd, .events = POLLIN}};
        int got = poll(fds, 2, ended ? 0 : (int) left);
        if (got < 0 && errno == EINTR)
            continue;
        if (got == 0)
            return ended;
        ended = ended || fds[1].revents != 0;
        ssize_t n = fds[0].revents != 0 ? read(fd, buffer, sizeof buffer) : -1;
        if (n > 0)
            g_string_append_len(output, buffer, (gssize) MIN((size_t) n, limit - output->len));
        else if (ended)
            return true;
        else if (n == 0)
            fd = -1; /* all writers are gone before the end; poll passes over a negative one */
    }
}

static pid_t start_helper(Sandbox *sandbox, const Program *program, int control[2], int errors[2],
                          int *pidfd, GError **error)
{
    Namespaces namespaces;
    bool owned;
    if (!get_namespaces(sandbox, &namespaces, &owned, error))
        return -1;
    pid_t pid = process_clone(0, pidfd);
    if (pid == 0)
        helper_main(program, &namespaces, control[1], errors[1]);
    if (pid < 0)
        error_set_errno(error, errno, "start helper for", program->argv[0]);
    if (owned)
        namespaces_close(&namespaces);
    return pid;
}

bool sandbox_exec(Sandbox *sandbox, const char *const *argv, int timeout_ms, size_t limit,
                  char **output, int *status, GError **error)
{
    int64_t deadline = timeout_ms < 0 ? -1 : g_get_monotonic_time() + timeout_ms * INT64_C(1000);
    int control[2], errors[2], out[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, control) < 0)
        return error_set_errno(error, errno, "make control socket for", argv[0]);
    autofd int ours = control[0];
    autofd int theirs = control[1];
    if (pipe2(errors, O_CLOEXEC) < 0)
        return error_set_errno(error, errno, "make error pipe for", argv[0]);
    autofd int failures = errors[0];
    autofd int failures_in = errors[1];
    if (pipe2(out, O_CLOEXEC) < 0)
        return error_set_errno(error, errno, "make pipe for", argv[0]);
    autofd int out_read = out[0];
    autofd int out_write = out[1];

    Program program;
    program_init_copy(&program, &sandbox->plan->program, argv);
    program.stdio[1] = program.stdio[2] = out_write;
    autofd int pidfd = -1;
    pid_t pid = start_helper(sandbox, &program, control, errors, &pidfd, error);
    close(steal_fd(&theirs));
    close(steal_fd(&failures_in));
    close(steal_fd(&out_write));
    program_clear(&program);
    if (pid < 0)
        return false;

    int ended;
    g_autoptr(GString) text = g_string_new(NULL);
    bool attached = cgroup_attach(sandbox->cgroup, pid, error);
    if (attached)
        process_release(ours);
    else
        close(steal_fd(&ours));
    bool started = attached && process_read_failure(failures, error);
    bool in_time = started && collect(out_read, pidfd, deadline, limit, text);
    if (ours >= 0 && !in_time)
        close(steal_fd(&ours));
    if (!process_reap(pidfd, &ended, started && in_time ? error : NULL) || !started)
        return false;
    if (output != NULL)
        *output = g_strdup(text->str);
    if (in_time) {
        *status = ended;
        return true;
    }
    g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_UNAVAILABLE, "'%s' did not end within %d ms",
                argv[0], timeout_ms);
    return false;
}

/* -- sockets ---------------------------------------------------------------------------------- */

typedef struct {
    const Namespaces *namespaces;
    int fd, errnum;
} SocketRequest;

static int open_socket(void)
{
    return socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

/* A thread of its own, since it stays in the other network until it ends. */
static void *socket_thread(void *data)
{
    SocketRequest *request = data;
    request->fd = namespaces_enter_network(request->namespaces) == 0 ? open_socket() : -1;
    request->errnum = errno;
    return NULL;
}

static int send_fd(int over, int fd)
{
    char byte = 0;
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct iovec part = {.iov_base = &byte, .iov_len = 1};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof control};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    *header = (struct cmsghdr){
        .cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
    memcpy(CMSG_DATA(header), &fd, sizeof fd);
    return sendmsg(over, &message, MSG_NOSIGNAL) == 1 ? 0 : -1;
}

static int receive_fd(int over)
{
    char byte;
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec part = {.iov_base = &byte, .iov_len = 1};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof control};
    ssize_t n;
    while ((n = recvmsg(over, &message, MSG_CMSG_CLOEXEC)) < 0 && errno == EINTR)
        continue;
    struct cmsghdr *header = n == 1 ? CMSG_FIRSTHDR(&message) : NULL;
    if (header == NULL || header->cmsg_type != SCM_RIGHTS)
        return errno = n < 0 ? errno : EPROTO, -1;
    int fd;
    memcpy(&fd, CMSG_DATA(header), sizeof fd);
    return fd;
}

/* Only a process of one thread may enter a user namespace. */
static int socket_by_process(const Namespaces *namespaces)
{
    int ends[2], pidfd = -1, status;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
        return -1;
    pid_t pid = process_clone(0, &pidfd);
    if (pid == 0) {
        int fd = namespaces_enter_network(namespaces) == 0 ? open_socket() : -1;
        _exit(fd < 0 ? errno & 0x7f : send_fd(ends[1], fd) < 0);
    }
    int errnum = errno;
    close(ends[1]);
    int fd = pid > 0 ? receive_fd(ends[0]) : -1;
    errnum = pid > 0 ? errno : errnum;
    close(ends[0]);
    if (pid > 0) {
        if (process_reap(pidfd, &status, NULL) && fd < 0 && status != 0)
            errnum = status;
        close(pidfd);
    }
    errno = errnum;
    return fd;
}

int sandbox_socket(const Sandbox *sandbox, GError **error)
{
    int fd;
    if (!sandbox->plan->own_network) {
        fd = open_socket();
    } else if (sandbox->plan->user_namespace) {
        fd = socket_by_process(&sandbox->namespaces);
    } else {
        Namespaces namespaces = NAMESPACES_NONE;
        char path[64];
        g_snprintf(path, sizeof path, "/proc/%d/ns/net", (int) sandbox->pid);
        autofd int network = open(path, O_RDONLY | O_CLOEXEC);
        if (network < 0) {
            error_set_errno(error, errno, "open namespace", path);
            return -1;
        }
        namespaces.fds[1] = network;
        SocketRequest request = {.namespaces = &namespaces, .fd = -1};
        g_thread_join(g_thread_new("socket", socket_thread, &request));
        fd = request.fd;
        errno = request.errnum;
    }
    if (fd < 0)
        error_set_errno(error, errno, "open socket in", "sandbox");
    return fd;
}
