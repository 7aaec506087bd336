#include "build/selection.h"

#include "base/error.h"
#include "base/path.h"
#include "build/file_mode.h"
#include "crypto/hash.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#define ITEM_LIMIT 4000000
#define DEPTH_LIMIT 1000

typedef struct {
    Selection *selection;
    RootTree *tree;
    const SelectionRules *rules;
    const IgnoreFile *excludes;
} Walk;

static void item_free(SelectionItem *item)
{
    g_free(item->to);
    g_free(item->file);
    g_free(item->content);
    g_free(item);
}

Selection *selection_new(void)
{
    Selection *selection = g_new0(Selection, 1);
    selection->items = g_ptr_array_new_with_free_func((GDestroyNotify) item_free);
    return selection;
}

void selection_free(Selection *selection)
{
    if (selection == NULL)
        return;
    g_ptr_array_unref(selection->items);
    g_free(selection);
}

static char *join(const char *folder, const char *name)
{
    if (*folder == '\0' || *name == '\0')
        return g_strconcat(folder, name, NULL);
    return g_strconcat(folder, "/", name, NULL);
}

/* The owner and mode that RULES give. */
static struct stat decide_stat(struct stat st, const SelectionRules *rules)
{
    if (rules->chown) {
        st.st_uid = rules->uid;
        st.st_gid = rules->gid;
    } else if (!rules->keep_owner) {
        st.st_uid = 0;
        st.st_gid = 0;
    }
    if (rules->chmod != NULL && !S_ISLNK(st.st_mode))
        st.st_mode = file_mode_apply(rules->chmod, st.st_mode);
    return st;
}

static SelectionItem *add_item(Selection *selection, const char *to, const char *file,
                               struct stat st)
{
    SelectionItem *item = g_new0(SelectionItem, 1);
    item->to = g_strdup(to);
    item->file = g_strdup(file);
    item->st = st;
    g_ptr_array_add(selection->items, item);
    return item;
}

static bool add_entry(const Walk *walk, const RootEntry *entry, const char *to,
                      const char *relative, bool is_root, int depth, GError **error);

static bool add_children(const Walk *walk, const RootEntry *folder, const char *to,
                         const char *relative, int depth, GError **error)
{
    if (depth > DEPTH_LIMIT || walk->selection->items->len > ITEM_LIMIT) {
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID,
                    "'%s': more than %d files, or folders deeper than %d", folder->path, ITEM_LIMIT,
                    DEPTH_LIMIT);
        return false;
    }
    g_auto(GStrv) names = root_tree_list(walk->tree, folder->path, error);
    for (char **name = names; name != NULL && *name != NULL; name++) {
        g_autofree char *below = join(to, *name);
        g_autofree char *inside = join(relative, *name);
        g_auto(RootEntry) entry = {0};
        if (root_tree_child(walk->tree, folder->path, *name, &entry) &&
            !add_entry(walk, &entry, below, inside, false, depth + 1, error))
            return false;
    }
    return names != NULL;
}

/* Adds ENTRY and what is below it. RELATIVE is its path for --exclude. */
static bool add_entry(const Walk *walk, const RootEntry *entry, const char *to,
                      const char *relative, bool is_root, int depth, GError **error)
{
    bool excluded =
        !is_root && walk->excludes != NULL && ignore_file_excludes(walk->excludes, relative);
    bool folder = S_ISDIR(entry->st.st_mode);
    if (S_ISSOCK(entry->st.st_mode) ||
        (excluded && !(folder && ignore_file_may_include_below(walk->excludes, relative))))
        return true;
    struct stat st = entry->st;
    if (is_root && folder && !walk->rules->parents) {
        st.st_mode = S_IFDIR | 0755;
        if (!walk->rules->chown)
            st.st_uid = st.st_gid = 0;
    }
    SelectionItem *item = add_item(walk->selection, to, entry->file, decide_stat(st, walk->rules));
    item->destination = is_root && folder;
    return !folder || add_children(walk, entry, to, relative, depth, error);
}

