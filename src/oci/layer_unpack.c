#include "oci/layer_unpack.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/file.h"
#include "format/tar.h"
#include "oci/overlay.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#define ENTRY_LIMIT (10 * 1000 * 1000)
#define COPY_SIZE ((size_t) 256 * 1024)

/* Attributes of a folder, given when all that goes into it is there: writing into it would change
 * its time, and a mode without the w bit would shut us out. */
typedef struct {
    mode_t mode;
    struct timespec mtime;
} FolderState;

typedef struct {
    int root_fd;
    const char *const *lowers;
    bool privileged, whole;
    GHashTable *folders; /* path → FolderState * */
    GPtrArray *order;    /* their paths, parents first; borrowed from folders */
    GHashTable *opaque;  /* paths of folders that hide what is below */
    char *parent;        /* path of the folder that is open */
    int parent_fd;       /* -1: none yet */
    char *buffer;
    const TarEntry *entry;
    TarReader *reader;
} Unpacker;

static bool refuse(const Unpacker *unpacker, const char *why, GError **error)
{
    g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID, "layer entry '%s': %s",
                unpacker->entry->path, why);
    return false;
}

static bool fail(const Unpacker *unpacker, const char *what, GError **error)
{
    return error_set_errno(error, errno, what, unpacker->entry->path);
}

/* "./a//b" → "a/b"; the root is "". NULL for what holds "..". */
static char *clean_path(const char *path)
{
    GString *clean = g_string_new(NULL);
    while (*path != '\0') {
        size_t length = strcspn(path, "/");
        if (length == 2 && path[0] == '.' && path[1] == '.') {
            g_string_free(clean, TRUE);
            return NULL;
        }
        if (length > 0 && !(length == 1 && path[0] == '.')) {
            if (clean->len > 0)
                g_string_append_c(clean, '/');
            g_string_append_len(clean, path, (gssize) length);
        }
        path += length;
        path += strspn(path, "/");
    }
    return g_string_free(clean, FALSE);
}

/* Opens the folder PATH ("" is the root); no component may be a link. -1 with errno. */
static int open_folder(const Unpacker *unpacker, const char *path, uint64_t flags)
{
    struct open_how how = {
        .flags = flags | O_DIRECTORY | O_CLOEXEC,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS,
    };
    return (int) syscall(SYS_openat2, unpacker->root_fd, *path != '\0' ? path : ".", &how,
                         sizeof how);
}

static void remember_folder(Unpacker *unpacker, const char *path, mode_t mode,
                            struct timespec mtime)
{
    FolderState *state = g_hash_table_lookup(unpacker->folders, path);
    if (state == NULL) {
        char *key = g_strdup(path);
        state = g_new(FolderState, 1);
        g_hash_table_insert(unpacker->folders, key, state);
        g_ptr_array_add(unpacker->order, key);
    }
    *state = (FolderState){mode, mtime};
}

/* What the lower layers say of the folder PATH; 0:0 0755 where they do not know it. */
static struct stat inherited(const Unpacker *unpacker, const char *path)
{
    struct stat st = {.st_mode = S_IFDIR | 0755};
    for (size_t i = 0; unpacker->lowers != NULL && unpacker->lowers[i] != NULL; i++) {
        g_autofree char *lower = g_build_filename(unpacker->lowers[i], path, NULL);
        struct stat found;
        if (lstat(lower, &found) == 0)
            return S_ISDIR(found.st_mode) ? found : st;
    }
    return st;
}

