/* syscalls.h - system calls newer than the C library's wrappers, and those whose wrappers do more
 * than the call (set*id of all threads). All are async-signal-safe. */
#pragma once

#include <fcntl.h>
#include <linux/sched.h>
#include <stdint.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

static inline pid_t sys_clone3(struct clone_args *args, size_t size)
{
    return (pid_t) syscall(SYS_clone3, args, size);
}

static inline int sys_pivot_root(const char *new_root, const char *put_old)
{
    return (int) syscall(SYS_pivot_root, new_root, put_old);
}

static inline int sys_setresuid(uid_t uid)
{
    return (int) syscall(SYS_setresuid, uid, uid, uid);
}

static inline int sys_setresgid(gid_t gid)
{
    return (int) syscall(SYS_setresgid, gid, gid, gid);
}

static inline int sys_setgroups(size_t count, const gid_t *groups)
{
    return (int) syscall(SYS_setgroups, count, groups);
}

static inline int sys_pidfd_open(pid_t pid)
{
    return (int) syscall(SYS_pidfd_open, pid, 0);
}

static inline int sys_pidfd_send_signal(int pidfd, int signal_number)
{
    return (int) syscall(SYS_pidfd_send_signal, pidfd, signal_number, NULL, 0);
}
