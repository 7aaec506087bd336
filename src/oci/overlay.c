#include "oci/overlay.h"

#include "base/error.h"

#include <errno.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

const char *overlay_opaque_xattr(void)
{
    return geteuid() == 0 ? "trusted.overlay.opaque" : "user.overlay.opaque";
}

bool overlay_is_whiteout(const struct stat *st)
{
    return S_ISCHR(st->st_mode) && st->st_rdev == makedev(0, 0);
}

bool overlay_is_opaque(int fd)
{
    static const char *const names[] = {"trusted.overlay.opaque", "user.overlay.opaque"};
    char value[2];
    for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
        if (fgetxattr(fd, names[i], value, sizeof value) == 1 && value[0] == 'y')
            return true;
    return false;
}

bool overlay_is_layer_xattr(const char *name)
{
    if (g_str_equal(name, "security.capability"))
        return true;
    return g_str_has_prefix(name, "user.") && !g_str_has_prefix(name, "user.overlay.");
}

static bool add_xattr(GPtrArray *into, int fd, const char *name, GError **error)
{
    ssize_t size = fgetxattr(fd, name, NULL, 0);
    g_autofree char *value = size >= 0 ? g_malloc((size_t) size + 1) : NULL;
    if (value != NULL)
        size = fgetxattr(fd, name, value, (size_t) size);
    if (size < 0)
        return error_set_errno(error, errno, "read xattr", name);
    g_ptr_array_add(into, tar_xattr_new(name, value, (size_t) size));
    return true;
}

GPtrArray *overlay_read_xattrs(int fd, GError **error)
{
    char names[64 * 1024]; /* the kernel's limit of a list */
    ssize_t length = flistxattr(fd, names, sizeof names);
    if (length <= 0)
        return NULL;
    g_autoptr(GPtrArray) xattrs = g_ptr_array_new_with_free_func((GDestroyNotify) tar_xattr_free);
    for (const char *name = names; name < names + length; name += strlen(name) + 1)
        if (overlay_is_layer_xattr(name) && !add_xattr(xattrs, fd, name, error))
            return NULL;
    return xattrs->len > 0 ? g_steal_pointer(&xattrs) : NULL;
}
