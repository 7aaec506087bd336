/* Real sandboxes over a root of nothing but busybox. Skips with the reason where this machine
 * makes none. */
#include "base/error.h"
#include "base/file.h"
#include "sandbox/sandbox.h"

#include <arpa/inet.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATH_LINE "PATH=/bin"

static char *scratch;     /* everything of this program */
static const char *layer; /* the busybox root */

/* -- a root ----------------------------------------------------------------------------------- */

static const char *const applets[] = {
    "cat",   "chmod", "cp",   "dd",      "echo",  "env",     "grep",  "hostname",
    "id",    "ip",    "kill", "ls",      "mkdir", "mknod",   "mount", "mv",
    "nc",    "ps",    "rm",   "rmdir",   "sh",    "sleep",   "stat",  "tail",
    "touch", "true",  "head", "unshare", "umask", "timeout", "wc",
};

static bool needs_no_loader(const char *bytes, size_t length)
{
    Elf64_Ehdr header;
    if (length < sizeof header)
        return false;
    memcpy(&header, bytes, sizeof header);
    for (size_t i = 0; i < header.e_phnum; i++) {
        Elf64_Phdr part;
        if (header.e_phoff + (i + 1) * sizeof part > length)
            return false;
        memcpy(&part, bytes + header.e_phoff + i * sizeof part, sizeof part);
        if (part.p_type == PT_INTERP)
            return false;
    }
    return true;
}

static bool make_layer(void)
{
    g_autofree char *busybox = g_find_program_in_path("busybox");
    g_autofree char *bin = g_build_filename(scratch, "layer", "bin", NULL);
    g_autofree char *program = g_build_filename(bin, "busybox", NULL);
    char *bytes;
    gsize length;
    if (busybox == NULL || !g_file_get_contents(busybox, &bytes, &length, NULL))
        return false;
    bool is_static = needs_no_loader(bytes, length);
    g_assert_cmpint(g_mkdir_with_parents(bin, 0755), ==, 0);
    g_assert_true(g_file_set_contents_full(program, bytes, (gssize) length,
                                           G_FILE_SET_CONTENTS_NONE, 0755, NULL));
    g_free(bytes);
    for (size_t i = 0; i < G_N_ELEMENTS(applets); i++) {
        g_autofree char *link = g_build_filename(bin, applets[i], NULL);
        g_assert_cmpint(symlink("busybox", link), ==, 0);
    }
    g_autofree char *data = g_build_filename(scratch, "layer", "data", NULL);
    g_autofree char *file = g_build_filename(data, "old", NULL);
    g_assert_cmpint(g_mkdir(data, 0755), ==, 0);
    g_assert_true(g_file_set_contents(file, "old\n", -1, NULL));
    layer = g_build_filename(scratch, "layer", NULL);
    return is_static;
}

static char *make_folder(const char *name)
{
    return file_make_temporary_folder(scratch, name, NULL);
}

/* -- running ---------------------------------------------------------------------------------- */

typedef struct {
    SandboxSpec spec;
    const char *layers[2];
    const char *argv[4];
    const char *environment[3];
    SandboxMount mounts[4];
} Setup;

static void setup_init(Setup *setup, const char *script)
{
    *setup = (Setup){
        .layers = {layer, NULL},
        .argv = {"sh", "-c", script, NULL},
        .environment = {PATH_LINE, NULL},
    };
    setup->spec = (SandboxSpec){
        .root = {.layers = setup->layers},
        .mounts = setup->mounts,
        .argv = setup->argv,
        .environment = setup->environment,
        .network = SANDBOX_NETWORK_NONE,
        .capabilities = SANDBOX_CAPABILITIES_DEFAULT,
        .stdin_fd = -1,
        .stdout_fd = -1,
        .stderr_fd = -1,
    };
}

/* Runs it to its end; both streams go to the result. */
static char *run(Setup *setup, int *status)
{
    g_autoptr(GError) error = NULL;
    int fd = memfd_create("output", MFD_CLOEXEC);
    setup->spec.stdout_fd = setup->spec.stderr_fd = fd;
    *status = -1;
    sandbox_run(&setup->spec, status, &error);
    g_assert_no_error(error);
    lseek(fd, 0, SEEK_SET);
    char *output = file_read_fd(fd, 1024 * 1024, NULL, NULL);
    close(fd);
    return output;
}

static Sandbox *start(Setup *setup)
{
    g_autoptr(GError) error = NULL;
    Sandbox *sandbox = sandbox_start(&setup->spec, &error);
    g_assert_no_error(error);
    return sandbox;
}

/* -- one script, one answer ------------------------------------------------------------------- */

static void as_user(Setup *setup)
{
    static const gid_t groups[] = {5, 7};
    setup->spec.uid = 1000;
    setup->spec.gid = 1001;
    setup->spec.groups = groups;
    setup->spec.group_count = 2;
}

static void without_capabilities(Setup *setup)
{
    setup->spec.capabilities = 0;
}

static void without_new_privileges(Setup *setup)
{
    setup->spec.no_new_privileges = true;
}

static void without_filter(Setup *setup)
{
    setup->spec.insecure_syscalls = true;
}

static void read_only(Setup *setup)
{
    setup->spec.root.read_only = true;
}

static void in_folder(Setup *setup)
{
    setup->spec.folder = "/data";
}

