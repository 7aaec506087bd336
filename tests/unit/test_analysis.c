#include "delivery/analysis.h"

typedef struct {
    const char *label;
    AnalysisSample new_one, old_one;
    int tolerance;
    AnalysisVerdict verdict;
} Case;

static const Case cases[] = {
    {"nothing", {0, 0}, {0, 0}, 100, ANALYSIS_NO_DATA},
    {"too-few", {49, 49}, {1000, 0}, 100, ANALYSIS_NO_DATA},
    {"clean", {50, 0}, {1000, 0}, 100, ANALYSIS_GOOD},
    {"all-bad", {50, 50}, {1000, 0}, 100, ANALYSIS_BAD},
    {"one-of-fifty-proves-nothing", {50, 1}, {1000, 0}, 100, ANALYSIS_GOOD},
    {"four-of-fifty", {50, 4}, {1000, 0}, 100, ANALYSIS_BAD},
    {"the-old-one-fails-as-well", {100, 20}, {1000, 200}, 100, ANALYSIS_GOOD},
    {"a-little-over-for-long", {100000, 1200}, {100000, 0}, 100, ANALYSIS_BAD},
    {"no-tolerance", {1000, 1}, {1000, 0}, 0, ANALYSIS_BAD},
    {"no-old-one", {200, 100}, {0, 0}, 100, ANALYSIS_BAD},
};

static void test_case(const void *data)
{
    const Case *c = data;
    g_assert_cmpint(analysis_compare(&c->new_one, &c->old_one, c->tolerance), ==, c->verdict);
}

/* Values of the closed form, computed independently. */
static void test_wilson(void)
{
    g_assert_cmpfloat_with_epsilon(analysis_wilson_lower(0, 100), 0.0, 1e-9);
    g_assert_cmpfloat_with_epsilon(analysis_wilson_lower(50, 100), 0.40383, 1e-4);
    g_assert_cmpfloat_with_epsilon(analysis_wilson_lower(100, 100), 0.96300, 1e-4);
    g_assert_cmpfloat_with_epsilon(analysis_wilson_lower(1, 1), 0.20654, 1e-4);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_set_nonfatal_assertions();
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *path = g_strdup_printf("/analysis/%s", cases[i].label);
        g_test_add_data_func(path, &cases[i], test_case);
    }
    g_test_add_func("/analysis/wilson", test_wilson);
    return g_test_run();
}
