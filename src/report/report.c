#include "report/report.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "report/ignore.h"
#include "report/writer.h"

#include <fcntl.h>
#include <string.h>

#define IGNORE_FILE ".slipwayignore"
#define IGNORE_LIMIT ((size_t) 1 << 20)

static const char *const format_names[] = {
    [REPORT_TEXT] = "text", [REPORT_JSON] = "json", [REPORT_SARIF] = "sarif"};

bool report_format_parse(const char *text, ReportFormat *format, GError **error)
{
    for (size_t i = 0; i < G_N_ELEMENTS(format_names); i++) {
        if (strcmp(text, format_names[i]) != 0)
            continue;
        *format = (ReportFormat) i;
        return true;
    }
    g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID,
                "unknown format '%s': text, json or sarif", text);
    return false;
}

void report_write(FILE *out, ReportFormat format, const char *tool, const GPtrArray *findings)
{
    g_autoptr(GPtrArray) sorted = g_ptr_array_sized_new(findings->len);
    for (guint i = 0; i < findings->len; i++)
        g_ptr_array_add(sorted, g_ptr_array_index(findings, i));
    findings_sort(sorted);

    switch (format) {
    case REPORT_TEXT:
        text_report_write(out, sorted);
        break;
    case REPORT_JSON:
        json_report_write(out, sorted);
        break;
    case REPORT_SARIF:
        sarif_report_write(out, tool, sorted);
        break;
    }
}

size_t report_count(const GPtrArray *findings, Severity threshold)
{
    size_t count = 0;
    for (guint i = 0; i < findings->len; i++) {
        const Finding *finding = g_ptr_array_index(findings, i);
        count += finding->suppressed == NULL && finding->severity >= threshold;
    }
    return count;
}

bool report_apply_ignores(GPtrArray *findings, const char *folder, bool strict, GError **error)
{
    return report_apply_ignores_of(findings, folder, strict, NULL, error);
}

bool report_apply_ignores_of(GPtrArray *findings, const char *folder, bool strict,
                             bool (*ran)(const char *rule_glob), GError **error)
{
    g_autofree char *path = g_build_filename(folder, IGNORE_FILE, NULL);
    g_autoptr(GError) missing = NULL;
    g_autofree char *text = file_read(AT_FDCWD, path, IGNORE_LIMIT, NULL, &missing);
    if (text == NULL && g_error_matches(missing, SLIPWAY_ERROR, SLIPWAY_ERROR_NOT_FOUND))
        return true;
    if (text == NULL) {
        g_propagate_error(error, g_steal_pointer(&missing));
        return false;
    }
    g_autoptr(IgnoreList) list = ignore_list_parse(IGNORE_FILE, text, error);
    if (list == NULL)
        return false;
    g_autofree char *now = clock_format_seconds(clock_now_ns() / 1000000000);
    g_autofree char *today = g_strndup(now, strlen("YYYY-MM-DD"));
    ignore_list_apply(list, findings, today, strict, ran);
    return true;
}