/* --parents: the folders of PATH themselves are taken too. */
static bool add_parents(const Walk *walk, const char *path, const char *pivot,
                        const char *destination, GError **error)
{
    for (const char *slash = strchr(pivot, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        g_autofree char *parent = g_strndup(path, (gsize) (slash - path));
        g_autofree char *kept = g_strndup(pivot, (gsize) (slash - pivot));
        g_autofree char *to = join(destination, kept);
        g_auto(RootEntry) entry = {0};
        if (root_tree_lookup(walk->tree, parent, false, &entry, error))
            add_item(walk->selection, to, entry.file, decide_stat(entry.st, walk->rules))
                ->destination = true;
    }
    return true;
}

/* Adds source PATH, of which KEPT (its end) stays below the destination with --parents. */
static bool add_path(const Walk *walk, const char *path, const char *kept, const char *destination,
                     bool into, GError **error)
{
    g_auto(RootEntry) entry = {0};
    GError *problem = NULL;
    if (!root_tree_lookup(walk->tree, path, true, &entry, &problem)) {
        if (problem != NULL)
            g_propagate_error(error, problem);
        else
            g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_NOT_FOUND, "\"/%s\": not found", path);
        return false;
    }
    if (walk->rules->parents) {
        g_autofree char *to = join(destination, kept);
        return add_parents(walk, path, kept, destination, error) &&
               add_entry(walk, &entry, to, kept, true, 0, error);
    }
    if (S_ISDIR(entry.st.st_mode))
        return add_entry(walk, &entry, destination, "", true, 0, error);
    const char *slash = strrchr(path, '/');
    const char *name = slash != NULL ? slash + 1 : path;
    if (walk->excludes != NULL && ignore_file_excludes(walk->excludes, name))
        return true;
    g_autofree char *to = into ? join(destination, name) : g_strdup(destination);
    return add_entry(walk, &entry, to, name, true, 0, error);
}

/* Paths of TREE below FOLDER that match the pattern's COMPONENTS, `**` standing for any folders. */
static bool expand_pattern(RootTree *tree, const char *folder, char **components, bool deep,
                           GPtrArray *paths, GError **error)
{
    if (*components == NULL) {
        g_ptr_array_add(paths, g_strdup(folder));
        return true;
    }
    bool stars = deep && g_str_equal(*components, "**");
    if (stars && !expand_pattern(tree, folder, components + 1, deep, paths, error))
        return false;
    if (!path_pattern_is_one(*components)) {
        g_autofree char *next = join(folder, *components);
        g_auto(RootEntry) entry = {0};
        GError *problem = NULL;
        if (root_tree_lookup(tree, next, true, &entry, &problem))
            return expand_pattern(tree, next, components + 1, deep, paths, error);
        if (problem == NULL)
            return true;
        g_propagate_error(error, problem);
        return false;
    }
    g_auto(RootEntry) here = {0};
    if (!root_tree_lookup(tree, folder, true, &here, error) || !S_ISDIR(here.st.st_mode))
        return error == NULL || *error == NULL;
    g_auto(GStrv) names = root_tree_list(tree, here.path, error);
    for (char **name = names; name != NULL && *name != NULL; name++) {
        g_autofree char *next = join(folder, *name);
        g_auto(RootEntry) entry = {0};
        if (!stars && !path_pattern_matches(*components, *name))
            continue;
        if (stars &&
            !(root_tree_lookup(tree, next, false, &entry, NULL) && S_ISDIR(entry.st.st_mode)))
            continue;
        if (!expand_pattern(tree, next, components + !stars, deep, paths, error))
            return false;
    }
    return names != NULL;
}

static const char *after_pivot(const char *source)
{
    const char *pivot = strstr(source, "/./");
    return pivot != NULL ? pivot + 3 : g_str_has_prefix(source, "./") ? source + 2 : source;
}

