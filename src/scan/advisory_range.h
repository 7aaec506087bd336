/* advisory_range.h - whether a version lies in what an advisory says is affected. */
#pragma once

#include "scan/advisory_rows.h"
#include "scan/version/version.h"

/* Evaluates ROW by the rules of OSV: a listed version is affected; else each range, its events put
 * in order, is walked to VERSION. FIXED gets the smallest fix above VERSION in the ranges that hold
 * it (borrowed from DATABASE); NULL where there is none. */
bool advisory_covers(const AdvisoryDatabase *database, const AffectedRow *row, VersionScheme scheme,
                     const char *version, const char **fixed);
