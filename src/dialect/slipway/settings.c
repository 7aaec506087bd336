#include "dialect/slipway/settings.h"

#include "base/clock.h"
#include "base/error.h"
#include "format/yaml.h"

#include <stdarg.h>
#include <string.h>

#define SHARE_WHOLE 10000 /* shares and rates are kept in 1/10000: the normal form has no reals */
#define MAX_MISTAKES 20

typedef struct {
    const char *file;
    GString *mistakes;
    int count;
} Reader;

static void G_GNUC_PRINTF(3, 4) mistake(Reader *reader, const YamlNode *at, const char *format, ...)
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
static bool check_keys(Reader *reader, const YamlNode *map, const char *where,
                       const char *const *allowed)
{
    if (map == NULL)
        return false;
    if (map->kind != YAML_MAPPING) {
        if (!yaml_is_null(map))
            mistake(reader, map, "%s must be a mapping of keys to values", where);
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
            mistake(reader, map->keys[i], "unknown key '%s' in %s; did you mean '%s'?", key, where,
                    nearest);
        else {
            g_autofree char *list = g_strjoinv(", ", (char **) allowed);
            mistake(reader, map->keys[i], "unknown key '%s' in %s; known: %s",
                    key != NULL ? key : "", where, list);
        }
    }
    return true;
}

static bool absent(const YamlNode *node)
{
    return node == NULL || (node->kind == YAML_SCALAR && yaml_is_null(node));
}

/* ---- single values; each gives OTHERWISE (may be NULL → JSON null) when the key is absent ---- */

static json_t *take_text(Reader *reader, const YamlNode *map, const char *key,
                         const char *otherwise)
{
    const YamlNode *node = yaml_get(map, key);
    if (absent(node))
        return otherwise != NULL ? json_string(otherwise) : json_null();
    if (node->kind != YAML_SCALAR) {
        mistake(reader, node, "'%s' must be text", key);
        return json_null();
    }
    return json_stringn(node->text, node->length);
}

static json_t *take_boolean(Reader *reader, const YamlNode *map, const char *key, bool otherwise)
{
    const YamlNode *node = yaml_get(map, key);
    bool value = otherwise;
    if (!absent(node) && !yaml_as_boolean(node, &value))
        mistake(reader, node, "'%s' must be true or false", key);
    return json_boolean(value);
}

static json_t *take_integer(Reader *reader, const YamlNode *map, const char *key, gint64 otherwise,
                            gint64 low, gint64 high)
{
    const YamlNode *node = yaml_get(map, key);
    gint64 value = otherwise;
    if (!absent(node) && (!yaml_as_integer(node, &value) || value < low || value > high)) {
        mistake(reader, node,
                "'%s' must be a whole number from %" G_GINT64_FORMAT " to %" G_GINT64_FORMAT, key,
                low, high);
        value = otherwise;
    }
    return json_integer(value);
}

static json_t *take_duration(Reader *reader, const YamlNode *map, const char *key,
                             const char *otherwise)
{
    const YamlNode *node = yaml_get(map, key);
    int64_t value;
    if (absent(node))
        return json_string(otherwise);
    if (node->kind != YAML_SCALAR || !clock_parse_duration(node->text, &value, NULL)) {
        mistake(reader, node, "'%s' must be a duration as 500ms, 10s, 5m, 2h or 7d", key);
        return json_string(otherwise);
    }
    return json_string(node->text);
}

static json_t *take_choice(Reader *reader, const YamlNode *map, const char *key,
                           const char *otherwise, const char *const *choices)
{
    const YamlNode *node = yaml_get(map, key);
    if (absent(node))
        return json_string(otherwise);
    if (node->kind == YAML_SCALAR && g_strv_contains(choices, node->text))
        return json_string(node->text);
    g_autofree char *list = g_strjoinv(", ", (char **) choices);
    mistake(reader, node, "'%s' must be one of: %s", key, list);
    return json_string(otherwise);
}

/* "10%" or 0.1 → 1000. */
static bool parse_share(const YamlNode *node, int *share)
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
    *share = (int) (whole * SHARE_WHOLE + 0.5);
    return true;
}

