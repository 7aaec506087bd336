#include "scan/inventory.h"

#include "base/error.h"
#include "scan/catalog/catalog.h"
#include "scan/inventory_walk.h"
#include "scan/purl.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define TEXT_LIMIT ((size_t) 64 << 20) /* of a database or a lock file */
#define PROGRAM_MIN 65536              /* no Go program is smaller */

static void package_free(gpointer data)
{
    Package *package = data;
    g_free(package->type);
    g_free(package->group);
    g_free(package->name);
    g_free(package->version);
    g_free(package->architecture);
    g_free(package->source);
    g_free(package->source_version);
    g_free(package->licence);
    g_free(package->path);
    g_free(package->purl);
    g_free(package->owner);
    g_free(package);
}

void inventory_free(Inventory *inventory)
{
    if (inventory == NULL)
        return;
    g_free(inventory->target);
    g_free(inventory->digest);
    g_free(inventory->distribution.id);
    g_free(inventory->distribution.version_id);
    g_free(inventory->distribution.codename);
    g_free(inventory->distribution.pretty_name);
    g_ptr_array_unref(inventory->packages);
    g_ptr_array_unref(inventory->unreadable);
    g_free(inventory);
}

static bool is_os_package(const Package *package)
{
    return strcmp(package->type, "deb") == 0 || strcmp(package->type, "apk") == 0;
}

/* os-release: KEY=value, quoted as in a shell. */
static void read_os_release(Distribution *distribution, const char *text)
{
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    const struct {
        const char *key;
        char **slot;
    } keys[] = {{"ID=", &distribution->id},
                {"VERSION_ID=", &distribution->version_id},
                {"VERSION_CODENAME=", &distribution->codename},
                {"PRETTY_NAME=", &distribution->pretty_name}};
    for (char **line = lines; *line != NULL; line++)
        for (size_t i = 0; i < G_N_ELEMENTS(keys); i++) {
            if (!g_str_has_prefix(*line, keys[i].key) || *keys[i].slot != NULL)
                continue;
            g_autofree char *value = g_strstrip(g_strdup(*line + strlen(keys[i].key)));
            char *plain = g_shell_unquote(value, NULL);
            *keys[i].slot = plain != NULL ? plain : g_steal_pointer(&value);
        }
}

static bool is_path(const char *path, const char *one, const char *other)
{
    return strcmp(path, one) == 0 || strcmp(path, other) == 0;
}

typedef void (*TextReader)(Catalog *catalog, const char *path, char *text);

static void read_os_release_file(Catalog *catalog, const char *path, char *text)
{
    read_os_release(&catalog->inventory->distribution, text);
}

static void read_debian_version(Catalog *catalog, const char *path, char *text)
{
    g_string_assign(catalog->markers, g_strstrip(text));
}

static void read_poetry_lock(Catalog *catalog, const char *path, char *text)
{
    toml_lock_read(catalog, path, text, "pypi");
}

static void read_cargo_lock(Catalog *catalog, const char *path, char *text)
{
    toml_lock_read(catalog, path, text, "cargo");
}

static bool has_language_packages(const Catalog *catalog)
{
    for (guint i = 0; i < catalog->inventory->packages->len; i++)
        if (!is_os_package(g_ptr_array_index(catalog->inventory->packages, i)))
            return true;
    return false;
}

/* What reads PATH of a root filesystem; NULL: nothing does. */
static TextReader root_reader(const Catalog *catalog, const char *path, const char *name)
{
    if (is_path(path, "etc/os-release", "usr/lib/os-release"))
        return read_os_release_file;
    if (strcmp(path, "etc/debian_version") == 0)
        return read_debian_version;
    if (is_path(path, "var/lib/dpkg/status", "usr/lib/opkg/status"))
        return dpkg_read_status;
    if (g_str_has_prefix(path, "var/lib/dpkg/status.d/"))
        return g_str_has_suffix(name, ".md5sums") ? dpkg_read_files : dpkg_read_status;
    if (g_str_has_prefix(path, "var/lib/dpkg/info/") && g_str_has_suffix(name, ".list"))
        return has_language_packages(catalog) ? dpkg_read_files : NULL;
    if (is_path(path, "lib/apk/db/installed", "usr/lib/apk/db/installed"))
        return apk_read_installed;
    if (strcmp(name, "METADATA") == 0 && strstr(path, ".dist-info/") != NULL)
        return python_read_metadata;
    if (g_str_has_suffix(name, ".egg-info") ||
        (strcmp(name, "PKG-INFO") == 0 && strstr(path, ".egg-info/") != NULL))
        return python_read_metadata;
    if (strcmp(name, "package.json") == 0 && npm_is_installed(path))
        return npm_read_package;
    return NULL;
}

