#include "ship/test_report.h"

typedef struct {
    const char *label, *output, *runner;
    gint64 passed, failed, skipped;
} Case;

static const Case cases[] = {
    {"nothing", "all good\n", NULL, 0, 0, 0},
    {"unittest", "test_a ... ok\n\n----\nRan 33 tests in 1.835s\n\nOK\n", "unittest", 33, 0, 0},
    {"unittest-skipped", "Ran 10 tests in 0.1s\n\nOK (skipped=2)\n", "unittest", 8, 0, 2},
    {"unittest-failed", "Ran 10 tests in 0.1s\n\nFAILED (failures=2, errors=1)\n", "unittest", 7, 3,
     0},
    {"unittest-errors", "Ran 4 tests in 0.1s\n\nFAILED (errors=1)\n", "unittest", 3, 1, 0},
    {"pytest", "======= 2 failed, 20 passed, 1 skipped in 0.12s =======\n", "pytest", 20, 2, 1},
    {"pytest-passed", "===== 5 passed in 0.01s =====\n", "pytest", 5, 0, 0},
    {"cargo",
     "test result: ok. 7 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out\n"
     "test result: FAILED. 2 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out\n",
     "cargo", 9, 1, 1},
    {"node", "TAP version 13\nok 1 - a\n1..1\n# tests 1\n# pass 1\n# fail 0\n# skipped 0\n", "node",
     1, 0, 0},
    {"tap", "1..4\nok 1 - a\nnot ok 2 - b\nok 3 - c # SKIP no root\nnot ok 4 - d # TODO later\n",
     "tap", 1, 1, 2},
    {"tap-without-plan", "ok 1 - a\n", NULL, 0, 0, 0},
    {"go",
     "=== RUN   TestA\n--- PASS: TestA (0.00s)\n    --- PASS: TestA/x (0.00s)\n--- FAIL: TestB "
     "(0.00s)\n",
     "go", 2, 1, 0},
    {"jest", "Tests:       1 failed, 4 passed, 5 total\n", "jest", 4, 1, 0},
    {"ctest", "75% tests passed, 1 tests failed out of 4\n", "ctest", 3, 1, 0},
    {"plain", "12 passed, 0 failed, 3 skipped\n", "plain", 12, 0, 3},
    {"words-do-not-count", "we passed 100 tests, believe us: OK\n", NULL, 0, 0, 0},
};

static void test_case(const void *data)
{
    const Case *c = data;
    TestReport report = test_report_parse(c->output);
    g_assert_cmpstr(report.runner, ==, c->runner);
    g_assert_cmpint(report.passed, ==, c->passed);
    g_assert_cmpint(report.failed, ==, c->failed);
    g_assert_cmpint(report.skipped, ==, c->skipped);
}

static void test_coverage(void)
{
    g_assert_cmpint(
        test_report_coverage("<?xml version=\"1.0\"?><coverage version=\"7\" line-rate=\"0.8125\">",
                             NULL),
        ==, 8125);
    g_autoptr(GError) error = NULL;
    g_assert_cmpint(test_report_coverage("<report/>", &error), ==, -1);
    g_assert_nonnull(error);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_set_nonfatal_assertions();
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *path = g_strdup_printf("/test-report/%s", cases[i].label);
        g_test_add_data_func(path, &cases[i], test_case);
    }
    g_test_add_func("/test-report/coverage", test_coverage);
    return g_test_run();
}
