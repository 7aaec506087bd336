#include "dialect/slipway/settings.h"

#include "base/error.h"
#include "dialect/slipway/settings_value.h"

#include <string.h>

static json_t *read_smoke_check(SettingsReader *reader, const YamlNode *node)
{
    static const char *const keys[] = {"get",    "post", "put",  "delete",  "head",
                                       "status", "json", "body", "headers", NULL};
    static const char *const methods[] = {"get", "post", "put", "delete", "head"};
    const char *method = NULL;
    const YamlNode *path = NULL;

    if (!settings_check_keys(reader, node, "a smoke test", keys))
        return json_object();
    for (size_t i = 0; i < G_N_ELEMENTS(methods); i++) {
        const YamlNode *found = yaml_get(node, methods[i]);
        if (found == NULL)
            continue;
        if (method != NULL)
            settings_mistake(reader, found, "a smoke test has one of get, post, put, delete, head");
        method = methods[i];
        path = found;
    }
    if (method == NULL || path->kind != YAML_SCALAR || path->text[0] != '/') {
        settings_mistake(reader, node, "a smoke test needs a path: `get: /health`");
        return json_object();
    }
    g_autofree char *upper = g_ascii_strup(method, -1);
    const YamlNode *body = yaml_get(node, "json");
    return json_pack("{s:s, s:s, s:o, s:o, s:o, s:o}", "method", upper, "path", path->text,
                     "status", settings_take_integer(reader, node, "status", 200, 100, 599), "body",
                     settings_take_text(reader, node, "body", NULL), "json",
                     settings_absent(body) ? json_null() : settings_to_json(reader, body, 0),
                     "headers", settings_take_map(reader, node, "headers"));
}

static json_t *read_smoke(SettingsReader *reader, const YamlNode *map)
{
    const YamlNode *node = yaml_get(map, "smoke");
    json_t *checks = json_array();
    if (settings_absent(node))
        return checks;
    if (node->kind != YAML_SEQUENCE) {
        settings_mistake(reader, node, "'smoke' must be a list of requests");
        return checks;
    }
    for (size_t i = 0; i < node->length; i++)
        json_array_append_new(checks, read_smoke_check(reader, node->items[i]));
    return checks;
}

static json_t *read_steps(SettingsReader *reader, const YamlNode *rollout, const char *strategy)
{
    const YamlNode *node = yaml_get(rollout, "steps");
    json_t *steps = json_array();
    if (settings_absent(node)) {
        if (g_str_equal(strategy, "canary"))
            json_array_append_new(steps, json_integer(SETTINGS_SHARE_WHOLE / 10));
        json_array_append_new(steps, json_integer(SETTINGS_SHARE_WHOLE));
        return steps;
    }
    int previous = 0;
    for (size_t i = 0; node->kind == YAML_SEQUENCE && i < node->length; i++) {
        int share = 0;
        if (!settings_parse_share(node->items[i], &share) || share <= previous)
            settings_mistake(reader, node->items[i],
                             "'steps' must be growing shares as [10%%, 50%%, 100%%]");
        previous = share;
        json_array_append_new(steps, json_integer(share));
    }
    if (previous != SETTINGS_SHARE_WHOLE)
        settings_mistake(reader, node, "'steps' must end with 100%%");
    return steps;
}

static json_t *read_rollout(SettingsReader *reader, const YamlNode *map)
{
    static const char *const keys[] = {"strategy", "steps", "hold", NULL};
    static const char *const strategies[] = {"blue-green", "canary", "rolling", NULL};
    const YamlNode *node = yaml_get(map, "rollout");
    settings_check_keys(reader, node, "'rollout'", keys);
    json_t *strategy = settings_take_choice(reader, node, "strategy", "blue-green", strategies);
    json_t *steps = read_steps(reader, node, json_string_value(strategy));
    return json_pack("{s:o, s:o, s:o}", "strategy", strategy, "steps", steps, "hold",
                     settings_take_duration(reader, node, "hold", "10s"));
}

