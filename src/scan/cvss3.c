/* CVSS 3.0 and 3.1, first.org/cvss/v3.1/specification-document section 7. */
#include "scan/cvss_metric.h"

#include <math.h>
#include <string.h>

static const CvssMetric metrics[] = {
    {"AV", "N A L P", true},    {"AC", "L H", true},       {"PR", "N L H", true},
    {"UI", "N R", true},        {"S", "U C", true},        {"C", "H L N", true},
    {"I", "H L N", true},       {"A", "H L N", true},      {"E", "X H F P U", false},
    {"RL", "X U W T O", false}, {"RC", "X C R U", false},  {"CR", "X H M L", false},
    {"IR", "X H M L", false},   {"AR", "X H M L", false},  {"MAV", "X N A L P", false},
    {"MAC", "X L H", false},    {"MPR", "X N L H", false}, {"MUI", "X N R", false},
    {"MS", "X U C", false},     {"MC", "X H L N", false},  {"MI", "X H L N", false},
    {"MA", "X H L N", false},
};

/* The modified value of base metric NAME where there is one. */
static char effective(const CvssValues *v, const char *name, bool modified)
{
    if (modified) {
        char other[4] = "M";
        memcpy(other + 1, name, strlen(name) + 1);
        char value = cvss_value(v, other);
        if (value != 'X')
            return value;
    }
    return cvss_value(v, name);
}

static double pick(char value, const char *letters, const double *weights)
{
    const char *at = strchr(letters, value);
    g_assert(at != NULL);
    return weights[at - letters];
}

#define PICK(value, letters, ...) pick(value, letters, (const double[]){__VA_ARGS__})

static double impact_weight(char value)
{
    return PICK(value, "HLN", 0.56, 0.22, 0.0);
}

static double requirement(char value)
{
    return PICK(value, "XHML", 1.0, 1.5, 1.0, 0.5);
}

static double roundup(double x, bool is_3_0)
{
    if (is_3_0)
        return ceil(x * 10) / 10;
    long n = lround(x * 100000);
    return n % 10000 == 0 ? (double) n / 100000 : (double) (n / 10000 + 1) / 10;
}

static double exploitability(const CvssValues *v, bool modified, bool changed)
{
    char privileges = effective(v, "PR", modified);
    return 8.22 * PICK(effective(v, "AV", modified), "NALP", 0.85, 0.62, 0.55, 0.2) *
           PICK(effective(v, "AC", modified), "LH", 0.77, 0.44) *
           (changed ? PICK(privileges, "NLH", 0.85, 0.68, 0.5)
                    : PICK(privileges, "NLH", 0.85, 0.62, 0.27)) *
           PICK(effective(v, "UI", modified), "NR", 0.85, 0.62);
}

static double combine(double impact, double exploit, bool changed, bool is_3_0)
{
    if (impact <= 0)
        return 0;
    return roundup(fmin((changed ? 1.08 : 1.0) * (impact + exploit), 10), is_3_0);
}

static double base_score(const CvssValues *v, bool is_3_0)
{
    bool changed = cvss_value(v, "S") == 'C';
    double iss = 1 - (1 - impact_weight(cvss_value(v, "C"))) *
                         (1 - impact_weight(cvss_value(v, "I"))) *
                         (1 - impact_weight(cvss_value(v, "A")));
    double impact = changed ? 7.52 * (iss - 0.029) - 3.25 * pow(iss - 0.02, 15) : 6.42 * iss;
    return combine(impact, exploitability(v, false, changed), changed, is_3_0);
}

static double environmental_score(const CvssValues *v, bool is_3_0)
{
    bool changed = effective(v, "S", true) == 'C';
    double kept = (1 - requirement(cvss_value(v, "CR")) * impact_weight(effective(v, "C", true))) *
                  (1 - requirement(cvss_value(v, "IR")) * impact_weight(effective(v, "I", true))) *
                  (1 - requirement(cvss_value(v, "AR")) * impact_weight(effective(v, "A", true)));
    double iss = fmin(1 - kept, 0.915);
    double tail = is_3_0 ? pow(iss - 0.02, 15) : pow(iss * 0.9731 - 0.02, 13);
    double impact = changed ? 7.52 * (iss - 0.029) - 3.25 * tail : 6.42 * iss;
    return combine(impact, exploitability(v, true, changed), changed, is_3_0);
}

bool cvss3_score(const char *vector, const char *text, bool is_3_0, double *score, GError **error)
{
    CvssValues v;
    if (!cvss_values_parse(vector, text, metrics, G_N_ELEMENTS(metrics), &v, error))
        return false;
    bool environmental = false;
    for (size_t i = 0; i < v.count; i++)
        environmental |= v.values[i][0] != 'X' &&
                         (metrics[i].name[0] == 'M' || g_str_has_suffix(metrics[i].name, "R")) &&
                         !metrics[i].required;
    double weight = PICK(cvss_value(&v, "E"), "XHFPU", 1, 1, 0.97, 0.94, 0.91) *
                    PICK(cvss_value(&v, "RL"), "XUWTO", 1, 1, 0.97, 0.96, 0.95) *
                    PICK(cvss_value(&v, "RC"), "XCRU", 1, 1, 0.96, 0.92);
    double plain = environmental ? environmental_score(&v, is_3_0) : base_score(&v, is_3_0);
    *score = weight < 1 ? roundup(plain * weight, is_3_0) : plain;
    return true;
}
