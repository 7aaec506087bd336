#include "base/error.h"
#include "format/json.h"

#include <string.h>

typedef struct {
    const char *label;
    const char *text;
    const char *canonical; /* NULL: refused */
    const char *message;
} Case;

static const Case cases[] = {
    {"sorted", "{\"b\": 1, \"a\": [true, null, \"\xc3\xa9\"]}",
     "{\"a\":[true,null,\"\xc3\xa9\"],\"b\":1}", NULL},
    {"escapes", "\"a\\u0001\\n\\/\\\"\"", "\"a\\u0001\\n/\\\"\"", NULL},
    {"scalar", "12", "12", NULL},
    {"real", "[1.5]", NULL, "canonical JSON holds integers only, not real numbers"},
    {"duplicate", "{\"a\": 1,\n \"a\": 2}", NULL, "j.json:2:4: duplicate object key near '\"a\"'"},
    {"trailing", "{} x", NULL, "j.json:1:4: end of file expected near 'x'"},
    {"empty", "", NULL, "j.json:1:1: unexpected token near end of file"},
    {"nul-escape", "\"\\u0000\"", NULL,
     "j.json:1:8: \\u0000 is not allowed without JSON_ALLOW_NUL near '\"\\u0000\"'"},
};

static void test_case(const void *data)
{
    const Case *c = data;
    g_autoptr(GError) error = NULL;
    g_autoptr(json_t) value = json_parse("j.json", c->text, strlen(c->text), &error);
    g_autofree char *canonical = value != NULL ? json_canonical(value, &error) : NULL;
    g_assert_cmpstr(canonical, ==, c->canonical);
    g_assert_cmpstr(error != NULL ? error->message : NULL, ==, c->message);
    if (value == NULL)
        g_assert_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID);
}

static void test_get(void)
{
    const char *text = "{\"s\":\"x\",\"i\":7,\"b\":true,\"r\":0.1}";
    g_autoptr(json_t) value = json_parse("j", text, strlen(text), NULL);
    g_assert_cmpstr(json_get_string(value, "s"), ==, "x");
    g_assert_null(json_get_string(value, "i"));
    g_assert_cmpint(json_get_integer(value, "i", 1), ==, 7);
    g_assert_cmpint(json_get_integer(value, "s", 1), ==, 1);
    g_assert_true(json_get_boolean(value, "b", false));
    g_assert_true(json_get_boolean(value, "none", true));
    g_autofree char *compact = json_compact(value);
    g_assert_cmpstr(compact, ==, "{\"s\":\"x\",\"i\":7,\"b\":true,\"r\":0.10000000000000001}");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_set_nonfatal_assertions();
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *path = g_strdup_printf("/json/%s", cases[i].label);
        g_test_add_data_func(path, &cases[i], test_case);
    }
    g_test_add_func("/json/get", test_get);
    return g_test_run();
}