static json_t *read_migrate(SettingsReader *reader, const YamlNode *map)
{
    static const char *const keys[] = {"tool", "dir", "database", "command", NULL};
    static const char *const tools[] = {"sql",     "command", "prisma", "laravel",
                                        "alembic", "django",  NULL};
    const YamlNode *node = yaml_get(map, "migrate");
    if (settings_absent(node))
        return json_null();
    settings_check_keys(reader, node, "'migrate'", keys);
    json_t *tool = settings_take_choice(reader, node, "tool", "sql", tools);
    json_t *command = settings_take_texts(reader, node, "command");
    if (g_str_equal(json_string_value(tool), "command") && json_array_size(command) == 0)
        settings_mistake(reader, node, "'migrate' with tool: command needs 'command'");
    if (g_str_equal(json_string_value(tool), "sql") && settings_absent(yaml_get(node, "database")))
        settings_mistake(reader, node,
                         "'migrate' with tool: sql needs 'database', the SQLite file inside "
                         "the container as /data/app.db");
    return json_pack("{s:o, s:o, s:o, s:o}", "tool", tool, "dir",
                     settings_take_text(reader, node, "dir", "migrations"), "database",
                     settings_take_text(reader, node, "database", NULL), "command", command);
}

static json_t *read_health(SettingsReader *reader, const YamlNode *map)
{
    static const char *const keys[] = {"get", "interval", "timeout", "passes", "start", NULL};
    const YamlNode *node = yaml_get(map, "health");
    settings_check_keys(reader, node, "'health'", keys);
    return json_pack("{s:o, s:o, s:o, s:o, s:o}", "get",
                     settings_take_text(reader, node, "get", NULL), "interval",
                     settings_take_duration(reader, node, "interval", "1s"), "timeout",
                     settings_take_duration(reader, node, "timeout", "2s"), "passes",
                     settings_take_integer(reader, node, "passes", 3, 1, 100), "start",
                     settings_take_duration(reader, node, "start", "30s"));
}

static json_t *read_resources(SettingsReader *reader, const YamlNode *map)
{
    static const char *const keys[] = {"cpus", "memory", "pids", NULL};
    const YamlNode *node = yaml_get(map, "resources");
    double cpus = 0;
    settings_check_keys(reader, node, "'resources'", keys);
    const YamlNode *cpus_node = yaml_get(node, "cpus");
    if (!settings_absent(cpus_node) &&
        (!yaml_as_number(cpus_node, &cpus) || cpus < 0.01 || cpus > 1024))
        settings_mistake(reader, cpus_node, "'cpus' must be a number as 0.5");
    return json_pack("{s:I, s:o, s:o}", "millicpus", (json_int_t) (cpus * 1000 + 0.5), "memory",
                     settings_take_bytes(reader, node, "memory"), "pids",
                     settings_take_integer(reader, node, "pids", 512, 1, 1 << 22));
}

static json_t *read_approve(SettingsReader *reader, const YamlNode *map, bool production)
{
    static const char *const keys[] = {"by", "count", "not", NULL};
    const YamlNode *node = yaml_get(map, "approve");
    bool asked = settings_check_keys(reader, node, "'approve'", keys) || production;
    json_t *excluded = settings_take_texts(reader, node, "not");
    size_t i;
    json_t *who;
    json_array_foreach(excluded, i, who) if (!g_str_equal(json_string_value(who), "author") &&
                                             !g_str_equal(json_string_value(who), "requester"))
        settings_mistake(reader, yaml_get(node, "not"), "'not' knows author and requester");
    /* Who asks for approval and says nothing of exclusions gets the safe form. */
    if (asked && (node == NULL || yaml_get(node, "not") == NULL)) {
        json_array_append_new(excluded, json_string("author"));
        json_array_append_new(excluded, json_string("requester"));
    }
    return json_pack(
        "{s:o, s:o, s:o}", "by", settings_take_texts(reader, node, "by"), "count",
        settings_take_integer(reader, node, "count", asked ? 1 : 0, production ? 1 : 0, 20), "not",
        excluded);
}

