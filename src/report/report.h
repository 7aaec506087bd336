/* report.h - findings as text, JSON or SARIF, and the ignore rules that suppress some of them. */
#pragma once

#include "model/finding.h"

#include <stdio.h>

typedef enum { REPORT_TEXT, REPORT_JSON, REPORT_SARIF } ReportFormat;

bool report_format_parse(const char *text, ReportFormat *format, GError **error);

/* Writes FINDINGS (suppressed ones only in JSON and SARIF, marked) to OUT, sorted. TOOL names the
 * command ("slipway lint"). Same findings, same bytes. The members of a finding's detail stand
 * beside the others in JSON, and under "properties" in SARIF. */
void report_write(FILE *out, ReportFormat format, const char *tool, const GPtrArray *findings);

/* How many count (are not suppressed) at THRESHOLD or above. */
size_t report_count(const GPtrArray *findings, Severity threshold);

/* Marks what entries of FOLDER/.slipwayignore (rule glob, path glob or fingerprint, reason, owner,
 * review-by) cover. An entry without reason or review-by, or past its day, does not count at a
 * gate: it suppresses nothing when STRICT, and becomes a warning finding of its own. */
bool report_apply_ignores(GPtrArray *findings, const char *folder, bool strict, GError **error);

/* The same, and entries that covered nothing though RAN says that their rules were looked for
 * become warnings too. RAN is asked with the entry's rule glob. */
bool report_apply_ignores_of(GPtrArray *findings, const char *folder, bool strict,
                             bool (*ran)(const char *rule_glob), GError **error);