static json_t *take_share(Reader *reader, const YamlNode *map, const char *key, int otherwise)
{
    const YamlNode *node = yaml_get(map, key);
    int share = otherwise;
    if (!absent(node) && !parse_share(node, &share))
        mistake(reader, node, "'%s' must be a share as 1%% or 0.01", key);
    return json_integer(share);
}

/* "256M" → bytes. */
static json_t *take_bytes(Reader *reader, const YamlNode *map, const char *key)
{
    const YamlNode *node = yaml_get(map, key);
    if (absent(node))
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
        mistake(reader, node, "'%s' must be a size as 256M or 1G", key);
        return json_integer(0);
    }
    return json_integer((json_int_t) number);
}

/* A list of texts; a single text is a list of one. */
static json_t *take_texts(Reader *reader, const YamlNode *map, const char *key)
{
    const YamlNode *node = yaml_get(map, key);
    json_t *list = json_array();
    if (absent(node))
        return list;
    if (node->kind == YAML_SCALAR) {
        json_array_append_new(list, json_stringn(node->text, node->length));
        return list;
    }
    if (node->kind != YAML_SEQUENCE) {
        mistake(reader, node, "'%s' must be a list of texts", key);
        return list;
    }
    for (size_t i = 0; i < node->length; i++) {
        const YamlNode *item = node->items[i];
        if (item->kind == YAML_SCALAR)
            json_array_append_new(list, json_stringn(item->text, item->length));
        else
            mistake(reader, item, "'%s' must be a list of texts", key);
    }
    return list;
}

/* {"KEY": "text"} */
static json_t *take_map(Reader *reader, const YamlNode *map, const char *key)
{
    const YamlNode *node = yaml_get(map, key);
    json_t *object = json_object();
    if (absent(node))
        return object;
    if (node->kind != YAML_MAPPING) {
        mistake(reader, node, "'%s' must be a mapping of names to texts", key);
        return object;
    }
    for (size_t i = 0; i < node->length; i++) {
        const YamlNode *value = node->items[i];
        if (value->kind == YAML_SCALAR)
            json_object_set_new(object, node->keys[i]->text,
                                json_stringn(value->text, value->length));
        else
            mistake(reader, value, "'%s.%s' must be text", key, node->keys[i]->text);
    }
    return object;
}

/* ---- JSON out of YAML, for the bodies that smoke tests compare ---- */

