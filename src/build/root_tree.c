#include "build/root_tree.h"

#include "base/error.h"
#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#define LINK_LIMIT 40
#define TEXT_LIMIT ((size_t) 4 * 1024 * 1024)

/* The layers in which a folder exists, topmost first, as far down as it shows through. */
typedef struct {
    guint *layers;
    guint count;
} Shown;

struct RootTree {
    char **folders;
    bool layered;
    const IgnoreFile *ignore;
    GHashTable *shown; /* folder's path to Shown * */
};

static void shown_free(Shown *shown)
{
    g_free(shown->layers);
    g_free(shown);
}

void root_tree_entry_clear(RootEntry *entry)
{
    g_clear_pointer(&entry->path, g_free);
    g_clear_pointer(&entry->file, g_free);
}

static RootTree *root_tree_new(char **folders)
{
    RootTree *tree = g_new0(RootTree, 1);
    tree->folders = folders;
    tree->shown =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify) shown_free);
    guint count = g_strv_length(folders);
    Shown *root = g_new0(Shown, 1);
    root->layers = g_new(guint, count + 1);
    for (; root->count < count; root->count++)
        root->layers[root->count] = root->count;
    g_hash_table_insert(tree->shown, g_strdup(""), root);
    return tree;
}

RootTree *root_tree_of_layers(const char *const *folders)
{
    RootTree *tree = root_tree_new(g_strdupv((char **) folders));
    tree->layered = true;
    return tree;
}

RootTree *root_tree_of_folder(const char *folder, const IgnoreFile *ignore)
{
    char **folders = g_new0(char *, 2);
    folders[0] = g_strdup(folder);
    RootTree *tree = root_tree_new(folders);
    tree->ignore = ignore;
    return tree;
}

void root_tree_free(RootTree *tree)
{
    if (tree == NULL)
        return;
    g_strfreev(tree->folders);
    g_hash_table_unref(tree->shown);
    g_free(tree);
}

static char *join(const char *folder, const char *name)
{
    return *folder != '\0' ? g_strconcat(folder, "/", name, NULL) : g_strdup(name);
}

static bool is_whiteout(const struct stat *st)
{
    return S_ISCHR(st->st_mode) && st->st_rdev == makedev(0, 0);
}

static bool is_opaque(const char *file)
{
    char value[2];
    return (lgetxattr(file, "trusted.overlay.opaque", value, sizeof value) == 1 ||
            lgetxattr(file, "user.overlay.opaque", value, sizeof value) == 1) &&
           value[0] == 'y';
}

static Shown *show_folder(RootTree *tree, const char *path);

/* Looks NAME of folder FOLDER up without following it. SHOWN (may be NULL) gets the layers that
 * show through where it is a folder. */
static bool find(RootTree *tree, const char *folder, const char *name, RootEntry *entry,
                 Shown *shown)
{
    const Shown *parent = show_folder(tree, folder);
    if (parent == NULL)
        return false;
    g_autofree char *path = join(folder, name);
    bool found = false;
    for (guint i = 0; i < parent->count; i++) {
        g_autofree char *file = g_strconcat(tree->folders[parent->layers[i]], "/", path, NULL);
        struct stat st;
        if (lstat(file, &st) != 0)
            continue;
        bool is_folder = S_ISDIR(st.st_mode);
        if ((tree->layered && is_whiteout(&st)) || (found && !is_folder))
            break;
        if (shown != NULL && is_folder)
            shown->layers[shown->count++] = parent->layers[i];
        if (!found && entry != NULL)
            *entry = (RootEntry){g_strdup(path), g_strdup(file), st};
        found = true;
        if (!is_folder || (tree->layered && is_opaque(file)) || (shown == NULL && found))
            break;
    }
    return found;
}

static Shown *show_folder(RootTree *tree, const char *path)
{
    Shown *known = g_hash_table_lookup(tree->shown, path);
    if (known != NULL)
        return known;
    const char *slash = strrchr(path, '/');
    g_autofree char *parent =
        slash != NULL ? g_strndup(path, (gsize) (slash - path)) : g_strdup("");
    Shown *shown = g_new0(Shown, 1);
    shown->layers = g_new(guint, g_strv_length(tree->folders) + 1);
    find(tree, parent, slash != NULL ? slash + 1 : path, NULL, shown);
    g_hash_table_insert(tree->shown, g_strdup(path), shown);
    return shown;
}

static bool hidden(const RootTree *tree, const RootEntry *entry)
{
    if (tree->ignore == NULL || !ignore_file_excludes(tree->ignore, entry->path))
        return false;
    return !S_ISDIR(entry->st.st_mode) || !ignore_file_may_include_below(tree->ignore, entry->path);
}

static bool find_root(RootTree *tree, RootEntry *entry)
{
    struct stat st = {.st_mode = S_IFDIR | 0755};
    const char *file = tree->folders[0] != NULL ? tree->folders[0] : "";
    if (*file != '\0' && stat(file, &st) != 0)
        return false;
    *entry = (RootEntry){g_strdup(""), g_strdup(file), st};
    return true;
}

/* Walks PATH. With ALLOW_MISSING, components from the first missing one on are taken as they are
 * and *MISSING is set. */
