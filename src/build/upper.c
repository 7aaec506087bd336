#include "build/upper.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/path.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/ioctl.h>
#include <linux/fs.h>
#include <sys/xattr.h>

void upper_clear(Upper *upper)
{
    g_clear_pointer(&upper->folders, g_hash_table_unref);
    g_clear_pointer(&upper->links, g_hash_table_unref);
}

static char *upper_file(const Upper *upper, const char *path)
{
    return g_strconcat(upper->folder, "/", path, NULL);
}

/* Without root only our own id can own files; it is root inside. */
static bool set_owner(const char *file, uid_t uid, gid_t gid, GError **error)
{
    if (lchown(file, uid, gid) == 0 || (errno == EPERM && geteuid() != 0))
        return true;
    return error_set_errno(error, errno, "change owner of", file);
}

static bool keep_xattr(const char *name)
{
    if (g_str_has_prefix(name, "user.overlay.") || g_str_has_prefix(name, "trusted.overlay."))
        return false;
    return !g_str_has_prefix(name, "security.") || g_str_equal(name, "security.capability");
}

static void copy_xattrs(const char *from, const char *to)
{
    char names[4096], value[65536];
    ssize_t size = llistxattr(from, names, sizeof names);
    for (ssize_t at = 0; at < size; at += (ssize_t) strlen(names + at) + 1) {
        ssize_t length = lgetxattr(from, names + at, value, sizeof value);
        if (length >= 0 && keep_xattr(names + at))
            lsetxattr(to, names + at, value, (size_t) length, 0);
    }
}

/* A folder of the image appears in the upper folder as it is below. */
static bool copy_up_folder(const RootEntry *entry, const char *file, GError **error)
{
    if (mkdir(file, 0700) != 0)
        return error_set_errno(error, errno, "make folder", file);
    if (!set_owner(file, entry->st.st_uid, entry->st.st_gid, error))
        return false;
    copy_xattrs(entry->file, file);
    if (chmod(file, entry->st.st_mode & 07777) != 0)
        return error_set_errno(error, errno, "change mode of", file);
    struct timespec times[2] = {entry->st.st_atim, entry->st.st_mtim};
    utimensat(AT_FDCWD, file, times, 0);
    return true;
}

static bool make_new_folder(const char *file, mode_t mode, uid_t uid, gid_t gid, GError **error)
{
    if (mkdir(file, 0700) != 0)
        return error_set_errno(error, errno, "make folder", file);
    if (!set_owner(file, uid, gid, error))
        return false;
    if (chmod(file, mode & 07777) != 0)
        return error_set_errno(error, errno, "change mode of", file);
    return true;
}

static bool not_a_folder(const char *path, GError **error)
{
    g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID,
                "cannot copy to non-directory: '/%s' is a file in the image", path);
    return false;
}

/* Makes the link-free PATH a folder of the upper one, parents first. */
static bool ensure_folder(Upper *upper, const char *path, mode_t mode, uid_t uid, gid_t gid,
                          bool replace, bool *made, GError **error)
{
    g_autofree char *file = upper_file(upper, path);
    struct stat st;
    if (made != NULL)
        *made = false;
    if (lstat(file, &st) == 0) {
        if (S_ISDIR(st.st_mode))
            return true;
        if (!replace)
            return not_a_folder(path, error);
        unlink(file);
    }
    const char *slash = strrchr(path, '/');
    g_autofree char *parent = slash != NULL ? g_strndup(path, (gsize) (slash - path)) : NULL;
    if (parent != NULL && !ensure_folder(upper, parent, 0755, uid, gid, replace, NULL, error))
        return false;
    g_auto(RootEntry) below = {0};
    if (root_tree_lookup(upper->lower, path, false, &below, NULL)) {
        if (S_ISDIR(below.st.st_mode))
            return copy_up_folder(&below, file, error);
        if (!replace)
            return not_a_folder(path, error);
    }
    if (made != NULL)
        *made = true;
    return make_new_folder(file, mode, uid, gid, error);
}

