#include "scan/catalog/catalog.h"

#include <string.h>

Package *catalog_add(Catalog *catalog, const char *type, const char *group, const char *name,
                     const char *version, const char *path)
{
    Package *package = g_new0(Package, 1);
    package->type = g_strdup(type);
    package->group = group != NULL && *group != '\0' ? g_strdup(group) : NULL;
    package->name = g_utf8_make_valid(name, -1);
    package->version = version != NULL ? g_utf8_make_valid(version, -1) : NULL;
    package->path = g_strdup(path);
    g_ptr_array_add(catalog->inventory->packages, package);
    return package;
}

void catalog_add_unreadable(Catalog *catalog, const char *path, const char *why)
{
    Finding *finding = finding_new("unreadable-package-data", SEVERITY_UNKNOWN, path, 0, 0, why);
    finding->mend = g_strdup("repair the file: what it lists was not judged");
    g_ptr_array_add(catalog->inventory->unreadable, finding);
}

/* Files by which language packages are known. */
static bool is_interesting(const char *path)
{
    static const char *const endings[] = {"/METADATA", "/PKG-INFO", ".egg-info", "/package.json"};
    for (size_t i = 0; i < G_N_ELEMENTS(endings); i++)
        if (g_str_has_suffix(path, endings[i]))
            return true;
    return strstr(path, "bin/") != NULL; /* programs may carry their modules */
}

void catalog_own(Catalog *catalog, const char *path, const char *name)
{
    path += strspn(path, "/");
    if (is_interesting(path))
        g_hash_table_insert(catalog->owned, g_strdup(path), g_strdup(name));
}
