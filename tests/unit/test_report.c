#include "base/error.h"
#include "report/glob.h"
#include "report/ignore.h"
#include "report/report.h"

#include <jansson.h>
#include <string.h>

#define TODAY "2026-11-21"

static const struct {
    const char *label, *pattern, *path;
    bool matches;
} globs[] = {
    {"exact", "a/b.c", "a/b.c", true},
    {"star-in-part", "a/*.c", "a/b.c", true},
    {"star-stops-at-slash", "a/*.c", "a/x/b.c", false},
    {"globstar", "a/**", "a/x/b.c", true},
    {"globstar-empty", "a/**/b.c", "a/b.c", true},
    {"globstar-middle", "a/**/b.c", "a/x/y/b.c", true},
    {"globstar-whole-parts", "a/**/b.c", "a/x/yb.c", false},
    {"globstar-then-star", "**/*.py", "x/y/z.py", true},
    {"base-name", "*.pem", "deep/down/key.pem", true},
    {"question", "a?c", "abc", true},
    {"question-no-slash", "a?c", "a/c", false},
    {"everything", "**", "any/thing", true},
    {"too-long", "a/b", "a/b/c", false},
};

static void test_glob(const void *data)
{
    size_t i = GPOINTER_TO_SIZE(data);
    g_assert_cmpint(glob_match_path(globs[i].pattern, globs[i].path), ==, globs[i].matches);
}

static const struct {
    const char *label, *text, *message;
} malformed[] = {
    {"no-place", "DL3008", "no path or fingerprint after rule 'DL3008'"},
    {"field-for-place", "DL3008 reason=x", "no path or fingerprint after rule 'DL3008'"},
    {"bad-date", "A b review-by=2026-13-99", "no date of the form YYYY-MM-DD: '2026-13-99'"},
    {"unknown-field", "A b until=2027-01-01", "unknown field 'until=2027-01-01'"},
};

static void test_malformed(const void *data)
{
    size_t i = GPOINTER_TO_SIZE(data);
    g_autoptr(GError) error = NULL;
    g_autofree char *text = g_strdup_printf("# first line\n%s\n", malformed[i].text);
    g_autoptr(IgnoreList) list = ignore_list_parse("f", text, &error);
    g_assert_null(list);
    g_assert_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID);
    if (error == NULL)
        return;
    g_assert_true(g_str_has_prefix(error->message, "f:2: "));
    g_assert_nonnull(strstr(error->message, malformed[i].message));
}

static const struct {
    const char *label, *entry;
    bool strict, suppressed;
    const char *says; /* rule of the finding about the entry; NULL: none */
} entries[] = {
    {"complete", "github-pat src/** review-by=2027-06-01 reason=sample", true, true, NULL},
    {"by-alias", "CVE-* src/** review-by=2027-06-01 reason=sample", true, true, NULL},
    {"by-fingerprint", "* fingerprint:f00d review-by=2027-06-01 reason=x", true, true, NULL},
    {"other-fingerprint", "* fingerprint:beef review-by=2027-06-01 reason=x", true, false,
     "ignore-unused"},
    {"other-path", "* doc/** review-by=2027-06-01 reason=x", true, false, "ignore-unused"},
    {"last-day", "* ** review-by=2026-11-21 reason=x", true, true, "ignore-expiring"},
    {"expired", "* ** review-by=2026-11-20 reason=x", false, false, "ignore-expired"},
    {"no-reason", "* ** review-by=2027-06-01", false, true, "ignore-incomplete"},
    {"no-reason-strict", "* ** review-by=2027-06-01", true, false, "ignore-incomplete"},
    {"no-date-strict", "* ** reason=x", true, false, "ignore-incomplete"},
};

static bool always(const char *rule_glob)
{
    return true;
}