static json_t *read_environment(SettingsReader *reader, const YamlNode *node, const char *name,
                                int index)
{
    static const char *const keys[] = {
        "production", "after",   "target", "address", "port",     "container_port", "env",
        "secrets",    "volumes", "egress", "migrate", "health",   "resources",      "replicas",
        "smoke",      "approve", "watch",  "rollout", "rollback", "services",       NULL};
    static const char *const targets[] = {"local", NULL};
    static const char *const watch_keys[] = {"for", "errors", "slow", NULL};
    static const char *const rollback_keys[] = {"approve", "cache-flush", NULL};
    if (node != NULL)
        settings_check_keys(reader, node, "an environment", keys);
    const YamlNode *watch = yaml_get(node, "watch");
    settings_check_keys(reader, watch, "'watch'", watch_keys);
    const YamlNode *rollback = yaml_get(node, "rollback");
    settings_check_keys(reader, rollback, "'rollback'", rollback_keys);
    const YamlNode *services = yaml_get(node, "services");
    if (!settings_absent(services) && services->length > 0)
        settings_mistake(reader, services,
                         "'services' of an environment are not supported by target: local yet");

    bool by_name = g_str_equal(name, "production");
    json_t *production = settings_take_boolean(reader, node, "production", by_name);
    if (by_name && !json_is_true(production))
        settings_mistake(reader, node,
                         "an environment named production is one: a person is always asked");
    json_t *e = json_object();
    json_object_set_new(e, "production", production);
    json_object_set_new(e, "after", settings_take_text(reader, node, "after", NULL));
    json_object_set_new(e, "target",
                        settings_take_choice(reader, node, "target", "local", targets));
    json_object_set_new(e, "address", settings_take_text(reader, node, "address", "127.0.0.1"));
    json_object_set_new(e, "port",
                        settings_take_integer(reader, node, "port", 8080 + index, 1, 65535));
    json_object_set_new(e, "container_port",
                        settings_take_integer(reader, node, "container_port", 0, 0, 65535));
    json_object_set_new(e, "env", settings_take_map(reader, node, "env"));
    json_object_set_new(e, "secrets", settings_take_texts(reader, node, "secrets"));
    json_object_set_new(e, "volumes", settings_take_map(reader, node, "volumes"));
    json_object_set_new(e, "egress", settings_take_boolean(reader, node, "egress", false));
    json_object_set_new(e, "migrate", read_migrate(reader, node));
    json_object_set_new(e, "health", read_health(reader, node));
    json_object_set_new(e, "resources", read_resources(reader, node));
    json_object_set_new(e, "replicas", settings_take_integer(reader, node, "replicas", 1, 1, 100));
    json_object_set_new(e, "smoke", read_smoke(reader, node));
    json_object_set_new(e, "approve", read_approve(reader, node, json_is_true(production)));
    json_object_set_new(e, "rollout", read_rollout(reader, node));
    json_object_set_new(
        e, "watch",
        json_pack(
            "{s:o, s:o, s:o}", "for",
            settings_take_duration(reader, watch, "for", json_is_true(production) ? "60s" : "0s"),
            "errors", settings_take_share(reader, watch, "errors", SETTINGS_SHARE_WHOLE / 100),
            "slow", settings_take_duration(reader, watch, "slow", "0s")));
    json_object_set_new(e, "rollback",
                        json_pack("{s:o, s:o}", "approve",
                                  settings_take_texts(reader, rollback, "approve"), "cache-flush",
                                  settings_take_text(reader, rollback, "cache-flush", NULL)));
    return e;
}

/* What `after` names must exist, and nothing may come after itself. */
static void check_order(SettingsReader *reader, const YamlNode *map, const json_t *environments)
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
                settings_mistake(reader, at, "'%s' comes after '%s', which is no environment", name,
                                 after);
            after = json_string_value(json_object_get(next, "after"));
        }
        if (after != NULL)
            settings_mistake(reader, at, "'%s' comes after itself", name);
    }
}

