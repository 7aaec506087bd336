#include "cli/machine.h"

#include "sandbox/certificates.h"
#include "sandbox/cgroup.h"
#include "sandbox/sandbox.h"
#include "sandbox/user_namespace.h"
#include "store/state.h"

#include <dlfcn.h>
#include <errno.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/timex.h>
#include <unistd.h>

#define GIB (UINT64_C(1) << 30)

static void ok(MachineCheck *check, char *detail)
{
    check->state = MACHINE_OK;
    check->detail = detail;
}

static void not_ok(MachineCheck *check, MachineState state, char *detail, const char *mend)
{
    check->state = state;
    check->detail = detail;
    check->mend = g_strdup(mend);
}

static void look_namespaces(MachineCheck *check)
{
    g_autofree char *obstacle = sandbox_obstacle();
    if (obstacle != NULL) {
        char *mend = strstr(obstacle, "; mend: ");
        not_ok(check, MACHINE_MISSING,
               g_strndup(obstacle, mend != NULL ? (gsize) (mend - obstacle) : strlen(obstacle)),
               mend != NULL ? mend + strlen("; mend: ") : "run as root");
    } else if (!user_namespace_is_needed()) {
        ok(check, g_strdup("as root"));
    } else {
        ok(check, g_strdup(user_namespace_has_range() ? "rootless, with a range of ids"
                                                      : "rootless, with one id"));
    }
}

/* Runs `true` over a copy-on-write view of this machine. */
static void look_overlay(MachineCheck *check)
{
    static const char *const argv[] = {"true", NULL};
    const SandboxSpec spec = {.root = {.host = true},
                              .argv = argv,
                              .network = SANDBOX_NETWORK_NONE,
                              .capabilities = SANDBOX_CAPABILITIES_DEFAULT,
                              .stdin_fd = -1,
                              .stdout_fd = -1,
                              .stderr_fd = -1};
    g_autoptr(GError) error = NULL;
    int status = -1;
    if (sandbox_run(&spec, &status, &error) && status == 0)
        ok(check, g_strdup("a sandbox over this machine's /usr, /opt and /etc runs"));
    else
        not_ok(check, MACHINE_MISSING,
               error != NULL ? g_strdup(error->message)
                             : g_strdup_printf("`true` ended with %d", status),
               "a kernel with overlayfs (5.11 or later for use without root): modprobe overlay");
}

static void look_seccomp(MachineCheck *check)
{
    if (access("/proc/sys/kernel/seccomp/actions_avail", R_OK) == 0)
        ok(check, g_strdup("system calls of steps are filtered"));
    else
        not_ok(check, MACHINE_MISSING, g_strdup("the kernel has no seccomp filters"),
               "a kernel with CONFIG_SECCOMP_FILTER");
}

static void look_limits(MachineCheck *check)
{
    const SandboxLimits limits = {.cpus = 1, .memory = GIB, .pids = 100};
    int version = 0;
    g_autofree char *folder = cgroup_find("memory", &version);
    g_autoptr(Cgroup) group = cgroup_new(&limits, false);
    const char *missing = cgroup_missing(group);
    if (missing == NULL)
        ok(check, g_strdup_printf("memory, cpu and pids, control groups version %d", version));
    else
        not_ok(check, MACHINE_ABSENT, g_strdup_printf("cannot be set: %s", missing),
               geteuid() == 0 ? "mount the control groups writable"
                              : "systemd-run --user --scope -p Delegate=yes slipway …");
}

static void look_group_kill(MachineCheck *check)
{
    int version;
    g_autofree char *folder = cgroup_find(NULL, &version);
    g_autofree char *own = folder != NULL ? g_build_filename(folder, "cgroup.procs", NULL) : NULL;
    if (own != NULL && access(folder, W_OK) == 0)
        ok(check, g_strdup_printf("version 2 tree at %s", folder));
    else
        not_ok(check, MACHINE_ABSENT,
               g_strdup("no writable version 2 tree; the pid namespace ends a unit all the same"),
               "mount -t cgroup2 none /sys/fs/cgroup/unified");
}

static void look_egress(MachineCheck *check)
{
    g_autofree char *program = g_find_program_in_path("slirp4netns");
    if (program == NULL)
        not_ok(check, MACHINE_MISSING, g_strdup("steps have no way out of their network"),
               "apt-get install slirp4netns");
    else if (access("/dev/net/tun", F_OK) < 0)
        not_ok(check, MACHINE_MISSING, g_strdup("there is no /dev/net/tun"), "modprobe tun");
    else if (access("/dev/net/tun", R_OK | W_OK) < 0)
        not_ok(check, MACHINE_MISSING, g_strdup_printf("/dev/net/tun: %s", g_strerror(errno)),
               "chmod 666 /dev/net/tun");
    else
        ok(check, g_strdup(program));
}

static void look_id_maps(MachineCheck *check)
{
    if (!user_namespace_is_needed())
        ok(check, g_strdup("not needed as root"));
    else if (user_namespace_has_range())
        ok(check, g_strdup("newuidmap and /etc/subuid grant a range"));
    else
        not_ok(check, MACHINE_ABSENT, g_strdup("only one id inside; most images need a range"),
               "apt-get install uidmap && usermod --add-subuids 100000-165535 "
               "--add-subgids 100000-165535 $USER");
}

