/* An expression that is printed parses again, prints alike, and means the same. */
#include "expr/template.h"

#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static ExprValue *make_contexts(void)
{
    static const char text[] =
        "{\"github\": {\"ref\": \"refs/heads/main\", \"run_number\": 7, \"event\": {\"labels\": "
        "[{\"name\": \"bug\"}, {\"name\": \"web\"}], \"draft\": false, \"none\": null}}, "
        "\"inputs\": {\"who\": \"ana\", \"n\": 1.5}, \"needs\": {}}";
    json_t *json = json_loads(text, 0, NULL);
    ExprValue *values = expr_from_json(json);
    json_decref(json);
    return values;
}

/* The value as JSON; NULL and FAILED where there is none. */
static char *outcome(const Expression *expression, const ExprScope *scope, bool *failed)
{
    g_autoptr(ExprValue) value = expression_evaluate(expression, scope, NULL);
    *failed = value == NULL;
    return value != NULL ? expr_to_json_text(value) : NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static ExprValue *contexts;
    if (contexts == NULL)
        contexts = make_contexts();
    g_autofree char *text = g_strndup((const char *) data, size);
    g_autoptr(Template) template = template_parse(text, NULL, NULL);
    g_autoptr(Expression) tree = expression_parse(text, NULL, NULL);
    if (tree == NULL)
        return 0;
    g_autoptr(GError) error = NULL;
    g_autofree char *printed = expression_format(tree);
    g_autoptr(Expression) again = expression_parse(printed, NULL, &error);
    if (again == NULL) { /* brackets for dots and parentheses may take it over a limit */
        g_assert_nonnull(strstr(error->message, "Exceeded max expression"));
        return 0;
    }
    g_autofree char *twice = expression_format(again);
    g_assert_cmpstr(printed, ==, twice);

    ExprScope scope = {.contexts = contexts};
    bool failed, failed_again;
    g_autofree char *value = outcome(tree, &scope, &failed);
    g_autofree char *same = outcome(again, &scope, &failed_again);
    g_assert_true(failed == failed_again);
    g_assert_cmpstr(value, ==, same);
    return 0;
}