static json_t *to_json(Reader *reader, const YamlNode *node, int depth)
{
    bool boolean;
    gint64 integer;
    if (depth > 20) {
        mistake(reader, node, "nested too deeply");
        return json_null();
    }
    if (node->kind == YAML_MAPPING) {
        json_t *object = json_object();
        for (size_t i = 0; i < node->length; i++)
            json_object_set_new(object, node->keys[i]->text,
                                to_json(reader, node->items[i], depth + 1));
        return object;
    }
    if (node->kind == YAML_SEQUENCE) {
        json_t *array = json_array();
        for (size_t i = 0; i < node->length; i++)
            json_array_append_new(array, to_json(reader, node->items[i], depth + 1));
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

/* ---- the blocks ---- */

static json_t *read_smoke_check(Reader *reader, const YamlNode *node)
{
    static const char *const keys[] = {"get",    "post", "put",  "delete",  "head",
                                       "status", "json", "body", "headers", NULL};
    static const char *const methods[] = {"get", "post", "put", "delete", "head"};
    const char *method = NULL;
    const YamlNode *path = NULL;

    if (!check_keys(reader, node, "a smoke test", keys))
        return json_object();
    for (size_t i = 0; i < G_N_ELEMENTS(methods); i++) {
        const YamlNode *found = yaml_get(node, methods[i]);
        if (found == NULL)
            continue;
        if (method != NULL)
            mistake(reader, found, "a smoke test has one of get, post, put, delete, head");
        method = methods[i];
        path = found;
    }
    if (method == NULL || path->kind != YAML_SCALAR || path->text[0] != '/') {
        mistake(reader, node, "a smoke test needs a path: `get: /health`");
        return json_object();
    }
    g_autofree char *upper = g_ascii_strup(method, -1);
    const YamlNode *body = yaml_get(node, "json");
    return json_pack("{s:s, s:s, s:o, s:o, s:o, s:o}", "method", upper, "path", path->text,
                     "status", take_integer(reader, node, "status", 200, 100, 599), "body",
                     take_text(reader, node, "body", NULL), "json",
                     absent(body) ? json_null() : to_json(reader, body, 0), "headers",
                     take_map(reader, node, "headers"));
}

static json_t *read_smoke(Reader *reader, const YamlNode *map)
{
    const YamlNode *node = yaml_get(map, "smoke");
    json_t *checks = json_array();
    if (absent(node))
        return checks;
    if (node->kind != YAML_SEQUENCE) {
        mistake(reader, node, "'smoke' must be a list of requests");
        return checks;
    }
    for (size_t i = 0; i < node->length; i++)
        json_array_append_new(checks, read_smoke_check(reader, node->items[i]));
    return checks;
}

static json_t *read_steps(Reader *reader, const YamlNode *rollout, const char *strategy)
{
    const YamlNode *node = yaml_get(rollout, "steps");
    json_t *steps = json_array();
    if (absent(node)) {
        if (g_str_equal(strategy, "canary"))
            json_array_append_new(steps, json_integer(SHARE_WHOLE / 10));
        json_array_append_new(steps, json_integer(SHARE_WHOLE));
        return steps;
    }
    int previous = 0;
    for (size_t i = 0; node->kind == YAML_SEQUENCE && i < node->length; i++) {
        int share = 0;
        if (!parse_share(node->items[i], &share) || share <= previous)
            mistake(reader, node->items[i],
                    "'steps' must be growing shares as [10%%, 50%%, 100%%]");
        previous = share;
        json_array_append_new(steps, json_integer(share));
    }
    if (previous != SHARE_WHOLE)
        mistake(reader, node, "'steps' must end with 100%%");
    return steps;
}

static json_t *read_rollout(Reader *reader, const YamlNode *map)
{
    static const char *const keys[] = {"strategy", "steps", "hold", NULL};
    static const char *const strategies[] = {"blue-green", "canary", "rolling", NULL};
    const YamlNode *node = yaml_get(map, "rollout");
    check_keys(reader, node, "'rollout'", keys);
    json_t *strategy = take_choice(reader, node, "strategy", "blue-green", strategies);
    json_t *steps = read_steps(reader, node, json_string_value(strategy));
    return json_pack("{s:o, s:o, s:o}", "strategy", strategy, "steps", steps, "hold",
                     take_duration(reader, node, "hold", "10s"));
}

static json_t *read_migrate(Reader *reader, const YamlNode *map)
{
    static const char *const keys[] = {"tool", "dir", "database", "command", NULL};
    static const char *const tools[] = {"sql",     "command", "prisma", "laravel",
                                        "alembic", "django",  NULL};
    const YamlNode *node = yaml_get(map, "migrate");
    if (absent(node))
        return json_null();
    check_keys(reader, node, "'migrate'", keys);
    json_t *tool = take_choice(reader, node, "tool", "sql", tools);
    json_t *command = take_texts(reader, node, "command");
    if (g_str_equal(json_string_value(tool), "command") && json_array_size(command) == 0)
        mistake(reader, node, "'migrate' with tool: command needs 'command'");
    if (g_str_equal(json_string_value(tool), "sql") && absent(yaml_get(node, "database")))
        mistake(reader, node,
                "'migrate' with tool: sql needs 'database', the SQLite file inside "
                "the container as /data/app.db");
    return json_pack("{s:o, s:o, s:o, s:o}", "tool", tool, "dir",
                     take_text(reader, node, "dir", "migrations"), "database",
                     take_text(reader, node, "database", NULL), "command", command);
}

static json_t *read_health(Reader *reader, const YamlNode *map)
{
    static const char *const keys[] = {"get", "interval", "timeout", "passes", "start", NULL};
    const YamlNode *node = yaml_get(map, "health");
    check_keys(reader, node, "'health'", keys);
    return json_pack("{s:o, s:o, s:o, s:o, s:o}", "get", take_text(reader, node, "get", NULL),
                     "interval", take_duration(reader, node, "interval", "1s"), "timeout",
                     take_duration(reader, node, "timeout", "2s"), "passes",
                     take_integer(reader, node, "passes", 3, 1, 100), "start",
                     take_duration(reader, node, "start", "30s"));
}

static json_t *read_resources(Reader *reader, const YamlNode *map)
{
    static const char *const keys[] = {"cpus", "memory", "pids", NULL};
    const YamlNode *node = yaml_get(map, "resources");
    double cpus = 0;
    check_keys(reader, node, "'resources'", keys);
    const YamlNode *cpus_node = yaml_get(node, "cpus");
    if (!absent(cpus_node) && (!yaml_as_number(cpus_node, &cpus) || cpus < 0.01 || cpus > 1024))
        mistake(reader, cpus_node, "'cpus' must be a number as 0.5");
    return json_pack("{s:I, s:o, s:o}", "millicpus", (json_int_t) (cpus * 1000 + 0.5), "memory",
                     take_bytes(reader, node, "memory"), "pids",
                     take_integer(reader, node, "pids", 512, 1, 1 << 22));
}

static json_t *read_approve(Reader *reader, const YamlNode *map, bool production)
{
    static const char *const keys[] = {"by", "count", "not", NULL};
    const YamlNode *node = yaml_get(map, "approve");
    bool asked = check_keys(reader, node, "'approve'", keys) || production;
    json_t *excluded = take_texts(reader, node, "not");
    size_t i;
    json_t *who;
    json_array_foreach(excluded, i, who) if (!g_str_equal(json_string_value(who), "author") &&
                                             !g_str_equal(json_string_value(who), "requester"))
        mistake(reader, yaml_get(node, "not"), "'not' knows author and requester");
    /* Who asks for approval and says nothing of exclusions gets the safe form. */
    if (asked && (node == NULL || yaml_get(node, "not") == NULL)) {
        json_array_append_new(excluded, json_string("author"));
        json_array_append_new(excluded, json_string("requester"));
    }
    return json_pack("{s:o, s:o, s:o}", "by", take_texts(reader, node, "by"), "count",
                     take_integer(reader, node, "count", asked ? 1 : 0, production ? 1 : 0, 20),
                     "not", excluded);
}

static json_t *read_environment(Reader *reader, const YamlNode *node, const char *name, int index)
{
    static const char *const keys[] = {
        "production", "after",   "target", "address", "port",     "container_port", "env",
        "secrets",    "volumes", "egress", "migrate", "health",   "resources",      "replicas",
        "smoke",      "approve", "watch",  "rollout", "rollback", "services",       NULL};
    static const char *const targets[] = {"local", NULL};
    static const char *const watch_keys[] = {"for", "errors", "slow", NULL};
    static const char *const rollback_keys[] = {"approve", "cache-flush", NULL};
    if (node != NULL)
        check_keys(reader, node, "an environment", keys);
    const YamlNode *watch = yaml_get(node, "watch");
    check_keys(reader, watch, "'watch'", watch_keys);
    const YamlNode *rollback = yaml_get(node, "rollback");
    check_keys(reader, rollback, "'rollback'", rollback_keys);
    const YamlNode *services = yaml_get(node, "services");
    if (!absent(services) && services->length > 0)
        mistake(reader, services,
                "'services' of an environment are not supported by target: local yet");

    bool by_name = g_str_equal(name, "production");
    json_t *production = take_boolean(reader, node, "production", by_name);
    if (by_name && !json_is_true(production))
        mistake(reader, node, "an environment named production is one: a person is always asked");
    json_t *e = json_object();
    json_object_set_new(e, "production", production);
    json_object_set_new(e, "after", take_text(reader, node, "after", NULL));
    json_object_set_new(e, "target", take_choice(reader, node, "target", "local", targets));
    json_object_set_new(e, "address", take_text(reader, node, "address", "127.0.0.1"));
    json_object_set_new(e, "port", take_integer(reader, node, "port", 8080 + index, 1, 65535));
    json_object_set_new(e, "container_port",
                        take_integer(reader, node, "container_port", 0, 0, 65535));
    json_object_set_new(e, "env", take_map(reader, node, "env"));
    json_object_set_new(e, "secrets", take_texts(reader, node, "secrets"));
    json_object_set_new(e, "volumes", take_map(reader, node, "volumes"));
    json_object_set_new(e, "egress", take_boolean(reader, node, "egress", false));
    json_object_set_new(e, "migrate", read_migrate(reader, node));
    json_object_set_new(e, "health", read_health(reader, node));
    json_object_set_new(e, "resources", read_resources(reader, node));
    json_object_set_new(e, "replicas", take_integer(reader, node, "replicas", 1, 1, 100));
    json_object_set_new(e, "smoke", read_smoke(reader, node));
    json_object_set_new(e, "approve", read_approve(reader, node, json_is_true(production)));
    json_object_set_new(e, "rollout", read_rollout(reader, node));
    json_object_set_new(
        e, "watch",
        json_pack("{s:o, s:o, s:o}", "for",
                  take_duration(reader, watch, "for", json_is_true(production) ? "60s" : "0s"),
                  "errors", take_share(reader, watch, "errors", SHARE_WHOLE / 100), "slow",
                  take_duration(reader, watch, "slow", "0s")));
    json_object_set_new(e, "rollback",
                        json_pack("{s:o, s:o}", "approve", take_texts(reader, rollback, "approve"),
                                  "cache-flush", take_text(reader, rollback, "cache-flush", NULL)));
    return e;
}

/* What `after` names must exist, and nothing may come after itself. */
static void check_order(Reader *reader, const YamlNode *map, const json_t *environments)
{
    const char *name;
    json_t *e;
    json_object_foreach((json_t *) environments, name, e)
    {
        const YamlNode *at = yaml_get(map, name);
        const char *after = json_string_value(json_object_get(e, "after"));
        size_t hops = 0;
        while (after != NULL && hops++ <= json_object_size(environments)) {
            const json_t *next = json_object_get(environments, after);
            if (next == NULL)
                mistake(reader, at, "'%s' comes after '%s', which is no environment", name, after);
            after = json_string_value(json_object_get(next, "after"));
        }
        if (after != NULL)
            mistake(reader, at, "'%s' comes after itself", name);
    }
}

static void check_ports(Reader *reader, const YamlNode *map, const json_t *environments)
{
    g_autoptr(GHashTable) used = g_hash_table_new(NULL, NULL);
    const char *name;
    json_t *e;
    json_object_foreach((json_t *) environments, name, e)
    {
        gpointer port = GINT_TO_POINTER((int) json_integer_value(json_object_get(e, "port")));
        const char *other = g_hash_table_lookup(used, port);
        if (other != NULL)
            mistake(reader, yaml_get(map, name), "'%s' and '%s' both listen on port %d", other,
                    name, GPOINTER_TO_INT(port));
        g_hash_table_insert(used, port, (gpointer) name);
    }
}

static json_t *read_environments(Reader *reader, const YamlNode *root)
{
    const YamlNode *map = yaml_get(root, "environments");
    json_t *environments = json_object();
    if (absent(map)) {
        json_object_set_new(environments, "staging", read_environment(reader, NULL, "staging", 1));
        json_t *production = read_environment(reader, NULL, "production", 0);
        json_object_set_new(production, "after", json_string("staging"));
        json_object_set_new(environments, "production", production);
        return environments;
    }
    if (map->kind != YAML_MAPPING || map->length == 0) {
        mistake(reader, map, "'environments' must map names to settings");
        return environments;
    }
    for (size_t i = 0; i < map->length; i++) {
        const char *name = map->keys[i]->text;
        if (name == NULL || !g_regex_match_simple("^[a-z][a-z0-9-]{0,40}$", name, 0, 0))
            mistake(reader, map->keys[i],
                    "an environment's name is lower-case letters, digits and '-'");
        else
            json_object_set_new(environments, name,
                                read_environment(reader, map->items[i], name, (int) i));
    }
    check_order(reader, map, environments);
    check_ports(reader, map, environments);
    return environments;
}

static json_t *read_checks(Reader *reader, const YamlNode *root, json_t *test)
{
    static const char *const keys[] = {"tests", "coverage", NULL};
    static const char *const tests_keys[] = {"command", "min", NULL};
    static const char *const coverage_keys[] = {"report", "min", NULL};
    const YamlNode *node = yaml_get(root, "checks");
    check_keys(reader, node, "'checks'", keys);
    const YamlNode *tests = yaml_get(node, "tests");
    const YamlNode *coverage = yaml_get(node, "coverage");
    check_keys(reader, tests, "'checks.tests'", tests_keys);
    check_keys(reader, coverage, "'checks.coverage'", coverage_keys);

    json_t *commands = take_texts(reader, tests, "command");
    if (json_array_size(commands) == 0)
        json_array_extend(commands, test);
    json_t *checks = json_pack(
        "{s:{s:o, s:o}}", "tests", "command", commands, "min",
        take_integer(reader, tests, "min", json_array_size(commands) > 0 ? 1 : 0, 0, 1000000));
    if (!absent(coverage)) {
        if (absent(yaml_get(coverage, "report")))
            mistake(reader, coverage, "'checks.coverage' needs 'report', the Cobertura XML file");
        json_object_set_new(checks, "coverage",
                            json_pack("{s:o, s:o}", "report",
                                      take_text(reader, coverage, "report", ""), "min",
                                      take_integer(reader, coverage, "min", 0, 0, 100)));
    }
    return checks;
}

static json_t *read_gates(Reader *reader, const YamlNode *root)
{
    static const char *const keys[] = {"vulnerabilities", "secrets", "lint", "signed-by", "sbom",
                                       "provenance",      NULL};
    static const char *const vulnerability_keys[] = {"fail-on", "mode", NULL};
    static const char *const severities[] = {"critical", "high", "medium", "low", NULL};
    static const char *const modes[] = {"stop", "warn", NULL};
    static const char *const secrets[] = {"any", "off", NULL};
    static const char *const lint[] = {"error", "warning", "info", "off", NULL};
    static const char *const needed[] = {"required", "optional", NULL};
    const YamlNode *node = yaml_get(root, "gates");
    check_keys(reader, node, "'gates'", keys);
    const YamlNode *vulnerabilities = yaml_get(node, "vulnerabilities");
    check_keys(reader, vulnerabilities, "'gates.vulnerabilities'", vulnerability_keys);

    json_t *signed_by = take_texts(reader, node, "signed-by");
    if (node == NULL || yaml_get(node, "signed-by") == NULL)
        json_array_append_new(signed_by, json_string("ci"));
    return json_pack("{s:{s:o, s:o}, s:o, s:o, s:o, s:o, s:o}", "vulnerabilities", "fail-on",
                     take_choice(reader, vulnerabilities, "fail-on", "high", severities), "mode",
                     take_choice(reader, vulnerabilities, "mode", "stop", modes), "secrets",
                     take_choice(reader, node, "secrets", "any", secrets), "lint",
                     take_choice(reader, node, "lint", "error", lint), "signed-by", signed_by,
                     "sbom", take_choice(reader, node, "sbom", "required", needed), "provenance",
                     take_choice(reader, node, "provenance", "required", needed));
}

static json_t *read_build(Reader *reader, const YamlNode *root)
{
    static const char *const keys[] = {"context", "file", "target", "args", NULL};
    const YamlNode *node = yaml_get(root, "build");
    check_keys(reader, node, "'build'", keys);
    return json_pack("{s:o, s:o, s:o, s:o}", "context", take_text(reader, node, "context", "."),
                     "file", take_text(reader, node, "file", "Dockerfile"), "target",
                     take_text(reader, node, "target", NULL), "args",
                     take_map(reader, node, "args"));
}

/* `root: host` or `root: {image: REF}`; host is JSON null. */
static json_t *read_root(Reader *reader, const YamlNode *root)
{
    static const char *const keys[] = {"image", NULL};
    const YamlNode *node = yaml_get(root, "root");
    if (absent(node) || (node->kind == YAML_SCALAR && g_str_equal(node->text, "host")))
        return json_null();
    if (!check_keys(reader, node, "'root' (host, or {image: …})", keys))
        return json_null();
    return take_text(reader, node, "image", NULL);
}

static json_t *read_advisories(Reader *reader, const YamlNode *root)
{
    static const char *const keys[] = {"uncovered", "max-age", NULL};
    static const char *const choices[] = {"deny", "allow", NULL};
    const YamlNode *node = yaml_get(root, "advisories");
    check_keys(reader, node, "'advisories'", keys);
    return json_pack("{s:o, s:o}", "uncovered",
                     take_choice(reader, node, "uncovered", "deny", choices), "max-age",
                     take_duration(reader, node, "max-age", "7d"));
}

/* The name as an image and unit name may hold it. */
static char *usable_name(const char *name)
{
    GString *clean = g_string_new(NULL);
    for (const char *c = name; *c != '\0' && clean->len < 60; c++) {
        char lower = g_ascii_tolower(*c);
        if (g_ascii_isalnum(lower))
            g_string_append_c(clean, lower);
        else if (clean->len > 0 && clean->str[clean->len - 1] != '-')
            g_string_append_c(clean, '-');
    }
    if (clean->len > 0 && clean->str[clean->len - 1] == '-')
        g_string_truncate(clean, clean->len - 1);
    return clean->len > 0 ? g_string_free(clean, FALSE)
                          : (g_string_free(clean, TRUE), g_strdup("project"));
}

static json_t *read_project(Reader *reader, const YamlNode *root, const SettingsDefaults *defaults)
{
    static const char *const keys[] = {"project", "image",        "build",  "root",
                                       "lint",    "test",         "checks", "advisories",
                                       "gates",   "environments", NULL};
    if (root != NULL)
        check_keys(reader, root, "slipway.yml", keys);
    g_autofree char *folder_name = usable_name(defaults->default_name);
    json_t *name = take_text(reader, root, "project", folder_name);
    const char *text = json_string_value(name);
    if (text == NULL || !g_regex_match_simple("^[a-z0-9]+(-[a-z0-9]+)*$", text, 0, 0) ||
        strlen(text) > 60)
        mistake(reader, yaml_get(root, "project"),
                "'project' is lower-case letters, digits and '-'");
    g_autofree char *image = g_strconcat("registry.local/", text != NULL ? text : "", NULL);

    json_t *test = take_texts(reader, root, "test");
    for (size_t i = 0;
         absent(yaml_get(root, "test")) && defaults->test != NULL && defaults->test[i] != NULL; i++)
        json_array_append_new(test, json_string(defaults->test[i]));

    json_t *project = json_object();
    json_object_set_new(project, "project", name);
    json_object_set_new(project, "image", take_text(reader, root, "image", image));
    json_object_set_new(project, "build", read_build(reader, root));
    json_object_set_new(project, "root", read_root(reader, root));
    json_object_set_new(project, "lint", take_texts(reader, root, "lint"));
    json_object_set_new(project, "test", test);
    json_object_set_new(project, "checks", read_checks(reader, root, test));
    json_object_set_new(project, "advisories", read_advisories(reader, root));
    json_object_set_new(project, "gates", read_gates(reader, root));
    json_object_set_new(project, "environments", read_environments(reader, root));
    return project;
}

json_t *settings_parse(const char *text, size_t length, const SettingsDefaults *defaults,
                       GError **error)
{
    g_autoptr(YamlDocument) document = NULL;
    const YamlNode *root = NULL;
    if (text != NULL) {
        document = yaml_parse(defaults->file, text, length, error);
        if (document == NULL)
            return NULL;
        if (yaml_document_count(document) > 1) {
            g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID, "%s: more than one document",
                        defaults->file);
            return NULL;
        }
        if (yaml_document_count(document) == 1 && !absent(yaml_root(document, 0)))
            root = yaml_root(document, 0);
    }
    Reader reader = {.file = defaults->file, .mistakes = g_string_new(NULL)};
    json_t *project = read_project(&reader, root, defaults);
    g_autofree char *mistakes = g_string_free(reader.mistakes, FALSE);
    if (reader.count == 0)
        return project;
    json_decref(project);
    g_set_error_literal(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID, mistakes);
    return NULL;
}
