#include "dialect/github/trigger.h"
#include "dialect/github/workflow.h"

#include <string.h>

typedef struct {
    const char *label;
    const char *text;
    const char *findings; /* a line each; NULL: it reads without one */
} Case;

#define HEAD "on: push\njobs:\n  a:\n    runs-on: x\n    steps:\n"

static const Case cases[] = {
    {"smallest", HEAD "      - run: make\n", NULL},
    {"anchors", "on: [push]\njobs:\n  a: &a\n    runs-on: x\n    steps: [{run: 'true'}]\n  b: *a\n",
     NULL},
    {"empty", "", "w.yml (Line: 1, Col: 1): The file is empty"},
    {"no-jobs", "on: push\n", "w.yml (Line: 1, Col: 1): Required property is missing: jobs"},
    {"no-on", "jobs:\n  a:\n    runs-on: x\n    steps: []\n",
     "w.yml (Line: 1, Col: 1): Required property is missing: on"},
    {"unknown-key", HEAD "      - run: make\n        runs: x\n",
     "w.yml (Line: 7, Col: 9): Unexpected value 'runs'"},
    {"same-key-other-case", HEAD "      - run: make\n        Run: x\n",
     "w.yml (Line: 7, Col: 9): 'Run' is already defined"},
    {"merge-key", "on: push\njobs:\n  a: &a\n    runs-on: x\n  b:\n    <<: *a\n    runs-on: x\n",
     "w.yml (Line: 6, Col: 5): Merge keys ('<<') are not supported; anchors and aliases are"},
    {"run-list", HEAD "      - run: [test command]\n",
     "w.yml (Line: 6, Col: 14): A sequence was not expected"},
    {"no-form", HEAD "      - name: x\n",
     "w.yml (Line: 6, Col: 9): There's not enough info to determine what you meant. Add one of "
     "these properties: cancel, parallel, run, uses, wait, wait-all"},
    {"bad-id", HEAD "      - id: 1a\n        run: make\n",
     "w.yml (Line: 6, Col: 13): The identifier '1a' is invalid. IDs may only contain alphanumeric "
     "characters, '_', and '-'. IDs must start with a letter or '_' and must be less than 100 "
     "characters."},
    {"same-id", HEAD "      - {id: a, run: make}\n      - {id: A, run: make}\n",
     "w.yml (Line: 7, Col: 14): The identifier 'A' may not be used more than once within the same "
     "scope."},
    {"unknown-need", "on: push\njobs:\n  a: {runs-on: x}\n  b: {runs-on: x, needs: [a, c]}\n",
     "w.yml (Line: 4, Col: 30): Job 'b' depends on unknown job 'c'."},
    {"cycle",
     "on: push\njobs:\n  r: {runs-on: x}\n  a: {runs-on: x, needs: b}\n  b: {runs-on: x, needs: "
     "a}\n",
     "w.yml (Line: 5, Col: 26): Job 'b' depends on job 'a' which creates a cycle in the "
     "dependency graph."},
    {"bad-expression", HEAD "      - run: echo ${{ nope.x }}\n",
     "w.yml (Line: 6, Col: 14): Unrecognized named-value: 'nope'. Located at position 1 within "
     "expression: nope.x"},
    {"secrets-in-if", HEAD "      - {if: secrets.x, run: make}\n",
     "w.yml (Line: 6, Col: 14): Unrecognized named-value: 'secrets'. Located at position 1 within "
     "expression: secrets.x"},
    {"status-outside-if", HEAD "      - run: echo ${{ success() }}\n",
     "w.yml (Line: 6, Col: 14): Unrecognized function: 'success'. Located at position 1 within "
     "expression: success()"},
    {"expression-in-uses", HEAD "      - uses: a/b@${{ github.ref }}\n",
     "w.yml (Line: 6, Col: 15): A template expression is not allowed in this context"},
    {"uses-format", HEAD "      - uses: checkout\n",
     "w.yml (Line: 6, Col: 15): Expected format {owner}/{repo}[/path]@{ref}. Actual 'checkout'"},
    {"two-filters",
     "on:\n  push:\n    branches: [a]\n    branches-ignore: [b]\njobs: {a: {runs-on: x}}\n",
     "w.yml (Line: 4, Col: 22): you may only define one of `branches` and `branches-ignore` for a "
     "single event"},
    {"unknown-event", "on: pushed\njobs: {a: {runs-on: x}}\n",
     "w.yml (Line: 1, Col: 5): Unexpected value 'pushed'"},
    {"unknown-tag", "on: !x push\njobs: {a: {runs-on: x}}\n",
     "w.yml (Line: 1, Col: 8): Unexpected tag '!x'"},
    {"bad-permission", "on: push\npermissions: {contents: all}\njobs: {a: {runs-on: x}}\n",
     "w.yml (Line: 2, Col: 25): Unexpected value 'all'"},
    {"two-errors", "on: push\nx: 1\njobs: {a: {steps: []}}\n",
     "w.yml (Line: 2, Col: 1): Unexpected value 'x'\n"
     "w.yml (Line: 3, Col: 11): Required property is missing: runs-on"},
};

static void test_case(const void *data)
{
    const Case *c = data;
    g_autoptr(GPtrArray) findings = findings_new();
    g_autoptr(Pipeline) pipeline = workflow_read("w.yml", c->text, strlen(c->text), findings);
    g_autofree char *text = workflow_findings_text(findings);
    g_assert_cmpstr(text, ==, c->findings != NULL ? c->findings : "");
    g_assert_cmpint(pipeline != NULL, ==, c->findings == NULL);
}

