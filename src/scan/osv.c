#include "scan/osv.h"

#include "base/clock.h"
#include "format/json.h"
#include "scan/cvss.h"
#include "scan/purl.h"

#include <math.h>
#include <string.h>

#define SUMMARY_MAX 240

static uint32_t add_list(AdvisoryBuilder *builder, const json_t *array, uint32_t *count)
{
    uint32_t first = builder->lists->len;
    size_t i = 0;
    json_t *item = NULL;
    json_array_foreach(array, i, item)
    {
        if (!json_is_string(item))
            continue;
        uint32_t text = advisory_builder_string(builder, json_string_value(item));
        g_array_append_val(builder->lists, text);
    }
    *count = builder->lists->len - first;
    return first;
}

/* The vector of the newest CVSS version in a severity array; NULL: none. */
static const char *best_vector(const json_t *severities)
{
    const char *best = NULL;
    size_t i = 0;
    json_t *item = NULL;
    json_array_foreach(severities, i, item)
    {
        const char *type = json_get_string(item, "type"), *score = json_get_string(item, "score");
        if (type == NULL || score == NULL || !g_str_has_prefix(type, "CVSS_V"))
            continue;
        /* "CVSS:4.0/…" is above "CVSS:3.1/…"; version 2 has no prefix. */
        bool prefixed = g_str_has_prefix(score, "CVSS:");
        if (best == NULL || (prefixed && strcmp(score, best) > 0))
            best = score;
    }
    return best;
}

static Severity word_severity(const char *word)
{
    static const struct {
        const char *word;
        Severity severity;
    } words[] = {{"critical", SEVERITY_CRITICAL},     {"high", SEVERITY_HIGH},
                 {"important", SEVERITY_HIGH},        {"moderate", SEVERITY_MEDIUM},
                 {"medium", SEVERITY_MEDIUM},         {"low", SEVERITY_LOW},
                 {"negligible", SEVERITY_NEGLIGIBLE}, {"unimportant", SEVERITY_NEGLIGIBLE}};
    for (size_t i = 0; word != NULL && i < G_N_ELEMENTS(words); i++)
        if (g_ascii_strcasecmp(words[i].word, word) == 0)
            return words[i].severity;
    return SEVERITY_UNKNOWN;
}

/* By the vector, else by a number or word of the database's own, else by the word that AlmaLinux
 * puts before its summaries ("Important: bind security update"). */
static void rate(const json_t *record, const char *vector, RecordRow *row)
{
    double score = 0;
    if (vector != NULL && cvss_score(vector, &score, NULL)) {
        row->score = (uint32_t) lround(score * 10);
        row->severity = cvss_severity(score);
        return;
    }
    const json_t *specific = json_object_get(record, "database_specific");
    const char *const numbers[] = {"cvss_v4", "cvss_v3", "cvss_v2"};
    for (size_t i = 0; i < G_N_ELEMENTS(numbers); i++) {
        const json_t *number = json_object_get(specific, numbers[i]);
        if (!json_is_number(number))
            continue;
        score = CLAMP(json_number_value(number), 0.0, 10.0);
        row->score = (uint32_t) lround(score * 10);
        row->severity = cvss_severity(score);
        return;
    }
    row->severity = word_severity(json_get_string(specific, "severity"));
    const char *summary = json_get_string(record, "summary");
    if (row->severity == SEVERITY_UNKNOWN && summary != NULL && strchr(summary, ':') != NULL) {
        g_autofree char *word = g_strndup(summary, strcspn(summary, ":"));
        row->severity = word_severity(word);
    }
}

static bool add_event(AdvisoryBuilder *builder, const json_t *object)
{
    static const struct {
        const char *name;
        EventKind kind;
    } kinds[] = {{"introduced", EVENT_INTRODUCED},
                 {"fixed", EVENT_FIXED},
                 {"last_affected", EVENT_LAST_AFFECTED},
                 {"limit", EVENT_LIMIT}};
    for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++) {
        const char *version = json_get_string(object, kinds[i].name);
        if (version == NULL)
            continue;
        EventRow row = {kinds[i].kind, advisory_builder_string(builder, version)};
        g_array_append_val(builder->events, row);
        return true;
    }
    return false;
}