/* Makes the folder PATH and its parents, which the tar has not described (yet). */
static bool make_implicit(Unpacker *unpacker, const char *path, GError **error)
{
    g_autofree char *copy = g_strdup(path);
    for (char *slash = copy;; slash++) {
        slash = strchr(slash, '/');
        if (slash != NULL)
            *slash = '\0';
        g_autofree char *above = g_path_get_dirname(copy);
        g_autofree char *name = g_path_get_basename(copy);
        autofd int fd = open_folder(unpacker, g_str_equal(above, ".") ? "" : above, O_RDONLY);
        if (fd < 0)
            return fail(unpacker, "open the folder of", error);
        if (mkdirat(fd, name, 0700) == 0) {
            struct stat st = inherited(unpacker, copy);
            if (unpacker->privileged &&
                fchownat(fd, name, st.st_uid, st.st_gid, AT_SYMLINK_NOFOLLOW) < 0)
                return fail(unpacker, "own the folder of", error);
            remember_folder(unpacker, copy, st.st_mode & 07777, st.st_mtim);
        } else if (errno != EEXIST) {
            return fail(unpacker, "make the folder of", error);
        }
        if (slash == NULL)
            return true;
        *slash = '/';
    }
}

/* The folder PATH, made where it is missing; -1 with an error. The caller closes it. */
static int need_folder(Unpacker *unpacker, const char *path, GError **error)
{
    int fd = open_folder(unpacker, path, O_RDONLY);
    if (fd < 0 && errno == ENOENT) {
        if (!make_implicit(unpacker, path, error))
            return -1;
        fd = open_folder(unpacker, path, O_RDONLY);
    }
    if (fd >= 0)
        return fd;
    if (errno == ELOOP || errno == ENOTDIR || errno == EXDEV)
        refuse(unpacker, "its path leads through something that is no folder", error);
    else
        fail(unpacker, "open the folder of", error);
    return -1;
}

/* Makes unpacker->parent_fd the folder PATH. Entries come folder by folder: mostly it is so. */
static bool enter(Unpacker *unpacker, const char *path, GError **error)
{
    if (unpacker->parent_fd >= 0 && g_str_equal(unpacker->parent, path))
        return true;
    int fd = need_folder(unpacker, path, error);
    if (fd < 0)
        return false;
    if (unpacker->parent_fd >= 0)
        close(unpacker->parent_fd);
    g_free(unpacker->parent);
    unpacker->parent = g_strdup(path);
    unpacker->parent_fd = fd;
    return true;
}

static void leave(Unpacker *unpacker)
{
    if (unpacker->parent_fd >= 0)
        close(unpacker->parent_fd);
    unpacker->parent_fd = -1;
    g_clear_pointer(&unpacker->parent, g_free);
}

static bool mark_opaque(Unpacker *unpacker, int fd, GError **error)
{
    if (fsetxattr(fd, overlay_opaque_xattr(), "y", 1, 0) < 0)
        return fail(unpacker, "mark as opaque", error);
    return true;
}

/* Removes what an earlier entry left under NAME of the open folder. */
static bool make_room(Unpacker *unpacker, const char *name, GError **error)
{
    return file_remove_tree(unpacker->parent_fd, name, error);
}

static bool set_xattrs(Unpacker *unpacker, int fd, GError **error)
{
    const GPtrArray *xattrs = unpacker->entry->xattrs;
    for (guint i = 0; xattrs != NULL && i < xattrs->len; i++) {
        const TarXattr *xattr = g_ptr_array_index(xattrs, i);
        if (!overlay_is_layer_xattr(xattr->name))
            continue;
        if (fsetxattr(fd, xattr->name, xattr->value, xattr->length, 0) == 0)
            continue;
        /* Without root capabilities cannot be given, and some file systems have no xattrs. */
        bool tolerable = errno == ENOTSUP || (!unpacker->privileged && errno == EPERM);
        if (!tolerable)
            return fail(unpacker, "set xattr of", error);
    }
    return true;
}

static struct timespec mtime_of(const TarEntry *entry)
{
    return (struct timespec){.tv_sec = entry->mtime, .tv_nsec = entry->mtime_ns};
}

