#include "pipeline/matrix.h"

typedef struct {
    const char *label, *matrix, *rows; /* rows: "label=values" a line; or the error */
} Case;

static const Case cases[] = {
    {"product", "{\"a\":[1,2],\"b\":[\"x\",\"y\"]}",
     "1, x={\"a\":1,\"b\":\"x\"}\n1, y={\"a\":1,\"b\":\"y\"}\n2, x={\"a\":2,\"b\":\"x\"}\n"
     "2, y={\"a\":2,\"b\":\"y\"}\n"},
    {"exclude-by-value", "{\"a\":[12,13],\"b\":[\"x\"],\"exclude\":[{\"a\":\"12\"}]}",
     "13, x={\"a\":13,\"b\":\"x\"}\n"},
    {"exclude-nested", "{\"o\":[{\"n\":1,\"m\":2},{\"n\":3}],\"exclude\":[{\"o\":{\"n\":1}}]}",
     "3={\"o\":{\"n\":3}}\n"},
    {"exclude-unknown", "{\"a\":[1],\"exclude\":[{\"b\":1}]}",
     "Matrix exclude key 'b' does not match any key within the matrix"},
    {"exclude-empty", "{\"a\":[1],\"exclude\":[{}]}", "Matrix exclude filter must not be empty"},
    {"include-only", "{\"include\":[{\"a\":1},{\"b\":2}]}", "1={\"a\":1}\n2={\"b\":2}\n"},
    {"include-all", "{\"a\":[1,2],\"include\":[{\"c\":\"z\"}]}",
     "1={\"a\":1,\"c\":\"z\"}\n2={\"a\":2,\"c\":\"z\"}\n"},
    {"include-matched", "{\"a\":[1,2],\"include\":[{\"a\":2,\"c\":\"z\"},{\"a\":2,\"c\":\"w\"}]}",
     "1={\"a\":1}\n2={\"a\":2,\"c\":\"w\"}\n"},
    {"include-appended", "{\"a\":[1],\"include\":[{\"a\":3,\"c\":\"z\"},{\"a\":3,\"c\":\"w\"}]}",
     "1={\"a\":1}\n3, z={\"a\":3,\"c\":\"z\"}\n3, w={\"a\":3,\"c\":\"w\"}\n"},
    {"documented",
     "{\"fruit\":[\"apple\",\"pear\"],\"animal\":[\"cat\",\"dog\"],\"include\":["
     "{\"color\":\"green\"},{\"color\":\"pink\",\"animal\":\"cat\"},"
     "{\"fruit\":\"apple\",\"shape\":\"circle\"},{\"fruit\":\"banana\"},"
     "{\"fruit\":\"banana\",\"animal\":\"cat\"}]}",
     "apple, cat={\"fruit\":\"apple\",\"animal\":\"cat\",\"color\":\"pink\",\"shape\":\"circle\"}\n"
     "apple, "
     "dog={\"fruit\":\"apple\",\"animal\":\"dog\",\"color\":\"green\",\"shape\":\"circle\"}\n"
     "pear, cat={\"fruit\":\"pear\",\"animal\":\"cat\",\"color\":\"pink\"}\n"
     "pear, dog={\"fruit\":\"pear\",\"animal\":\"dog\",\"color\":\"green\"}\n"
     "banana={\"fruit\":\"banana\"}\n"
     "banana, cat={\"fruit\":\"banana\",\"animal\":\"cat\"}\n"},
    {"empty-vector", "{\"a\":[]}", "Matrix vector 'a' does not contain any values"},
    {"scalar", "{\"a\":1}", "Matrix vector 'a' is no list"},
    {"nothing", "{}", "Matrix must define at least one vector"},
};

static void test_case(const void *data)
{
    const Case *c = data;
    g_autoptr(GError) error = NULL;
    json_t *json = json_loads(c->matrix, 0, NULL);
    g_autoptr(ExprValue) matrix = expr_from_json(json);
    json_decref(json);
    g_autoptr(GPtrArray) rows = matrix_expand(matrix, &error);
    if (rows == NULL) {
        g_assert_cmpstr(error->message, ==, c->rows);
        return;
    }
    g_autoptr(GString) text = g_string_new(NULL);
    for (guint i = 0; i < rows->len; i++) {
        const MatrixRow *row = rows->pdata[i];
        json_t *values = expr_to_json(row->values);
        g_autofree char *compact = json_dumps(values, JSON_COMPACT);
        g_string_append_printf(text, "%s=%s\n", row->label, compact);
        json_decref(values);
    }
    g_assert_cmpstr(text->str, ==, c->rows);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_set_nonfatal_assertions();
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *path = g_strdup_printf("/matrix/%s", cases[i].label);
        g_test_add_data_func(path, &cases[i], test_case);
    }
    return g_test_run();
}
