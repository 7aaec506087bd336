#include "sandbox/network.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>

#define RESOLVER_LIMIT (64 * 1024)
#define SLIRP_RESOLVER "10.0.2.3" /* slirp4netns answers there with this machine's own resolver */
#define READY_MS 10000

extern char **environ;

/* Search domains and options of this machine hold inside too; its servers only where the sandbox
 * shares its network. */
char *network_resolver_text(SandboxNetwork network)
{
    if (network == SANDBOX_NETWORK_NONE)
        return g_strdup("");
    g_autofree char *own = file_read(AT_FDCWD, "/etc/resolv.conf", RESOLVER_LIMIT, NULL, NULL);
    if (network == SANDBOX_NETWORK_HOST)
        return g_strdup(own != NULL ? own : "");
    GString *text = g_string_new("nameserver " SLIRP_RESOLVER "\n");
    g_auto(GStrv) lines = g_strsplit(own != NULL ? own : "", "\n", -1);
    for (size_t i = 0; lines[i] != NULL; i++)
        if (g_str_has_prefix(lines[i], "search ") || g_str_has_prefix(lines[i], "domain ") ||
            g_str_has_prefix(lines[i], "options "))
            g_string_append_printf(text, "%s\n", lines[i]);
    return g_string_free(text, FALSE);
}

bool slirp_prepare(Slirp *slirp, int *held, GError **error)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0)
        return error_set_errno(error, errno, "make pipe for", "slirp4netns");
    slirp->exit_fd = ends[0];
    *held = ends[1];
    return true;
}

/* Above the numbers that the child gets them at, so that no dup2 of its start covers another. */
static int lift(int fd)
{
    return fcntl(fd, F_DUPFD_CLOEXEC, 10);
}

static int spawn(const Slirp *slirp, pid_t target, int ready, pid_t *pid)
{
    g_autofree char *target_text = g_strdup_printf("%d", (int) target);
    const char *const argv[] = {"slirp4netns",
                                "--configure",
                                "--mtu=65520",
                                "--disable-host-loopback",
                                "--enable-sandbox",
                                "--enable-seccomp",
                                "--ready-fd=3",
                                "--exit-fd=4",
                                target_text,
                                "tap0",
                                NULL};
    autofd int ready_high = lift(ready);
    autofd int exit_high = lift(slirp->exit_fd);
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none, reset;
    sigemptyset(&none);
    sigfillset(&reset);
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, ready_high, 3);
    posix_spawn_file_actions_adddup2(&actions, exit_high, 4);
    posix_spawn_file_actions_addclosefrom_np(&actions, 5);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &reset);
    /* A session of its own: the terminal's Ctrl-C is for the steps. */
    posix_spawnattr_setflags(&attributes,
                             POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSID);
    int result = posix_spawnp(pid, argv[0], &actions, &attributes, (char *const *) argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    return result;
}

bool slirp_start(Slirp *slirp, pid_t pid, GError **error)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0)
        return error_set_errno(error, errno, "make pipe for", "slirp4netns");
    autofd int ready = ends[0];
    pid_t child = 0;
    int result = spawn(slirp, pid, ends[1], &child);
    close(ends[1]);
    if (result != 0) {
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_UNAVAILABLE,
                    "start slirp4netns: %s; mend: apt-get install slirp4netns", g_strerror(result));
        return false;
    }
    slirp->pid = child;
    struct pollfd wait = {.fd = ready, .events = POLLIN};
    int got;
    while ((got = poll(&wait, 1, READY_MS)) < 0 && errno == EINTR)
        continue;
    char byte;
    if (got == 1 && read(ready, &byte, 1) == 1)
        return true;
    bool shut = access("/dev/net/tun", R_OK | W_OK) < 0;
    g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_UNAVAILABLE,
                "slirp4netns %s: no egress for the sandbox%s%s%s",
                got == 0 ? "was not ready in time" : "ended at its start",
                shut ? "; /dev/net/tun: " : "", shut ? g_strerror(errno) : "",
                shut ? "; mend: chmod 666 /dev/net/tun" : "");
    return false;
}

void slirp_finish(Slirp *slirp)
{
    if (slirp->exit_fd >= 0)
        close(slirp->exit_fd);
    slirp->exit_fd = -1;
    if (slirp->pid > 0) {
        kill(slirp->pid, SIGKILL); /* it would end by itself; nothing of it is worth a wait */
        while (waitpid(slirp->pid, NULL, 0) < 0 && errno == EINTR)
            continue;
    }
    slirp->pid = 0;
}
