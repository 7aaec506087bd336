#include "sandbox/seccomp_profile.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))
#define NEVER (-1)
#define BY_ARGUMENT (-2) /* has rules of its own below */

/* Every system call that exists is allowed but these: each opens a part of the kernel that is
 * shared with the machine. A capability frees it where the sandbox was given that. */
static const struct {
    const char *name;
    int capability;
} held_back[] = {
    /* mounts and namespaces */
    {"mount", CAP_SYS_ADMIN},
    {"umount", CAP_SYS_ADMIN},
    {"umount2", CAP_SYS_ADMIN},
    {"pivot_root", NEVER},
    {"fsopen", CAP_SYS_ADMIN},
    {"fsconfig", CAP_SYS_ADMIN},
    {"fsmount", CAP_SYS_ADMIN},
    {"fspick", CAP_SYS_ADMIN},
    {"move_mount", CAP_SYS_ADMIN},
    {"open_tree", CAP_SYS_ADMIN},
    {"mount_setattr", CAP_SYS_ADMIN},
    {"setns", CAP_SYS_ADMIN},
    {"unshare", CAP_SYS_ADMIN},
    {"clone", BY_ARGUMENT},
    {"clone3", BY_ARGUMENT},
    {"chroot", CAP_SYS_CHROOT},
    {"sethostname", CAP_SYS_ADMIN},
    {"setdomainname", CAP_SYS_ADMIN},
    {"open_by_handle_at", CAP_DAC_READ_SEARCH},
    {"mknod", BY_ARGUMENT},
    {"mknodat", BY_ARGUMENT},
    /* keys of the kernel's keyring have no namespace */
    {"add_key", NEVER},
    {"request_key", NEVER},
    {"keyctl", NEVER},
    /* ways around this very filter, or into the kernel's own machinery */
    {"io_uring_setup", NEVER},
    {"io_uring_enter", NEVER},
    {"io_uring_register", NEVER},
    {"userfaultfd", NEVER},
    {"bpf", CAP_BPF},
    {"perf_event_open", CAP_PERFMON},
    {"fanotify_init", CAP_SYS_ADMIN},
    {"lookup_dcookie", CAP_SYS_ADMIN},
    {"quotactl", CAP_SYS_ADMIN},
    {"quotactl_fd", CAP_SYS_ADMIN},
    {"syslog", CAP_SYSLOG},
    {"personality", BY_ARGUMENT},
    {"socket", BY_ARGUMENT},
    {"socketcall", NEVER},
    /* other processes */
    {"kcmp", CAP_SYS_PTRACE},
    {"pidfd_getfd", CAP_SYS_PTRACE},
    {"process_madvise", CAP_SYS_PTRACE},
    /* memory placement */
    {"get_mempolicy", CAP_SYS_NICE},
    {"set_mempolicy", CAP_SYS_NICE},
    {"set_mempolicy_home_node", CAP_SYS_NICE},
    {"mbind", CAP_SYS_NICE},
    {"migrate_pages", NEVER},
    {"move_pages", NEVER},
    /* the machine itself */
    {"reboot", CAP_SYS_BOOT},
    {"kexec_load", NEVER},
    {"kexec_file_load", NEVER},
    {"init_module", CAP_SYS_MODULE},
    {"finit_module", CAP_SYS_MODULE},
    {"delete_module", CAP_SYS_MODULE},
    {"create_module", NEVER},
    {"get_kernel_syms", NEVER},
    {"query_module", NEVER},
    {"acct", CAP_SYS_PACCT},
    {"swapon", NEVER},
    {"swapoff", NEVER},
    {"iopl", CAP_SYS_RAWIO},
    {"ioperm", CAP_SYS_RAWIO},
    {"settimeofday", CAP_SYS_TIME},
    {"stime", CAP_SYS_TIME},
    {"clock_settime", CAP_SYS_TIME},
    {"clock_settime64", CAP_SYS_TIME},
    {"vhangup", CAP_SYS_TTY_CONFIG},
    /* forgotten interfaces that nothing of today calls */
    {"_sysctl", NEVER},
    {"sysfs", NEVER},
    {"uselib", NEVER},
    {"ustat", NEVER},
    {"nfsservctl", NEVER},
    {"vm86", NEVER},
    {"vm86old", NEVER},
    {"vserver", NEVER},
    {"afs_syscall", NEVER},
    {"tuxcall", NEVER},
    {"security", NEVER},
    {"getpmsg", NEVER},
    {"putpmsg", NEVER},
    {"bdflush", NEVER},
    {"idle", NEVER},
};