static void named(Setup *setup)
{
    setup->spec.hostname = "builder";
    static const char *const hosts[] = {"10.1.2.3 db", NULL};
    setup->spec.extra_hosts = hosts;
}

static void with_tmpfs(Setup *setup)
{
    setup->mounts[0] = (SandboxMount){.kind = SANDBOX_MOUNT_TMPFS,
                                      .target = "/scratch/deep",
                                      .size = 65536,
                                      .mode = 01777,
                                      .no_exec = true};
    setup->spec.mount_count = 1;
}

static void with_binds(Setup *setup)
{
    setup->mounts[0] = (SandboxMount){
        .kind = SANDBOX_MOUNT_BIND, .source = layer, .target = "/mnt/layer", .read_only = true};
    setup->mounts[1] = (SandboxMount){.kind = SANDBOX_MOUNT_TMPFS, .target = "/mnt/empty"};
    setup->spec.mount_count = 2;
}

static void with_overlay(Setup *setup)
{
    setup->mounts[0] =
        (SandboxMount){.kind = SANDBOX_MOUNT_OVERLAY, .source = layer, .target = "/copy"};
    setup->spec.mount_count = 1;
}

static void with_certificates(Setup *setup)
{
    setup->spec.certificates = true;
}

static void on_host_root(Setup *setup)
{
    setup->spec.root = (SandboxRoot){.host = true};
    setup->environment[0] = "PATH=/usr/bin:/bin";
}

static void on_read_only_host_root(Setup *setup)
{
    on_host_root(setup);
    setup->spec.root.read_only = true;
}

static void with_process_limit(Setup *setup)
{
    setup->spec.limits.pids = 4;
}

typedef struct {
    const char *label;
    const char *script;
    int status;
    const char *output; /* exact; NULL: not looked at */
    void (*adjust)(Setup *setup);
    bool root_only; /* needs ids or devices that a user namespace lacks */
} Case;

static const Case cases[] = {
    {"exit-code", "exit 7", 7, "", NULL, false},
    {"signal", "kill -TERM $$", 143, "", NULL, false},
    {"output", "echo out; echo err >&2", 0, "out\nerr\n", NULL, false},
    {"stdin-is-null", "cat", 0, "", NULL, false},
    {"descriptors", "ls /proc/self/fd", 0, "0\n1\n2\n3\n", NULL, false},
    {"umask", "umask", 0, "0022\n", NULL, false},
    {"hostname", "hostname; cat /etc/hostname", 0, "slipway\nslipway\n", NULL, false},
    {"hosts", "hostname; grep db /etc/hosts", 0, "builder\n10.1.2.3 db\n", named, false},
    {"pid-1-is-not-the-step", "echo $$; ls /proc | grep -c '^[0-9]'", 0, NULL, NULL, false},
    {"working-folder", "cat old", 0, "old\n", in_folder, false},
    {"orphans-are-reaped", "(sleep 0.05 &); sleep 0.2; ps -o stat | grep -c Z", 1, "0\n", NULL,
     false},
    {"loopback-is-up", "cat /sys/class/net/lo/flags", 0, "0x9\n", NULL, false},
    {"only-loopback", "ls /sys/class/net", 0, "lo\n", NULL, false},
    {"no-route", "tail -n +2 /proc/net/route | wc -l", 0, "0\n", NULL, false},
    {"low-port-without-root", "cat /proc/sys/net/ipv4/ip_unprivileged_port_start", 0, "0\n", NULL,
     false},
    {"null-works", "echo x > /dev/null && head -c 3 /dev/zero | wc -c", 0, "3\n", NULL, false},
    {"no-character-device", "mknod /dev/shm/x c 1 3 2>/dev/null", 1, "", NULL, false},
    {"no-block-device", "mknod /dev/shm/x b 8 0 2>/dev/null", 1, "", NULL, false},
    {"fifo", "mknod /dev/shm/x p", 0, "", NULL, false},
    {"no-mount", "mount -t tmpfs x /data 2>/dev/null", 1, "", NULL, false},
    {"no-namespace", "unshare -U true 2>/dev/null", 1, "", NULL, false},
    {"masked-file", "wc -c < /proc/keys", 0, "0\n", NULL, false},
    {"masked-folder", "ls /sys/firmware | wc -l", 0, "0\n", NULL, false},
    {"read-only-proc", "echo 1 2>/dev/null > /proc/sys/kernel/panic", 1, NULL, NULL, false},
    {"read-only-sys", "touch /sys/x 2>/dev/null", 1, NULL, NULL, false},
    {"root-writes-vanish", "echo new > /data/old; cat /data/old", 0, "new\n", NULL, false},
    {"read-only-root", "touch /data/x 2>/dev/null || echo no; touch /dev/shm/x", 0, "no\n",
     read_only, false},
    {"default-ids", "id -u; id -g", 0, "0\n0\n", NULL, false},
    {"user", "id -u; id -g; id -G", 0, "1000\n1001\n1001 5 7\n", as_user, true},
    {"user-has-no-capabilities", "grep CapEff /proc/self/status", 0, "CapEff:\t0000000000000000\n",
     as_user, true},
    {"capabilities", "grep -E 'Cap(Eff|Bnd)' /proc/self/status", 0,
     "CapEff:\t00000000a80425fb\nCapBnd:\t00000000a80425fb\n", NULL, false},
    {"no-capabilities", "grep -E 'Cap(Eff|Bnd)' /proc/self/status", 0,
     "CapEff:\t0000000000000000\nCapBnd:\t0000000000000000\n", without_capabilities, false},
    {"filter", "grep -E '^(NoNewPrivs|Seccomp):' /proc/self/status", 0,
     "NoNewPrivs:\t0\nSeccomp:\t2\n", NULL, false},
    {"no-new-privileges", "grep NoNewPrivs /proc/self/status", 0, "NoNewPrivs:\t1\n",
     without_new_privileges, false},
    {"insecure", "grep '^Seccomp:' /proc/self/status", 0, "Seccomp:\t0\n", without_filter, false},
    {"tmpfs",
     "stat -c %a /scratch/deep; dd if=/dev/zero of=/scratch/deep/x bs=1024 count=100 2>&1 "
     "| grep -c 'No space'",
     0, "1777\n1\n", with_tmpfs, false},
    {"tmpfs-no-exec",
     "echo 'exit 0' > "
     "/scratch/deep/s; chmod +x /scratch/deep/s; /scratch/deep/s 2>/dev/null",
     126, "", with_tmpfs, false},
    {"binds", "cat /mnt/layer/data/old; touch /mnt/layer/x 2>/dev/null || echo no; ls /mnt/empty",
     0, "old\nno\n", with_binds, false},
    {"overlay-mount", "echo new > /copy/data/old; cat /copy/data/old /data/old", 0, "new\nold\n",
     with_overlay, false},
    {"certificates",
     "wc -c < $SSL_CERT_FILE | grep -c '^[1-9]'; "
     "touch $CURL_CA_BUNDLE 2>/dev/null || echo read-only",
     0, "1\nread-only\n", with_certificates, false},
    {"host-root",
     "ls /root /home /tmp; touch /usr/x /etc/x && echo writable; test ! -e /var/lib/dpkg", 0,
     "/home:\n\n/root:\n\n/tmp:\nwritable\n", on_host_root, false},
    {"host-root-has-no-secrets",
     "find -L /etc -maxdepth 4 ! -perm -o=r ! -type c 2>/dev/null; ls "
     "/etc/shadow /etc/ssh /etc/ssl/private 2>/dev/null",
     2, "", on_host_root, false},
    {"host-root-read-only", "touch /usr/x /etc/x /x 2>/dev/null || echo no; touch /dev/shm/x", 0,
     "no\n", on_read_only_host_root, false},
    {"init-hides-its-parent",
     "tail -c +1 /proc/1/cmdline | grep -c test_; cat /proc/1/environ 2>/dev/null || echo no", 0,
     "0\nno\n", NULL, false},
    {"process-limit", "for i in 1 2 3 4 5 6 7 8; do sleep 1 & done 2>/dev/null; wait", 2, NULL,
     with_process_limit, true},
};

