#include "scan/cvss.h"

#include "base/error.h"
#include "scan/cvss_metric.h"

#include <string.h>

static bool fail(GError **error, const char *vector, const char *what, const char *text,
                 size_t length)
{
    g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID, "CVSS vector '%.200s': %s '%.*s'",
                vector, what, (int) MIN(length, 40), text);
    return false;
}

static const CvssMetric *find(const CvssMetric *metrics, size_t count, const char *name,
                              size_t length)
{
    for (size_t i = 0; i < count; i++)
        if (strlen(metrics[i].name) == length && memcmp(metrics[i].name, name, length) == 0)
            return &metrics[i];
    return NULL;
}

static bool has_word(const char *words, const char *word, size_t length)
{
    for (const char *p = words; *p != '\0';) {
        size_t n = strcspn(p, " ");
        if (n == length && memcmp(p, word, n) == 0)
            return true;
        p += n + (p[n] == ' ');
    }
    return false;
}

static bool parse_metric(const char *vector, const char *part, size_t length, CvssValues *values,
                         GError **error)
{
    const char *colon = memchr(part, ':', length);
    if (colon == NULL)
        return fail(error, vector, "expected METRIC:VALUE, found", part, length);
    const CvssMetric *metric = find(values->metrics, values->count, part, (size_t) (colon - part));
    if (metric == NULL)
        return fail(error, vector, "unknown metric", part, (size_t) (colon - part));
    const char *value = colon + 1;
    size_t value_length = length - (size_t) (value - part);
    char *slot = values->values[metric - values->metrics];
    if (*slot != '\0')
        return fail(error, vector, "repeated metric", part, length);
    if (value_length >= sizeof values->values[0] || !has_word(metric->values, value, value_length))
        return fail(error, vector, "no such value", part, length);
    memcpy(slot, value, value_length);
    slot[value_length] = '\0';
    return true;
}

bool cvss_values_parse(const char *vector, const char *text, const CvssMetric *metrics,
                       size_t count, CvssValues *values, GError **error)
{
    g_assert(count <= CVSS_METRICS_MAX);
    *values = (CvssValues){.metrics = metrics, .count = count};
    while (*text != '\0') {
        size_t length = strcspn(text, "/");
        if (!parse_metric(vector, text, length, values, error))
            return false;
        text += length + (text[length] == '/');
    }
    for (size_t i = 0; i < count; i++) {
        if (values->values[i][0] != '\0')
            continue;
        if (metrics[i].required)
            return fail(error, vector, "lacks metric", metrics[i].name, strlen(metrics[i].name));
        memcpy(values->values[i], metrics[i].values, strcspn(metrics[i].values, " "));
    }
    return true;
}

const char *cvss_word(const CvssValues *values, const char *name)
{
    const CvssMetric *metric = find(values->metrics, values->count, name, strlen(name));
    g_assert(metric != NULL);
    return values->values[metric - values->metrics];
}

char cvss_value(const CvssValues *values, const char *name)
{
    return cvss_word(values, name)[0];
}

bool cvss_score(const char *vector, double *score, GError **error)
{
    if (g_str_has_prefix(vector, "CVSS:3.0/"))
        return cvss3_score(vector, vector + strlen("CVSS:3.0/"), true, score, error);
    if (g_str_has_prefix(vector, "CVSS:3.1/"))
        return cvss3_score(vector, vector + strlen("CVSS:3.1/"), false, score, error);
    if (g_str_has_prefix(vector, "CVSS:4.0/"))
        return cvss4_score(vector, vector + strlen("CVSS:4.0/"), score, error);
    if (g_str_has_prefix(vector, "CVSS:"))
        return fail(error, vector, "unknown version", vector, strcspn(vector, "/"));
    /* Version 2 has no prefix; some write it in brackets. */
    g_autofree char *text = g_strdup(vector);
    size_t length = strlen(text);
    bool brackets = length > 1 && text[0] == '(' && text[length - 1] == ')';
    if (brackets)
        text[length - 1] = '\0';
    return cvss2_score(vector, text + brackets, score, error);
}

Severity cvss_severity(double score)
{
    if (score >= 9.0)
        return SEVERITY_CRITICAL;
    if (score >= 7.0)
        return SEVERITY_HIGH;
    if (score >= 4.0)
        return SEVERITY_MEDIUM;
    return score > 0.0 ? SEVERITY_LOW : SEVERITY_NEGLIGIBLE;
}