static void look_state(MachineCheck *check)
{
    g_autofree char *home = state_default_home();
    g_autofree char *folder = g_strdup(home);
    while (access(folder, F_OK) < 0 && strcmp(folder, "/") != 0) {
        char *parent = g_path_get_dirname(folder);
        g_free(folder);
        folder = parent;
    }
    struct statvfs info;
    if (access(folder, W_OK) < 0 || statvfs(folder, &info) < 0) {
        not_ok(check, MACHINE_MISSING, g_strdup_printf("%s: %s", folder, g_strerror(errno)),
               "SLIPWAY_HOME=a folder of yours");
        return;
    }
    uint64_t free_bytes = (uint64_t) info.f_bavail * info.f_frsize;
    char *detail = g_strdup_printf("%s, %.1f GiB free", home, (double) free_bytes / (double) GIB);
    if (free_bytes < GIB)
        not_ok(check, MACHINE_MISSING, detail, "free at least 1 GiB there, or set SLIPWAY_HOME");
    else
        ok(check, detail);
}

static void look_clock(MachineCheck *check)
{
    struct timex state = {0};
    int result = adjtimex(&state);
    if (time(NULL) < 1735689600) /* 2025: no certificate of today is valid yet */
        not_ok(check, MACHINE_MISSING, g_strdup("stands before 2025"), "date -s …");
    else if (result == TIME_ERROR || (state.status & STA_UNSYNC) != 0)
        not_ok(check, MACHINE_ABSENT, g_strdup("nothing keeps it in step with the world"),
               "apt-get install chrony");
    else
        ok(check, g_strdup("synchronised"));
}

static void look_certificates(MachineCheck *check)
{
    const char *bundle = certificates_bundle();
    if (bundle != NULL)
        ok(check, g_strdup(bundle));
    else
        not_ok(check, MACHINE_MISSING, g_strdup("no server's certificate can be checked"),
               "apt-get install ca-certificates");
}

static void look_security_module(MachineCheck *check)
{
    g_autofree char *names = NULL;
    if (g_file_get_contents("/sys/kernel/security/lsm", &names, NULL, NULL) &&
        (strstr(names, "apparmor") != NULL || strstr(names, "selinux") != NULL))
        ok(check, g_strdup(g_strchomp(names)));
    else
        not_ok(check, MACHINE_ABSENT, g_strdup("not available: neither AppArmor nor SELinux"),
               NULL);
}

static void look_program(MachineCheck *check, const char *name, MachineState otherwise,
                         const char *lost, const char *mend)
{
    g_autofree char *path = g_find_program_in_path(name);
    if (path != NULL)
        ok(check, g_steal_pointer(&path));
    else
        not_ok(check, otherwise, g_strdup(lost), mend);
}

static void look_library(MachineCheck *check, const char *file, const char *lost, const char *mend)
{
    void *handle = dlopen(file, RTLD_LAZY | RTLD_LOCAL);
    if (handle != NULL) {
        ok(check, g_strdup(file));
        dlclose(handle);
    } else {
        not_ok(check, MACHINE_MISSING, g_strdup(lost), mend);
    }
}

static const struct {
    const char *name;
    void (*look)(MachineCheck *check);
} looks[] = {
    {"namespaces", look_namespaces},     {"overlay", look_overlay},
    {"seccomp", look_seccomp},           {"limits", look_limits},
    {"cgroup.kill", look_group_kill},    {"egress", look_egress},
    {"id maps", look_id_maps},           {"security module", look_security_module},
    {"state folder", look_state},        {"clock", look_clock},
    {"certificates", look_certificates},
};

static const struct {
    const char *name, *file, *lost, *mend;
} libraries[] = {
    {"libcurl", "libcurl.so.4", "no registry, mirror or web hook can be reached",
     "apt-get install libcurl4"},
    {"libmicrohttpd", "libmicrohttpd.so.12", "no registry and no server can listen",
     "apt-get install libmicrohttpd12"},
    {"libarchive", "libarchive.so.13", "ADD cannot unpack foreign archives",
     "apt-get install libarchive13"},
};

static const struct {
    const char *name;
    MachineState otherwise;
    const char *lost, *mend;
} programs[] = {
    {"git", MACHINE_MISSING, "commits cannot be read", "apt-get install git"},
    {"ssh-keygen", MACHINE_ABSENT, "no SSH keys can be made here",
     "apt-get install openssh-client"},
    {"mmdebstrap", MACHINE_ABSENT, "`slipway base` cannot make base images",
     "apt-get install mmdebstrap"},
    {"docker", MACHINE_ABSENT, "only for --engine docker, compose and swarm targets",
     "apt-get install docker.io"},
    {"kubectl", MACHINE_ABSENT, "only for kubernetes targets",
     "see kubernetes.io/docs/tasks/tools"},
    {"helm", MACHINE_ABSENT, "only for helm targets", "see helm.sh/docs/intro/install"},
};

static MachineCheck *add(GPtrArray *checks, const char *name)
{
    MachineCheck *check = g_new0(MachineCheck, 1);
    check->name = name;
    g_ptr_array_add(checks, check);
    return check;
}

static void check_free(void *data)
{
    MachineCheck *check = data;
    g_free(check->detail);
    g_free(check->mend);
    g_free(check);
}

GPtrArray *machine_look(void)
{
    GPtrArray *checks = g_ptr_array_new_with_free_func(check_free);
    for (size_t i = 0; i < G_N_ELEMENTS(looks); i++)
        looks[i].look(add(checks, looks[i].name));
    for (size_t i = 0; i < G_N_ELEMENTS(libraries); i++)
        look_library(add(checks, libraries[i].name), libraries[i].file, libraries[i].lost,
                     libraries[i].mend);
    for (size_t i = 0; i < G_N_ELEMENTS(programs); i++)
        look_program(add(checks, programs[i].name), programs[i].name, programs[i].otherwise,
                     programs[i].lost, programs[i].mend);
    return checks;
}
