#include "base/error.h"
#include "expr/expression.h"
#include "expr/template.h"

#include <string.h>

typedef struct {
    const char *text;
    const char *result; /* compact JSON; numbers that JSON cannot hold as strings */
    const char *error;
} Case;

static const char contexts[] =
    "{\"github\": {\"ref\": \"refs/heads/main\", \"Event\": {\"n\": 3}},"
    " \"inputs\": {\"list\": [{\"name\": \"a\"}, {\"name\": \"b\", \"x\": [1, 2]}, 7],"
    "  \"map\": {\"one\": {\"v\": 1}, \"two\": {\"v\": 2}, \"true\": \"yes\"}, \"s\": \" 12 \"}}";

static const Case cases[] = {
    /* literals */
    {"", "null", NULL},
    {"'it''s ''q'''", "\"it's 'q'\"", NULL},
    {".5", "0.5", NULL},
    {"-.5e1", "-5", NULL},
    {"+3", "3", NULL},
    {"0xff", "255", NULL},
    {"0o17", "15", NULL},
    {"NaN", "\"NaN\"", NULL},
    {"Infinity", "\"Infinity\"", NULL},
    {"-Infinity", "\"-Infinity\"", NULL},
    {"1e400", "\"Infinity\"", NULL},
    /* operators */
    {"2 == 2 == 1", "true", NULL},
    {"1 == '1'", "true", NULL},
    {"null == ''", "true", NULL},
    {"'' == false", "true", NULL},
    {"NaN == NaN", "false", NULL},
    {"'a' == 'A'", "true", NULL},
    {"'ς' == 'σ'", "true", NULL},
    {"'i' == 'İ'", "false", NULL},
    {"'ı' == 'i'", "false", NULL},
    {"'ß' == 'SS'", "false", NULL},
    {"'A' <= '['", "true", NULL},
    {"'a' < '['", "true", NULL},
    {"'_' < 'a'", "false", NULL},
    {"null < null", "false", NULL},
    {"null <= null", "true", NULL},
    {"github == github", "true", NULL},
    {"inputs.list == inputs.map", "false", NULL},
    {"fromJSON('[]') == fromJSON('[]')", "false", NULL},
    {"true && 'x' || 'y'", "\"x\"", NULL},
    {"0 || ''", "\"\"", NULL},
    {"!0 && !''", "true", NULL},
    {"1 < 2 == true", "true", NULL},
    {"'0x10' == 16", "true", NULL},
    {"'0o10' == 8", "true", NULL},
    {"'-0x10' == 16", "false", NULL},
    {"' 7 ' == 7", "true", NULL},
    {"'' == 0", "true", NULL},
    {"inputs.s > 11", "true", NULL},
    /* index */
    {"GITHUB.EVENT.N", "3", NULL},
    {"github['event']['n']", "3", NULL},
    {"github.nope.deeper", "null", NULL},
    {"inputs.map[true]", "\"yes\"", NULL},
    {"inputs.list[1.9].name", "\"b\"", NULL},
    {"inputs.list['0'].name", "\"a\"", NULL},
    {"inputs.list[-1]", "null", NULL},
    {"inputs.list.*.name", "[\"a\",\"b\"]", NULL},
    {"inputs.list[*].x[1]", "[2]", NULL},
    {"inputs.list.*.x.*", "[1,2]", NULL},
    {"inputs.map.*.v", "[1,2]", NULL},
    {"github.ref.*", "[]", NULL},
    {"(inputs.list.*.name)[0]", "[]", NULL},
    /* functions */
    {"contains('Hello', 'ELL')", "true", NULL},
    {"contains(fromJSON('[1, \"b\"]'), 'B')", "true", NULL},
    {"contains(inputs.map, 'one')", "false", NULL},
    {"startsWith('Straße', 'STRA')", "true", NULL},
    {"endsWith(github, '')", "false", NULL},
    {"format('{{{0}}} {1} {0}', 'a', null)", "\"{a}  a\"", NULL},
    {"format('{0}', 1e15)", "\"1E+15\"", NULL},
    {"format('{0}', 0.00001)", "\"1E-05\"", NULL},
    {"format('{0} {1}', -0, 0.1)", "\"0 0.1\"", NULL},
    {"format('{0} {1}', inputs.list, github)", "\"Array Object\"", NULL},
    {"join(fromJSON('[1,true,null,\"x\"]'), '-')", "\"1-true--x\"", NULL},
    {"join(github, ',')", "\"\"", NULL},
    {"join('a', '-')", "\"a\"", NULL},
    {"toJSON(fromJSON('{\"a\":[1,{}],\"b\":\"\\t\"}'))",
     "\"{\\n  \\\"a\\\": [\\n    1,\\n    {}\\n  ],\\n  \\\"b\\\": \\\"\\\\t\\\"\\n}\"", NULL},
    {"case(false, 1, true, 2, 3)", "2", NULL},
    {"case(true, 1, fromJSON('!'))", "1", NULL},
    /* errors */
    {"0xff + 1", NULL, "Unexpected symbol: '+'. Located at position 6 within expression: 0xff + 1"},
    {"nope", NULL,
     "Unrecognized named-value: 'nope'. Located at position 1 within expression: nope"},
    {"1 == f(2)", NULL,
     "Unrecognized function: 'f'. Located at position 6 within expression: 1 == f(2)"},
    {"'é' == join()", NULL,
     "Too few parameters supplied: 'join'. Located at position 8 within expression: 'é' == join()"},
    {"toJSON(1, 2)", NULL,
     "Too many parameters supplied: 'toJSON'. Located at position 1 within expression: toJSON(1, "
     "2)"},
    {"case(true, 1, false, 2)", NULL,
     "Even number of parameters supplied, requires an odd number of parameters: 'case'. Located at "
     "position 1 within expression: case(true, 1, false, 2)"},
    {"'open", NULL, "Unexpected symbol: ''open'. Located at position 1 within expression: 'open"},
    {"(1 == ", NULL,
     "Unexpected end of expression: '=='. Located at position 4 within expression: (1 == "},
    {"a = b", NULL, "Unexpected symbol: '='. Located at position 3 within expression: a = b"},
    {"'a'.b", NULL, "Unexpected symbol: '.b'. Located at position 4 within expression: 'a'.b"},
    {"1 2", NULL, "Unexpected symbol: '2'. Located at position 3 within expression: 1 2"},
    {"case(1, 2, 3)", NULL, "case predicate must evaluate to a boolean value"},
    {"format('{1}', 1)", NULL,
     "The following format string references more arguments than were supplied: {1}"},
    {"format('{0:x}', 1)", NULL, "The following format string is invalid: {0:x}"},
    {"format('a}b')", NULL, "The following format string is invalid: a}b"},
    {"fromJSON('')", NULL, "Error parsing JSON when evaluating fromJson: empty input"},
};

