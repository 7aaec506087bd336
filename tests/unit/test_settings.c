#include "base/error.h"
#include "dialect/slipway/settings.h"
#include "format/json.h"

#include <string.h>

typedef struct {
    const char *label, *text;
    const char *message; /* NULL: it reads */
} Case;

static const Case cases[] = {
    {"empty", "", NULL},
    {"unknown-key", "projct: x\n",
     "slipway.yml:1:1: unknown key 'projct' in slipway.yml; did you mean 'project'?"},
    {"unknown-nested", "environments:\n  staging:\n    helth: {}\n",
     "slipway.yml:3:5: unknown key 'helth' in an environment; did you mean 'health'?"},
    {"bad-name", "project: Orders!\n",
     "slipway.yml:1:10: 'project' is lower-case letters, digits and '-'"},
    {"bad-duration", "environments:\n  staging:\n    health: {interval: soon}\n",
     "slipway.yml:3:24: 'interval' must be a duration as 500ms, 10s, 5m, 2h or 7d"},
    {"bad-port", "environments:\n  staging: {port: 70000}\n",
     "slipway.yml:2:19: 'port' must be a whole number from 1 to 65535"},
    {"same-port", "environments:\n  a: {port: 1}\n  b: {port: 1}\n",
     "slipway.yml:3:6: 'a' and 'b' both listen on port 1"},
    {"after-nothing", "environments:\n  a: {after: z}\n",
     "slipway.yml:2:6: 'a' comes after 'z', which is no environment"},
    {"circle", "environments:\n  a: {after: b, port: 1}\n  b: {after: a, port: 2}\n",
     "slipway.yml:2:6: 'a' comes after itself\nslipway.yml:3:6: 'b' comes after itself"},
    {"steps-shrink", "environments:\n  a: {rollout: {steps: [50%, 10%, 100%]}}\n",
     "slipway.yml:2:30: 'steps' must be growing shares as [10%, 50%, 100%]"},
    {"steps-end", "environments:\n  a: {rollout: {steps: [10%]}}\n",
     "slipway.yml:2:24: 'steps' must end with 100%"},
    {"smoke-method", "environments:\n  a: {smoke: [{status: 200}]}\n",
     "slipway.yml:2:15: a smoke test needs a path: `get: /health`"},
    {"production-asks", "environments:\n  production: {production: false}\n",
     "slipway.yml:2:15: an environment named production is one: a person is always asked"},
    {"gate-word", "gates: {lint: strict}\n",
     "slipway.yml:1:15: 'lint' must be one of: error, warning, info, off"},
    {"two-mistakes", "a: 1\ntest: {}\n",
     "slipway.yml:1:1: unknown key 'a' in slipway.yml; known: project, image, build, root, lint, "
     "test, checks, "
     "advisories, gates, environments\nslipway.yml:2:7: 'test' must be a list of texts"},
    {"sql-database", "environments:\n  a: {migrate: {tool: sql}}\n",
     "slipway.yml:2:16: 'migrate' with tool: sql needs 'database', the SQLite file inside the "
     "container as /data/app.db"},
};

static json_t *parse(const char *text, GError **error)
{
    static const char *const test[] = {"make test", NULL};
    SettingsDefaults defaults = {.file = "slipway.yml", .default_name = "My Shop", .test = test};
    return settings_parse(text, text != NULL ? strlen(text) : 0, &defaults, error);
}

static void test_case(const void *data)
{
    const Case *c = data;
    g_autoptr(GError) error = NULL;
    g_autoptr(json_t) settings = parse(c->text, &error);
    g_assert_cmpstr(error != NULL ? error->message : NULL, ==, c->message);
    g_assert_true((settings != NULL) == (c->message == NULL));
}

/* Without a file the defaults serve a small web service: staging, then production with a person. */
static void test_defaults(void)
{
    g_autoptr(json_t) settings = parse(NULL, NULL);
    const json_t *environments = json_object_get(settings, "environments");
    const json_t *production = json_object_get(environments, "production");
    const json_t *approve = json_object_get(production, "approve");
    g_assert_cmpstr(json_get_string(settings, "project"), ==, "my-shop");
    g_assert_cmpstr(json_get_string(settings, "image"), ==, "registry.local/my-shop");
    g_assert_cmpstr(json_get_string(production, "after"), ==, "staging");
    g_assert_cmpint(json_get_integer(approve, "count", 0), ==, 1);
    g_assert_cmpuint(json_array_size(json_object_get(approve, "not")), ==, 2);
    g_assert_cmpstr(
        json_string_value(json_array_get(
            json_object_get(json_object_get(json_object_get(settings, "checks"), "tests"),
                            "command"),
            0)),
        ==, "make test");
}

/* The normal form holds no reals: it can be written canonically. */
static void test_canonical(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(json_t) settings = parse("environments:\n  a: {resources: {cpus: 0.5, memory: 256M}, "
                                       "watch: {errors: 0.5%}, rollout: {steps: [5%, 100%]}}\n",
                                       &error);
    g_assert_no_error(error);
    g_autofree char *text = json_canonical(settings, &error);
    g_assert_no_error(error);
    g_assert_nonnull(strstr(text, "\"millicpus\":500"));
    g_assert_nonnull(strstr(text, "\"memory\":268435456"));
    g_assert_nonnull(strstr(text, "\"errors\":50"));
    g_assert_nonnull(strstr(text, "\"steps\":[500,10000]"));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_set_nonfatal_assertions();
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *path = g_strdup_printf("/settings/%s", cases[i].label);
        g_test_add_data_func(path, &cases[i], test_case);
    }
    g_test_add_func("/settings/defaults", test_defaults);
    g_test_add_func("/settings/canonical", test_canonical);
    return g_test_run();
}
