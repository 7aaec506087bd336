/* analysis.h - is the new generation worse than the old one? Pure arithmetic on counts. */
#pragma once

#include <glib.h>
#include <stdint.h>

typedef enum { ANALYSIS_GOOD, ANALYSIS_BAD, ANALYSIS_NO_DATA } AnalysisVerdict;

typedef struct {
    int64_t requests, bad; /* bad: errors or slow answers */
} AnalysisSample;

/* Below this many requests nothing is said of a generation. */
#define ANALYSIS_MIN_REQUESTS 50

/* Lower end of the Wilson 95 % interval of BAD in REQUESTS, from 0 to 1. */
double analysis_wilson_lower(int64_t bad, int64_t requests);

/* BAD when the lower bound of NEW's rate is over OLD's rate + TOLERANCE (1/10000). NO_DATA below
 * ANALYSIS_MIN_REQUESTS: never a silent pass. OLD without requests counts as free of errors. */
AnalysisVerdict analysis_compare(const AnalysisSample *new_one, const AnalysisSample *old_one,
                                 int tolerance);

const char *analysis_verdict_name(AnalysisVerdict verdict);
