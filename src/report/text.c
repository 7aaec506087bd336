#include "report/writer.h"

#include <string.h>

/* Names from outside may hold control characters: they must not steer a terminal. */
static char *printable(const char *text)
{
    GString *out = g_string_new(NULL);
    for (const char *p = text; *p != '\0'; p++) {
        unsigned char c = (unsigned char) *p;
        if (c < 0x20 || c == 0x7f)
            g_string_append_printf(out, "\\x%02x", c);
        else
            g_string_append_c(out, *p);
    }
    return g_string_free(out, FALSE);
}

static char *location(const Finding *finding)
{
    g_autofree char *path = printable(finding->path != NULL ? finding->path : "-");
    if (finding->line <= 0)
        return g_steal_pointer(&path);
    if (finding->column <= 0)
        return g_strdup_printf("%s:%d", path, finding->line);
    return g_strdup_printf("%s:%d:%d", path, finding->line, finding->column);
}

typedef struct {
    int location, severity, rule;
} Widths;

#define LOCATION_MAX 48 /* longer ones push their own line only */
#define RULE_MAX 28

static void widen(int *width, const char *text, int most)
{
    int length = (int) g_utf8_strlen(text, -1);
    if (length > *width && length <= most)
        *width = length;
}

static Widths measure(const GPtrArray *findings)
{
    Widths widths = {0};
    for (guint i = 0; i < findings->len; i++) {
        const Finding *finding = g_ptr_array_index(findings, i);
        if (finding->suppressed != NULL)
            continue;
        g_autofree char *where = location(finding);
        widen(&widths.location, where, LOCATION_MAX);
        widen(&widths.severity, severity_name(finding->severity), LOCATION_MAX);
        widen(&widths.rule, finding->rule, RULE_MAX);
    }
    return widths;
}

static void pad(FILE *out, const char *text, int width)
{
    int length = (int) g_utf8_strlen(text, -1);
    fprintf(out, "%s%*s", text, width > length ? width - length : 0, "");
}

static void write_finding(FILE *out, const Finding *finding, Widths widths)
{
    g_autofree char *where = location(finding);
    g_autofree char *message = printable(finding->message != NULL ? finding->message : "");
    pad(out, where, widths.location);
    fputs("  ", out);
    pad(out, severity_name(finding->severity), widths.severity);
    fputs("  ", out);
    pad(out, finding->rule, widths.rule);
    fprintf(out, "  %s\n", message);
    if (finding->mend != NULL) {
        g_autofree char *mend = printable(finding->mend);
        fprintf(out, "%*s  mend: %s\n", 4, "", mend);
    }
}

static void write_summary(FILE *out, const size_t *counts, size_t total, size_t suppressed)
{
    if (total == 0)
        fputs("no findings", out);
    else
        fprintf(out, "%zu finding%s:", total, total == 1 ? "" : "s");
    const char *separator = " ";
    for (int s = SEVERITY_CRITICAL; s >= SEVERITY_UNKNOWN; s--) {
        if (counts[s] == 0)
            continue;
        fprintf(out, "%s%zu %s", separator, counts[s], severity_name((Severity) s));
        separator = ", ";
    }
    if (suppressed > 0)
        fprintf(out, " (%zu accepted)", suppressed);
    fputc('\n', out);
}

void text_report_write(FILE *out, const GPtrArray *findings)
{
    size_t counts[SEVERITY_CRITICAL + 1] = {0}, total = 0, suppressed = 0;
    Widths widths = measure(findings);
    for (guint i = 0; i < findings->len; i++) {
        const Finding *finding = g_ptr_array_index(findings, i);
        if (finding->suppressed != NULL) {
            suppressed++;
            continue;
        }
        write_finding(out, finding, widths);
        counts[finding->severity]++;
        total++;
    }
    write_summary(out, counts, total, suppressed);
}
