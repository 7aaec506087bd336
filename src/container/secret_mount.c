#include "container/secret_mount.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

struct SecretMount {
    char *outer; /* what is removed at the end; NULL: the mount goes with the process */
    char *folder;
};

static bool mount_private(const char *folder, GError **error)
{
    if (mkdir(folder, 0700) < 0 && errno != EEXIST)
        return error_set_errno(error, errno, "create folder", folder);
    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0 ||
        mount("tmpfs", folder, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "size=16m,mode=0755") < 0)
        return error_set_errno(error, errno, "mount secrets at", folder);
    return true;
}

static SecretMount *make_folder(const char *folder, GError **error)
{
    SecretMount *mount = g_new0(SecretMount, 1);
    if (geteuid() == 0) {
        mount->folder = g_build_filename(folder, "secrets", NULL);
        if (mount_private(mount->folder, error))
            return mount;
    } else {
        mount->outer = file_make_temporary_folder("/dev/shm", "slipway", error);
        if (mount->outer != NULL)
            mount->folder = g_build_filename(mount->outer, "secrets", NULL);
        if (mount->folder != NULL && file_make_folders(mount->folder, 0755, error))
            return mount;
    }
    secret_mount_free(mount);
    return NULL;
}

/* Not root: the unit's user is none we could give a file to, and the folder above is shut. */
static bool write_secret(int folder_fd, const char *name, const char *bytes, size_t length,
                         const UnitSpec *spec, GError **error)
{
    if (name[0] == '\0' || name[0] == '.' || strchr(name, '/') != NULL) {
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID,
                    "secret '%s': the name must do for a file", name);
        return false;
    }
    bool root = geteuid() == 0;
    autofd int fd =
        openat(folder_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, root ? 0400 : 0444);
    if (fd < 0 || (root && fchown(fd, spec->uid, spec->gid) < 0))
        return error_set_errno(error, errno, "write secret", name);
    return file_write_all(fd, bytes, length, error);
}

SecretMount *secret_mount_new(const char *folder, UnitSpecCopy *copy, GError **error)
{
    SecretMount *mount = make_folder(folder, error);
    if (mount == NULL)
        return NULL;
    autofd int folder_fd = open(mount->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool ok = folder_fd >= 0;
    if (!ok)
        error_set_errno(error, errno, "open", mount->folder);
    const char *name;
    json_t *value;
    json_object_foreach(copy->spec.secrets, name, value)
    {
        size_t length = 0;
        char *bytes = unit_spec_secret(copy, name, &length);
        ok = ok && write_secret(folder_fd, name, bytes, length, &copy->spec, error);
        explicit_bzero(bytes, length);
        g_free(bytes);
    }
    json_object_clear(copy->spec.secrets);
    if (ok)
        return mount;
    secret_mount_free(mount);
    return NULL;
}

const char *secret_mount_folder(const SecretMount *mount)
{
    return mount->folder;
}

void secret_mount_free(SecretMount *mount)
{
    if (mount == NULL)
        return;
    if (mount->outer != NULL)
        file_remove_tree(AT_FDCWD, mount->outer, NULL);
    g_free(mount->outer);
    g_free(mount->folder);
    g_free(mount);
}
