#include "base/file.h"

#include "base/error.h"
#include "base/fd.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

char *file_read_fd(int fd, size_t limit, size_t *length, GError **error)
{
    struct stat st;
    size_t capacity = 4096;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0)
        capacity = MIN((size_t) st.st_size, limit) + 1;

    g_autofree char *bytes = g_malloc(capacity + 1);
    size_t used = 0;
    for (;;) {
        if (used == capacity) {
            capacity = capacity * 2;
            bytes = g_realloc(bytes, capacity + 1);
        }
        ssize_t n = read(fd, bytes + used, capacity - used);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            error_set_errno(error, errno, "read", "file");
            return NULL;
        }
        if (n == 0)
            break;
        used += (size_t) n;
        if (used > limit) {
            g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID, "larger than %zu bytes",
                        limit);
            return NULL;
        }
    }
    bytes[used] = '\0';
    if (length != NULL)
        *length = used;
    return g_steal_pointer(&bytes);
}

char *file_read(int dirfd, const char *path, size_t limit, size_t *length, GError **error)
{
    autofd int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        error_set_errno(error, errno, "open", path);
        return NULL;
    }
    char *bytes = file_read_fd(fd, limit, length, error);
    if (bytes == NULL)
        g_prefix_error(error, "'%s': ", path);
    return bytes;
}

bool file_write_all(int fd, const void *bytes, size_t length, GError **error)
{
    const char *at = bytes;
    while (length > 0) {
        ssize_t n = write(fd, at, length);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return error_set_errno(error, errno, "write", "file");
        at += n;
        length -= (size_t) n;
    }
    return true;
}

bool file_write_atomic(int dirfd, const char *path, const void *bytes, gssize length, mode_t mode,
                       GError **error)
{
    static gint counter;
    g_autofree char *folder = g_path_get_dirname(path);
    g_autofree char *name = g_path_get_basename(path);
    g_autofree char *temporary = g_strdup_printf("%s/.%s.%d.%d", folder, name, (int) getpid(),
                                                 g_atomic_int_add(&counter, 1));
    size_t size = length < 0 ? strlen(bytes) : (size_t) length;

    autofd int fd = openat(dirfd, temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (fd < 0)
        return error_set_errno(error, errno, "create", temporary);
    if (!file_write_all(fd, bytes, size, error)) {
        g_prefix_error(error, "'%s': ", path);
        unlinkat(dirfd, temporary, 0);
        return false;
    }
    if (fsync(fd) < 0 || renameat(dirfd, temporary, dirfd, path) < 0) {
        error_set_errno(error, errno, "write", path);
        unlinkat(dirfd, temporary, 0);
        return false;
    }
    autofd int folder_fd = openat(dirfd, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder_fd < 0 || fsync(folder_fd) < 0)
        return error_set_errno(error, errno, "sync", folder);
    return true;
}

static int open_resolved(int dirfd, const char *path, int flags, mode_t mode, uint64_t resolve,
                         GError **error)
{
    struct open_how how = {
        .flags = (uint64_t) (flags | O_CLOEXEC),
        .mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? mode : 0,
        .resolve = resolve,
    };
    int fd = (int) syscall(SYS_openat2, dirfd, path, &how, sizeof how);
    if (fd < 0)
        error_set_errno(error, errno, "open", path);
    return fd;
}

int file_open_beneath(int dirfd, const char *path, int flags, mode_t mode, GError **error)
{
    return open_resolved(dirfd, path, flags, mode, RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS, error);
}

int file_open_in_root(int dirfd, const char *path, int flags, mode_t mode, GError **error)
{
    return open_resolved(dirfd, path, flags, mode, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS, error);
}

bool file_make_folders(const char *path, mode_t mode, GError **error)
{
    if (g_mkdir_with_parents(path, (int) mode) < 0)
        return error_set_errno(error, errno, "create folder", path);
    return true;
}

/* Removes what FD (taken) lists. DEVICE bounds the walk to one file system. */
static bool remove_contents(int taken_fd, dev_t device, GError **error)
{
    DIR *dir = fdopendir(taken_fd);
    if (dir == NULL) {
        close(taken_fd);
        return error_set_errno(error, errno, "list", "folder");
    }
    bool ok = true;
    struct dirent *entry;
    while (ok && (entry = readdir(dir)) != NULL) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if (unlinkat(dirfd(dir), entry->d_name, 0) == 0)
            continue;
        if (errno != EISDIR && errno != EPERM) {
            ok = error_set_errno(error, errno, "remove", entry->d_name);
            break;
        }
        int child =
            openat(dirfd(dir), entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        struct stat st;
        if (child < 0 || fstat(child, &st) < 0) {
            ok = error_set_errno(error, errno, "open", entry->d_name);
            if (child >= 0)
                close(child);
            break;
        }
        if (st.st_dev != device) {
            close(child);
            g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_UNAVAILABLE,
                        "remove '%s': something is mounted there", entry->d_name);
            ok = false;
            break;
        }
        ok = remove_contents(child, device, error);
        if (ok && unlinkat(dirfd(dir), entry->d_name, AT_REMOVEDIR) < 0)
            ok = error_set_errno(error, errno, "remove", entry->d_name);
    }
    closedir(dir);
    return ok;
}

bool file_remove_tree(int dirfd, const char *path, GError **error)
{
    if (unlinkat(dirfd, path, 0) == 0 || errno == ENOENT)
        return true;
    if (errno != EISDIR && errno != EPERM)
        return error_set_errno(error, errno, "remove", path);

    int fd = openat(dirfd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0) {
        error_set_errno(error, errno, "open", path);
        if (fd >= 0)
            close(fd);
        return false;
    }
    if (!remove_contents(fd, st.st_dev, error))
        return false;
    if (unlinkat(dirfd, path, AT_REMOVEDIR) < 0)
        return error_set_errno(error, errno, "remove", path);
    return true;
}

char *file_make_temporary_folder(const char *parent, const char *prefix, GError **error)
{
    g_autofree char *path = g_strdup_printf("%s/%s-XXXXXX", parent, prefix);
    if (g_mkdtemp(path) == NULL) {
        error_set_errno(error, errno, "create folder", path);
        return NULL;
    }
    return g_steal_pointer(&path);
}
