#include "delivery/analysis.h"

#include <math.h>

#define Z_95 1.959963984540054 /* two-sided 95 % of the normal distribution */

double analysis_wilson_lower(int64_t bad, int64_t requests)
{
    if (requests <= 0)
        return 0;
    double n = (double) requests, p = (double) bad / n, zz = Z_95 * Z_95;
    double centre = p + zz / (2 * n);
    double spread = Z_95 * sqrt(p * (1 - p) / n + zz / (4 * n * n));
    double lower = (centre - spread) / (1 + zz / n);
    return lower > 0 ? lower : 0;
}

AnalysisVerdict analysis_compare(const AnalysisSample *new_one, const AnalysisSample *old_one,
                                 int tolerance)
{
    if (new_one->requests < ANALYSIS_MIN_REQUESTS)
        return ANALYSIS_NO_DATA;
    double old_rate =
        old_one->requests > 0 ? (double) old_one->bad / (double) old_one->requests : 0;
    double limit = old_rate + tolerance / 10000.0;
    return analysis_wilson_lower(new_one->bad, new_one->requests) > limit ? ANALYSIS_BAD
                                                                          : ANALYSIS_GOOD;
}

const char *analysis_verdict_name(AnalysisVerdict verdict)
{
    static const char *const names[] = {"good", "bad", "no-data"};
    return names[verdict];
}
