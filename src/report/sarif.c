#include "config.h"
#include "report/writer.h"

#include <string.h>

/* What code scanning services take in one run; more is dropped by them without a word, so the
 * first by severity are kept and the rest is declared. */
#define RESULTS_MAX 25000
#define SCHEMA "https://json.schemastore.org/sarif-2.1.0.json"

static json_t *text_object(const char *text)
{
    g_autofree char *valid = g_utf8_make_valid(text != NULL ? text : "", -1);
    return json_pack("{s:s}", "text", valid);
}

static const char *level(Severity severity)
{
    if (severity >= SEVERITY_ERROR)
        return "error";
    return severity >= SEVERITY_WARNING ? "warning" : "note";
}

/* The number services sort by: the finding's own score, else the middle of its band. NULL for
 * findings of linters, which are no security findings. */
static const char *security_severity(Severity severity)
{
    switch (severity) {
    case SEVERITY_CRITICAL:
        return "9.5";
    case SEVERITY_HIGH:
        return "8.0";
    case SEVERITY_MEDIUM:
        return "5.5";
    case SEVERITY_LOW:
        return "2.0";
    default:
        return NULL;
    }
}

static json_t *rule_to_json(const Finding *finding)
{
    json_t *rule = json_object();
    json_object_set_new(rule, "id", json_string(finding->rule));
    json_object_set_new(rule, "shortDescription", text_object(finding->rule));
    if (finding->mend != NULL)
        json_object_set_new(rule, "help", text_object(finding->mend));
    json_object_set_new(rule, "defaultConfiguration",
                        json_pack("{s:s}", "level", level(finding->severity)));
    json_t *properties = json_object();
    const char *score = security_severity(finding->severity);
    json_t *detail = finding_detail(finding);
    json_t *own = json_object_get(detail, "score");
    char formatted[G_ASCII_DTOSTR_BUF_SIZE];
    if (score != NULL && json_is_number(own) && json_number_value(own) > 0)
        score = g_ascii_formatd(formatted, sizeof formatted, "%.1f", json_number_value(own));
    if (score != NULL) {
        json_object_set_new(properties, "tags", json_pack("[s]", "security"));
        json_object_set_new(properties, "security-severity", json_string(score));
    }
    json_decref(detail);
    json_object_set_new(rule, "properties", properties);
    return rule;
}

static json_t *region(const Finding *finding)
{
    json_t *object = json_pack("{s:i}", "startLine", finding->line > 0 ? finding->line : 1);
    if (finding->line > 0 && finding->column > 0)
        json_object_set_new(object, "startColumn", json_integer(finding->column));
    if (finding->end_line >= finding->line && finding->line > 0)
        json_object_set_new(object, "endLine", json_integer(finding->end_line));
    if (finding->line > 0 && finding->end_column > 0)
        json_object_set_new(object, "endColumn", json_integer(finding->end_column));
    return object;
}

static json_t *locations(const Finding *finding)
{
    const char *path = finding->path != NULL ? finding->path : "";
    path += strspn(path, "/");
    g_autofree char *uri = g_uri_escape_string(path, "/", FALSE);
    json_t *physical =
        json_pack("{s:{s:s}, s:o}", "artifactLocation", "uri", uri, "region", region(finding));
    return json_pack("[{s:o}]", "physicalLocation", physical);
}

/* The finding's own fingerprint, else one of what stays when lines move. */
static char *stable_fingerprint(const Finding *finding)
{
    if (finding->fingerprint != NULL)
        return g_strdup(finding->fingerprint);
    g_autofree char *bytes =
        g_strdup_printf("%s\n%s\n%s", finding->rule, finding->path != NULL ? finding->path : "",
                        finding->message != NULL ? finding->message : "");
    g_autofree char *hex = g_compute_checksum_for_string(G_CHECKSUM_SHA256, bytes, -1);
    return g_strndup(hex, 32);
}

