#include "ship/test_report.h"

#include "base/error.h"

#include <stdlib.h>
#include <string.h>

/* One line of a runner's summary: the expression's first group of each kind is a number. */
typedef struct {
    const char *runner;
    const char *expression;
    const char *passed, *failed, *skipped; /* group names; NULL: the line does not say */
    bool total;                            /* `passed` is a total from which the others are taken */
} Pattern;

static const Pattern patterns[] = {
    {"unittest", "^Ran (?<p>\\d+) tests? in ", "p", NULL, NULL, true},
    {"unittest", "^FAILED \\((?:failures=(?<f>\\d+))?(?:, )?(?:errors=(?<e>\\d+))?.*\\)$", NULL,
     "f", NULL, true},
    {"unittest", "^(?:OK|FAILED) \\(.*skipped=(?<s>\\d+).*\\)$", NULL, NULL, "s", true},
    {"pytest", "^=+ .*?(?<p>\\d+) passed.* in [\\d.]+s.*=+$", "p", NULL, NULL, false},
    {"pytest", "^=+ .*?(?<f>\\d+) failed.* in [\\d.]+s.*=+$", NULL, "f", NULL, false},
    {"pytest", "^=+ .*?(?<s>\\d+) skipped.* in [\\d.]+s.*=+$", NULL, NULL, "s", false},
    {"cargo", "^test result: \\w+\\. (?<p>\\d+) passed; (?<f>\\d+) failed; (?<s>\\d+) ignored", "p",
     "f", "s", false},
    {"node", "^(?:# |ℹ )pass (?<p>\\d+)$", "p", NULL, NULL, false},
    {"node", "^(?:# |ℹ )fail (?<f>\\d+)$", NULL, "f", NULL, false},
    {"node", "^(?:# |ℹ )skipped (?<s>\\d+)$", NULL, NULL, "s", false},
    {"mocha", "^  (?<p>\\d+) passing \\(", "p", NULL, NULL, false},
    {"mocha", "^  (?<f>\\d+) failing$", NULL, "f", NULL, false},
    {"jest", "^Tests: .*?(?<p>\\d+) passed,.* total$", "p", NULL, NULL, false},
    {"jest", "^Tests: .*?(?<f>\\d+) failed,.* total$", NULL, "f", NULL, false},
    {"surefire",
     "^(?:\\[\\w+\\] )?Tests run: (?<p>\\d+), Failures: (?<f>\\d+), Errors: \\d+, Skipped: "
     "(?<s>\\d+)$",
     "p", "f", "s", true},
    {"ctest", "^\\d+% tests passed, (?<f>\\d+) tests? failed out of (?<p>\\d+)$", "p", "f", NULL,
     true},
    {"go", "^\\s*--- PASS: ", NULL, NULL, NULL, false},
    {"go", "^\\s*--- FAIL: ", NULL, NULL, NULL, false},
    {"go", "^\\s*--- SKIP: ", NULL, NULL, NULL, false},
    {"plain", "^(?:\\w+: )?(?<p>\\d+) passed, (?<f>\\d+) failed(?:, (?<s>\\d+) skipped)?$", "p",
     "f", "s", false},
};

static gint64 number(GMatchInfo *match, const char *group)
{
    g_autofree char *text = group != NULL ? g_match_info_fetch_named(match, group) : NULL;
    return text != NULL ? g_ascii_strtoll(text, NULL, 10) : 0;
}

static void count_match(const Pattern *pattern, GMatchInfo *match, TestReport *report)
{
    gint64 passed = number(match, pattern->passed), failed = number(match, pattern->failed);
    gint64 skipped = number(match, pattern->skipped);
    if (g_str_equal(pattern->runner, "unittest") && pattern->failed != NULL)
        failed += number(match, "e");
    if (g_str_equal(pattern->runner, "go")) {
        passed = strstr(pattern->expression, "PASS") != NULL;
        failed = strstr(pattern->expression, "FAIL") != NULL;
        skipped = strstr(pattern->expression, "SKIP") != NULL;
    }
    report->runner = pattern->runner;
    report->passed += pattern->total ? passed - failed - skipped : passed;
    report->failed += failed;
    report->skipped += skipped;
}

/* TAP: "ok 1 - name", "not ok 2", "ok 3 # SKIP reason". Only where a plan line says it is TAP. */
static bool count_tap(char **lines, TestReport *report)
{
    bool plan = false;
    for (size_t i = 0; lines[i] != NULL; i++)
        plan = plan || g_regex_match_simple("^1\\.\\.\\d+", lines[i], 0, 0);
    if (!plan)
        return false;
    for (size_t i = 0; lines[i] != NULL; i++) {
        bool ok = g_regex_match_simple("^ok\\b", lines[i], 0, 0);
        bool not_ok = g_regex_match_simple("^not ok\\b", lines[i], 0, 0);
        bool directive = g_regex_match_simple("#\\s*(skip|todo)", lines[i], G_REGEX_CASELESS, 0);
        report->skipped += directive && (ok || not_ok);
        report->passed += ok && !directive;
        report->failed += not_ok && !directive;
    }
    report->runner = "tap";
    return true;
}

TestReport test_report_parse(const char *output)
{
    TestReport report = {0};
    g_auto(GStrv) lines = g_strsplit(output, "\n", -1);
    /* node's runner prints TAP as well as its own totals: the totals are the better count. */
    for (size_t p = 0; p < G_N_ELEMENTS(patterns); p++) {
        if (report.runner != NULL && g_str_equal(patterns[p].runner, "plain"))
            continue;
        g_autoptr(GRegex) regex = g_regex_new(patterns[p].expression, G_REGEX_OPTIMIZE, 0, NULL);
        for (size_t i = 0; lines[i] != NULL; i++) {
            g_autoptr(GMatchInfo) match = NULL;
            if (strlen(lines[i]) < 4096 && g_regex_match(regex, lines[i], 0, &match))
                count_match(&patterns[p], match, &report);
        }
    }
    if (report.runner == NULL)
        count_tap(lines, &report);
    report.passed = MAX(report.passed, 0);
    return report;
}

gint64 test_report_coverage(const char *xml, GError **error)
{
    g_autoptr(GRegex) regex =
        g_regex_new("<coverage\\b[^>]*\\bline-rate=\"([0-9.]+)\"", G_REGEX_DOTALL, 0, NULL);
    g_autoptr(GMatchInfo) match = NULL;
    if (!g_regex_match(regex, xml, 0, &match)) {
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID,
                    "no Cobertura report: it has no <coverage line-rate=…>");
        return -1;
    }
    g_autofree char *rate = g_match_info_fetch(match, 1);
    double value = g_ascii_strtod(rate, NULL);
    return value >= 0 && value <= 1 ? (gint64) (value * 10000 + 0.5) : -1;
}