static void test_case(const void *data)
{
    const Case *c = data;
    if (c->root_only && geteuid() != 0) {
        g_test_skip("needs root: a map of one id has no other users");
        return;
    }
    Setup setup;
    setup_init(&setup, c->script);
    if (c->adjust != NULL)
        c->adjust(&setup);
    int status;
    g_autofree char *output = run(&setup, &status);
    g_assert_cmpint(status, ==, c->status);
    if (c->output != NULL)
        g_assert_cmpstr(output, ==, c->output);
}

/* The layer itself is never written, whatever the rows above did. */
static void test_layer_is_untouched(void)
{
    g_autofree char *file = g_build_filename(layer, "data", "old", NULL);
    g_autofree char *text = NULL;
    g_assert_true(g_file_get_contents(file, &text, NULL, NULL));
    g_assert_cmpstr(text, ==, "old\n");
}

/* -- more than one answer --------------------------------------------------------------------- */

static void test_environment_is_exact(void)
{
    Setup setup;
    setup_init(&setup, NULL);
    setup.argv[0] = "env";
    setup.argv[1] = NULL;
    setup.environment[1] = "A=1";
    int status;
    g_autofree char *output = run(&setup, &status);
    g_assert_cmpstr(output, ==, PATH_LINE "\nA=1\n");
}

static void test_stdin(void)
{
    Setup setup;
    setup_init(&setup, "cat");
    int fd = memfd_create("input", MFD_CLOEXEC), status;
    g_assert_cmpint(write(fd, "words", 5), ==, 5);
    lseek(fd, 0, SEEK_SET);
    setup.spec.stdin_fd = fd;
    g_autofree char *output = run(&setup, &status);
    close(fd);
    g_assert_cmpstr(output, ==, "words");
}

typedef struct {
    const char *label;
    const char *program, *folder;
    const char *message;
    int code;
} ErrorCase;

static const ErrorCase error_cases[] = {
    {"not-in-path", "no-such", NULL, "exec 'no-such': not found", SLIPWAY_ERROR_INVALID},
    {"no-such-file", "/bin/no-such", NULL, "exec '/bin/no-such': not found", SLIPWAY_ERROR_INVALID},
    {"folder", "/data", NULL, "exec '/data': Permission denied", SLIPWAY_ERROR_INVALID},
    {"not-a-program", "/data/text", NULL, "exec '/data/text': Permission denied",
     SLIPWAY_ERROR_INVALID},
    {"no-working-folder", "true", "/nowhere",
     "enter working folder '/nowhere': No such file or directory", SLIPWAY_ERROR_NOT_FOUND},
    {"relative-working-folder", "true", "data", "working folder is not absolute: 'data'",
     SLIPWAY_ERROR_INVALID},
};

