#include "sandbox/child.h"

#include "sandbox/syscalls.h"
#include "sandbox/text.h"

#include <errno.h>
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

static void fail_with(int error_fd, const char *step, const char *what, bool program)
{
    Failure failure = {.errnum = errno, .program = program};
    Text text = TEXT_ON(failure.step);
    text_add(&text, step);
    text = TEXT_ON(failure.what);
    text_add(&text, what != NULL ? what : "");
    (void) !write(error_fd, &failure, sizeof failure);
}

void child_fail(int error_fd, const char *step, const char *what)
{
    fail_with(error_fd, step, what, false);
    _exit(127);
}

void child_close_others(const int *kept, size_t count)
{
    int low = 3;
    for (;;) {
        int next = -1;
        for (size_t i = 0; i < count; i++)
            if (kept[i] >= low && (next < 0 || kept[i] < next))
                next = kept[i];
        if (next < 0) {
            close_range((unsigned) low, ~0U, 0);
            return;
        }
        if (next > low)
            close_range((unsigned) low, (unsigned) next - 1, 0);
        low = next + 1;
    }
}

/* -- the program ------------------------------------------------------------------------------ */

static void reset_signals(void)
{
    struct sigaction action = {.sa_handler = SIG_DFL};
    for (int number = 1; number < _NSIG; number++)
        if (number != SIGKILL && number != SIGSTOP)
            sigaction(number, &action, NULL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

/* stdin, stdout and stderr; everything else but ERROR_FD (which becomes 3) is closed. */
static int set_stdio(const Program *program, int error_fd)
{
    int moved[3];
    int null_fd = -1;
    int high = fcntl(error_fd, F_DUPFD_CLOEXEC, 64);
    if (high < 0)
        child_fail(error_fd, "set up", "error pipe");
    for (int i = 0; i < 3; i++) {
        int fd = program->stdio[i];
        if (fd < 0 && null_fd < 0 && (null_fd = open("/dev/null", O_RDWR | O_CLOEXEC)) < 0)
            child_fail(high, "open", "/dev/null");
        moved[i] = fcntl(fd >= 0 ? fd : null_fd, F_DUPFD_CLOEXEC, 64);
        if (moved[i] < 0)
            child_fail(high, "set up", "standard streams");
    }
    for (int i = 0; i < 3; i++)
        if (dup2(moved[i], i) < 0)
            child_fail(high, "set up", "standard streams");
    if (dup3(high, 3, O_CLOEXEC) < 0)
        child_fail(high, "set up", "error pipe");
    const int kept[] = {3};
    child_close_others(kept, 1);
    return 3;
}

/* Never more than this machine grants: raising a hard limit needs CAP_SYS_RESOURCE. */
static void set_limits(void)
{
    struct rlimit limit;
    const rlim_t files = 1024 * 1024;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        if (limit.rlim_max > files)
            limit.rlim_max = files;
        if (limit.rlim_cur > limit.rlim_max)
            limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    if (getrlimit(RLIMIT_CORE, &limit) == 0) {
        limit.rlim_cur = 0;
        setrlimit(RLIMIT_CORE, &limit);
    }
}

static void drop_bounding(const Program *program, int error_fd)
{
    for (unsigned long capability = 0; capability < 64; capability++) {
        if ((program->capabilities >> capability & 1) != 0)
            continue;
        if (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) < 0) {
            if (errno == EINVAL) /* past the last one this kernel knows */
                return;
            child_fail(error_fd, "drop capabilities", NULL);
        }
    }
}

static void set_ids(const Program *program, int error_fd)
{
    if (program->set_groups && sys_setgroups(program->group_count, program->groups) < 0)
        child_fail(error_fd, "set groups", NULL);
    if (sys_setresgid(program->gid) < 0)
        child_fail(error_fd, "set group", NULL);
    if (sys_setresuid(program->uid) < 0)
        child_fail(error_fd, "set user", NULL);
}

static void set_capabilities(const Program *program, int error_fd)
{
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2];
    if (syscall(SYS_capget, &header, data) < 0)
        child_fail(error_fd, "read capabilities", NULL);
    for (int i = 0; i < 2; i++) {
        uint32_t mask = (uint32_t) (program->capabilities >> (32 * i));
        data[i].permitted &= mask; /* what this machine withholds stays withheld */
        data[i].effective = data[i].permitted;
        data[i].inheritable = 0;
    }
    if (syscall(SYS_capset, &header, data) < 0)
        child_fail(error_fd, "set capabilities", NULL);
}

static void set_filter(const Program *program, int error_fd)
{
    if (program->no_new_privileges && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        child_fail(error_fd, "set no_new_privs", NULL);
    if (program->filter != NULL &&
        syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, program->filter) < 0)
        child_fail(error_fd, "load seccomp filter", NULL);
}

void child_exec(const Program *program, int error_fd)
{
    error_fd = set_stdio(program, error_fd);
    reset_signals();
    umask(0022);
    set_limits();
    if (chdir(program->folder) < 0)
        child_fail(error_fd, "enter working folder", program->folder);
    drop_bounding(program, error_fd);
    /* Loading a filter without no_new_privs takes CAP_SYS_ADMIN, so it comes before the ids. */
    set_filter(program, error_fd);
    set_ids(program, error_fd);
    set_capabilities(program, error_fd);

    int best = ENOENT;
    for (size_t i = 0; program->candidates[i] != NULL; i++) {
        execve(program->candidates[i], program->argv, program->environment);
        if (errno == ENOENT && access(program->candidates[i], F_OK) == 0)
            best = ELIBBAD; /* it is there: what it names as interpreter is not */
        else if (errno != ENOENT && errno != ENOTDIR && best != ELIBBAD)
            best = errno;
    }
    errno = best;
    fail_with(error_fd, "exec", program->argv[0], true);
    _exit(127);
}

