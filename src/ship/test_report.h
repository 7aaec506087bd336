/* test_report.h - how many tests a known runner says it ran, from its closing lines. Pure text. */
#pragma once

#include <glib.h>
#include <stdbool.h>

typedef struct {
    const char *runner; /* static; NULL: none was recognised */
    gint64 passed, failed, skipped;
} TestReport;

/* Adds up what every known runner in OUTPUT says: unittest, pytest, TAP, go test -v, cargo test,
 * node's test runner, mocha, jest, Maven Surefire, ctest, and a line "N passed, N failed". */
TestReport test_report_parse(const char *output);

/* Lines covered in a Cobertura report, in 1/10000; -1 with INVALID when it is none. */
gint64 test_report_coverage(const char *xml, GError **error);
