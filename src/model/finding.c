#include "model/finding.h"

#include <string.h>

static const char *const names[] = {
    [SEVERITY_UNKNOWN] = "unknown", [SEVERITY_NEGLIGIBLE] = "negligible",
    [SEVERITY_STYLE] = "style",     [SEVERITY_INFO] = "info",
    [SEVERITY_LOW] = "low",         [SEVERITY_WARNING] = "warning",
    [SEVERITY_MEDIUM] = "medium",   [SEVERITY_ERROR] = "error",
    [SEVERITY_HIGH] = "high",       [SEVERITY_CRITICAL] = "critical",
};

const char *severity_name(Severity severity)
{
    return names[severity];
}

bool severity_parse(const char *text, Severity *severity)
{
    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        if (g_ascii_strcasecmp(text, names[i]) != 0)
            continue;
        *severity = (Severity) i;
        return true;
    }
    return false;
}

Finding *finding_new(const char *rule, Severity severity, const char *path, int line, int column,
                     const char *message)
{
    Finding *finding = g_new0(Finding, 1);
    finding->rule = g_strdup(rule);
    finding->severity = severity;
    finding->path = g_strdup(path);
    finding->line = line;
    finding->column = column;
    finding->message = g_strdup(message);
    return finding;
}

void finding_free(Finding *finding)
{
    if (finding == NULL)
        return;
    g_free(finding->rule);
    g_strfreev(finding->aliases);
    g_free(finding->path);
    g_free(finding->message);
    g_free(finding->fingerprint);
    g_free(finding->mend);
    g_free(finding->detail);
    g_free(finding->suppressed);
    g_free(finding);
}

GPtrArray *findings_new(void)
{
    return g_ptr_array_new_with_free_func((GDestroyNotify) finding_free);
}

static int compare(gconstpointer a, gconstpointer b)
{
    const Finding *x = *(const Finding *const *) a, *y = *(const Finding *const *) b;
    int order = g_strcmp0(x->path, y->path);
    if (order == 0)
        order = x->line - y->line;
    if (order == 0)
        order = x->column - y->column;
    return order != 0 ? order : strcmp(x->rule, y->rule);
}

void findings_sort(GPtrArray *findings)
{
    g_ptr_array_sort(findings, compare);
}