static void test_error(const void *data)
{
    const ErrorCase *c = data;
    Setup setup;
    setup_init(&setup, NULL);
    setup.argv[0] = c->program;
    setup.argv[1] = NULL;
    setup.spec.folder = c->folder;
    g_autofree char *text = g_build_filename(layer, "data", "text", NULL);
    g_assert_true(g_file_set_contents(text, "text", -1, NULL));
    g_autoptr(GError) error = NULL;
    g_autoptr(Sandbox) sandbox = sandbox_start(&setup.spec, &error);
    g_unlink(text);
    g_assert_null(sandbox);
    g_assert_error(error, SLIPWAY_ERROR, c->code);
    g_assert_cmpstr(error != NULL ? error->message : NULL, ==, c->message);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *) a, *(char *const *) b);
}

static void list(GString *into, const char *folder, const char *prefix)
{
    GDir *dir = g_dir_open(folder, 0, NULL);
    const char *name;
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
    while (dir != NULL && (name = g_dir_read_name(dir)) != NULL)
        g_ptr_array_add(names, g_strdup(name));
    if (dir != NULL)
        g_dir_close(dir);
    g_ptr_array_sort(names, compare_names);
    for (guint i = 0; i < names->len; i++) {
        g_autofree char *path = g_build_filename(folder, g_ptr_array_index(names, i), NULL);
        g_autofree char *shown = g_strconcat(prefix, g_ptr_array_index(names, i), NULL);
        g_autofree char *below = g_strconcat(shown, "/", NULL);
        struct stat info;
        g_assert_cmpint(lstat(path, &info), ==, 0);
        g_string_append_printf(into, "%s%s ", shown,
                               S_ISDIR(info.st_mode)   ? "/"
                               : S_ISCHR(info.st_mode) ? "(whiteout)"
                                                       : "");
        if (S_ISDIR(info.st_mode))
            list(into, path, below);
    }
}

/* What a RUN leaves is what it wrote: no stub of a mount point, whichever the image lacks. */
static void test_upper_is_the_diff(void)
{
    Setup setup;
    setup_init(&setup, "mkdir /made; echo x > /made/x; rm /data/old");
    g_autofree char *upper = make_folder("upper");
    g_autofree char *work = make_folder("work");
    with_binds(&setup);
    setup.mounts[2] = (SandboxMount){.kind = SANDBOX_MOUNT_BIND,
                                     .source = "/etc/passwd",
                                     .target = "/run/secrets/one",
                                     .read_only = true};
    setup.spec.mount_count = 3;
    setup.spec.certificates = true;
    setup.spec.root.upper = upper;
    setup.spec.root.work = work;
    int status;
    g_autofree char *output = run(&setup, &status);
    g_autoptr(GString) found = g_string_new(NULL);
    list(found, upper, "");
    g_assert_cmpstr(output, ==, "");
    g_assert_cmpint(status, ==, 0);
    g_assert_cmpstr(found->str, ==, "data/ data/old(whiteout) made/ made/x ");
}

/* A link in the image cannot lead a mount out of the root. */
static void test_links_stay_inside(void)
{
    g_autofree char *root = make_folder("links");
    g_autofree char *etc = g_build_filename(root, "etc", NULL);
    g_autofree char *link = g_build_filename(etc, "resolv.conf", NULL);
    g_autofree char *up = g_build_filename(root, "out", NULL);
    g_assert_cmpint(g_mkdir(etc, 0755), ==, 0);
    g_assert_cmpint(symlink("../run/resolver/stub", link), ==, 0);
    g_assert_cmpint(symlink("../../../../../..", up), ==, 0);
    g_autofree char *victim = g_build_filename("/out", scratch, "mounted", NULL);

    Setup setup;
    setup_init(&setup, "cat /etc/resolv.conf && ls -d /run/resolver/stub");
    const char *layers[] = {root, layer, NULL};
    setup.spec.root.layers = layers;
    setup.mounts[0] = (SandboxMount){.kind = SANDBOX_MOUNT_TMPFS, .target = victim};
    setup.spec.mount_count = 1;
    int status;
    g_autofree char *output = run(&setup, &status);
    g_autofree char *outside = g_build_filename(scratch, "mounted", NULL);
    g_assert_cmpint(status, ==, 0);
    g_assert_cmpstr(output, ==, "/run/resolver/stub\n");
    g_assert_false(g_file_test(outside, G_FILE_TEST_EXISTS));
}