char *upper_make_folder(Upper *upper, const char *path, uid_t uid, gid_t gid, bool *made,
                        GError **error)
{
    g_autofree char *clean = path_clean(path);
    g_autofree char *resolved = root_tree_resolve(upper->lower, clean, error);
    if (resolved == NULL)
        return NULL;
    if (*resolved != '\0' && !ensure_folder(upper, resolved, 0755, uid, gid, false, made, error))
        return NULL;
    return g_steal_pointer(&resolved);
}

static bool copy_bytes(int from, int to, const char *name, GError **error)
{
    if (ioctl(to, FICLONE, from) == 0)
        return true;
    for (;;) {
        ssize_t n = copy_file_range(from, NULL, to, NULL, (size_t) 1 << 30, 0);
        if (n == 0)
            return true;
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && (errno == EXDEV || errno == EINVAL || errno == ENOSYS || errno == EOPNOTSUPP))
            break;
        if (n < 0)
            return error_set_errno(error, errno, "copy", name);
    }
    char buffer[65536];
    for (;;) {
        ssize_t n = read(from, buffer, sizeof buffer);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return error_set_errno(error, errno, "read", name);
        if (n == 0)
            return true;
        if (!file_write_all(to, buffer, (size_t) n, error))
            return false;
    }
}

