/* npm: package.json of what is installed; package-lock.json, yarn.lock and pnpm-lock.yaml of what
 * will be. */
#include "format/json.h"
#include "format/yaml.h"
#include "scan/catalog/catalog.h"
#include "scan/catalog/line.h"

#include <jansson.h>

#define DEPTH_MAX 64 /* of nested dependencies in the oldest lock files */

/* Adds "name" or "@scope/name". */
static Package *add(Catalog *catalog, const char *name, const char *version, const char *path)
{
    const char *slash = *name == '@' ? strchr(name, '/') : NULL;
    g_autofree char *scope = slash != NULL ? g_strndup(name, (size_t) (slash - name)) : NULL;
    const char *rest = slash != NULL ? slash + 1 : name;
    return *rest != '\0' ? catalog_add(catalog, "npm", scope, rest, version, path) : NULL;
}

bool npm_is_installed(const char *path)
{
    const char *at = g_strrstr(path, "node_modules/");
    if (at == NULL || (at != path && at[-1] != '/'))
        return false;
    const char *name = at + strlen("node_modules/");
    const char *slash = strchr(name, '/');
    if (*name == '@' && slash != NULL)
        slash = strchr(slash + 1, '/');
    return slash != NULL && strcmp(slash, "/package.json") == 0;
}

static void take_licence(Package *package, const json_t *object)
{
    const char *licence = json_get_string(object, "license");
    if (licence == NULL)
        licence = json_get_string(json_object_get(object, "license"), "type");
    if (licence != NULL && package != NULL)
        package->licence = g_strndup(licence, 200);
}

void npm_read_package(Catalog *catalog, const char *path, char *text)
{
    /* Not strict: published files repeat keys. One without name and version marks a module type. */
    json_t *root = json_loads(text, 0, NULL);
    const char *name = json_get_string(root, "name"), *version = json_get_string(root, "version");
    if (name != NULL && version != NULL)
        take_licence(add(catalog, name, version, path), root);
    else if (root == NULL)
        catalog_add_unreadable(catalog, path, "package.json is no JSON");
    json_decref(root);
}

/* Lock versions 2 and 3: keyed by path, "" is the project itself. */
static void read_packages(Catalog *catalog, const char *path, json_t *packages)
{
    const char *key = NULL;
    json_t *entry = NULL;
    json_object_foreach(packages, key, entry)
    {
        const char *version = json_get_string(entry, "version");
        const char *at = g_strrstr(key, "node_modules/");
        if (at == NULL || version == NULL || json_get_boolean(entry, "link", false))
            continue;
        const char *name = json_get_string(entry, "name"); /* of an alias */
        name = name != NULL ? name : at + strlen("node_modules/");
        take_licence(add(catalog, name, version, path), entry);
    }
}

static void read_dependencies(Catalog *catalog, const char *path, json_t *dependencies, int depth)
{
    const char *name = NULL;
    json_t *entry = NULL;
    if (depth > DEPTH_MAX)
        return;
    json_object_foreach(dependencies, name, entry)
    {
        const char *version = json_get_string(entry, "version");
        const char *at =
            version != NULL && g_str_has_prefix(version, "npm:") ? strrchr(version, '@') : NULL;
        if (at != NULL && at > version + strlen("npm:")) { /* "npm:other@1.0.0" */
            g_autofree char *real = g_strndup(version + 4, (size_t) (at - version) - 4);
            add(catalog, real, at + 1, path);
        } else if (version != NULL && g_ascii_isdigit(*version)) {
            add(catalog, name, version, path);
        }
        read_dependencies(catalog, path, json_object_get(entry, "dependencies"), depth + 1);
    }
}

void npm_read_lock(Catalog *catalog, const char *path, char *text)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(json_t) root = json_parse(path, text, strlen(text), &error);
    if (root == NULL) {
        catalog_add_unreadable(catalog, path, error->message);
        return;
    }
    json_t *packages = json_object_get(root, "packages");
    if (packages != NULL)
        read_packages(catalog, path, packages);
    else
        read_dependencies(catalog, path, json_object_get(root, "dependencies"), 0);
}

/* The name in "name@range" or "@scope/name@npm:other@range", and the real one of an alias. */
static char *yarn_name(const char *descriptor)
{
    const char *at = strchr(descriptor + (*descriptor == '@'), '@');
    if (at == NULL)
        return NULL;
    if (g_str_has_prefix(at, "@npm:")) {
        const char *real = at + strlen("@npm:");
        const char *end = *real != '\0' ? strchr(real + 1, '@') : NULL;
        if (end != NULL && (g_ascii_isalpha(*real) || *real == '@'))
            return g_strndup(real, (size_t) (end - real));
    }
    return g_strndup(descriptor, (size_t) (at - descriptor));
}

/* Yarn 1 writes `"a@^1", "a@^2":` and `  version "x"`; Berry the same as YAML, with `version: x`
 * and the project itself as "0.0.0-use.local". */
void npm_read_yarn_lock(Catalog *catalog, const char *path, char *text)
{
    g_autofree char *name = NULL;
    for (char *line; (line = line_take(&text)) != NULL;) {
        if (*line == '#' || *line == '\0')
            continue;
        if (*line != ' ') {
            char *descriptor = line + (*line == '"');
            descriptor[strcspn(descriptor, "\",")] = '\0';
            g_free(name);
            name = yarn_name(descriptor);
            continue;
        }
        char *field = g_strstrip(line);
        if (name == NULL || !g_str_has_prefix(field, "version"))
            continue;
        char *version = field + strlen("version");
        version += strspn(version, ": \"");
        version[strcspn(version, "\" ")] = '\0';
        if (strcmp(version, "0.0.0-use.local") != 0 && *version != '\0')
            add(catalog, name, version, path);
        g_clear_pointer(&name, g_free);
    }
}

/* "/name/1.0.0_peer" (5), "/name@1.0.0(peer@x)" (6), "name@1.0.0(peer@x)" (9). */
static void add_pnpm(Catalog *catalog, const char *path, const char *key)
{
    g_autofree char *text = g_strdup(key + (*key == '/'));
    text[strcspn(text, "(")] = '\0';
    char *start = text + (*text == '@');
    char *version = strchr(start, '@');
    if (version == NULL) {
        char *name = *text == '@' ? strchr(text, '/') : text;
        version = name != NULL ? strchr(name + 1, '/') : NULL;
        if (version != NULL)
            version[strcspn(version, "_")] = '\0';
    }
    if (version == NULL || version == text)
        return;
    *version++ = '\0';
    if (g_ascii_isdigit(*version))
        add(catalog, text, version, path);
}

void npm_read_pnpm_lock(Catalog *catalog, const char *path, char *text)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(YamlDocument) document = yaml_parse(path, text, strlen(text), &error);
    if (document == NULL) {
        catalog_add_unreadable(catalog, path, error->message);
        return;
    }
    for (size_t d = 0; d < yaml_document_count(document); d++) {
        const YamlNode *packages = yaml_get(yaml_root(document, d), "packages");
        for (size_t i = 0;
             packages != NULL && packages->kind == YAML_MAPPING && i < packages->length; i++)
            add_pnpm(catalog, path, packages->keys[i]->text);
    }
}