bool selection_add(Selection *selection, RootTree *tree, const char *source,
                   const char *destination, bool into, const SelectionRules *rules, GError **error)
{
    g_autoptr(IgnoreFile) excludes = NULL;
    if (rules->excludes != NULL && rules->excludes[0] != NULL) {
        excludes = ignore_file_from_patterns(rules->excludes, error);
        if (excludes == NULL)
            return false;
    }
    Walk walk = {selection, tree, rules, excludes};
    g_autofree char *clean = path_clean(source);
    g_autofree char *tail = path_clean(after_pivot(source));
    size_t before = strlen(clean) - strlen(tail);
    if (!path_pattern_is_one(clean))
        return add_path(&walk, clean, clean + before, destination, into, error);
    g_auto(GStrv) components = g_strsplit(clean, "/", -1);
    g_autoptr(GPtrArray) paths = g_ptr_array_new_with_free_func(g_free);
    if (!expand_pattern(tree, "", components, rules->parents, paths, error))
        return false;
    selection->several = selection->several || paths->len > 1;
    for (guint i = 0; i < paths->len; i++) {
        const char *path = paths->pdata[i];
        /* The pivot stands after as many components of the match as of the pattern. */
        const char *kept = path;
        for (size_t c = 0; c < before && kept != NULL; c++)
            if (clean[c] == '/')
                kept = strchr(kept, '/') != NULL ? strchr(kept, '/') + 1 : kept;
        if (!add_path(&walk, path, kept, destination, into, error))
            return false;
    }
    return true;
}

void selection_add_content(Selection *selection, const char *name, const char *content,
                           const char *destination, bool into, const SelectionRules *rules)
{
    struct stat st = {.st_mode = S_IFREG | 0644, .st_size = (off_t) strlen(content)};
    g_autofree char *to = into ? join(destination, name) : g_strdup(destination);
    clock_gettime(CLOCK_REALTIME, &st.st_mtim);
    add_item(selection, to, NULL, decide_stat(st, rules))->content = g_strdup(content);
}

bool selection_add_folder(Selection *selection, const char *folder, const char *destination,
                          const SelectionRules *rules, GError **error)
{
    g_autoptr(RootTree) tree = root_tree_of_folder(folder, NULL);
    return selection_add(selection, tree, "", destination, true, rules, error);
}

static void hash_xattrs(Hash *hash, const char *file)
{
    char names[4096];
    ssize_t size = llistxattr(file, names, sizeof names);
    for (ssize_t at = 0; at < size; at += (ssize_t) strlen(names + at) + 1) {
        const char *name = names + at;
        char value[4096];
        if (!g_str_has_prefix(name, "user.") && !g_str_equal(name, "security.capability"))
            continue;
        ssize_t length = lgetxattr(file, name, value, sizeof value);
        hash_update(hash, name, strlen(name) + 1);
        if (length > 0)
            hash_update(hash, value, (size_t) length);
    }
}

static bool hash_item(Hash *hash, const SelectionItem *item, FileIndex *index, GError **error)
{
    g_autofree char *head = g_strdup_printf("%s%c%o %u %u %d", item->to, '\0', item->st.st_mode,
                                            item->st.st_uid, item->st.st_gid, item->destination);
    hash_update(hash, head, strlen(item->to) + 1 + strlen(head + strlen(item->to) + 1) + 1);
    if (item->content != NULL) {
        hash_update(hash, item->content, strlen(item->content) + 1);
        return true;
    }
    if (S_ISLNK(item->st.st_mode)) {
        char target[PATH_MAX];
        ssize_t size = readlink(item->file, target, sizeof target);
        if (size < 0)
            return error_set_errno(error, errno, "read link", item->file);
        hash_update(hash, target, (size_t) size);
    } else if (S_ISREG(item->st.st_mode)) {
        g_autofree char *digest = file_index_digest(index, item->file, &item->st, error);
        if (digest == NULL)
            return false;
        hash_update(hash, digest, strlen(digest));
    }
    if (!item->destination && !S_ISLNK(item->st.st_mode))
        hash_xattrs(hash, item->file);
    return true;
}

char *selection_digest(const Selection *selection, FileIndex *index, GError **error)
{
    g_autoptr(Hash) hash = hash_new(HASH_SHA256);
    for (guint i = 0; i < selection->items->len; i++)
        if (!hash_item(hash, selection->items->pdata[i], index, error))
            return NULL;
    return hash_finish_digest(hash);
}
