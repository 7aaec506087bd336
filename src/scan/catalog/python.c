/* Python: METADATA and PKG-INFO of what is installed, requirements and Pipfile.lock of what will
 * be. */
#include "format/json.h"
#include "scan/catalog/catalog.h"
#include "scan/catalog/line.h"

#include <jansson.h>

void python_read_metadata(Catalog *catalog, const char *path, char *text)
{
    const char *name = NULL, *version = NULL, *licence = NULL, *expression = NULL;
    for (char *line; (line = line_take(&text)) != NULL && *line != '\0';) {
        char *colon = strchr(line, ':');
        if (colon == NULL || g_ascii_isspace(*line))
            continue;
        *colon = '\0';
        const char *value = g_strstrip(colon + 1);
        if (g_ascii_strcasecmp(line, "Name") == 0 && name == NULL)
            name = value;
        else if (g_ascii_strcasecmp(line, "Version") == 0 && version == NULL)
            version = value;
        else if (g_ascii_strcasecmp(line, "License") == 0)
            licence = value;
        else if (g_ascii_strcasecmp(line, "License-Expression") == 0)
            expression = value;
    }
    if (name == NULL || *name == '\0') {
        catalog_add_unreadable(catalog, path, "no Name in the metadata of a Python package");
        return;
    }
    Package *package = catalog_add(catalog, "pypi", NULL, name, version, path);
    const char *known = expression != NULL ? expression : licence;
    if (known != NULL && *known != '\0' && strcmp(known, "UNKNOWN") != 0)
        package->licence = g_strndup(known, 200);
}

/* "name[extras]==version ; marker  # comment --hash=…": only a pinned one has a version. */
static void read_requirement(Catalog *catalog, const char *path, char *line)
{
    line = g_strstrip(line);
    if (*line == '#' || *line == '-' || *line == '\0')
        return;
    line[strcspn(line, "#;\\")] = '\0';
    char *equals = strstr(line, "==");
    if (equals == NULL)
        return;
    char *version = equals + 2 + (equals[2] == '=');
    *equals = '\0';
    line[strcspn(line, "[ \t")] = '\0';
    version = g_strstrip(version);
    version[strcspn(version, " \t,")] = '\0';
    if (*line != '\0' && *version != '\0' && strchr(version, '*') == NULL)
        catalog_add(catalog, "pypi", NULL, line, version, path);
}

void python_read_requirements(Catalog *catalog, const char *path, char *text)
{
    for (char *line; (line = line_take(&text)) != NULL;)
        read_requirement(catalog, path, line);
}

void python_read_pipfile_lock(Catalog *catalog, const char *path, char *text)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(json_t) root = json_parse(path, text, strlen(text), &error);
    if (root == NULL) {
        catalog_add_unreadable(catalog, path, error->message);
        return;
    }
    static const char *const groups[] = {"default", "develop"};
    for (size_t i = 0; i < G_N_ELEMENTS(groups); i++) {
        const char *name = NULL;
        json_t *entry = NULL;
        json_object_foreach(json_object_get(root, groups[i]), name, entry)
        {
            const char *version = json_get_string(entry, "version");
            if (version != NULL && g_str_has_prefix(version, "=="))
                catalog_add(catalog, "pypi", NULL, name, version + 2, path);
        }
    }
}
