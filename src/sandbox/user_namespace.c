#include "sandbox/user_namespace.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/process.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SUBID_LIMIT (1024 * 1024)

bool user_namespace_is_needed(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2] = {0};
    if (geteuid() != 0 || syscall(SYS_capget, &header, data) < 0)
        return true;
    return (data[0].effective >> CAP_SYS_ADMIN & 1) == 0;
}

bool user_namespace_is_initial(void)
{
    g_autofree char *map = file_read(AT_FDCWD, "/proc/self/uid_map", SUBID_LIMIT, NULL, NULL);
    unsigned inside, outside, count;
    return map == NULL || (sscanf(map, "%u %u %u", &inside, &outside, &count) == 3 && inside == 0 &&
                           outside == 0 && count == UINT32_MAX);
}

bool user_namespace_may_set_groups(void)
{
    g_autofree char *word = file_read(AT_FDCWD, "/proc/self/setgroups", 64, NULL, NULL);
    return word == NULL || !g_str_has_prefix(word, "deny");
}

/* The first range that FILE ("/etc/subuid": name-or-id:first:count) grants us. */
static bool find_range(const char *file, unsigned *first, unsigned *count)
{
    g_autofree char *text = file_read(AT_FDCWD, file, SUBID_LIMIT, NULL, NULL);
    if (text == NULL)
        return false;
    struct passwd entry, *found = NULL;
    char buffer[4096];
    getpwuid_r(geteuid(), &entry, buffer, sizeof buffer, &found);
    g_autofree char *id = g_strdup_printf("%u", geteuid());

    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    for (size_t i = 0; lines[i] != NULL; i++) {
        g_auto(GStrv) fields = g_strsplit(lines[i], ":", 4);
        if (g_strv_length(fields) != 3)
            continue;
        if (strcmp(fields[0], id) != 0 && (found == NULL || strcmp(fields[0], found->pw_name) != 0))
            continue;
        guint64 from, size;
        if (g_ascii_string_to_unsigned(fields[1], 10, 1, G_MAXUINT32, &from, NULL) &&
            g_ascii_string_to_unsigned(fields[2], 10, 1, G_MAXUINT32, &size, NULL)) {
            *first = (unsigned) from;
            *count = (unsigned) size;
            return true;
        }
    }
    return false;
}

static bool has_program(const char *name)
{
    g_autofree char *path = g_find_program_in_path(name);
    return path != NULL;
}

bool user_namespace_has_range(void)
{
    static gsize known; /* 1: no, 2: yes */
    if (g_once_init_enter(&known)) {
        unsigned first, count;
        bool has = has_program("newuidmap") && has_program("newgidmap") &&
                   find_range("/etc/subuid", &first, &count) &&
                   find_range("/etc/subgid", &first, &count);
        g_once_init_leave(&known, has ? 2 : 1);
    }
    return known == 2;
}

static bool run_mapper(const char *program, const char *file, pid_t pid, unsigned own,
                       GError **error)
{
    unsigned first, count;
    if (!find_range(file, &first, &count)) {
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_UNAVAILABLE, "'%s' grants no range", file);
        return false;
    }
    g_autofree char *pid_text = g_strdup_printf("%d", (int) pid);
    g_autofree char *own_text = g_strdup_printf("%u", own);
    g_autofree char *first_text = g_strdup_printf("%u", first);
    g_autofree char *count_text = g_strdup_printf("%u", count);
    const char *const argv[] = {program, pid_text,   "0",        own_text, "1",
                                "1",     first_text, count_text, NULL};
    const ProcessSpec spec = {.argv = argv};
    g_auto(ProcessResult) result = {0};
    return process_run_checked(&spec, &result, error);
}

static bool write_map(pid_t pid, const char *name, const char *text, GError **error)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/%s", (int) pid, name);
    autofd int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, text, strlen(text)) < 0)
        return error_set_errno(error, errno, "write", path);
    return true;
}

bool user_namespace_map(pid_t pid, uid_t uid, gid_t gid, GError **error)
{
    if (user_namespace_has_range())
        return run_mapper("newuidmap", "/etc/subuid", pid, geteuid(), error) &&
               run_mapper("newgidmap", "/etc/subgid", pid, getegid(), error);
    g_autofree char *users = g_strdup_printf("%u %u 1\n", uid, geteuid());
    g_autofree char *groups = g_strdup_printf("%u %u 1\n", gid, getegid());
    return write_map(pid, "setgroups", "deny", error) && write_map(pid, "uid_map", users, error) &&
           write_map(pid, "gid_map", groups, error);
}
