#include "base/error.h"
#include "scan/cvss.h"

#include <string.h>

#define V31 "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:"
#define V4 "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/"

static const struct {
    const char *label, *vector;
    double score;
} rows[] = {
    {"2", "AV:N/AC:L/Au:N/C:P/I:P/A:P", 7.5},
    {"2-brackets", "(AV:L/AC:H/Au:N/C:C/I:C/A:C)", 6.2},
    {"2-temporal", "AV:N/AC:L/Au:N/C:N/I:N/A:C/E:F/RL:OF/RC:C", 6.4},
    {"2-environmental", "AV:N/AC:L/Au:N/C:N/I:N/A:C/E:F/RL:OF/RC:C/CDP:H/TD:H/CR:M/IR:M/AR:H", 9.2},
    {"3.1", V31 "U/C:H/I:H/A:H", 9.8},
    {"3.1-changed", V31 "C/C:H/I:H/A:H", 10.0},
    {"3.1-any-order", "CVSS:3.1/A:H/I:H/C:H/S:U/UI:N/PR:N/AC:L/AV:N", 9.8},
    {"3.1-nothing", V31 "U/C:N/I:N/A:N", 0.0},
    {"3.1-temporal", V31 "U/C:H/I:H/A:H/E:U/RL:O/RC:U", 7.8},
    {"3.1-environmental", V31 "U/C:H/I:H/A:H/CR:L/IR:L/AR:L", 8.0},
    {"3.1-modified", V31 "U/C:H/I:H/A:H/MAV:P", 6.8},
    {"3.0", "CVSS:3.0/AV:N/AC:L/PR:N/UI:N/S:C/C:H/I:L/A:N", 9.3},
    {"4", V4 "SC:H/SI:H/SA:H", 10.0},
    {"4-no-subsequent", V4 "SC:N/SI:N/SA:N", 9.3},
    {"4-threat", V4 "SC:N/SI:N/SA:N/E:U", 8.1},
    {"4-nothing", "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:N/VI:N/VA:N/SC:N/SI:N/SA:N", 0.0},
};

static void test_score(const void *data)
{
    size_t i = GPOINTER_TO_SIZE(data);
    g_autoptr(GError) error = NULL;
    double score = -1;
    cvss_score(rows[i].vector, &score, &error);
    g_assert_no_error(error);
    g_assert_cmpfloat_with_epsilon(score, rows[i].score, 0.001);
}

static const struct {
    const char *label, *vector, *message;
} malformed[] = {
    {"empty", "", "lacks metric 'AV'"},
    {"missing", "CVSS:3.1/AV:N", "lacks metric 'AC'"},
    {"repeated", V31 "U/C:H/I:H/A:H/AV:N", "repeated metric 'AV:N'"},
    {"unknown", V31 "U/C:H/I:H/A:H/XX:N", "unknown metric 'XX'"},
    {"value", V31 "U/C:H/I:H/A:Q", "no such value 'A:Q'"},
    {"no-colon", V31 "U/C:H/I:H/A", "expected METRIC:VALUE, found 'A'"},
    {"version", "CVSS:5.0/AV:N", "unknown version 'CVSS:5.0'"},
};

static void test_malformed(const void *data)
{
    size_t i = GPOINTER_TO_SIZE(data);
    g_autoptr(GError) error = NULL;
    double score = 0;
    g_assert_false(cvss_score(malformed[i].vector, &score, &error));
    g_assert_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID);
    if (error != NULL)
        g_assert_nonnull(strstr(error->message, malformed[i].message));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_set_nonfatal_assertions();

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *path = g_strdup_printf("/cvss/score/%s", rows[i].label);
        g_test_add_data_func(path, GSIZE_TO_POINTER(i), test_score);
    }
    for (size_t i = 0; i < G_N_ELEMENTS(malformed); i++) {
        g_autofree char *path = g_strdup_printf("/cvss/malformed/%s", malformed[i].label);
        g_test_add_data_func(path, GSIZE_TO_POINTER(i), test_malformed);
    }
    return g_test_run();
}