static void add_ranges(AdvisoryBuilder *builder, const json_t *ranges, AffectedRow *row)
{
    row->ranges = builder->ranges->len;
    size_t i = 0, e = 0;
    json_t *range = NULL, *event = NULL;
    json_array_foreach(ranges, i, range)
    {
        const char *type = json_get_string(range, "type");
        if (type == NULL || strcmp(type, "GIT") == 0)
            continue; /* commits are no versions */
        RangeRow added = {strcmp(type, "SEMVER") == 0 ? RANGE_SEMVER : RANGE_ECOSYSTEM,
                          builder->events->len, 0};
        json_array_foreach(json_object_get(range, "events"), e, event) added.event_count +=
            add_event(builder, event);
        g_array_append_val(builder->ranges, added);
    }
    row->range_count = builder->ranges->len - row->ranges;
}

static bool add_affected(AdvisoryBuilder *builder, const json_t *affected, uint32_t record)
{
    const json_t *package = json_object_get(affected, "package");
    const char *ecosystem = json_get_string(package, "ecosystem");
    const char *name = json_get_string(package, "name");
    if (ecosystem == NULL || name == NULL)
        return false;
    g_autofree char *normal =
        strcmp(ecosystem, "PyPI") == 0 ? purl_normal_pypi_name(name) : g_strdup(name);
    AffectedRow row = {.record = record};
    add_ranges(builder, json_object_get(affected, "ranges"), &row);
    row.versions = add_list(builder, json_object_get(affected, "versions"), &row.version_count);
    if (row.range_count == 0 && row.version_count == 0)
        return false;
    row.vector =
        advisory_builder_string(builder, best_vector(json_object_get(affected, "severity")));
    row.key = advisory_builder_key(builder, ecosystem, normal);
    g_array_append_val(builder->affected, row);
    return true;
}

bool osv_add_record(AdvisoryBuilder *builder, const json_t *record, uint32_t source)
{
    const char *id = json_get_string(record, "id");
    if (id == NULL || json_object_get(record, "withdrawn") != NULL)
        return false;
    uint32_t index = builder->records->len;
    bool any = false;
    size_t i = 0;
    json_t *affected = NULL;
    const json_t *all = json_object_get(record, "affected");
    json_array_foreach(all, i, affected) any = add_affected(builder, affected, index) || any;
    if (!any)
        return false;

    RecordRow row = {.id = advisory_builder_string(builder, id), .source = source};
    const char *summary = json_get_string(record, "summary");
    if (summary == NULL)
        summary = json_get_string(record, "details");
    g_autofree char *line =
        summary != NULL ? g_utf8_substring(summary, 0, MIN(SUMMARY_MAX, g_utf8_strlen(summary, -1)))
                        : NULL;
    if (line != NULL)
        line[strcspn(line, "\r\n")] = '\0';
    row.summary = advisory_builder_string(builder, line);
    const char *vector = best_vector(json_object_get(record, "severity"));
    if (vector == NULL) /* some rate each package */
        vector = best_vector(json_object_get(json_array_get(all, 0), "severity"));
    row.vector = advisory_builder_string(builder, vector);
    rate(record, vector, &row);
    row.aliases = add_list(builder, json_object_get(record, "aliases"), &row.alias_count);
    const json_t *upstream = json_object_get(record, "upstream");
    if (upstream == NULL)
        upstream = json_object_get(record, "related");
    row.upstream = add_list(builder, upstream, &row.upstream_count);
    const char *modified = json_get_string(record, "modified");
    if (modified == NULL || !clock_parse(modified, &row.modified, NULL) || row.modified < 0)
        row.modified = 0;
    g_array_append_val(builder->records, row);
    return true;
}