/* The last system call that was looked at when the table above was written (x86-64 numbering,
 * which all architectures share from 424 on). What came later is held back as unknown. */
#define LAST_REVIEWED 453
#define SOCKETCALL 102                  /* i386 */
#define NAMESPACES UINT64_C(0x7e020000) /* all CLONE_NEW* of clone() */

static bool is_held_back(const char *name, uint64_t capabilities)
{
    for (size_t i = 0; i < LENGTH(held_back); i++)
        if (strcmp(held_back[i].name, name) == 0)
            return held_back[i].capability < 0 ||
                   (capabilities >> held_back[i].capability & 1) == 0;
    return false;
}

static int allow(scmp_filter_ctx filter, const char *name, unsigned count,
                 const struct scmp_arg_cmp *conditions)
{
    int number = seccomp_syscall_resolve_name(name);
    if (number == __NR_SCMP_ERROR)
        return 0;
    int result = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, number, count, conditions);
    return result == -EDOM || result == -EEXIST ? 0 : result; /* not on this architecture */
}

/* All that ARCHITECTURE has, minus the table. */
static int allow_known(scmp_filter_ctx filter, uint32_t architecture, uint64_t capabilities)
{
    int result = 0;
    for (int number = 0; number <= LAST_REVIEWED && result == 0; number++) {
        char *name = seccomp_syscall_resolve_num_arch(architecture, number);
        if (name != NULL && !is_held_back(name, capabilities))
            result = allow(filter, name, 0, NULL);
        free(name);
    }
    return result;
}

static int allow_by_argument(scmp_filter_ctx filter, uint64_t capabilities)
{
    int result = 0;
    /* All families but 38 (AF_ALG) and 40 (AF_VSOCK), which have no namespace. By masks: the kernel
     * reads 32 bits of the register, so "greater than" would look at bits that do not count. */
    const struct {
        uint32_t mask, value;
    } families[] = {
        {0xffffffe0, 0},  {0xfffffffc, 32}, {0xfffffffe, 36}, {0xffffffff, 39},
        {0xffffffff, 41}, {0xfffffffe, 42}, {0xfffffffe, 44},
    };
    for (size_t i = 0; i < LENGTH(families); i++) {
        const struct scmp_arg_cmp within[] = {
            SCMP_A0(SCMP_CMP_MASKED_EQ, families[i].mask, families[i].value)};
        result |= allow(filter, "socket", 1, within);
    }

    const uint64_t personalities[] = {0, 0x8, 0x20000, 0x20008, 0xffffffff};
    for (size_t i = 0; i < LENGTH(personalities); i++) {
        const struct scmp_arg_cmp equal[] = {SCMP_A0(SCMP_CMP_EQ, personalities[i], 0)};
        result |= allow(filter, "personality", 1, equal);
    }

    const uint64_t kinds[] = {0, S_IFREG, S_IFIFO, S_IFSOCK};
    for (size_t i = 0; i < LENGTH(kinds); i++) {
        const struct scmp_arg_cmp path[] = {SCMP_A1(SCMP_CMP_MASKED_EQ, S_IFMT, kinds[i])};
        const struct scmp_arg_cmp at[] = {SCMP_A2(SCMP_CMP_MASKED_EQ, S_IFMT, kinds[i])};
        result |= allow(filter, "mknod", 1, path) | allow(filter, "mknodat", 1, at);
    }
    /* Device 0:0 is a whiteout, the mark of a deleted file in an overlay, and opens nothing. */
    const struct scmp_arg_cmp path[] = {SCMP_A1(SCMP_CMP_MASKED_EQ, S_IFMT, S_IFCHR),
                                        SCMP_A2(SCMP_CMP_EQ, 0, 0)};
    const struct scmp_arg_cmp at[] = {SCMP_A2(SCMP_CMP_MASKED_EQ, S_IFMT, S_IFCHR),
                                      SCMP_A3(SCMP_CMP_EQ, 0, 0)};
    result |= allow(filter, "mknod", 2, path) | allow(filter, "mknodat", 2, at);

    if ((capabilities >> CAP_SYS_ADMIN & 1) != 0) {
        result |= allow(filter, "clone", 0, NULL) | allow(filter, "clone3", 0, NULL);
    } else {
        const struct scmp_arg_cmp plain[] = {SCMP_A0(SCMP_CMP_MASKED_EQ, NAMESPACES, 0)};
        result |= allow(filter, "clone", 1, plain);
        /* Its flags lie in memory; with ENOSYS the C library falls back to clone. */
        result |= seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
    }
    return result;
}