static void test_ids(void)
{
    static const char text[] = HEAD "      - run: a\n"
                                    "      - uses: actions/checkout@v4\n"
                                    "      - run: b\n"
                                    "      - {id: mine, run: c}\n"
                                    "      - uses: ./x\n";
    static const char *const ids[] = {"__run", "__actions_checkout", "__run_2", "mine", "__self"};
    g_autoptr(GPtrArray) findings = findings_new();
    g_autoptr(Pipeline) pipeline = workflow_read("w.yml", text, strlen(text), findings);
    g_assert_nonnull(pipeline);
    if (pipeline == NULL)
        return;
    const PipelineJob *job = pipeline->jobs->pdata[0];
    g_assert_cmpuint(job->steps->len, ==, G_N_ELEMENTS(ids));
    for (guint i = 0; i < job->steps->len; i++)
        g_assert_cmpstr(((PipelineStep *) job->steps->pdata[i])->id, ==, ids[i]);
}

typedef struct {
    const char *pattern, *text;
    bool matches;
} GlobCase;

static const GlobCase globs[] = {
    {"main", "main", true},
    {"main", "mains", false},
    {"*", "feature", true},
    {"*", "a/b", false},
    {"**", "a/b", true},
    {"releases/**", "releases/v1/x", true},
    {"**/x.md", "x.md", true},
    {"**/x.md", "a/b/x.md", true},
    {"v[12].[0-9]+", "v1.10", true},
    {"v[12].[0-9]+", "v3.1", false},
    {"*.jsx?", "a.js", true},
    {"*.jsx?", "a.jsx", true},
    {"a\\*", "a*", true},
    {"a\\*", "ab", false},
    {"v1.2", "v1x2", false},
    {"**.md", "docs/a.md", true},
};

static void test_globs(void)
{
    for (size_t i = 0; i < G_N_ELEMENTS(globs); i++)
        if (glob_matches(globs[i].pattern, globs[i].text) != globs[i].matches)
            g_test_message("pattern '%s' and text '%s'", globs[i].pattern, globs[i].text),
                g_test_fail();
}

typedef struct {
    const char *on;
    TriggerEvent event;
    bool fires;
} TriggerCase;

static const char *const docs_only[] = {"docs/a.md", NULL};
static const char *const mixed[] = {"docs/a.md", "src/x.c", NULL};

static const TriggerCase triggers[] = {
    {"push", {.name = "push", .ref = "refs/heads/x"}, true},
    {"push", {.name = "pull_request", .ref = "refs/heads/x"}, false},
    {"{push: {branches: [main, 'v*', '!v1']}}", {.name = "push", .ref = "refs/heads/v2"}, true},
    {"{push: {branches: [main, 'v*', '!v1']}}", {.name = "push", .ref = "refs/heads/v1"}, false},
    {"{push: {branches: [main]}}", {.name = "push", .ref = "refs/tags/main"}, false},
    {"{push: {tags: ['v*']}}", {.name = "push", .ref = "refs/heads/v1"}, false},
    {"{push: {tags: ['v*']}}", {.name = "push", .ref = "refs/tags/v1"}, true},
    {"{push: {branches-ignore: ['x/**']}}", {.name = "push", .ref = "refs/heads/x/y"}, false},
    {"{push: {paths: ['src/**']}}", {.name = "push", .ref = "refs/heads/m", .files = mixed}, true},
    {"{push: {paths: ['src/**']}}",
     {.name = "push", .ref = "refs/heads/m", .files = docs_only},
     false},
    {"{push: {paths-ignore: ['docs/**']}}",
     {.name = "push", .ref = "refs/heads/m", .files = docs_only},
     false},
    {"{push: {paths-ignore: ['docs/**']}}",
     {.name = "push", .ref = "refs/heads/m", .files = mixed},
     true},
    {"pull_request", {.name = "pull_request", .action = "closed"}, false},
    {"pull_request", {.name = "pull_request", .action = "synchronize"}, true},
    {"{release: {types: [published]}}", {.name = "release", .action = "created"}, false},
};

static void test_triggers(void)
{
    for (size_t i = 0; i < G_N_ELEMENTS(triggers); i++) {
        const TriggerCase *c = &triggers[i];
        g_autofree char *text =
            g_strdup_printf("on: %s\njobs: {a: {runs-on: x, steps: [{run: x}]}}\n", c->on);
        g_autoptr(GPtrArray) findings = findings_new();
        g_autoptr(Pipeline) pipeline = workflow_read("w.yml", text, strlen(text), findings);
        g_assert_nonnull(pipeline);
        if (pipeline == NULL)
            continue;
        g_autofree char *reason = NULL;
        bool fires = trigger_matches(pipeline, &c->event, &reason);
        if (fires != c->fires)
            g_test_message("row %zu: %s", i, reason), g_test_fail();
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_set_nonfatal_assertions();
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *path = g_strdup_printf("/workflow/%s", cases[i].label);
        g_test_add_data_func(path, &cases[i], test_case);
    }
    g_test_add_func("/workflow/ids", test_ids);
    g_test_add_func("/workflow/globs", test_globs);
    g_test_add_func("/workflow/triggers", test_triggers);
    return g_test_run();
}