/* What reads PATH of a source tree. */
static TextReader source_reader(const char *path, const char *name)
{
    static const struct {
        const char *name;
        TextReader read;
    } files[] = {
        {"package-lock.json", npm_read_lock},
        {"npm-shrinkwrap.json", npm_read_lock},
        {"yarn.lock", npm_read_yarn_lock},
        {"pnpm-lock.yaml", npm_read_pnpm_lock},
        {"poetry.lock", read_poetry_lock},
        {"uv.lock", read_poetry_lock},
        {"pdm.lock", read_poetry_lock},
        {"pylock.toml", read_poetry_lock},
        {"Pipfile.lock", python_read_pipfile_lock},
        {"Cargo.lock", read_cargo_lock},
        {"go.mod", golang_read_mod},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(files); i++)
        if (strcmp(name, files[i].name) == 0)
            return files[i].read;
    if (g_str_has_prefix(name, "requirements") && g_str_has_suffix(name, ".txt"))
        return python_read_requirements;
    return NULL;
}

typedef struct {
    Catalog *catalog;
    bool is_root;
} InventoryWalk;

static bool enter(void *data, const char *path, const char *name)
{
    const InventoryWalk *walk = data;
    static const char *const of_root[] = {"proc", "sys", "dev", "run"};
    static const char *const of_source[] = {".git", "node_modules", "site-packages",
                                            "dist-packages", ".tox"};
    if (walk->is_root) {
        for (size_t i = 0; i < G_N_ELEMENTS(of_root); i++)
            if (strcmp(path, of_root[i]) == 0)
                return false;
        return true;
    }
    for (size_t i = 0; i < G_N_ELEMENTS(of_source); i++)
        if (strcmp(name, of_source[i]) == 0)
            return false;
    return true;
}

static bool may_be_program(const TreeFile *file)
{
    const char *dot = strrchr(file->name, '.');
    if (dot != NULL && strlen(dot) > 1 && !g_ascii_isdigit(dot[1]))
        return false; /* libraries and scripts have endings */
    struct stat st;
    return fstatat(file->dirfd, file->name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) &&
           (st.st_mode & 0111) != 0 && st.st_size >= PROGRAM_MIN;
}

static void visit(void *data, const TreeFile *file)
{
    InventoryWalk *walk = data;
    TextReader reader = walk->is_root ? root_reader(walk->catalog, file->path, file->name)
                                      : source_reader(file->path, file->name);
    if (reader == NULL) {
        if (walk->is_root && may_be_program(file))
            golang_read_binary(walk->catalog, file);
        return;
    }
    g_autoptr(GError) error = NULL;
    g_autofree char *text = tree_read(file, TEXT_LIMIT, NULL, &error);
    if (text != NULL)
        reader(walk->catalog, file->path, text);
    else
        catalog_add_unreadable(walk->catalog, file->path, error->message);
}

/* Debian's testing and unstable have no VERSION_ID: "trixie/sid" stands in etc/debian_version. */
static void complete_distribution(Catalog *catalog)
{
    Distribution *distribution = &catalog->inventory->distribution;
    if (distribution->version_id == NULL && g_strcmp0(distribution->id, "debian") == 0 &&
        catalog->markers->len > 0 && g_ascii_isdigit(catalog->markers->str[0]))
        distribution->version_id =
            g_strndup(catalog->markers->str, strcspn(catalog->markers->str, "."));
}

static void set_purl(const Distribution *distribution, Package *package)
{
    if (!is_os_package(package)) {
        package->purl =
            purl_build(package->type, package->group, package->name, package->version, NULL);
        return;
    }
    const char *id = distribution->id;
    if (id == NULL)
        id = strcmp(package->type, "deb") == 0 ? "debian" : "alpine";
    package->group = g_strdup(id);
    g_autofree char *distro = distribution->version_id != NULL
                                  ? g_strdup_printf("%s-%s", id, distribution->version_id)
                                  : g_strdup(distribution->id);
    g_autofree char *upstream = NULL;
    if (g_strcmp0(package->source_version, package->version) != 0)
        upstream = g_strdup_printf("%s@%s", package->source, package->source_version);
    else if (g_strcmp0(package->source, package->name) != 0)
        upstream = g_strdup(package->source);
    const PurlQualifier qualifiers[] = {
        {"arch", package->architecture}, {"distro", distro}, {"upstream", upstream}, {NULL, NULL}};
    package->purl =
        purl_build(package->type, package->group, package->name, package->version, qualifiers);
}

