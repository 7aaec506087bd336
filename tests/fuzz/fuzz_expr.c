/* An expression that parses prints to text that parses to the same tree, and means the same. */
#include "expr/expression.h"

#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autofree char *text = g_strndup((const char *) data, size);
    g_autoptr(Expression) tree = expression_parse(text, NULL, NULL);
    if (tree == NULL)
        return 0;
    g_autofree char *printed = expression_format(tree);
    g_autoptr(GError) error = NULL;
    g_autoptr(Expression) again = expression_parse(printed, NULL, &error);
    if (again == NULL) /* brackets for dots and parentheses may take it over a limit */
        g_assert_true(strstr(error->message, "Exceeded max expression") != NULL);
    if (again == NULL)
        return 0;
    g_autofree char *printed_again = expression_format(again);
    g_assert_cmpstr(printed, ==, printed_again);
    g_autoptr(ExprValue) contexts = expr_object();
    const ExprScope scope = {.contexts = contexts};
    g_autoptr(ExprValue) value = expression_evaluate(tree, &scope, NULL);
    g_autoptr(ExprValue) same = expression_evaluate(again, &scope, NULL);
    g_assert_true((value == NULL) == (same == NULL));
    if (value == NULL)
        return 0;
    g_autofree char *json = expr_to_json_text(value);
    g_autofree char *same_json = expr_to_json_text(same);
    g_assert_cmpstr(json, ==, same_json);
    return 0;
}
