/* cvss.h - the score of a CVSS vector, versions 2.0, 3.0, 3.1 and 4.0. */
#pragma once

#include "model/finding.h"

/* The score of VECTOR, 0.0 to 10.0 in tenths: of all metric groups it has (base, then temporal or
 * threat, then environmental). False with INVALID, naming the metric, for anything that is not a
 * whole vector: an unknown, repeated or missing metric, a value that does not exist. */
bool cvss_score(const char *vector, double *score, GError **error);

/* The band of a score: none is negligible. */
Severity cvss_severity(double score);