/* The architectures whose programs this kernel runs as well. They come first: a rule holds for
 * those that are there when it is added. */
static int add_companions(scmp_filter_ctx filter, uint32_t native, uint32_t *companion)
{
    int result = 0;
    *companion = native;
    if (native == SCMP_ARCH_X86_64) {
        *companion = SCMP_ARCH_X86;
        result = seccomp_arch_add(filter, SCMP_ARCH_X32);
    } else if (native == SCMP_ARCH_AARCH64) {
        *companion = SCMP_ARCH_ARM;
    }
    return result == 0 && *companion != native ? seccomp_arch_add(filter, *companion) : result;
}

static int build(scmp_filter_ctx filter, uint64_t capabilities)
{
    uint32_t native = seccomp_arch_native(), companion;
    int result = seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
    if (result == 0)
        result = add_companions(filter, native, &companion);
    if (result == 0)
        result = allow_known(filter, native, capabilities);
    if (result == 0 && companion != native)
        result = allow_known(filter, companion, capabilities);
    return result != 0 ? result : allow_by_argument(filter, capabilities);
}

uint64_t seccomp_profile_capabilities(uint64_t capabilities)
{
    uint64_t relevant = 0;
    for (size_t i = 0; i < LENGTH(held_back); i++)
        if (held_back[i].capability >= 0)
            relevant |= UINT64_C(1) << held_back[i].capability;
    return capabilities & relevant;
}

/* What stands before libseccomp's filter. What it does not know answers ENOSYS, as a kernel without
 * it would, so that newer C libraries fall back; EPERM would be the last word to them. And the
 * 32-bit socketcall is refused, which libseccomp opens along with socket: its family lies in
 * memory, out of sight. */
static int write_head(int fd)
{
    int unknown = 0;
    for (int number = 0; number <= LAST_REVIEWED; number++) {
        char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, number);
        if (name != NULL)
            unknown = number + 1;
        free(name);
    }
    const struct sock_filter head[] = {
#ifdef __x86_64__
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_I386, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SOCKETCALL, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
#endif
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 0x40000000, 2, 0), /* x32 has numbers of its own */
        BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, (uint32_t) unknown, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
    };
    return write(fd, head, sizeof head) == (ssize_t) sizeof head ? 0 : -EIO;
}

int seccomp_profile_export(uint64_t capabilities, int fd)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    if (filter == NULL)
        return -ENOMEM;
    int result = build(filter, capabilities);
    if (result == 0)
        result = write_head(fd);
    if (result == 0)
        result = seccomp_export_bpf(filter, fd);
    seccomp_release(filter);
    return result;
}