/* More layers than the one page of mount(2) names; the kernel takes them since 6.5. */
static void test_many_layers(void)
{
    enum { MANY = 300 };
    g_autofree char *folder = make_folder("many");
    g_autoptr(GPtrArray) layers = g_ptr_array_new_with_free_func(g_free);
    for (int i = 0; i < MANY; i++) {
        char *path = g_strdup_printf("%s/%d", folder, i);
        g_autofree char *file = g_build_filename(path, "top", NULL);
        g_autofree char *text = g_strdup_printf("%d\n", i);
        g_assert_cmpint(g_mkdir(path, 0755), ==, 0);
        g_assert_true(g_file_set_contents(file, text, -1, NULL));
        g_ptr_array_add(layers, path);
    }
    g_ptr_array_add(layers, g_strdup(layer));
    g_ptr_array_add(layers, NULL);
    Setup setup;
    setup_init(&setup, "cat /top");
    setup.spec.root.layers = (const char *const *) layers->pdata;
    g_autofree char *upper = make_folder("upper");
    g_autofree char *work = make_folder("work");
    setup.spec.root.upper = upper;
    setup.spec.root.work = work;
    g_autoptr(GError) error = NULL;
    g_autoptr(Sandbox) sandbox = sandbox_start(&setup.spec, &error);
    if (sandbox == NULL && g_str_has_prefix(error->message, "mount overlay root: ")) {
        g_test_skip("the kernel takes no more than a page of layers");
        return;
    }
    g_assert_no_error(error);
    g_clear_pointer(&sandbox, sandbox_free);
    int status;
    g_autofree char *output = run(&setup, &status);
    g_assert_cmpstr(output, ==, "0\n");
}

static void test_memory_limit(void)
{
    Setup setup;
    setup_init(&setup, "head -c 100000000 /dev/zero | tail -n 1 > /dev/null; exit 3");
    setup.spec.limits.memory = 16 * 1024 * 1024;
    g_autoptr(Sandbox) sandbox = start(&setup);
    if (sandbox == NULL)
        return;
    if (sandbox_missing_limits(sandbox) != NULL) {
        g_test_skip("no memory controller can be written here");
        return;
    }
    int status;
    g_assert_true(sandbox_wait(sandbox, 20000, &status, NULL));
    g_assert_true(sandbox_was_out_of_memory(sandbox));
}

static void test_wait_and_signal(void)
{
    Setup setup;
    setup_init(&setup, "trap 'exit 9' USR1; while :; do sleep 0.02; done");
    g_autoptr(Sandbox) sandbox = start(&setup);
    int status = -1;
    g_autoptr(GError) error = NULL;
    g_assert_false(sandbox_wait(sandbox, 100, &status, &error));
    g_assert_no_error(error);
    g_assert_true(sandbox_signal(sandbox, SIGUSR1, &error));
    g_assert_true(sandbox_wait(sandbox, 5000, &status, &error));
    g_assert_cmpint(status, ==, 9);
    g_assert_false(sandbox_signal(sandbox, SIGUSR1, &error));
    g_assert_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_NOT_FOUND);
}

static void test_kill_ends_all(void)
{
    Setup setup;
    setup_init(&setup, "sleep 300 & sleep 300 & wait");
    g_autoptr(Sandbox) sandbox = start(&setup);
    int status;
    g_assert_true(sandbox_signal(sandbox, SIGKILL, NULL));
    g_assert_true(sandbox_wait(sandbox, 5000, &status, NULL));
    g_assert_cmpint(status, ==, 137);
}

static void test_exec(void)
{
    Setup setup;
    setup_init(&setup, "exec sleep 300");
    g_autoptr(Sandbox) sandbox = start(&setup);
    g_autoptr(GError) error = NULL;
    g_autofree char *output = NULL;
    int status = -1;
    const char *const look[] = {"sh", "-c", "hostname; ps | grep -c '[s]leep 300'; exit 4", NULL};
    g_assert_true(sandbox_exec(sandbox, look, 5000, 4096, &output, &status, &error));
    g_assert_no_error(error);
    g_assert_cmpint(status, ==, 4);
    g_assert_cmpstr(output, ==, "slipway\n1\n");

    const char *const missing[] = {"no-such", NULL};
    g_assert_false(sandbox_exec(sandbox, missing, 5000, 4096, NULL, &status, &error));
    g_assert_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID);
    g_clear_error(&error);

    const char *const slow[] = {"sh", "-c", "sleep 77 & sleep 77", NULL};
    g_assert_false(sandbox_exec(sandbox, slow, 200, 4096, NULL, &status, &error));
    g_assert_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_UNAVAILABLE);
    g_clear_error(&error);
    g_clear_pointer(&output, g_free);
    const char *const count[] = {"sh", "-c", "ps | grep -c '[s]leep 77'", NULL};
    g_assert_true(sandbox_exec(sandbox, count, 5000, 4096, &output, &status, &error));
    g_assert_cmpstr(output, ==, "0\n");

    g_clear_pointer(&output, g_free);
    const char *const much[] = {"head", "-c", "100000", "/dev/zero", NULL};
    g_assert_true(sandbox_exec(sandbox, much, 5000, 10, &output, &status, &error));
    g_assert_cmpint(status, ==, 0);
}

static void test_socket(void)
{
    Setup setup;
    setup_init(&setup, "nc -l -p 7777 -e /bin/echo inside");
    g_autoptr(Sandbox) sandbox = start(&setup);
    char answer[16] = "";
    const struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(7777), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    for (int i = 0; i < 200 && answer[0] == '\0'; i++) { /* it listens when it listens */
        g_autoptr(GError) error = NULL;
        int fd = sandbox_socket(sandbox, &error);
        g_assert_no_error(error);
        struct pollfd wait = {.fd = fd, .events = POLLIN};
        if (fd >= 0 &&
            (connect(fd, (const struct sockaddr *) &address, sizeof address) == 0 ||
             errno == EINPROGRESS) &&
            poll(&wait, 1, 50) == 1 && read(fd, answer, sizeof answer - 1) < 0)
            answer[0] = '\0';
        close(fd);
        if (answer[0] == '\0')
            g_usleep(10000);
    }
    g_assert_cmpstr(answer, ==, "inside\n");
}

