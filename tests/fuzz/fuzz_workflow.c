/* A workflow is read whole or with an error that says where: inside this text, in this file. What
 * was read answers any event. */
#include "dialect/github/trigger.h"
#include "dialect/github/workflow.h"

#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int count_lines(const char *text, size_t size)
{
    int lines = 1;
    /* A lone carriage return and the breaks of YAML 1.1 end a line, too. */
    for (size_t i = 0; i < size; i++)
        lines += text[i] == '\n' || text[i] == '\r' || (text[i] & 0x80) != 0;
    return lines;
}

static bool check_findings(const GPtrArray *findings, int lines)
{
    bool any_error = false;
    for (guint i = 0; i < findings->len; i++) {
        const Finding *finding = findings->pdata[i];
        g_assert_cmpstr(finding->path, ==, "w.yml");
        g_assert_nonnull(finding->message);
        g_assert_cmpint(finding->line, >, 0);
        g_assert_cmpint(finding->line, <=, lines + 1);
        any_error = any_error || finding->severity == SEVERITY_ERROR;
    }
    return any_error;
}

static void ask(const Pipeline *pipeline)
{
    static const char *const files[] = {"src/a.c", "docs/b.md", NULL};
    static const TriggerEvent events[] = {
        {.name = "push", .ref = "refs/heads/main", .files = files},
        {.name = "push", .ref = "refs/tags/v1.2.3"},
        {.name = "pull_request", .action = "opened", .ref = "refs/heads/main", .files = files},
        {.name = "workflow_dispatch"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(events); i++) {
        g_autofree char *reason = NULL;
        trigger_matches(pipeline, &events[i], &reason);
        g_assert_nonnull(reason);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *) data;
    g_autoptr(GPtrArray) findings = findings_new();
    g_autoptr(Pipeline) pipeline = workflow_read("w.yml", text, size, findings);
    int lines = count_lines(text, size);
    bool any_error = check_findings(findings, lines);
    g_assert_true(any_error == (pipeline == NULL));
    if (pipeline != NULL)
        ask(pipeline);
    g_autoptr(GPtrArray) more = findings_new();
    g_autoptr(PipelineAction) action = workflow_read_action("w.yml", text, size, more);
    g_assert_true(check_findings(more, lines) == (action == NULL));
    return 0;
}
