#include "scan/tree.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#define DEPTH_MAX 128

typedef enum { ENTRY_FILE, ENTRY_FOLDER, ENTRY_OTHER } EntryKind;

typedef struct {
    char *name;
    EntryKind kind;
    guint layer; /* the topmost that has it, an index into the folder's descriptors */
} Entry;

static void entry_free(gpointer data)
{
    Entry *entry = data;
    g_free(entry->name);
    g_free(entry);
}

static int by_name(gconstpointer a, gconstpointer b)
{
    return strcmp((*(const Entry *const *) a)->name, (*(const Entry *const *) b)->name);
}

static bool is_opaque(int fd)
{
    static const char *const names[] = {"trusted.overlay.opaque", "user.overlay.opaque"};
    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        char value[2];
        if (fgetxattr(fd, names[i], value, sizeof value) == 1 && value[0] == 'y')
            return true;
    }
    return false;
}

static EntryKind kind_of(int fd, const struct dirent *entry)
{
    switch (entry->d_type) {
    case DT_REG:
        return ENTRY_FILE;
    case DT_DIR:
        return ENTRY_FOLDER;
    case DT_UNKNOWN: {
        struct stat st;
        if (fstatat(fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0)
            return ENTRY_OTHER;
        return S_ISREG(st.st_mode) ? ENTRY_FILE : S_ISDIR(st.st_mode) ? ENTRY_FOLDER : ENTRY_OTHER;
    }
    default:
        return ENTRY_OTHER;
    }
}

/* Adds what layer LAYER has in this folder and no upper one has. SEEN holds every name of upper
 * layers, whiteouts included; it is NULL where there is one layer only. */
static void list_layer(int fd, guint layer, GHashTable *seen, GPtrArray *entries)
{
    autofd int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = copy >= 0 ? fdopendir(copy) : NULL;
    if (dir == NULL)
        return;
    steal_fd(&copy);
    for (struct dirent *d; (d = readdir(dir)) != NULL;) {
        if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0)
            continue;
        if (seen != NULL && g_hash_table_contains(seen, d->d_name))
            continue;
        EntryKind kind = kind_of(fd, d);
        if (seen != NULL)
            g_hash_table_add(seen, g_strdup(d->d_name));
        if (kind == ENTRY_OTHER)
            continue; /* links, devices and whiteouts: hidden, and nothing to visit */
        Entry *entry = g_new(Entry, 1);
        *entry = (Entry){g_strdup(d->d_name), kind, layer};
        g_ptr_array_add(entries, entry);
    }
    closedir(dir);
}

typedef struct {
    const TreeVisitor *visitor;
    GString *path;
} Walk;

static void walk_folder(Walk *walk, const int *fds, guint count, int depth);

/* Goes into folder ENTRY: all layers from its topmost down that have it as a folder, until one
 * hides the rest. */
static void walk_into(Walk *walk, const int *fds, guint count, const Entry *entry, int depth)
{
    int *inner = g_new(int, count);
    guint opened = 0;
    for (guint i = entry->layer; i < count; i++) {
        int fd = openat(fds[i], entry->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0 && errno == ENOENT)
            continue;
        if (fd < 0)
            break; /* a file, a link or a whiteout ends what is below */
        inner[opened++] = fd;
        if (i + 1 < count && is_opaque(fd))
            break;
    }
    if (opened > 0)
        walk_folder(walk, inner, opened, depth + 1);
    for (guint i = 0; i < opened; i++)
        close(inner[i]);
    g_free(inner);
}

static void walk_folder(Walk *walk, const int *fds, guint count, int depth)
{
    if (depth > DEPTH_MAX)
        return;
    g_autoptr(GPtrArray) entries = g_ptr_array_new_with_free_func(entry_free);
    g_autoptr(GHashTable) seen =
        count > 1 ? g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL) : NULL;
    for (guint i = 0; i < count; i++)
        list_layer(fds[i], i, seen, entries);
    g_ptr_array_sort(entries, by_name);

    const TreeVisitor *visitor = walk->visitor;
    gsize length = walk->path->len;
    for (guint i = 0; i < entries->len; i++) {
        const Entry *entry = g_ptr_array_index(entries, i);
        g_string_append_printf(walk->path, "%s%s", length > 0 ? "/" : "", entry->name);
        if (entry->kind == ENTRY_FILE) {
            TreeFile file = {walk->path->str, strrchr(walk->path->str, '/'), fds[entry->layer]};
            file.name = file.name != NULL ? file.name + 1 : file.path;
            visitor->visit(visitor->data, &file);
        } else if (visitor->enter == NULL ||
                   visitor->enter(visitor->data, walk->path->str, entry->name)) {
            walk_into(walk, fds, count, entry, depth);
        }
        g_string_truncate(walk->path, length);
    }
}

bool tree_walk(const char *const *folders, const TreeVisitor *visitor, GError **error)
{
    guint count = g_strv_length((char **) folders), opened = 0;
    g_autofree int *fds = g_new(int, count + 1);
    bool ok = true;
    for (; ok && opened < count; opened++) {
        fds[opened] = open(folders[opened], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fds[opened] < 0) {
            ok = error_set_errno(error, errno, "open", folders[opened]);
            break;
        }
    }
    if (ok && count > 0) {
        g_autoptr(GString) path = g_string_new(NULL);
        Walk walk = {visitor, path};
        walk_folder(&walk, fds, count, 0);
    }
    for (guint i = 0; i < opened; i++)
        close(fds[i]);
    return ok;
}

int tree_open(const TreeFile *file, off_t *size, GError **error)
{
    autofd int fd = openat(file->dirfd, file->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) != 0) {
        error_set_errno(error, errno, "open", file->path);
        return -1;
    }
    if (!S_ISREG(st.st_mode)) {
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID, "'%s' is no regular file",
                    file->path);
        return -1;
    }
    *size = st.st_size;
    return steal_fd(&fd);
}

char *tree_read(const TreeFile *file, size_t limit, size_t *length, GError **error)
{
    off_t size = 0;
    autofd int fd = tree_open(file, &size, error);
    if (fd < 0)
        return NULL;
    char *bytes = file_read_fd(fd, limit, length, error);
    if (bytes == NULL)
        g_prefix_error(error, "'%s': ", file->path);
    return bytes;
}