/* -- system calls, tried by this very program inside ------------------------------------------- */

static const struct {
    const char *label;
    long number;
    long arguments[5];
    int errnum; /* 0: it succeeds */
} calls[] = {
    {"unknown", 5000, {0}, ENOSYS},
    {"clone3", SYS_clone3, {0}, ENOSYS},
    {"unshare", SYS_unshare, {0x10000000}, EPERM},
    {"clone-user-namespace", SYS_clone, {0x10000000 | SIGCHLD}, EPERM},
    {"keyctl", SYS_keyctl, {0}, EPERM},
    {"io_uring", SYS_io_uring_setup, {1, 0}, EPERM},
    {"bpf", SYS_bpf, {0}, EPERM},
    {"userfaultfd", SYS_userfaultfd, {0}, EPERM},
    {"socket-inet", SYS_socket, {AF_INET, SOCK_STREAM, 0}, 0},
    {"socket-alg", SYS_socket, {38, SOCK_SEQPACKET, 0}, EPERM},
    {"socket-alg-high-bits", SYS_socket, {38 | 1L << 32, SOCK_SEQPACKET, 0}, EPERM},
    {"socket-vsock", SYS_socket, {40, SOCK_STREAM, 0}, EPERM},
    {"personality-none", SYS_personality, {0}, 0},
    {"personality-no-random", SYS_personality, {0x40000}, EPERM},
    {"mknod-device", SYS_mknod, {(long) "/dev/shm/d", S_IFCHR | 0600, 0x103}, EPERM},
    {"mknod-whiteout", SYS_mknod, {(long) "/dev/shm/w", S_IFCHR, 0}, 0},
    {"mknod-file", SYS_mknod, {(long) "/dev/shm/f", S_IFREG | 0600, 0}, 0},
    {"reboot", SYS_reboot, {0}, EPERM},
    {"chroot", SYS_chroot, {(long) "/"}, 0},
    {"open_tree", SYS_open_tree, {-100, (long) "/", 1}, EPERM},
};

#ifdef __x86_64__
/* Answers the system call of a 32-bit program: negative errno. */
static int call_32(int number, int first)
{
    int result;
    __asm__ volatile("int $0x80"
                     : "=a"(result)
                     : "a"(number), "b"(first), "c"(0), "d"(0)
                     : "memory");
    return result;
}

static void probe_32(void)
{
    static const struct {
        const char *label;
        int number, first, result;
    } calls_32[] = {
        {"mount", 21, 0, -EPERM},        {"socketcall", 102, 1, -EPERM},
        {"socket-alg", 359, 38, -EPERM}, {"clone3", 435, 0, -ENOSYS},
        {"unknown", 5000, 0, -ENOSYS},   {"umask", 60, 022, 022},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(calls_32); i++) {
        int result = call_32(calls_32[i].number, calls_32[i].first);
        if (result != calls_32[i].result)
            printf("32-bit %s: %d\n", calls_32[i].label, result);
    }
}
#endif

static int probe(int argc, char **argv)
{
#ifdef __x86_64__
    if (argc > 2 && strcmp(argv[2], "32") == 0) {
        probe_32();
        return 0;
    }
#endif
    for (size_t i = 0; i < G_N_ELEMENTS(calls); i++) {
        const long *a = calls[i].arguments;
        int got = syscall(calls[i].number, a[0], a[1], a[2], a[3], a[4]) < 0 ? errno : 0;
        if (got != calls[i].errnum)
            printf("%s: %s\n", calls[i].label, g_strerror(got));
    }
    return 0;
}

static char *run_probe(const char *which, int *status)
{
    g_autofree char *self = g_file_read_link("/proc/self/exe", NULL);
    Setup setup;
    setup_init(&setup, NULL);
    on_host_root(&setup);
    setup.argv[0] = "/run/probe";
    setup.argv[1] = "--probe";
    setup.argv[2] = which;
    setup.environment[1] = "ASAN_OPTIONS=detect_leaks=0";
    setup.mounts[0] = (SandboxMount){
        .kind = SANDBOX_MOUNT_BIND, .source = self, .target = "/run/probe", .read_only = true};
    setup.spec.mount_count = 1;
    return run(&setup, status);
}

static void test_system_calls(void)
{
    int status;
    g_autofree char *output = run_probe(NULL, &status);
    g_assert_cmpint(status, ==, 0);
    g_assert_cmpstr(output, ==, "");
}

static void test_system_calls_of_32_bits(void)
{
    int status;
    g_autofree char *output = run_probe("32", &status);
    if (status == 128 + SIGSEGV) {
        g_test_skip("the kernel runs no 32-bit programs");
        return;
    }
    g_assert_cmpint(status, ==, 0);
    g_assert_cmpstr(output, ==, "");
}

/* -- life and death --------------------------------------------------------------------------- */

static void *start_in_thread(void *data)
{
    return start(data);
}

