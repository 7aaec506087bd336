/* report.h - findings as text, JSON or SARIF, and the ignore rules that suppress some of them. */
#pragma once

#include "model/finding.h"

#include <stdio.h>

typedef enum { REPORT_TEXT, REPORT_JSON, REPORT_SARIF } ReportFormat;

bool report_format_parse(const char *text, ReportFormat *format, GError **error);

/* Writes FINDINGS (suppressed ones only in JSON and SARIF, marked) to OUT. TOOL names the command
 * ("slipway lint"). Same findings, same bytes. */
void report_write(FILE *out, ReportFormat format, const char *tool, const GPtrArray *findings);

/* How many count (are not suppressed) at THRESHOLD or above. */
size_t report_count(const GPtrArray *findings, Severity threshold);

/* Marks what entries of FOLDER/.slipwayignore (rule glob, path glob or fingerprint, reason, owner,
 * review-by) cover. An entry without reason or review-by, or past its day, does not count at a
 * gate: it suppresses nothing when STRICT, and becomes a warning finding of its own. */
bool report_apply_ignores(GPtrArray *findings, const char *folder, bool strict, GError **error);
