#include "sandbox/sandbox.h"

#include "base/error.h"
#include "base/fd.h"
#include "sandbox/process_tree.h"
#include "sandbox/syscalls.h"
#include "sandbox/user_namespace.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

/* How a sandbox starts:
 *
 *   parent                                child (pid 1 inside)
 *   plan, pipes, groups
 *   clone3 ────────────────────────────►  close what is not its own
 *   map ids, release ──────────────────►  (user namespaces wait for it)
 *   join groups, start slirp4netns        mount the root, pivot
 *   release ───────────────────────────►  (where there was something to do)
 *   read the error pipe  ◄───────────────  vfork, exec the program: the pipe closes
 *
 * The parent's death is the closing of the control socket. PR_SET_PDEATHSIG would fire at the end
 * of the thread that happened to start the sandbox. */

#define NAMESPACE_FLAGS (CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS)

static bool finish_preparations(Sandbox *sandbox, GError **error)
{
    Plan *plan = sandbox->plan;
    if (plan->user_namespace) {
        /* Its init hides its own /proc entries from us once it runs. */
        if (!user_namespace_map(sandbox->pid, plan->program.uid, plan->program.gid, error) ||
            !namespaces_open(&sandbox->namespaces, sandbox->pid, true, plan->own_network, error))
            return false;
        process_release(sandbox->control);
    }
    if (!cgroup_attach(sandbox->cgroup, sandbox->pid, error))
        return false;
    if (sandbox->slirp.exit_fd >= 0 && !slirp_start(&sandbox->slirp, sandbox->pid, error))
        return false;
    if (plan->wait_for_parent)
        process_release(sandbox->control);
    return true;
}

static bool clone_init(Sandbox *sandbox, int errors[2], GError **error)
{
    int control[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, control) < 0)
        return error_set_errno(error, errno, "make control socket of", "sandbox");
    Plan *plan = sandbox->plan;
    uint64_t flags = NAMESPACE_FLAGS | (plan->own_network ? CLONE_NEWNET : 0) |
                     (plan->user_namespace ? CLONE_NEWUSER : 0);
    sandbox->pid = process_clone(flags, &sandbox->pidfd);
    if (sandbox->pid == 0)
        child_main(plan, control[1], errors[1]);
    int errnum = errno;
    close(control[1]);
    sandbox->control = control[0];
    if (sandbox->pid > 0)
        return true;
    sandbox->pid = 0;
    g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_UNAVAILABLE, "make namespaces: %s%s",
                g_strerror(errnum),
                plan->user_namespace
                    ? "; mend: run as root, or sysctl -w "
                      "kernel.unprivileged_userns_clone=1 user.max_user_namespaces=10000"
                    : "");
    return false;
}

static Sandbox *sandbox_new(Plan *plan)
{
    Sandbox *sandbox = g_new(Sandbox, 1);
    *sandbox = (Sandbox){.plan = plan,
                         .pidfd = -1,
                         .control = -1,
                         .namespaces = NAMESPACES_NONE,
                         .slirp = {.exit_fd = -1}};
    g_mutex_init(&sandbox->lock);
    return sandbox;
}

static void show_group(void *plan, const char *controller, int version, const char *folder)
{
    plan_add_group(plan, controller, version, folder);
}

Sandbox *sandbox_start(const SandboxSpec *spec, GError **error)
{
    Plan *plan = plan_new(spec, error);
    if (plan == NULL)
        return NULL;
    g_autoptr(Sandbox) sandbox = sandbox_new(plan);
    bool slirp = spec->network == SANDBOX_NETWORK_SLIRP;
    sandbox->cgroup = cgroup_new(&spec->limits, spec->keep_after_parent);
    cgroup_describe(sandbox->cgroup, show_group, plan);
    plan->wait_for_parent = slirp || sandbox->cgroup != NULL;
    if (slirp && !slirp_prepare(&sandbox->slirp, &plan->held, error))
        return NULL;
    autofd int held = plan->held;

    int errors[2];
    if (pipe2(errors, O_CLOEXEC) < 0) {
        error_set_errno(error, errno, "make error pipe of", "sandbox");
        return NULL;
    }
    autofd int failures = errors[0];
    bool cloned = clone_init(sandbox, errors, error);
    close(errors[1]);
    if (!cloned)
        return NULL;
    if (held >= 0)
        close(steal_fd(&held)); /* init alone holds it now */
    g_autoptr(GError) ours = NULL;
    bool prepared = finish_preparations(sandbox, &ours);
    if (!prepared) /* the child may have had the better reason, or waits in vain */
        sys_pidfd_send_signal(sandbox->pidfd, SIGKILL);
    if (!process_read_failure(failures, error))
        return NULL;
    if (!prepared) {
        g_propagate_error(error, g_steal_pointer(&ours));
        return NULL;
    }
    return g_steal_pointer(&sandbox);
}