static bool copy_content(Unpacker *unpacker, int fd, GError **error)
{
    ssize_t n;
    while ((n = tar_reader_read(unpacker->reader, unpacker->buffer, COPY_SIZE, error)) > 0)
        if (!file_write_all(fd, unpacker->buffer, (size_t) n, error)) {
            g_prefix_error(error, "layer entry '%s': ", unpacker->entry->path);
            return false;
        }
    return n == 0;
}

static bool unpack_file(Unpacker *unpacker, const char *name, GError **error)
{
    const TarEntry *entry = unpacker->entry;
    int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
    int made = openat(unpacker->parent_fd, name, flags, 0600);
    if (made < 0 && errno == EEXIST) {
        if (!make_room(unpacker, name, error))
            return false;
        made = openat(unpacker->parent_fd, name, flags, 0600);
    }
    autofd int fd = made;
    if (fd < 0)
        return fail(unpacker, "create", error);
    if (!copy_content(unpacker, fd, error))
        return false;
    /* The owner first: changing it drops set-user-id bits and capabilities. */
    if (unpacker->privileged && fchown(fd, entry->uid, entry->gid) < 0)
        return fail(unpacker, "own", error);
    if (fchmod(fd, entry->mode) < 0)
        return fail(unpacker, "set mode of", error);
    if (!set_xattrs(unpacker, fd, error))
        return false;
    struct timespec times[2] = {mtime_of(entry), mtime_of(entry)};
    if (futimens(fd, times) < 0)
        return fail(unpacker, "set time of", error);
    return true;
}