static const char *const known[] = {"github", "inputs", NULL};
static ExprValue *values;

static char *text_of(const ExprValue *value)
{
    json_t *json = expr_to_json(value);
    char *text = json_dumps(json, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));
    json_decref(json);
    return text;
}

static void test_case(const void *data)
{
    const Case *c = data;
    g_autoptr(GError) error = NULL;
    ExprNames names = {.contexts = known};
    ExprScope scope = {.contexts = values};
    g_autoptr(ExprValue) value = expression_run(c->text, &names, &scope, &error);

    g_assert_cmpstr(error != NULL ? error->message : NULL, ==, c->error);
    if (value == NULL)
        return;
    g_autofree char *text = text_of(value);
    g_assert_cmpstr(text, ==, c->result);

    /* What is printed parses again, prints alike and means the same. */
    g_autoptr(Expression) tree = expression_parse(c->text, &names, NULL);
    g_autofree char *printed = expression_format(tree);
    g_autoptr(Expression) again = expression_parse(printed, &names, NULL);
    g_assert_nonnull(again);
    g_autofree char *printed_again = expression_format(again);
    g_assert_cmpstr(printed_again, ==, printed);
    g_autoptr(ExprValue) same = expression_evaluate(again, &scope, NULL);
    g_autofree char *same_text = text_of(same);
    g_assert_cmpstr(same_text, ==, text);
}

static void test_depth(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GString) text = g_string_new(NULL);
    for (int i = 0; i < 49; i++)
        g_string_append_c(text, '(');
    g_string_append_c(text, '1');
    for (int i = 0; i < 49; i++)
        g_string_append_c(text, ')');
    g_autoptr(Expression) fits = expression_parse(text->str, NULL, &error);
    g_assert_no_error(error);
    g_autofree char *deep = g_strdup_printf("((%s))", text->str);
    g_autoptr(Expression) none = expression_parse(deep, NULL, &error);
    g_assert_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID);
    g_assert_nonnull(error != NULL ? strstr(error->message, "Exceeded max expression depth 50")
                                   : NULL);
    g_assert_null(none);
}

static const Case templates[] = {
    {"plain", "\"plain\"", NULL},
    {"${{ github.event.n }}", "3", NULL},
    {"v${{ github.event.n }}-${{ true }}", "\"v3-true\"", NULL},
    {"${{ '}}' }}", "\"}}\"", NULL},
    {"a ${{ 1", NULL,
     "The expression is not closed. An unescaped ${{ sequence was found, but the closing }} "
     "sequence was not found."},
    {"${{ }}", NULL, "An expression was expected"},
};

static void test_template(const void *data)
{
    const Case *c = data;
    g_autoptr(GError) error = NULL;
    ExprNames names = {.contexts = known};
    ExprScope scope = {.contexts = values};
    g_autoptr(Template) template = template_parse(c->text, &names, &error);
    g_autoptr(ExprValue) value =
        template != NULL ? template_evaluate(template, &scope, &error) : NULL;
    g_assert_cmpstr(error != NULL ? error->message : NULL, ==, c->error);
    g_autofree char *text = value != NULL ? text_of(value) : NULL;
    g_assert_cmpstr(text, ==, c->result);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_set_nonfatal_assertions();
    json_t *json = json_loads(contexts, 0, NULL);
    values = expr_from_json(json);
    json_decref(json);

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *path = g_strdup_printf("/expr/%02zu", i);
        g_test_add_data_func(path, &cases[i], test_case);
    }
    for (size_t i = 0; i < G_N_ELEMENTS(templates); i++) {
        g_autofree char *path = g_strdup_printf("/template/%02zu", i);
        g_test_add_data_func(path, &templates[i], test_template);
    }
    g_test_add_func("/expr/depth", test_depth);
    int status = g_test_run();
    expr_unref(values);
    return status;
}