pid_t sandbox_pid(const Sandbox *sandbox)
{
    return sandbox->pid;
}

int sandbox_pidfd(const Sandbox *sandbox)
{
    return sandbox->pidfd;
}

bool sandbox_wait(Sandbox *sandbox, int timeout_ms, int *status, GError **error)
{
    if (!process_await(sandbox->pidfd, timeout_ms, error))
        return false;
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&sandbox->lock);
    if (!sandbox->ended) {
        if (!process_reap(sandbox->pidfd, &sandbox->status, error))
            return false;
        sandbox->ended = true;
        sandbox->out_of_memory = cgroup_was_out_of_memory(sandbox->cgroup);
    }
    *status = sandbox->status;
    return true;
}

bool sandbox_signal(Sandbox *sandbox, int signal_number, GError **error)
{
    if (signal_number <= 0 || signal_number >= _NSIG) {
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID, "no signal has the number %d",
                    signal_number);
        return false;
    }
    if (signal_number == SIGKILL) {
        cgroup_kill(sandbox->cgroup);
        if (sys_pidfd_send_signal(sandbox->pidfd, SIGKILL) == 0)
            return true;
    } else {
        const char byte = (char) signal_number;
        if (send(sandbox->control, &byte, 1, MSG_NOSIGNAL) == 1)
            return true;
        if (errno == EPIPE || errno == ECONNRESET || errno == ENOTCONN)
            errno = ESRCH;
    }
    g_set_error(error, SLIPWAY_ERROR,
                errno == ESRCH ? SLIPWAY_ERROR_NOT_FOUND : SLIPWAY_ERROR_UNAVAILABLE,
                "signal sandbox: %s", errno == ESRCH ? "it has ended" : g_strerror(errno));
    return false;
}

bool sandbox_was_out_of_memory(const Sandbox *sandbox)
{
    return sandbox->ended ? sandbox->out_of_memory : cgroup_was_out_of_memory(sandbox->cgroup);
}

const char *sandbox_missing_limits(const Sandbox *sandbox)
{
    return cgroup_missing(sandbox->cgroup);
}

void sandbox_free(Sandbox *sandbox)
{
    if (sandbox == NULL)
        return;
    if (sandbox->pid > 0 && !sandbox->ended) {
        int status;
        cgroup_kill(sandbox->cgroup);
        sys_pidfd_send_signal(sandbox->pidfd, SIGKILL);
        process_reap(sandbox->pidfd, &status, NULL);
    }
    slirp_finish(&sandbox->slirp);
    cgroup_free(sandbox->cgroup);
    namespaces_close(&sandbox->namespaces);
    if (sandbox->control >= 0)
        close(sandbox->control);
    if (sandbox->pidfd >= 0)
        close(sandbox->pidfd);
    plan_free(sandbox->plan);
    g_mutex_clear(&sandbox->lock);
    g_free(sandbox);
}

bool sandbox_run(const SandboxSpec *spec, int *status, GError **error)
{
    g_autoptr(Sandbox) sandbox = sandbox_start(spec, error);
    return sandbox != NULL && sandbox_wait(sandbox, -1, status, error);
}

char *sandbox_obstacle(void)
{
    int pidfd = -1;
    bool user = user_namespace_is_needed();
    pid_t pid = process_clone(NAMESPACE_FLAGS | CLONE_NEWNET | (user ? CLONE_NEWUSER : 0), &pidfd);
    if (pid == 0)
        _exit(0);
    if (pid < 0)
        return g_strdup_printf("%s: %s; mend: run as root%s",
                               user ? "no root and no user namespaces" : "no namespaces",
                               g_strerror(errno),
                               user ? ", or sysctl -w kernel.unprivileged_userns_clone=1 "
                                      "user.max_user_namespaces=10000"
                                    : " with CAP_SYS_ADMIN");
    int status;
    process_reap(pidfd, &status, NULL);
    close(pidfd);
    return NULL;
}