/* -- pid 1 ------------------------------------------------------------------------------------ */

static void bring_loopback_up(int error_fd)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
    if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &request) < 0)
        child_fail(error_fd, "bring loopback up", NULL);
    close(fd);
    /* As the engines do: low ports and ping need no privilege in a network of one's own. */
    static const char *const settings[][2] = {
        {"/proc/sys/net/ipv4/ip_unprivileged_port_start", "0"},
        {"/proc/sys/net/ipv4/ping_group_range", "0 2147483647"},
    };
    for (size_t i = 0; i < 2; i++) {
        int setting = open(settings[i][0], O_WRONLY | O_CLOEXEC);
        if (setting >= 0) {
            (void) !write(setting, settings[i][1], strlen(settings[i][1]));
            close(setting);
        }
    }
}

/* Blocks until the parent says go; its death ends us. */
static void await_parent(int control)
{
    char byte;
    for (;;) {
        ssize_t n = read(control, &byte, 1);
        if (n == 1 && byte == CONTROL_GO)
            return;
        if (n == 0 || (n < 0 && errno != EINTR))
            _exit(127);
    }
}

static void finish(int status)
{
    _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
}

static void reap(pid_t program)
{
    int status;
    pid_t pid;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
        if (pid == program)
            finish(status); /* the kernel ends whatever is left in the pid namespace */
}

/* Reaps orphans, hands signals on, and ends with the program or with the parent. */
static void serve(pid_t program, int control, int signals, bool die_with_parent)
{
    struct pollfd fds[2] = {{.fd = signals, .events = POLLIN}, {.fd = control, .events = POLLIN}};
    for (;;) {
        if (poll(fds, 2, -1) < 0)
            continue;
        if (fds[0].revents != 0) {
            struct signalfd_siginfo info;
            if (read(signals, &info, sizeof info) == (ssize_t) sizeof info &&
                info.ssi_signo != SIGCHLD)
                kill(program, (int) info.ssi_signo);
            reap(program);
        }
        if (fds[1].revents == 0)
            continue;
        char byte;
        ssize_t n = read(control, &byte, 1);
        if (n == 1 && byte > 0 && byte < _NSIG)
            kill(program, byte);
        else if (n == 0 && die_with_parent)
            _exit(128 + SIGKILL);
        else if (n == 0 || (n < 0 && errno != EINTR && errno != EAGAIN))
            fds[1].fd = -1;
    }
}

static int open_signals(int error_fd)
{
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
    struct sigaction action = {.sa_handler = SIG_DFL};
    sigaction(SIGCHLD, &action, NULL); /* ignored, children would vanish unreaped */
    int fd = signalfd(-1, &all, SFD_CLOEXEC);
    if (fd < 0)
        child_fail(error_fd, "open signalfd", NULL);
    return fd;
}

/* The parent's command line may hold what is not for those inside; pid 1 is called by its role. */
static void set_title(const Plan *plan)
{
    static const char title[] = "slipway-init";
    if (plan->title == NULL)
        return;
    memset(plan->title, 0, plan->title_length);
    memcpy(plan->title, title,
           plan->title_length < sizeof title ? plan->title_length : sizeof title);
    prctl(PR_SET_NAME, title, 0, 0, 0);
}

void child_main(Plan *plan, int control, int error_fd)
{
    const Program *program = &plan->program;
    const int kept[] = {control,           error_fd,          plan->held,
                        program->stdio[0], program->stdio[1], program->stdio[2]};
    child_close_others(kept, G_N_ELEMENTS(kept));
    setsid();
    set_title(plan);
    if (plan->user_namespace) {
        await_parent(control); /* until the ids are mapped */
        if (sys_setresgid(plan->single_id ? program->gid : 0) < 0 ||
            sys_setresuid(plan->single_id ? program->uid : 0) < 0)
            child_fail(error_fd, "take ids of the user namespace", NULL);
    }
    if (sethostname(plan->hostname, strlen(plan->hostname)) < 0)
        child_fail(error_fd, "set hostname", plan->hostname);
    if (plan->own_network)
        bring_loopback_up(error_fd);
    root_enter(plan, error_fd);
    if (plan->wait_for_parent)
        await_parent(control);
    unshare(CLONE_NEWCGROUP); /* hides the groups' names; not every kernel has it */

    int signals = open_signals(error_fd);
    pid_t pid = vfork(); /* returns once the program has been executed, or has failed */
    if (pid == 0)
        child_exec(program, error_fd);
    if (pid < 0)
        child_fail(error_fd, "fork", NULL);
    /* What this copy of the parent's memory holds is not for those inside. */
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    for (int fd = 0; fd < 3; fd++)
        if (fd != control && fd != plan->held)
            close(fd);
    const int still[] = {control, signals, plan->held};
    child_close_others(still, G_N_ELEMENTS(still));
    serve(pid, control, signals, plan->die_with_parent);
    _exit(127);
}