/* A sandbox is tied to the process, not to the thread that happened to start it. */
static void test_outlives_its_thread(void)
{
    Setup setup;
    setup_init(&setup, "sleep 0.3; exit 6");
    g_autoptr(Sandbox) sandbox = g_thread_join(g_thread_new("starter", start_in_thread, &setup));
    int status = -1;
    g_assert_true(sandbox_wait(sandbox, 5000, &status, NULL));
    g_assert_cmpint(status, ==, 6);
}

static void *run_many(void *data)
{
    for (int i = 0; i < 10; i++) {
        Setup setup;
        setup_init(&setup, "exit 5");
        int status = -1;
        g_autoptr(GError) error = NULL;
        if (!sandbox_run(&setup.spec, &status, &error) || status != 5)
            return g_strdup_printf("%d: %s", status, error != NULL ? error->message : "");
    }
    return NULL;
}

static void test_threads(void)
{
    GThread *threads[4];
    for (size_t i = 0; i < G_N_ELEMENTS(threads); i++)
        threads[i] = g_thread_new("many", run_many, NULL);
    for (size_t i = 0; i < G_N_ELEMENTS(threads); i++) {
        g_autofree char *trouble = g_thread_join(threads[i]);
        g_assert_cmpstr(trouble, ==, NULL);
    }
}

static int count_mounts(void)
{
    g_autofree char *table = NULL;
    int lines = 0;
    g_assert_true(g_file_get_contents("/proc/self/mounts", &table, NULL, NULL));
    for (const char *c = table; *c != '\0'; c++)
        lines += *c == '\n';
    return lines;
}

/* Starts a sandbox from a process that is then killed; a pidfd of its init. */
static int orphan(bool keep_after_parent)
{
    int ends[2];
    g_assert_cmpint(pipe(ends), ==, 0);
    pid_t parent = fork();
    if (parent == 0) {
        Setup setup;
        setup_init(&setup, "sleep 300 & exec sleep 300");
        setup.spec.keep_after_parent = keep_after_parent;
        Sandbox *sandbox = sandbox_start(&setup.spec, NULL);
        pid_t pid = sandbox != NULL ? sandbox_pid(sandbox) : 0;
        (void) !write(ends[1], &pid, sizeof pid);
        for (;;)
            pause();
    }
    pid_t pid = 0;
    g_assert_cmpint(read(ends[0], &pid, sizeof pid), ==, sizeof pid);
    g_assert_cmpint(pid, >, 0);
    int pidfd = (int) syscall(SYS_pidfd_open, pid, 0);
    g_assert_cmpint(pidfd, >=, 0);
    kill(parent, SIGKILL);
    waitpid(parent, NULL, 0);
    close(ends[0]);
    close(ends[1]);
    return pidfd;
}

/* SIGKILL to the parent leaves no process and no mount. */
static void test_parent_dies(void)
{
    int mounts = count_mounts();
    int pidfd = orphan(false);
    struct pollfd wait = {.fd = pidfd, .events = POLLIN};
    g_assert_cmpint(poll(&wait, 1, 5000), ==, 1);
    g_assert_cmpint(count_mounts(), ==, mounts);
    close(pidfd);
}

/* One that was asked to stay does, until its own main process is told to end. */
static void test_stays_after_parent(void)
{
    int pidfd = orphan(true);
    struct pollfd wait = {.fd = pidfd, .events = POLLIN};
    g_assert_cmpint(poll(&wait, 1, 300), ==, 0);
    g_assert_cmpint(syscall(SYS_pidfd_send_signal, pidfd, SIGTERM, NULL, 0), ==, 0);
    g_assert_cmpint(poll(&wait, 1, 5000), ==, 1);
    close(pidfd);
}

static int count_descriptors(void)
{
    int count = 0;
    GDir *dir = g_dir_open("/proc/self/fd", 0, NULL);
    while (dir != NULL && g_dir_read_name(dir) != NULL)
        count++;
    if (dir != NULL)
        g_dir_close(dir);
    return count;
}

static void test_no_descriptor_stays(void)
{
    Setup setup;
    int status;
    setup_init(&setup, "true");
    g_assert_true(sandbox_run(&setup.spec, &status, NULL));
    int before = count_descriptors();
    g_assert_true(sandbox_run(&setup.spec, &status, NULL));
    setup.argv[0] = "no-such";
    g_assert_null(sandbox_start(&setup.spec, NULL));
    g_assert_cmpint(count_descriptors(), ==, before);
}

static void test_slirp(void)
{
    g_autofree char *program = g_find_program_in_path("slirp4netns");
    if (program == NULL || access("/dev/net/tun", R_OK | W_OK) < 0) {
        g_test_skip(program == NULL ? "no slirp4netns" : "/dev/net/tun may not be opened");
        return;
    }
    Setup setup;
    setup_init(&setup, "ls /sys/class/net; tail -n +2 /proc/net/route | grep -c tap0; head -n 1 "
                       "/etc/resolv.conf");
    setup.spec.network = SANDBOX_NETWORK_SLIRP;
    int status;
    g_autofree char *output = run(&setup, &status);
    g_assert_cmpstr(output, ==, "lo\ntap0\n2\nnameserver 10.0.2.3\n");
}

