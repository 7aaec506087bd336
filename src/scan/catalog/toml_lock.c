/* Lock files in TOML that list `[[package]]` (or `[[packages]]`) tables with `name = "…"` and
 * `version = "…"`: poetry, uv, pdm, pylock and Cargo write them so, one key a line. */
#include "scan/catalog/catalog.h"
#include "scan/catalog/line.h"

typedef struct {
    char *name, *version; /* borrowed */
    bool local;           /* the project itself or another folder: nothing is fetched */
    bool source;
} Table;

/* The text of a basic or literal string; NULL for any other value. */
static char *unquote(char *value)
{
    value = g_strchug(value);
    if (*value != '"' && *value != '\'')
        return NULL;
    char *end = strchr(value + 1, *value);
    if (end == NULL)
        return NULL;
    *end = '\0';
    return value + 1;
}

static void finish(Catalog *catalog, const char *path, const char *type, const Table *table)
{
    if (table->name == NULL)
        return;
    /* In Cargo.lock what has no source is a member of the workspace. */
    bool local = table->local || (strcmp(type, "cargo") == 0 && !table->source);
    if (!local && table->version != NULL)
        catalog_add(catalog, type, NULL, table->name, table->version, path);
}

static void read_key(Table *table, char *line)
{
    char *equals = strchr(line, '=');
    if (equals == NULL)
        return;
    *equals = '\0';
    const char *key = g_strstrip(line);
    char *value = equals + 1;
    if (strcmp(key, "name") == 0) {
        table->name = unquote(value);
    } else if (strcmp(key, "version") == 0) {
        table->version = unquote(value);
    } else if (strcmp(key, "source") == 0) {
        table->source = true;
        table->local = strstr(value, "virtual") != NULL || strstr(value, "editable") != NULL ||
                       strstr(value, "directory") != NULL;
    } else if (strcmp(key, "directory") == 0) {
        table->local = true;
    }
}

void toml_lock_read(Catalog *catalog, const char *path, char *text, const char *type)
{
    Table table = {0};
    bool inside = false;
    for (char *line; (line = line_take(&text)) != NULL;) {
        if (*line == '[') {
            finish(catalog, path, type, &table);
            table = (Table){0};
            inside =
                g_str_has_prefix(line, "[[package]]") || g_str_has_prefix(line, "[[packages]]");
        } else if (inside && g_ascii_isalpha(*line)) {
            read_key(&table, line);
        }
    }
    finish(catalog, path, type, &table);
}