static char *walk(RootTree *tree, const char *path, bool follow_last, bool allow_missing,
                  bool *missing, GError **error)
{
    g_autofree char *rest = g_strdup(path);
    g_autofree char *at = g_strdup("");
    int links = 0;
    *missing = false;
    while (*rest != '\0') {
        size_t skip = strspn(rest, "/");
        size_t length = strcspn(rest + skip, "/");
        g_autofree char *name = g_strndup(rest + skip, length);
        g_autofree char *after = g_strdup(rest + skip + length);
        bool last = after[strspn(after, "/")] == '\0';
        if (*name == '\0' || g_str_equal(name, ".")) {
            g_free(g_steal_pointer(&rest));
            rest = g_steal_pointer(&after);
            continue;
        }
        g_autofree char *next = NULL;
        g_auto(RootEntry) entry = {0};
        if (g_str_equal(name, "..")) {
            char *slash = strrchr(at, '/');
            next = slash != NULL ? g_strndup(at, (gsize) (slash - at)) : g_strdup("");
        } else if (*missing || !find(tree, at, name, &entry, NULL)) {
            *missing = true;
            if (!allow_missing)
                return NULL;
            next = join(at, name);
        } else if (S_ISLNK(entry.st.st_mode) && (!last || follow_last)) {
            char target[4096];
            ssize_t size = readlink(entry.file, target, sizeof target - 1);
            if (size < 0 || ++links > LINK_LIMIT) {
                g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID,
                            "'%s': too many links in a row", path);
                return NULL;
            }
            target[size] = '\0';
            next = target[0] == '/' ? g_strdup("") : g_strdup(at);
            char *joined = g_strconcat(target, "/", after, NULL);
            g_free(after);
            after = joined;
        } else {
            next = join(at, name);
        }
        g_free(g_steal_pointer(&at));
        at = g_steal_pointer(&next);
        g_free(g_steal_pointer(&rest));
        rest = g_steal_pointer(&after);
    }
    return g_steal_pointer(&at);
}

char *root_tree_resolve(RootTree *tree, const char *path, GError **error)
{
    bool missing;
    return walk(tree, path, true, true, &missing, error);
}

bool root_tree_lookup(RootTree *tree, const char *path, bool follow, RootEntry *entry,
                      GError **error)
{
    bool missing;
    g_autofree char *at = walk(tree, path, follow, false, &missing, error);
    if (at == NULL)
        return false;
    if (*at == '\0')
        return find_root(tree, entry);
    char *slash = strrchr(at, '/');
    g_autofree char *parent = slash != NULL ? g_strndup(at, (gsize) (slash - at)) : g_strdup("");
    if (!find(tree, parent, slash != NULL ? slash + 1 : at, entry, NULL))
        return false;
    if (!hidden(tree, entry))
        return true;
    root_tree_entry_clear(entry);
    return false;
}

bool root_tree_child(RootTree *tree, const char *folder, const char *name, RootEntry *entry)
{
    if (!find(tree, folder, name, entry, NULL))
        return false;
    if (!hidden(tree, entry))
        return true;
    root_tree_entry_clear(entry);
    return false;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *) a, *(char *const *) b);
}

static bool list_layer(RootTree *tree, const char *path, guint layer, GHashTable *seen,
                       GPtrArray *names, GError **error)
{
    g_autofree char *folder = g_strconcat(tree->folders[layer], "/", path, NULL);
    DIR *dir = opendir(folder);
    if (dir == NULL) {
        error_set_errno(error, errno, "open folder", folder);
        return false;
    }
    for (struct dirent *d = readdir(dir); d != NULL; d = readdir(dir)) {
        if (g_str_equal(d->d_name, ".") || g_str_equal(d->d_name, "..") ||
            !g_hash_table_add(seen, g_strdup(d->d_name)))
            continue;
        g_autofree char *file = g_strconcat(folder, "/", d->d_name, NULL);
        g_autofree char *inside = join(path, d->d_name);
        struct stat st;
        bool whiteout =
            tree->layered && d->d_type == DT_CHR && lstat(file, &st) == 0 && is_whiteout(&st);
        RootEntry entry = {.path = inside, .st.st_mode = d->d_type == DT_DIR ? S_IFDIR : S_IFREG};
        if (!whiteout && !hidden(tree, &entry))
            g_ptr_array_add(names, g_strdup(d->d_name));
    }
    closedir(dir);
    return true;
}

char **root_tree_list(RootTree *tree, const char *path, GError **error)
{
    g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
    const Shown *shown = show_folder(tree, path);
    for (guint i = 0; i < shown->count; i++)
        if (!list_layer(tree, path, shown->layers[i], seen, names, error))
            return NULL;
    g_ptr_array_sort(names, compare_names);
    g_ptr_array_add(names, NULL);
    return (char **) g_ptr_array_free(g_steal_pointer(&names), FALSE);
}

char *root_tree_read(RootTree *tree, const char *path, GError **error)
{
    g_auto(RootEntry) entry = {0};
    if (!root_tree_lookup(tree, path, true, &entry, error) || !S_ISREG(entry.st.st_mode))
        return NULL;
    return file_read(AT_FDCWD, entry.file, TEXT_LIMIT, NULL, error);
}