static json_t *result_to_json(const Finding *finding, gint64 rule_index)
{
    g_autofree char *fingerprint = stable_fingerprint(finding);
    json_t *result = json_object();
    json_object_set_new(result, "ruleId", json_string(finding->rule));
    json_object_set_new(result, "ruleIndex", json_integer(rule_index));
    json_object_set_new(result, "level", json_string(level(finding->severity)));
    json_object_set_new(result, "message", text_object(finding->message));
    json_object_set_new(result, "locations", locations(finding));
    json_object_set_new(result, "partialFingerprints",
                        json_pack("{s:s}", "primaryLocationLineHash", fingerprint));
    if (finding->suppressed != NULL) {
        g_autofree char *why = g_utf8_make_valid(finding->suppressed, -1);
        json_object_set_new(result, "suppressions",
                            json_pack("[{s:s, s:s, s:s}]", "kind", "external", "status", "accepted",
                                      "justification", why));
    }
    json_t *properties = finding_detail(finding);
    json_object_set_new(properties, "severity", json_string(severity_name(finding->severity)));
    if (finding->aliases != NULL && finding->aliases[0] != NULL) {
        json_t *aliases = json_array();
        for (char **alias = finding->aliases; *alias != NULL; alias++)
            json_array_append_new(aliases, json_string(*alias));
        json_object_set_new(properties, "aliases", aliases);
    }
    json_object_set_new(result, "properties", properties);
    return result;
}

static int by_severity(gconstpointer a, gconstpointer b)
{
    const Finding *x = *(const Finding *const *) a, *y = *(const Finding *const *) b;
    return (int) y->severity - (int) x->severity;
}

static json_t *truncation_notice(guint total)
{
    g_autofree char *text = g_strdup_printf("%u of %u results are left out: the severest are kept",
                                            total - RESULTS_MAX, total);
    return json_pack("[{s:b, s:[{s:s, s:o}]}]", "executionSuccessful", 1,
                     "toolExecutionNotifications", "level", "warning", "message",
                     text_object(text));
}

void sarif_report_write(FILE *out, const char *tool, const GPtrArray *findings)
{
    g_autoptr(GPtrArray) kept = g_ptr_array_sized_new(findings->len);
    for (guint i = 0; i < findings->len; i++)
        g_ptr_array_add(kept, g_ptr_array_index(findings, i));
    if (kept->len > RESULTS_MAX) {
        g_ptr_array_sort(kept, by_severity);
        g_ptr_array_set_size(kept, RESULTS_MAX);
        findings_sort(kept);
    }

    json_t *rules = json_array(), *results = json_array();
    g_autoptr(GHashTable) index = g_hash_table_new(g_str_hash, g_str_equal);
    for (guint i = 0; i < kept->len; i++) {
        const Finding *finding = g_ptr_array_index(kept, i);
        gpointer at = NULL;
        if (!g_hash_table_lookup_extended(index, finding->rule, NULL, &at)) {
            at = GSIZE_TO_POINTER(json_array_size(rules));
            g_hash_table_insert(index, finding->rule, at);
            json_array_append_new(rules, rule_to_json(finding));
        }
        json_array_append_new(results, result_to_json(finding, (gint64) GPOINTER_TO_SIZE(at)));
    }
    g_autofree char *category = g_strdelimit(g_strdup_printf("%s/", tool), " ", '-');
    json_t *driver = json_pack("{s:s, s:s, s:o}", "name", "slipway", "semanticVersion",
                               SLIPWAY_VERSION, "rules", rules);
    json_t *run = json_pack("{s:{s:o}, s:{s:s}, s:o}", "tool", "driver", driver,
                            "automationDetails", "id", category, "results", results);
    if (findings->len > RESULTS_MAX)
        json_object_set_new(run, "invocations", truncation_notice(findings->len));
    json_t *log =
        json_pack("{s:s, s:s, s:[o]}", "$schema", SCHEMA, "version", "2.1.0", "runs", run);
    json_dumpf(log, out, JSON_INDENT(1) | JSON_REAL_PRECISION(6));
    fputc('\n', out);
    json_decref(log);
}
