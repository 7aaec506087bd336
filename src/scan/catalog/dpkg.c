/* dpkg's status: stanzas of "Field: value", continued by lines that begin with a blank. */
#include "scan/catalog/catalog.h"
#include "scan/catalog/line.h"

typedef struct {
    const char *package, *version, *architecture, *source, *status;
} Stanza;

/* "name (version)", or a name alone. */
static void split_source(Package *package, const char *source)
{
    size_t length = strcspn(source, " (");
    package->source = g_strndup(source, length);
    const char *open = strchr(source, '(');
    if (open != NULL) {
        g_free(package->source_version);
        package->source_version = g_strndup(open + 1, strcspn(open + 1, ")"));
    }
}

static void finish(Catalog *catalog, const char *path, const Stanza *stanza)
{
    if (stanza->package == NULL && stanza->version == NULL)
        return;
    if (stanza->package == NULL || stanza->version == NULL || *stanza->version == '\0') {
        /* Removed packages keep a stanza without a version. */
        if (stanza->status == NULL || strstr(stanza->status, " installed") != NULL)
            catalog_add_unreadable(catalog, path, "a stanza without Package or Version");
        return;
    }
    /* "want error state"; in status.d there is none: installed. */
    const char *state = stanza->status != NULL ? strrchr(stanza->status, ' ') : NULL;
    if (stanza->status != NULL && (state == NULL || strcmp(state, " not-installed") == 0 ||
                                   strcmp(state, " config-files") == 0))
        return;
    Package *package = catalog_add(catalog, "deb", NULL, stanza->package, stanza->version, path);
    package->architecture = g_strdup(stanza->architecture);
    package->source_version = g_strdup(stanza->version);
    if (stanza->source != NULL)
        split_source(package, stanza->source);
    else
        package->source = g_strdup(stanza->package);
}

static void read_field(Stanza *stanza, char *line)
{
    char *colon = strchr(line, ':');
    if (colon == NULL)
        return;
    *colon = '\0';
    const char *value = g_strstrip(colon + 1);
    const struct {
        const char *name;
        const char **slot;
    } fields[] = {{"Package", &stanza->package},
                  {"Version", &stanza->version},
                  {"Architecture", &stanza->architecture},
                  {"Source", &stanza->source},
                  {"Status", &stanza->status}};
    for (size_t i = 0; i < G_N_ELEMENTS(fields); i++)
        if (strcmp(line, fields[i].name) == 0)
            *fields[i].slot = value;
}

void dpkg_read_status(Catalog *catalog, const char *path, char *text)
{
    Stanza stanza = {0};
    for (char *line; (line = line_take(&text)) != NULL;) {
        if (*line == '\0') {
            finish(catalog, path, &stanza);
            stanza = (Stanza){0};
        } else if (*line != ' ' && *line != '\t') {
            read_field(&stanza, line);
        }
    }
    finish(catalog, path, &stanza);
}

void dpkg_read_files(Catalog *catalog, const char *file, char *text)
{
    const char *base = strrchr(file, '/');
    base = base != NULL ? base + 1 : file;
    g_autofree char *name = g_strndup(base, strcspn(base, ":"));
    for (size_t i = 0; i < 2; i++) {
        const char *ending = i == 0 ? ".list" : ".md5sums";
        if (g_str_has_suffix(name, ending))
            name[strlen(name) - strlen(ending)] = '\0';
    }
    bool sums = g_str_has_suffix(file, ".md5sums"); /* "SUM  path" */
    for (char *line; (line = line_take(&text)) != NULL;) {
        const char *blank = sums ? strchr(line, ' ') : NULL;
        catalog_own(catalog, blank != NULL ? blank + strspn(blank, " ") : line, name);
    }
}
