#include "dialect/slipway/settings_value.h"

#include "base/clock.h"

#include <stdarg.h>
#include <string.h>

#define MAX_MISTAKES 20

void settings_mistake(SettingsReader *reader, const YamlNode *at, const char *format, ...)
{
    if (++reader->count > MAX_MISTAKES)
        return;
    va_list arguments;
    va_start(arguments, format);
    g_autofree char *text = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    g_string_append_printf(reader->mistakes, "%s%s:%d:%d: %s",
                           reader->mistakes->len > 0 ? "\n" : "", reader->file, at->line,
                           at->column, text);
}

/* How many single-letter edits lead from A to B, at most 3. */
static int edit_distance(const char *a, const char *b)
{
    size_t n = strlen(a), m = strlen(b);
    if (n > 30 || m > 30)
        return 3;
    int row[32];
    for (size_t j = 0; j <= m; j++)
        row[j] = (int) j;
    for (size_t i = 1; i <= n; i++) {
        int diagonal = row[0];
        row[0] = (int) i;
        for (size_t j = 1; j <= m; j++) {
            int change = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            row[j] = MIN(change, MIN(row[j], row[j - 1]) + 1);
        }
    }
    return MIN(row[m], 3);
}

/* Reports the keys of MAP that are not in ALLOWED. false when MAP is no mapping at all. */
bool settings_check_keys(SettingsReader *reader, const YamlNode *map, const char *where,
                         const char *const *allowed)
{
    if (map == NULL)
        return false;
    if (map->kind != YAML_MAPPING) {
        if (!yaml_is_null(map))
            settings_mistake(reader, map, "%s must be a mapping of keys to values", where);
        return false;
    }
    for (size_t i = 0; i < map->length; i++) {
        const char *key = map->keys[i]->text, *nearest = NULL;
        int best = 3;
        for (const char *const *known = allowed; *known != NULL; known++) {
            int distance = key != NULL ? edit_distance(key, *known) : 3;
            if (distance < best) {
                best = distance;
                nearest = *known;
            }
        }
        if (best == 0)
            continue;
        if (nearest != NULL)
            settings_mistake(reader, map->keys[i], "unknown key '%s' in %s; did you mean '%s'?",
                             key, where, nearest);
        else {
            g_autofree char *list = g_strjoinv(", ", (char **) allowed);
            settings_mistake(reader, map->keys[i], "unknown key '%s' in %s; known: %s",
                             key != NULL ? key : "", where, list);
        }
    }
    return true;
}

bool settings_absent(const YamlNode *node)
{
    return node == NULL || (node->kind == YAML_SCALAR && yaml_is_null(node));
}

json_t *settings_take_text(SettingsReader *reader, const YamlNode *map, const char *key,
                           const char *otherwise)
{
    const YamlNode *node = yaml_get(map, key);
    if (settings_absent(node))
        return otherwise != NULL ? json_string(otherwise) : json_null();
    if (node->kind != YAML_SCALAR) {
        settings_mistake(reader, node, "'%s' must be text", key);
        return json_null();
    }
    return json_stringn(node->text, node->length);
}

json_t *settings_take_boolean(SettingsReader *reader, const YamlNode *map, const char *key,
                              bool otherwise)
{
    const YamlNode *node = yaml_get(map, key);
    bool value = otherwise;
    if (!settings_absent(node) && !yaml_as_boolean(node, &value))
        settings_mistake(reader, node, "'%s' must be true or false", key);
    return json_boolean(value);
}

json_t *settings_take_integer(SettingsReader *reader, const YamlNode *map, const char *key,
                              gint64 otherwise, gint64 low, gint64 high)
{
    const YamlNode *node = yaml_get(map, key);
    gint64 value = otherwise;
    if (!settings_absent(node) && (!yaml_as_integer(node, &value) || value < low || value > high)) {
        settings_mistake(reader, node,
                         "'%s' must be a whole number from %" G_GINT64_FORMAT
                         " to %" G_GINT64_FORMAT,
                         key, low, high);
        value = otherwise;
    }
    return json_integer(value);
}

json_t *settings_take_duration(SettingsReader *reader, const YamlNode *map, const char *key,
                               const char *otherwise)
{
    const YamlNode *node = yaml_get(map, key);
    int64_t value;
    if (settings_absent(node))
        return json_string(otherwise);
    if (node->kind != YAML_SCALAR || !clock_parse_duration(node->text, &value, NULL)) {
        settings_mistake(reader, node, "'%s' must be a duration as 500ms, 10s, 5m, 2h or 7d", key);
        return json_string(otherwise);
    }
    return json_string(node->text);
}

json_t *settings_take_choice(SettingsReader *reader, const YamlNode *map, const char *key,
                             const char *otherwise, const char *const *choices)
{
    const YamlNode *node = yaml_get(map, key);
    if (settings_absent(node))
        return json_string(otherwise);
    if (node->kind == YAML_SCALAR && g_strv_contains(choices, node->text))
        return json_string(node->text);
    g_autofree char *list = g_strjoinv(", ", (char **) choices);
    settings_mistake(reader, node, "'%s' must be one of: %s", key, list);
    return json_string(otherwise);
}

