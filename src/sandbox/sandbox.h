/* sandbox.h - one isolated process tree: a step, a RUN, a service and a local deployment are all
 * a SandboxSpec that becomes a process.
 *
 * Mounts are always nodev; device nodes cannot be made; the tree dies with the process that started
 * it, however that dies (its init watches a socket of ours; PR_SET_PDEATHSIG would follow the
 * thread). It knows nothing of images: it is given folders.
 *
 * Thread-safe: any thread may start sandboxes, and several may wait for one. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

typedef enum {
    SANDBOX_NETWORK_NONE,  /* own namespace, only loopback, up */
    SANDBOX_NETWORK_SLIRP, /* own namespace with egress through slirp4netns, host loopback shut */
    SANDBOX_NETWORK_HOST,
} SandboxNetwork;

typedef enum {
    SANDBOX_MOUNT_BIND,    /* source (file or folder of this machine) at target */
    SANDBOX_MOUNT_TMPFS,   /* empty; size and mode as given */
    SANDBOX_MOUNT_OVERLAY, /* source copy-on-write: writes vanish with the sandbox */
} SandboxMountKind;

typedef struct {
    SandboxMountKind kind;
    const char *source;
    const char *target; /* absolute inside the root; a missing target is made */
    bool read_only, no_exec;
    uint64_t size; /* tmpfs, bytes; 0: the kernel's default */
    mode_t mode;   /* tmpfs; 0: 0755 */
    uid_t uid;     /* tmpfs */
    gid_t gid;
} SandboxMount;

/* The root folder: LAYERS (topmost first) as overlay lowers. With UPPER and WORK (same file
 * system, WORK empty) writes are kept in UPPER, which is then a complete diff (index=off,
 * redirect_dir=off, metacopy=off). Without UPPER: writes go to a tmpfs and vanish, or with
 * READ_ONLY there are none. HOST: instead of layers, copy-on-write overlays of this machine's
 * /usr, /opt and a chosen /etc (no keys, no shadow), links /bin /sbin /lib*, empty /root /home
 * /tmp /var/tmp. */
typedef struct {
    const char *const *layers;
    const char *upper, *work; /* WORK cannot be mounted twice, but with keep_after_parent */
    bool read_only;
    bool host;
} SandboxRoot;

typedef struct {
    double cpus;     /* 0: no limit */
    uint64_t memory; /* bytes, without swap; 0: no limit */
    uint64_t pids;   /* 0: no limit */
} SandboxLimits;

typedef struct {
    SandboxRoot root;
    const SandboxMount *mounts;
    size_t mount_count;
    const char *const *argv;        /* argv[0] is looked up in the environment's PATH, inside */
    const char *const *environment; /* exactly this; NULL: PATH only */
    const char *folder;             /* working folder; NULL: "/" */
    uid_t uid;
    gid_t gid;
    const gid_t *groups; /* supplementary */
    size_t group_count;
    const char *hostname;           /* NULL: "slipway" */
    const char *const *extra_hosts; /* lines for /etc/hosts */
    SandboxNetwork network;
    SandboxLimits limits;
    uint64_t capabilities; /* mask of 1 << CAP_x for root; SANDBOX_CAPABILITIES_DEFAULT, 0: none */
    bool no_new_privileges;
    bool insecure_syscalls; /* no seccomp filter (RUN --security=insecure) */
    bool certificates; /* the host's CA bundle read-only at one path, and SSL_CERT_FILE, PIP_CERT,
                        * REQUESTS_CA_BUNDLE, CURL_CA_BUNDLE, GIT_SSL_CAINFO, NODE_EXTRA_CA_CERTS
                        * naming it; no trace of it in UPPER */
    int stdin_fd, stdout_fd, stderr_fd; /* borrowed; -1: /dev/null */
    bool keep_after_parent; /* a unit of the supervisor: the caller ties its life itself */
} SandboxSpec;

/* The 14 of the container engines (CHOWN DAC_OVERRIDE FSETID FOWNER MKNOD NET_RAW SETGID SETUID
 * SETFCAP SETPCAP NET_BIND_SERVICE SYS_CHROOT KILL AUDIT_WRITE). */
#define SANDBOX_CAPABILITIES_DEFAULT UINT64_C(0xa80425fb)

typedef struct Sandbox Sandbox;

/* Starts SPEC. The error names the step that failed ("mount overlay root: …"); nothing is left
 * behind then. INVALID with "exec 'x': not found" when the program is not in the root. */
Sandbox *sandbox_start(const SandboxSpec *spec, GError **error);

/* The pid of its init in our pid namespace. */
pid_t sandbox_pid(const Sandbox *sandbox);
/* A pidfd of that init, readable when it has ended; borrowed. */
int sandbox_pidfd(const Sandbox *sandbox);

/* Waits at most TIMEOUT_MS (-1: for ever). true: it has ended and *STATUS is its exit code or
 * 128 + signal. false without error: the time ran out. */
bool sandbox_wait(Sandbox *sandbox, int timeout_ms, int *status, GError **error);

/* SIGNAL to its main process; SIGKILL ends all in it. */
bool sandbox_signal(Sandbox *sandbox, int signal_number, GError **error);

/* true: the kernel killed something in it for memory. */
bool sandbox_was_out_of_memory(const Sandbox *sandbox);

/* Which limits of the spec this machine could not set ("memory, pids"), for the record; NULL: all
 * hold. Borrowed. */
const char *sandbox_missing_limits(const Sandbox *sandbox);

/* Connects nothing yet: a fresh TCP socket (close-on-exec, non-blocking) that lives in the
 * sandbox's network namespace, so that connect(127.0.0.1:port) reaches what listens inside. -1 on
 * error. */
int sandbox_socket(const Sandbox *sandbox, GError **error);

/* Runs ARGV inside, beside the main process (slipway exec, HEALTHCHECK CMD), as USER of the spec,
 * and waits at most TIMEOUT_MS; output (both streams, at most LIMIT bytes) goes to *OUTPUT.
 * false with UNAVAILABLE when the time ran out (it is killed). */
bool sandbox_exec(Sandbox *sandbox, const char *const *argv, int timeout_ms, size_t limit,
                  char **output, int *status, GError **error);

/* Kills what still runs, unmounts, frees. */
void sandbox_free(Sandbox *sandbox);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Sandbox, sandbox_free)

/* start + wait. */
bool sandbox_run(const SandboxSpec *spec, int *status, GError **error);

/* Why no sandbox can be made here ("no root and no user namespaces: …, mend: …"); NULL: one can. */
char *sandbox_obstacle(void);
