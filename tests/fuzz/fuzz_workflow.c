/* A workflow either reads or says why, with a place in the file; the same for an action. */
#include "dialect/github/workflow.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_findings(const GPtrArray *findings, bool read)
{
    bool error = false;
    for (guint i = 0; i < findings->len; i++) {
        const Finding *finding = findings->pdata[i];
        g_assert_cmpint(finding->line, >, 0);
        error = error || finding->severity == SEVERITY_ERROR;
    }
    g_assert_true(read != error);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autoptr(GPtrArray) findings = findings_new();
    g_autofree char *text = g_strndup((const char *) data, size);
    g_autoptr(Pipeline) pipeline = workflow_read("w.yml", text, size, findings);
    check_findings(findings, pipeline != NULL);
    g_ptr_array_set_size(findings, 0);
    g_autoptr(PipelineAction) action = workflow_read_action("a.yml", text, size, findings);
    check_findings(findings, action != NULL);
    return 0;
}