static bool unpack_folder(Unpacker *unpacker, const char *path, const char *name, GError **error)
{
    const TarEntry *entry = unpacker->entry;
    if (mkdirat(unpacker->parent_fd, name, 0700) < 0) {
        if (errno != EEXIST)
            return fail(unpacker, "make folder", error);
        struct stat st;
        if (fstatat(unpacker->parent_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
            return fail(unpacker, "look at", error);
        if (!S_ISDIR(st.st_mode)) {
            /* A folder in the place of one this layer deletes: new from the ground up. */
            if (overlay_is_whiteout(&st))
                g_hash_table_add(unpacker->opaque, g_strdup(path));
            if (!make_room(unpacker, name, error))
                return false;
            if (mkdirat(unpacker->parent_fd, name, 0700) < 0)
                return fail(unpacker, "make folder", error);
        }
    }
    autofd int fd =
        openat(unpacker->parent_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return fail(unpacker, "open", error);
    if (unpacker->privileged && fchown(fd, entry->uid, entry->gid) < 0)
        return fail(unpacker, "own", error);
    if (!set_xattrs(unpacker, fd, error))
        return false;
    if (g_hash_table_contains(unpacker->opaque, path) && !mark_opaque(unpacker, fd, error))
        return false;
    remember_folder(unpacker, path, entry->mode, mtime_of(entry));
    return true;
}

static bool unpack_root(Unpacker *unpacker, GError **error)
{
    const TarEntry *entry = unpacker->entry;
    if (entry->kind != TAR_FOLDER)
        return refuse(unpacker, "the root can only be a folder", error);
    if (unpacker->privileged && fchown(unpacker->root_fd, entry->uid, entry->gid) < 0)
        return fail(unpacker, "own", error);
    remember_folder(unpacker, "", entry->mode, mtime_of(entry));
    return true;
}

static bool link_once(Unpacker *unpacker, int target_fd, const char *target, const char *name,
                      GError **error)
{
    struct stat st;
    if (fstatat(target_fd, target, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return refuse(unpacker, "hard link to what this layer has not got", error);
    if (S_ISDIR(st.st_mode) || overlay_is_whiteout(&st))
        return refuse(unpacker, "hard link to a folder or a whiteout", error);
    if (linkat(target_fd, target, unpacker->parent_fd, name, 0) == 0)
        return true;
    if (errno != EEXIST)
        return fail(unpacker, "link", error);
    struct stat present;
    if (fstatat(unpacker->parent_fd, name, &present, AT_SYMLINK_NOFOLLOW) == 0 &&
        present.st_ino == st.st_ino)
        return true; /* to itself */
    if (!make_room(unpacker, name, error))
        return false;
    if (linkat(target_fd, target, unpacker->parent_fd, name, 0) < 0)
        return fail(unpacker, "link", error);
    return true;
}

static bool unpack_hardlink(Unpacker *unpacker, const char *name, GError **error)
{
    g_autofree char *target = clean_path(unpacker->entry->link);
    if (target == NULL || *target == '\0')
        return refuse(unpacker, "hard link out of the layer", error);
    char *slash = strrchr(target, '/');
    const char *base = slash != NULL ? slash + 1 : target;
    if (slash != NULL)
        *slash = '\0';
    autofd int fd = open_folder(unpacker, slash != NULL ? target : "", O_PATH);
    if (fd < 0)
        return refuse(unpacker, "hard link to what this layer has not got", error);
    return link_once(unpacker, fd, base, name, error);
}

/* A symbolic link, a device or a pipe. */
static int make_special(Unpacker *unpacker, const char *name)
{
    const TarEntry *entry = unpacker->entry;
    dev_t device = makedev(entry->device_major, entry->device_minor);
    switch (entry->kind) {
    case TAR_SYMLINK:
        return symlinkat(entry->link, unpacker->parent_fd, name);
    case TAR_FIFO:
        return mkfifoat(unpacker->parent_fd, name, 0600);
    case TAR_CHARACTER:
        return mknodat(unpacker->parent_fd, name, S_IFCHR | 0600, device);
    default:
        return mknodat(unpacker->parent_fd, name, S_IFBLK | 0600, device);
    }
}

static bool unpack_special(Unpacker *unpacker, const char *name, GError **error)
{
    const TarEntry *entry = unpacker->entry;
    bool is_device = entry->kind == TAR_CHARACTER || entry->kind == TAR_BLOCK;
    if (entry->kind == TAR_CHARACTER && entry->device_major == 0 && entry->device_minor == 0)
        return refuse(unpacker, "device 0:0 would be a whiteout", error);
    if (entry->kind == TAR_SYMLINK && *entry->link == '\0')
        return refuse(unpacker, "link to nothing", error);
    int made = make_special(unpacker, name);
    if (made < 0 && errno == EEXIST) {
        if (!make_room(unpacker, name, error))
            return false;
        made = make_special(unpacker, name);
    }
    /* Who is not root makes no devices; no sandbox could open them: every mount is nodev. */
    if (made < 0 && is_device && errno == EPERM)
        return true;
    if (made < 0)
        return fail(unpacker, "create", error);
    if (unpacker->privileged &&
        fchownat(unpacker->parent_fd, name, entry->uid, entry->gid, AT_SYMLINK_NOFOLLOW) < 0)
        return fail(unpacker, "own", error);
    if (entry->kind != TAR_SYMLINK && fchmodat(unpacker->parent_fd, name, entry->mode, 0) < 0)
        return fail(unpacker, "set mode of", error);
    struct timespec times[2] = {mtime_of(entry), mtime_of(entry)};
    if (utimensat(unpacker->parent_fd, name, times, AT_SYMLINK_NOFOLLOW) < 0)
        return fail(unpacker, "set time of", error);
    return true;
}

/* NAME deletes something of the layers below: by ".wh.x" the x, by ".wh..wh..opq" everything. */
static bool unpack_whiteout(Unpacker *unpacker, const char *name, GError **error)
{
    if (g_str_equal(name, OVERLAY_OPAQUE_NAME))
        return mark_opaque(unpacker, unpacker->parent_fd, error);
    const char *target = name + strlen(OVERLAY_WHITEOUT_PREFIX);
    if (g_str_has_prefix(target, OVERLAY_WHITEOUT_PREFIX))
        return true; /* the bookkeeping of an old union file system */
    if (*target == '\0' || g_str_equal(target, ".") || g_str_equal(target, ".."))
        return refuse(unpacker, "whiteout of nothing", error);

    if (mknodat(unpacker->parent_fd, target, S_IFCHR, makedev(0, 0)) == 0)
        return true;
    if (errno != EEXIST)
        return fail(unpacker, "make whiteout", error);
    /* This layer has its own: whiteouts are about the layers below only. */
    autofd int fd =
        openat(unpacker->parent_fd, target, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return fd < 0 || mark_opaque(unpacker, fd, error);
}

static bool unpack_entry(Unpacker *unpacker, GError **error)
{
    const TarEntry *entry = unpacker->entry;
    g_autofree char *path = clean_path(entry->path);
    if (path == NULL)
        return refuse(unpacker, "a path with '..'", error);
    if (*path == '\0')
        return unpack_root(unpacker, error);

    const char *slash = strrchr(path, '/');
    const char *name = slash != NULL ? slash + 1 : path;
    g_autofree char *parent =
        slash != NULL ? g_strndup(path, (gsize) (slash - path)) : g_strdup("");
    if (!enter(unpacker, parent, error))
        return false;
    if (!unpacker->whole && g_str_has_prefix(name, OVERLAY_WHITEOUT_PREFIX))
        return unpack_whiteout(unpacker, name, error);
    switch (entry->kind) {
    case TAR_FILE:
        return unpack_file(unpacker, name, error);
    case TAR_FOLDER:
        return unpack_folder(unpacker, path, name, error);
    case TAR_HARDLINK:
        return unpack_hardlink(unpacker, name, error);
    default:
        return unpack_special(unpacker, name, error);
    }
}

/* Children before parents, so that a mode that shuts us out comes last. */
static bool finish_folders(Unpacker *unpacker, GError **error)
{
    for (guint i = unpacker->order->len; i-- > 0;) {
        const char *path = g_ptr_array_index(unpacker->order, i);
        const FolderState *state = g_hash_table_lookup(unpacker->folders, path);
        autofd int fd = open_folder(unpacker, path, O_RDONLY);
        if (fd < 0)
            continue; /* a later entry put something else in its place */
        struct timespec times[2] = {state->mtime, state->mtime};
        if (fchmod(fd, state->mode) < 0 || futimens(fd, times) < 0)
            return error_set_errno(error, errno, "finish folder", path);
    }
    return true;
}

static bool unpack_all(Unpacker *unpacker, GError **error)
{
    g_autoptr(GError) trouble = NULL;
    for (size_t count = 0;; count++) {
        unpacker->entry = tar_reader_next(unpacker->reader, &trouble);
        if (unpacker->entry == NULL)
            break;
        if (count == ENTRY_LIMIT)
            return refuse(unpacker, "more than ten million entries", error);
        if (!unpack_entry(unpacker, error))
            return false;
    }
    if (trouble != NULL) {
        g_propagate_error(error, g_steal_pointer(&trouble));
        return false;
    }
    return finish_folders(unpacker, error);
}

bool layer_unpack(const LayerUnpack *unpack, GError **error)
{
    g_autoptr(TarReader) reader = tar_reader_new(unpack->source);
    Unpacker unpacker = {
        .root_fd = unpack->root_fd,
        .lowers = unpack->lowers,
        .privileged = geteuid() == 0,
        .whole = unpack->whole,
        .folders = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free),
        .order = g_ptr_array_new(),
        .opaque = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL),
        .parent_fd = -1,
        .buffer = g_malloc(COPY_SIZE),
        .reader = reader,
    };
    bool ok = unpack_all(&unpacker, error);
    leave(&unpacker);
    g_free(unpacker.buffer);
    g_ptr_array_unref(unpacker.order);
    g_hash_table_unref(unpacker.folders);
    g_hash_table_unref(unpacker.opaque);
    return ok;
}
