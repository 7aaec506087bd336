/* cvss_metric.h - the metrics of a vector, read against a table of what a version of CVSS knows. */
#pragma once

#include <glib.h>
#include <stdbool.h>

/* VALUES are words between blanks, the first of an optional one ("X") being its default. */
typedef struct {
    const char *name, *values;
    bool required;
} CvssMetric;

#define CVSS_METRICS_MAX 32

/* What a vector gives: one word a metric, in the table's order; defaults filled in. */
typedef struct {
    const CvssMetric *metrics;
    size_t count;
    char values[CVSS_METRICS_MAX][4];
} CvssValues;

/* Reads "AV:N/AC:L/…"; VECTOR is for messages. */
bool cvss_values_parse(const char *vector, const char *text, const CvssMetric *metrics,
                       size_t count, CvssValues *values, GError **error);

/* The first letter of metric NAME's value, which must be in the table. */
char cvss_value(const CvssValues *values, const char *name);
/* The whole word. */
const char *cvss_word(const CvssValues *values, const char *name);

/* The scores of the versions, in cvss2.c, cvss3.c and cvss4.c; TEXT is the vector without its
 * "CVSS:3.1/". */
bool cvss2_score(const char *vector, const char *text, double *score, GError **error);
bool cvss3_score(const char *vector, const char *text, bool is_3_0, double *score, GError **error);
bool cvss4_score(const char *vector, const char *text, double *score, GError **error);

/* The score FIRST gives to the macrovector of six levels, in tenths. -1: there is no such one. */
int cvss4_macro_score(const int levels[6]);