static void check_ports(SettingsReader *reader, const YamlNode *map, const json_t *environments)
{
    g_autoptr(GHashTable) used = g_hash_table_new(NULL, NULL);
    const char *name;
    json_t *e;
    json_object_foreach((json_t *) environments, name, e)
    {
        gpointer port = GINT_TO_POINTER((int) json_integer_value(json_object_get(e, "port")));
        const char *other = g_hash_table_lookup(used, port);
        if (other != NULL)
            settings_mistake(reader, yaml_get(map, name), "'%s' and '%s' both listen on port %d",
                             other, name, GPOINTER_TO_INT(port));
        g_hash_table_insert(used, port, (gpointer) name);
    }
}

static json_t *read_environments(SettingsReader *reader, const YamlNode *root)
{
    const YamlNode *map = yaml_get(root, "environments");
    json_t *environments = json_object();
    if (settings_absent(map)) {
        json_object_set_new(environments, "staging", read_environment(reader, NULL, "staging", 1));
        json_t *production = read_environment(reader, NULL, "production", 0);
        json_object_set_new(production, "after", json_string("staging"));
        json_object_set_new(environments, "production", production);
        return environments;
    }
    if (map->kind != YAML_MAPPING || map->length == 0) {
        settings_mistake(reader, map, "'environments' must map names to settings");
        return environments;
    }
    for (size_t i = 0; i < map->length; i++) {
        const char *name = map->keys[i]->text;
        if (name == NULL || !g_regex_match_simple("^[a-z][a-z0-9-]{0,40}$", name, 0, 0))
            settings_mistake(reader, map->keys[i],
                             "an environment's name is lower-case letters, digits and '-'");
        else
            json_object_set_new(environments, name,
                                read_environment(reader, map->items[i], name, (int) i));
    }
    check_order(reader, map, environments);
    check_ports(reader, map, environments);
    return environments;
}

static json_t *read_checks(SettingsReader *reader, const YamlNode *root, json_t *test)
{
    static const char *const keys[] = {"tests", "coverage", NULL};
    static const char *const tests_keys[] = {"command", "min", NULL};
    static const char *const coverage_keys[] = {"report", "min", NULL};
    const YamlNode *node = yaml_get(root, "checks");
    settings_check_keys(reader, node, "'checks'", keys);
    const YamlNode *tests = yaml_get(node, "tests");
    const YamlNode *coverage = yaml_get(node, "coverage");
    settings_check_keys(reader, tests, "'checks.tests'", tests_keys);
    settings_check_keys(reader, coverage, "'checks.coverage'", coverage_keys);

    json_t *commands = settings_take_texts(reader, tests, "command");
    if (json_array_size(commands) == 0)
        json_array_extend(commands, test);
    json_t *checks =
        json_pack("{s:{s:o, s:o}}", "tests", "command", commands, "min",
                  settings_take_integer(reader, tests, "min", json_array_size(commands) > 0 ? 1 : 0,
                                        0, 1000000));
    if (!settings_absent(coverage)) {
        if (settings_absent(yaml_get(coverage, "report")))
            settings_mistake(reader, coverage,
                             "'checks.coverage' needs 'report', the Cobertura XML file");
        json_object_set_new(checks, "coverage",
                            json_pack("{s:o, s:o}", "report",
                                      settings_take_text(reader, coverage, "report", ""), "min",
                                      settings_take_integer(reader, coverage, "min", 0, 0, 100)));
    }
    return checks;
}

static json_t *read_gates(SettingsReader *reader, const YamlNode *root)
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
    settings_check_keys(reader, node, "'gates'", keys);
    const YamlNode *vulnerabilities = yaml_get(node, "vulnerabilities");
    settings_check_keys(reader, vulnerabilities, "'gates.vulnerabilities'", vulnerability_keys);

    json_t *signed_by = settings_take_texts(reader, node, "signed-by");
    if (node == NULL || yaml_get(node, "signed-by") == NULL)
        json_array_append_new(signed_by, json_string("ci"));
    return json_pack("{s:{s:o, s:o}, s:o, s:o, s:o, s:o, s:o}", "vulnerabilities", "fail-on",
                     settings_take_choice(reader, vulnerabilities, "fail-on", "high", severities),
                     "mode", settings_take_choice(reader, vulnerabilities, "mode", "stop", modes),
                     "secrets", settings_take_choice(reader, node, "secrets", "any", secrets),
                     "lint", settings_take_choice(reader, node, "lint", "error", lint), "signed-by",
                     signed_by, "sbom",
                     settings_take_choice(reader, node, "sbom", "required", needed), "provenance",
                     settings_take_choice(reader, node, "provenance", "required", needed));
}

