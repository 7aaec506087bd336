#include "format/json.h"
#include "model/policy.h"

#include <string.h>

#define FORCE                                                                                      \
    "{\"gates\":{\"vulnerabilities\":{\"fail-on\":\"high\",\"mode\":\"stop\"},\"secrets\":"        \
    "\"any\","                                                                                     \
    "\"lint\":\"error\",\"signed-by\":[\"ci\"],\"sbom\":\"required\",\"provenance\":\"required\"}" \
    ","                                                                                            \
    "\"checks\":{\"tests\":{\"command\":[\"make test\"],\"min\":20}},"                             \
    "\"advisories\":{\"uncovered\":\"deny\",\"max-age\":\"7d\"},"                                  \
    "\"environments\":{\"production\":{\"production\":true,\"after\":\"staging\",\"approve\":"     \
    "{\"by\":[],\"count\":1,\"not\":[\"author\"]},\"smoke\":[],\"watch\":{\"for\":\"60s\","        \
    "\"errors\":100},\"rollout\":{\"steps\":[1000,10000]},\"rollback\":{\"approve\":[]}}}}"

typedef struct {
    const char *label;
    const char *path, *value; /* what the change says there, JSON */
    const char *holds;        /* what then holds there, JSON */
    bool looser;
} Case;

static const Case cases[] = {
    {"lint-off", "gates.lint", "\"off\"", "\"error\"", true},
    {"lint-warning", "gates.lint", "\"warning\"", "\"warning\"", false},
    {"fail-on-critical", "gates.vulnerabilities.fail-on", "\"critical\"", "\"high\"", true},
    {"fail-on-low", "gates.vulnerabilities.fail-on", "\"low\"", "\"low\"", false},
    {"mode-warn", "gates.vulnerabilities.mode", "\"warn\"", "\"stop\"", true},
    {"secrets-off", "gates.secrets", "\"off\"", "\"any\"", true},
    {"nobody-signs", "gates.signed-by", "[]", "[\"ci\"]", true},
    {"more-sign", "gates.signed-by", "[\"ci\",\"qa\"]", "[\"ci\",\"qa\"]", false},
    {"sbom-optional", "gates.sbom", "\"optional\"", "\"required\"", true},
    {"test-true", "checks.tests.command", "[\"true\"]", "[\"make test\"]", true},
    {"fewer-tests", "checks.tests.min", "1", "20", true},
    {"more-tests", "checks.tests.min", "30", "30", false},
    {"uncovered", "advisories.uncovered", "\"allow\"", "\"deny\"", true},
    {"older", "advisories.max-age", "\"30d\"", "\"7d\"", true},
    {"younger", "advisories.max-age", "\"1d\"", "\"1d\"", false},
    {"not-production", "environments.production.production", "false", "true", true},
    {"no-staging", "environments.production.after", "null", "\"staging\"", true},
    {"no-approval", "environments.production.approve.count", "0", "1", true},
    {"two-approvals", "environments.production.approve.count", "2", "2", false},
    {"author-may", "environments.production.approve.not", "[]", "[\"author\"]", true},
    {"own-approver", "environments.production.approve.by", "[\"me\"]", "[\"me\"]", false},
    {"short-watch", "environments.production.watch.for", "\"1s\"", "\"60s\"", true},
    {"more-errors", "environments.production.watch.errors", "5000", "100", true},
    {"all-at-once", "environments.production.rollout.steps", "[10000]", "[1000,10000]", true},
};

static json_t *parse(const char *text)
{
    return json_loads(text, JSON_DECODE_ANY, NULL);
}

static json_t *find(json_t *root, const char *path, char **last)
{
    g_auto(GStrv) keys = g_strsplit(path, ".", -1);
    for (size_t i = 0; keys[i + 1] != NULL; i++)
        root = json_object_get(root, keys[i]);
    *last = g_strdup(keys[g_strv_length(keys) - 1]);
    return root;
}

static void test_case(const void *data)
{
    const Case *c = data;
    g_autoptr(json_t) force = parse(FORCE), change = parse(FORCE);
    g_autofree char *key = NULL;
    json_t *parent = find(change, c->path, &key);
    json_object_set_new(parent, key, parse(c->value));

    g_autofree char *loosened = policy_loosened(force, change);
    g_assert_true((loosened != NULL) == c->looser);
    if (loosened != NULL)
        g_assert_nonnull(strstr(loosened, c->path));

    g_autoptr(json_t) effective = policy_tighten(force, change), expected = parse(c->holds);
    g_autofree char *last = NULL;
    const json_t *holder = find(effective, c->path, &last);
    g_assert_true(json_equal(json_object_get(holder, last), expected));
    /* Whatever the change says, the result is nowhere looser than what is in force. */
    g_autofree char *still = policy_loosened(force, effective);
    g_assert_cmpstr(still, ==, NULL);
}

static void test_removed_environment(void)
{
    g_autoptr(json_t) force = parse(FORCE), change = parse(FORCE);
    json_object_clear(json_object_get(change, "environments"));
    g_autofree char *loosened = policy_loosened(force, change);
    g_assert_cmpstr(loosened, ==, "environments.production: removed");
    g_autoptr(json_t) effective = policy_tighten(force, change);
    g_assert_true(json_equal(effective, force));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_set_nonfatal_assertions();
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *path = g_strdup_printf("/policy/%s", cases[i].label);
        g_test_add_data_func(path, &cases[i], test_case);
    }
    g_test_add_func("/policy/removed-environment", test_removed_environment);
    return g_test_run();
}
