/* writer.h - one function a format; report.c picks. FINDINGS are sorted. */
#pragma once

#include "model/finding.h"

#include <jansson.h>
#include <stdio.h>

void text_report_write(FILE *out, const GPtrArray *findings);
void json_report_write(FILE *out, const GPtrArray *findings);
void sarif_report_write(FILE *out, const char *tool, const GPtrArray *findings);

/* The detail object of FINDING; an empty object when there is none. The caller's to release. */
json_t *finding_detail(const Finding *finding);