/* "10%" or 0.1 → 1000. */
bool settings_parse_share(const YamlNode *node, int *share)
{
    if (node->kind != YAML_SCALAR)
        return false;
    char *end;
    double number = g_ascii_strtod(node->text, &end);
    if (end == node->text || (*end != '\0' && !g_str_equal(end, "%")))
        return false;
    double whole = *end == '%' ? number / 100 : number;
    if (!(whole >= 0 && whole <= 1))
        return false;
    *share = (int) (whole * SETTINGS_SHARE_WHOLE + 0.5);
    return true;
}

json_t *settings_take_share(SettingsReader *reader, const YamlNode *map, const char *key,
                            int otherwise)
{
    const YamlNode *node = yaml_get(map, key);
    int share = otherwise;
    if (!settings_absent(node) && !settings_parse_share(node, &share))
        settings_mistake(reader, node, "'%s' must be a share as 1%% or 0.01", key);
    return json_integer(share);
}

/* "256M" → bytes. */
json_t *settings_take_bytes(SettingsReader *reader, const YamlNode *map, const char *key)
{
    const YamlNode *node = yaml_get(map, key);
    if (settings_absent(node))
        return json_integer(0);
    static const char units[] = "KMGT";
    char *end = NULL;
    guint64 number = node->kind == YAML_SCALAR ? g_ascii_strtoull(node->text, &end, 10) : 0;
    const char *unit = end != NULL && *end != '\0' ? strchr(units, g_ascii_toupper(*end)) : NULL;
    bool good = end != NULL && end != node->text && number < (UINT64_C(1) << 40);
    if (good && unit != NULL) {
        number <<= 10 * (unit - units + 1);
        end++;
        if (g_str_equal(end, "i") || g_str_equal(end, "iB") || g_str_equal(end, "B"))
            end += strlen(end);
    }
    if (!good || *end != '\0' || number > (guint64) G_MAXINT64) {
        settings_mistake(reader, node, "'%s' must be a size as 256M or 1G", key);
        return json_integer(0);
    }
    return json_integer((json_int_t) number);
}

/* A list of texts; a single text is a list of one. */
json_t *settings_take_texts(SettingsReader *reader, const YamlNode *map, const char *key)
{
    const YamlNode *node = yaml_get(map, key);
    json_t *list = json_array();
    if (settings_absent(node))
        return list;
    if (node->kind == YAML_SCALAR) {
        json_array_append_new(list, json_stringn(node->text, node->length));
        return list;
    }
    if (node->kind != YAML_SEQUENCE) {
        settings_mistake(reader, node, "'%s' must be a list of texts", key);
        return list;
    }
    for (size_t i = 0; i < node->length; i++) {
        const YamlNode *item = node->items[i];
        if (item->kind == YAML_SCALAR)
            json_array_append_new(list, json_stringn(item->text, item->length));
        else
            settings_mistake(reader, item, "'%s' must be a list of texts", key);
    }
    return list;
}

/* {"KEY": "text"} */
json_t *settings_take_map(SettingsReader *reader, const YamlNode *map, const char *key)
{
    const YamlNode *node = yaml_get(map, key);
    json_t *object = json_object();
    if (settings_absent(node))
        return object;
    if (node->kind != YAML_MAPPING) {
        settings_mistake(reader, node, "'%s' must be a mapping of names to texts", key);
        return object;
    }
    for (size_t i = 0; i < node->length; i++) {
        const YamlNode *value = node->items[i];
        if (value->kind == YAML_SCALAR)
            json_object_set_new(object, node->keys[i]->text,
                                json_stringn(value->text, value->length));
        else
            settings_mistake(reader, value, "'%s.%s' must be text", key, node->keys[i]->text);
    }
    return object;
}

json_t *settings_to_json(SettingsReader *reader, const YamlNode *node, int depth)
{
    bool boolean;
    gint64 integer;
    if (depth > 20) {
        settings_mistake(reader, node, "nested too deeply");
        return json_null();
    }
    if (node->kind == YAML_MAPPING) {
        json_t *object = json_object();
        for (size_t i = 0; i < node->length; i++)
            json_object_set_new(object, node->keys[i]->text,
                                settings_to_json(reader, node->items[i], depth + 1));
        return object;
    }
    if (node->kind == YAML_SEQUENCE) {
        json_t *array = json_array();
        for (size_t i = 0; i < node->length; i++)
            json_array_append_new(array, settings_to_json(reader, node->items[i], depth + 1));
        return array;
    }
    if (yaml_is_null(node))
        return json_null();
    if (yaml_as_boolean(node, &boolean))
        return json_boolean(boolean);
    if (yaml_as_integer(node, &integer))
        return json_integer(integer);
    return json_stringn(node->text, node->length);
}
