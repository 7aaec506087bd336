/* CVSS 2.0, first.org/cvss/v2/guide. */
#include "scan/cvss_metric.h"

#include <math.h>
#include <string.h>

static const CvssMetric metrics[] = {
    {"AV", "L A N", true},        {"AC", "H M L", true},
    {"Au", "M S N", true},        {"C", "N P C", true},
    {"I", "N P C", true},         {"A", "N P C", true},
    {"E", "ND U POC F H", false}, {"RL", "ND OF TF W U", false},
    {"RC", "ND UC UR C", false},  {"CDP", "ND N L LM MH H", false},
    {"TD", "ND N L M H", false},  {"CR", "ND L M H", false},
    {"IR", "ND L M H", false},    {"AR", "ND L M H", false},
};

typedef struct {
    const char *metric, *value;
    double weight;
} Weight;

/* What is not listed weighs 1. */
static const Weight weights[] = {
    {"AV", "L", 0.395}, {"AV", "A", 0.646}, {"AC", "H", 0.35}, {"AC", "M", 0.61},
    {"AC", "L", 0.71},  {"Au", "M", 0.45},  {"Au", "S", 0.56}, {"Au", "N", 0.704},
    {"C", "N", 0.0},    {"C", "P", 0.275},  {"C", "C", 0.660}, {"I", "N", 0.0},
    {"I", "P", 0.275},  {"I", "C", 0.660},  {"A", "N", 0.0},   {"A", "P", 0.275},
    {"A", "C", 0.660},  {"E", "U", 0.85},   {"E", "POC", 0.9}, {"E", "F", 0.95},
    {"RL", "OF", 0.87}, {"RL", "TF", 0.90}, {"RL", "W", 0.95}, {"RC", "UC", 0.90},
    {"RC", "UR", 0.95}, {"CDP", "ND", 0.0}, {"CDP", "N", 0.0}, {"CDP", "L", 0.1},
    {"CDP", "LM", 0.3}, {"CDP", "MH", 0.4}, {"CDP", "H", 0.5}, {"TD", "N", 0.0},
    {"TD", "L", 0.25},  {"TD", "M", 0.75},  {"CR", "L", 0.5},  {"CR", "H", 1.51},
    {"IR", "L", 0.5},   {"IR", "H", 1.51},  {"AR", "L", 0.5},  {"AR", "H", 1.51},
};

static double weight(const CvssValues *v, const char *metric)
{
    const char *value = cvss_word(v, metric);
    for (size_t i = 0; i < G_N_ELEMENTS(weights); i++)
        if (strcmp(weights[i].metric, metric) == 0 && strcmp(weights[i].value, value) == 0)
            return weights[i].weight;
    return 1.0;
}

static double tenths(double x)
{
    return round(x * 10) / 10;
}

bool cvss2_score(const char *vector, const char *text, double *score, GError **error)
{
    CvssValues v;
    if (!cvss_values_parse(vector, text, metrics, G_N_ELEMENTS(metrics), &v, error))
        return false;
    double kept = (1 - weight(&v, "C") * weight(&v, "CR")) *
                  (1 - weight(&v, "I") * weight(&v, "IR")) *
                  (1 - weight(&v, "A") * weight(&v, "AR"));
    double impact = fmin(10.0, 10.41 * (1 - kept));
    double exploitability = 20 * weight(&v, "AV") * weight(&v, "AC") * weight(&v, "Au");
    double base = tenths((0.6 * impact + 0.4 * exploitability - 1.5) * (impact == 0 ? 0 : 1.176));
    double temporal = tenths(base * weight(&v, "E") * weight(&v, "RL") * weight(&v, "RC"));
    *score = tenths((temporal + (10 - temporal) * weight(&v, "CDP")) * weight(&v, "TD"));
    return true;
}