static void set_owner(const Catalog *catalog, GHashTable *os_purls, Package *package)
{
    const char *name = g_hash_table_lookup(catalog->owned, package->path);
    if (name == NULL && g_str_has_prefix(package->path, "usr/")) /* merged /usr */
        name = g_hash_table_lookup(catalog->owned, package->path + strlen("usr/"));
    if (name == NULL && g_str_has_suffix(package->path, "/PKG-INFO")) {
        g_autofree char *folder = g_path_get_dirname(package->path); /* listed as a file once */
        name = g_hash_table_lookup(catalog->owned, folder);
    }
    if (name != NULL)
        package->owner = g_strdup(g_hash_table_lookup(os_purls, name));
}

static int by_purl(gconstpointer a, gconstpointer b)
{
    const Package *x = *(const Package *const *) a, *y = *(const Package *const *) b;
    int order = strcmp(x->purl, y->purl);
    return order != 0 ? order : strcmp(x->path, y->path);
}

/* Sorted; of several places of one package the first by path stays. */
static void finish(Catalog *catalog)
{
    Inventory *inventory = catalog->inventory;
    g_autoptr(GHashTable) os_purls = g_hash_table_new(g_str_hash, g_str_equal);
    complete_distribution(catalog);
    for (guint i = 0; i < inventory->packages->len; i++) {
        Package *package = g_ptr_array_index(inventory->packages, i);
        set_purl(&inventory->distribution, package);
        if (is_os_package(package))
            g_hash_table_insert(os_purls, package->name, package->purl);
    }
    for (guint i = 0; i < inventory->packages->len; i++) {
        Package *package = g_ptr_array_index(inventory->packages, i);
        if (!is_os_package(package))
            set_owner(catalog, os_purls, package);
    }
    g_ptr_array_sort(inventory->packages, by_purl);
    GPtrArray *kept = g_ptr_array_new_with_free_func(package_free);
    for (guint i = 0; i < inventory->packages->len; i++) {
        Package *package = g_ptr_array_index(inventory->packages, i);
        const Package *last = kept->len > 0 ? g_ptr_array_index(kept, kept->len - 1) : NULL;
        if (last != NULL && strcmp(last->purl, package->purl) == 0)
            package_free(package);
        else
            g_ptr_array_add(kept, package);
    }
    g_ptr_array_set_free_func(inventory->packages, NULL);
    g_ptr_array_unref(inventory->packages);
    inventory->packages = kept;
}

Inventory *inventory_walk(const char *target, const char *const *folders, bool is_root,
                          GError **error)
{
    g_autoptr(Inventory) inventory = g_new0(Inventory, 1);
    inventory->target = g_strdup(target);
    inventory->packages = g_ptr_array_new_with_free_func(package_free);
    inventory->unreadable = findings_new();
    g_autoptr(GHashTable) owned = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    g_autoptr(GString) markers = g_string_new(NULL);
    Catalog catalog = {inventory, owned, markers};
    InventoryWalk walk = {&catalog, is_root};
    const TreeVisitor visitor = {enter, visit, &walk};
    if (!tree_walk(folders, &visitor, error))
        return NULL;
    finish(&catalog);
    return g_steal_pointer(&inventory);
}

/* A tree with a package database or a distribution's name is a root filesystem. */
static bool looks_like_root(const char *folder)
{
    static const char *const marks[] = {"etc/os-release", "usr/lib/os-release",
                                        "var/lib/dpkg/status", "lib/apk/db/installed"};
    for (size_t i = 0; i < G_N_ELEMENTS(marks); i++) {
        g_autofree char *path = g_build_filename(folder, marks[i], NULL);
        struct stat st;
        if (lstat(path, &st) == 0)
            return true;
    }
    return false;
}

Inventory *inventory_of_folder(const char *folder, InventoryKind kind, GError **error)
{
    const char *const folders[] = {folder, NULL};
    g_autofree char *target = g_strdup_printf("dir:%s", folder);
    bool is_root = kind == INVENTORY_ROOT || (kind == INVENTORY_AUTO && looks_like_root(folder));
    g_autoptr(Inventory) inventory = inventory_walk(target, folders, is_root, error);
    /* A folder without lock files may be an environment: ask what is installed in it. */
    if (inventory != NULL && kind == INVENTORY_AUTO && !is_root && inventory->packages->len == 0) {
        g_clear_pointer(&inventory, inventory_free);
        inventory = inventory_walk(target, folders, true, error);
    }
    return g_steal_pointer(&inventory);
}