static bool write_regular(const SelectionItem *item, const char *file, GError **error)
{
    autofd int to = open(file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (to < 0)
        return error_set_errno(error, errno, "make", file);
    if (item->content != NULL)
        return file_write_all(to, item->content, strlen(item->content), error);
    autofd int from = open(item->file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (from < 0)
        return error_set_errno(error, errno, "open", item->file);
    return copy_bytes(from, to, item->file, error);
}

static bool write_link(const SelectionItem *item, const char *file, GError **error)
{
    char target[PATH_MAX];
    ssize_t size = readlink(item->file, target, sizeof target - 1);
    if (size < 0)
        return error_set_errno(error, errno, "read link", item->file);
    target[size] = '\0';
    return symlink(target, file) == 0 || error_set_errno(error, errno, "make link", file);
}

static bool write_special(const SelectionItem *item, const char *file, GError **error)
{
    return mknod(file, item->st.st_mode & (S_IFMT | 07777), item->st.st_rdev) == 0 ||
           error_set_errno(error, errno, "make special file", file);
}

/* A second name of a file that was copied already becomes a link to the first. */
static bool write_hard_link(Upper *upper, const SelectionItem *item, const char *file, bool *done)
{
    *done = false;
    if (item->file == NULL || item->st.st_nlink < 2)
        return true;
    g_autofree char *key = g_strdup_printf("%lu:%lu", (unsigned long) item->st.st_dev,
                                           (unsigned long) item->st.st_ino);
    const char *first = g_hash_table_lookup(upper->links, key);
    if (first == NULL)
        g_hash_table_insert(upper->links, g_steal_pointer(&key), g_strdup(file));
    else
        *done = link(first, file) == 0;
    return true;
}

static bool set_attributes(const SelectionItem *item, const char *file, GError **error)
{
    if (!set_owner(file, item->st.st_uid, item->st.st_gid, error))
        return false;
    if (item->file != NULL && !item->destination)
        copy_xattrs(item->file, file);
    if (!S_ISLNK(item->st.st_mode) && chmod(file, item->st.st_mode & 07777) != 0)
        return error_set_errno(error, errno, "change mode of", file);
    struct timespec times[2] = {item->st.st_mtim, item->st.st_mtim};
    if (utimensat(AT_FDCWD, file, times, AT_SYMLINK_NOFOLLOW) != 0)
        return error_set_errno(error, errno, "set times of", file);
    return true;
}

static bool clear_way(Upper *upper, const char *path, const char *file, bool replace,
                      GError **error)
{
    struct stat st;
    g_auto(RootEntry) below = {0};
    bool in_upper = lstat(file, &st) == 0;
    bool is_folder = in_upper ? S_ISDIR(st.st_mode)
                              : root_tree_lookup(upper->lower, path, false, &below, NULL) &&
                                    S_ISDIR(below.st.st_mode);
    if (is_folder && !replace) {
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID,
                    "cannot copy a file to '/%s': it is a folder in the image", path);
        return false;
    }
    return !in_upper || file_remove_tree(AT_FDCWD, file, error);
}

static bool copy_other(Upper *upper, const SelectionItem *item, const char *path, bool replace,
                       GError **error)
{
    g_autofree char *file = upper_file(upper, path);
    bool linked;
    if (!clear_way(upper, path, file, replace, error) ||
        !write_hard_link(upper, item, file, &linked))
        return false;
    if (linked)
        return true;
    bool written = S_ISREG(item->st.st_mode)   ? write_regular(item, file, error)
                   : S_ISLNK(item->st.st_mode) ? write_link(item, file, error)
                                               : write_special(item, file, error);
    return written && set_attributes(item, file, error);
}

/* The real path of ITEM: below its parent's when that was copied too, else as links lead. */
static char *place_of(Upper *upper, const SelectionItem *item, const SelectionRules *rules,
                      bool replace, GError **error)
{
    const char *slash = strrchr(item->to, '/');
    g_autofree char *parent =
        slash != NULL ? g_strndup(item->to, (gsize) (slash - item->to)) : g_strdup("");
    const char *name = slash != NULL ? slash + 1 : item->to;
    const char *known = g_hash_table_lookup(upper->folders, parent);
    g_autofree char *real =
        known != NULL ? g_strdup(known) : root_tree_resolve(upper->lower, parent, error);
    if (real == NULL)
        return NULL;
    uid_t uid = rules->chown ? rules->uid : 0;
    gid_t gid = rules->chown ? rules->gid : 0;
    if (known == NULL) {
        if (*real != '\0' && !ensure_folder(upper, real, 0755, uid, gid, replace, NULL, error))
            return NULL;
        g_hash_table_insert(upper->folders, g_strdup(parent), g_strdup(real));
    }
    return *real != '\0' ? g_strconcat(real, "/", name, NULL) : g_strdup(name);
}

/* A folder that is there keeps its owner and mode unless the flags say otherwise. */
static bool copy_folder(Upper *upper, const SelectionItem *item, const char *place,
                        const SelectionRules *rules, bool replace, GError **error)
{
    g_autofree char *real = root_tree_resolve(upper->lower, place, error);
    if (real == NULL)
        return false;
    bool made = false;
    if (*real != '\0' && !ensure_folder(upper, real, item->st.st_mode, item->st.st_uid,
                                        item->st.st_gid, replace, &made, error))
        return false;
    g_hash_table_insert(upper->folders, g_strdup(item->to), g_strdup(real));
    bool told = rules->chown || rules->chmod != NULL || replace;
    if (!made && (item->destination || !told))
        return true;
    g_autofree char *file = upper_file(upper, real);
    return set_attributes(item, file, error);
}

/* A folder's time is set after all that was written into it. */
static void set_folder_times(Upper *upper, const Selection *selection)
{
    for (guint i = selection->items->len; i > 0; i--) {
        const SelectionItem *item = selection->items->pdata[i - 1];
        const char *real = g_hash_table_lookup(upper->folders, item->to);
        if (!S_ISDIR(item->st.st_mode) || item->destination || real == NULL)
            continue;
        g_autofree char *file = upper_file(upper, real);
        struct timespec times[2] = {item->st.st_mtim, item->st.st_mtim};
        utimensat(AT_FDCWD, file, times, AT_SYMLINK_NOFOLLOW);
    }
}

bool upper_copy(Upper *upper, const Selection *selection, const SelectionRules *rules, bool replace,
                GError **error)
{
    if (upper->folders == NULL)
        upper->folders = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    if (upper->links == NULL)
        upper->links = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    for (guint i = 0; i < selection->items->len; i++) {
        const SelectionItem *item = selection->items->pdata[i];
        bool folder = S_ISDIR(item->st.st_mode);
        g_autofree char *place =
            *item->to != '\0' ? place_of(upper, item, rules, replace, error) : g_strdup("");
        if (place == NULL)
            return false;
        if (folder ? !copy_folder(upper, item, place, rules, replace, error)
                   : !copy_other(upper, item, place, replace, error))
            return false;
    }
    set_folder_times(upper, selection);
    return true;
}