static void test_entry(const void *data)
{
    size_t i = GPOINTER_TO_SIZE(data);
    g_autoptr(GPtrArray) findings = findings_new();
    Finding *finding = finding_new("github-pat", SEVERITY_HIGH, "src/a.py", 3, 1, "token");
    finding->aliases = g_strsplit("CVE-2026-1", " ", 0);
    finding->fingerprint = g_strdup("f00d");
    g_ptr_array_add(findings, finding);

    g_autoptr(IgnoreList) list = ignore_list_parse("f", entries[i].entry, NULL);
    g_assert_nonnull(list);
    ignore_list_apply(list, findings, TODAY, entries[i].strict, always);
    g_assert_cmpint(finding->suppressed != NULL, ==, entries[i].suppressed);
    g_assert_cmpuint(report_count(findings, SEVERITY_HIGH), ==, entries[i].suppressed ? 0 : 1);
    const char *says =
        findings->len > 1 ? ((Finding *) g_ptr_array_index(findings, 1))->rule : NULL;
    g_assert_cmpstr(says, ==, entries[i].says);
}

static char *written(ReportFormat format, const GPtrArray *findings)
{
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);
    report_write(out, format, "slipway scan", findings);
    fclose(out);
    return text;
}

static GPtrArray *two_findings(void)
{
    GPtrArray *findings = findings_new();
    Finding *second = finding_new("b", SEVERITY_LOW, "a b\xff.c", 2, 5, "say \x1b[31mred");
    second->detail = g_strdup("{\"score\":3.1,\"rule\":\"not me\"}");
    g_ptr_array_add(findings, finding_new("c", SEVERITY_CRITICAL, "z.c", 0, 0, "whole file"));
    g_ptr_array_add(findings, second);
    return findings;
}

static void test_text(void)
{
    g_autoptr(GPtrArray) findings = two_findings();
    g_autofree char *text = written(REPORT_TEXT, findings);
    g_assert_null(strchr(text, '\x1b'));
    g_assert_nonnull(strstr(text, "2 findings: 1 critical, 1 low\n"));
}

static void test_json(void)
{
    g_autoptr(GPtrArray) findings = two_findings();
    g_autofree char *text = written(REPORT_JSON, findings);
    json_t *array = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    g_assert_cmpuint(json_array_size(array), ==, 2);
    json_t *first = json_array_get(array, 0);
    g_assert_cmpstr(json_string_value(json_object_get(first, "rule")), ==, "b");
    g_assert_cmpfloat(json_number_value(json_object_get(first, "score")), ==, 3.1);
    g_assert_cmpint(json_integer_value(json_object_get(first, "column")), ==, 5);
    json_decref(array);
}

static void test_sarif(void)
{
    g_autoptr(GPtrArray) findings = two_findings();
    g_autofree char *text = written(REPORT_SARIF, findings);
    json_t *log = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    json_t *run = json_array_get(json_object_get(log, "runs"), 0);
    json_t *result = json_array_get(json_object_get(run, "results"), 0);
    json_t *place = json_object_get(json_array_get(json_object_get(result, "locations"), 0),
                                    "physicalLocation");
    const char *uri =
        json_string_value(json_object_get(json_object_get(place, "artifactLocation"), "uri"));
    g_assert_cmpstr(uri, ==, "a%20b%FF.c");
    g_assert_cmpstr(json_string_value(json_object_get(result, "level")), ==, "note");
    json_t *driver = json_object_get(json_object_get(run, "tool"), "driver");
    json_t *rule = json_array_get(json_object_get(driver, "rules"), 0);
    json_t *severity = json_object_get(json_object_get(rule, "properties"), "security-severity");
    g_assert_cmpstr(json_string_value(severity), ==, "3.1");
    json_decref(log);
}

#define ADD_ROWS(table, prefix, function)                                                          \
    for (size_t i = 0; i < G_N_ELEMENTS(table); i++) {                                             \
        g_autofree char *path = g_strdup_printf(prefix "/%s", (table)[i].label);                   \
        g_test_add_data_func(path, GSIZE_TO_POINTER(i), function);                                 \
    }

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_set_nonfatal_assertions();

    ADD_ROWS(globs, "/report/glob", test_glob)
    ADD_ROWS(malformed, "/report/ignore/malformed", test_malformed)
    ADD_ROWS(entries, "/report/ignore/entry", test_entry)
    g_test_add_func("/report/text", test_text);
    g_test_add_func("/report/json", test_json);
    g_test_add_func("/report/sarif", test_sarif);
    return g_test_run();
}