/* What listens on this machine's loopback is not for those inside. */
static void test_slirp_keeps_loopback_shut(void)
{
    g_autofree char *program = g_find_program_in_path("slirp4netns");
    if (program == NULL || access("/dev/net/tun", R_OK | W_OK) < 0) {
        g_test_skip(program == NULL ? "no slirp4netns" : "/dev/net/tun may not be opened");
        return;
    }
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    g_assert_cmpint(bind(listener, (struct sockaddr *) &address, length), ==, 0);
    g_assert_cmpint(listen(listener, 1), ==, 0);
    g_assert_cmpint(getsockname(listener, (struct sockaddr *) &address, &length), ==, 0);
    g_autofree char *script = g_strdup_printf(
        "timeout 2 nc -w 1 10.0.2.2 %d </dev/null 2>/dev/null", ntohs(address.sin_port));
    Setup setup;
    setup_init(&setup, script);
    setup.spec.network = SANDBOX_NETWORK_SLIRP;
    int status;
    g_autofree char *output = run(&setup, &status);
    struct pollfd arrived = {.fd = listener, .events = POLLIN};
    g_assert_cmpint(poll(&arrived, 1, 0), ==, 0);
    close(listener);
}

static double cpu_ms(void)
{
    struct rusage own, children;
    getrusage(RUSAGE_SELF, &own);
    getrusage(RUSAGE_CHILDREN, &children);
    const struct timeval all[] = {own.ru_utime, own.ru_stime, children.ru_utime, children.ru_stime};
    double ms = 0;
    for (size_t i = 0; i < G_N_ELEMENTS(all); i++)
        ms += (double) all[i].tv_sec * 1e3 + (double) all[i].tv_usec / 1e3;
    return ms;
}

/* A figure for the log, not a judgement: machines differ. */
static void test_cost(void)
{
    enum { TIMES = 50 };
    Setup setup;
    int status;
    setup_init(&setup, NULL);
    setup.argv[0] = "true";
    setup.argv[1] = NULL;
    double cpu = cpu_ms();
    int64_t wall = g_get_monotonic_time();
    for (int i = 0; i < TIMES; i++)
        g_assert_true(sandbox_run(&setup.spec, &status, NULL));
    g_test_message("start and end of `true`: %.2f ms CPU, %.2f ms wall", (cpu_ms() - cpu) / TIMES,
                   (double) (g_get_monotonic_time() - wall) / 1e3 / TIMES);
}

/* -- main ------------------------------------------------------------------------------------- */

static char *skip_reason;

static void test_skipped(void)
{
    g_test_skip(skip_reason);
}

static void add_tests(void)
{
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *path = g_strdup_printf("/sandbox/script/%s", cases[i].label);
        g_test_add_data_func(path, &cases[i], test_case);
    }
    for (size_t i = 0; i < G_N_ELEMENTS(error_cases); i++) {
        g_autofree char *path = g_strdup_printf("/sandbox/error/%s", error_cases[i].label);
        g_test_add_data_func(path, &error_cases[i], test_error);
    }
    g_test_add_func("/sandbox/layer-is-untouched", test_layer_is_untouched);
    g_test_add_func("/sandbox/environment-is-exact", test_environment_is_exact);
    g_test_add_func("/sandbox/stdin", test_stdin);
    g_test_add_func("/sandbox/upper-is-the-diff", test_upper_is_the_diff);
    g_test_add_func("/sandbox/links-stay-inside", test_links_stay_inside);
    g_test_add_func("/sandbox/many-layers", test_many_layers);
    g_test_add_func("/sandbox/memory-limit", test_memory_limit);
    g_test_add_func("/sandbox/wait-and-signal", test_wait_and_signal);
    g_test_add_func("/sandbox/kill-ends-all", test_kill_ends_all);
    g_test_add_func("/sandbox/exec", test_exec);
    g_test_add_func("/sandbox/socket", test_socket);
    g_test_add_func("/sandbox/system-calls", test_system_calls);
    g_test_add_func("/sandbox/system-calls-of-32-bits", test_system_calls_of_32_bits);
    g_test_add_func("/sandbox/outlives-its-thread", test_outlives_its_thread);
    g_test_add_func("/sandbox/threads", test_threads);
    g_test_add_func("/sandbox/parent-dies", test_parent_dies);
    g_test_add_func("/sandbox/stays-after-parent", test_stays_after_parent);
    g_test_add_func("/sandbox/no-descriptor-stays", test_no_descriptor_stays);
    g_test_add_func("/sandbox/slirp", test_slirp);
    g_test_add_func("/sandbox/slirp-keeps-loopback-shut", test_slirp_keeps_loopback_shut);
    g_test_add_func("/sandbox/cost", test_cost);
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "--probe") == 0)
        return probe(argc, argv);
    g_test_init(&argc, &argv, NULL);
    g_test_set_nonfatal_assertions();
    scratch = file_make_temporary_folder(g_get_tmp_dir(), "slipway-test", NULL);
    skip_reason = sandbox_obstacle();
    if (skip_reason == NULL && !make_layer())
        skip_reason = g_strdup("no static busybox (apt-get install busybox-static)");
    if (skip_reason != NULL)
        g_test_add_func("/sandbox/all", test_skipped);
    else
        add_tests();
    int result = g_test_run();
    file_remove_tree(AT_FDCWD, scratch, NULL);
    return result;
}