static json_t *read_build(SettingsReader *reader, const YamlNode *root)
{
    static const char *const keys[] = {"context", "file", "target", "args", NULL};
    const YamlNode *node = yaml_get(root, "build");
    settings_check_keys(reader, node, "'build'", keys);
    return json_pack("{s:o, s:o, s:o, s:o}", "context",
                     settings_take_text(reader, node, "context", "."), "file",
                     settings_take_text(reader, node, "file", "Dockerfile"), "target",
                     settings_take_text(reader, node, "target", NULL), "args",
                     settings_take_map(reader, node, "args"));
}

/* `root: host` or `root: {image: REF}`; host is JSON null. */
static json_t *read_root(SettingsReader *reader, const YamlNode *root)
{
    static const char *const keys[] = {"image", NULL};
    const YamlNode *node = yaml_get(root, "root");
    if (settings_absent(node) || (node->kind == YAML_SCALAR && g_str_equal(node->text, "host")))
        return json_null();
    if (!settings_check_keys(reader, node, "'root' (host, or {image: …})", keys))
        return json_null();
    return settings_take_text(reader, node, "image", NULL);
}

static json_t *read_advisories(SettingsReader *reader, const YamlNode *root)
{
    static const char *const keys[] = {"uncovered", "max-age", NULL};
    static const char *const choices[] = {"deny", "allow", NULL};
    const YamlNode *node = yaml_get(root, "advisories");
    settings_check_keys(reader, node, "'advisories'", keys);
    return json_pack("{s:o, s:o}", "uncovered",
                     settings_take_choice(reader, node, "uncovered", "deny", choices), "max-age",
                     settings_take_duration(reader, node, "max-age", "7d"));
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

static json_t *read_project(SettingsReader *reader, const YamlNode *root,
                            const SettingsDefaults *defaults)
{
    static const char *const keys[] = {"project", "image",        "build",  "root",
                                       "lint",    "test",         "checks", "advisories",
                                       "gates",   "environments", NULL};
    if (root != NULL)
        settings_check_keys(reader, root, "slipway.yml", keys);
    g_autofree char *folder_name = usable_name(defaults->default_name);
    json_t *name = settings_take_text(reader, root, "project", folder_name);
    const char *text = json_string_value(name);
    if (text == NULL || !g_regex_match_simple("^[a-z0-9]+(-[a-z0-9]+)*$", text, 0, 0) ||
        strlen(text) > 60)
        settings_mistake(reader, yaml_get(root, "project"),
                         "'project' is lower-case letters, digits and '-'");
    g_autofree char *image = g_strconcat("registry.local/", text != NULL ? text : "", NULL);

    json_t *test = settings_take_texts(reader, root, "test");
    for (size_t i = 0; settings_absent(yaml_get(root, "test")) && defaults->test != NULL &&
                       defaults->test[i] != NULL;
         i++)
        json_array_append_new(test, json_string(defaults->test[i]));

    json_t *project = json_object();
    json_object_set_new(project, "project", name);
    json_object_set_new(project, "image", settings_take_text(reader, root, "image", image));
    json_object_set_new(project, "build", read_build(reader, root));
    json_object_set_new(project, "root", read_root(reader, root));
    json_object_set_new(project, "lint", settings_take_texts(reader, root, "lint"));
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
        if (yaml_document_count(document) == 1 && !settings_absent(yaml_root(document, 0)))
            root = yaml_root(document, 0);
    }
    SettingsReader reader = {.file = defaults->file, .mistakes = g_string_new(NULL)};
    json_t *project = read_project(&reader, root, defaults);
    g_autofree char *mistakes = g_string_free(reader.mistakes, FALSE);
    if (reader.count == 0)
        return project;
    json_decref(project);
    g_set_error_literal(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID, mistakes);
    return NULL;
}
