/* evaluate.c - walks a tree with contexts and gives its value. */
#include "base/error.h"
#include "expr/tree.h"

#include <math.h>

static ExprValue *evaluate(const ExprNode *node, const ExprScope *scope, GError **error);

static void add_all(ExprValue *array, const ExprValue *from)
{
    for (guint i = 0; i < from->items->len; i++)
        expr_array_add(array, expr_ref(from->items->pdata[i]));
}

static ExprValue *filtered_array(void)
{
    ExprValue *array = expr_array();
    array->filtered = true;
    return array;
}

/* The item of ARRAY at INDEX's number, floored; NULL: there is none. Borrowed. */
static ExprValue *array_item(const ExprValue *array, const ExprValue *key)
{
    double number = floor(expr_to_number(key));
    if (!isfinite(number) || expr_to_number(key) < 0 || number >= array->items->len)
        return NULL;
    return array->items->pdata[(guint) number];
}

/* The member of VALUE at KEY; NULL: there is none. Borrowed. */
static ExprValue *member(const ExprValue *value, const ExprValue *key)
{
    if (value->kind == EXPR_ARRAY)
        return array_item(value, key);
    if (value->kind != EXPR_OBJECT || !expr_is_primitive(key))
        return NULL;
    g_autofree char *text = expr_to_text(key);
    return expr_object_get(value, text);
}

static ExprValue *star_of(const ExprValue *value)
{
    ExprValue *result = filtered_array();
    if (value->filtered) {
        for (guint i = 0; i < value->items->len; i++) {
            const ExprValue *item = value->items->pdata[i];
            if (!expr_is_primitive(item))
                add_all(result, item);
        }
    } else if (!expr_is_primitive(value))
        add_all(result, value);
    return result;
}

static ExprValue *index_value(const ExprValue *value, const ExprValue *key)
{
    if (value->filtered) {
        ExprValue *result = filtered_array();
        for (guint i = 0; i < value->items->len; i++) {
            ExprValue *found = member(value->items->pdata[i], key);
            if (found != NULL)
                expr_array_add(result, expr_ref(found));
        }
        return result;
    }
    ExprValue *found = member(value, key);
    return found != NULL ? expr_ref(found) : expr_null();
}

static ExprValue *evaluate_index(const ExprNode *node, const ExprScope *scope, GError **error)
{
    g_autoptr(ExprValue) key = NULL;
    if (!node->star) {
        key = evaluate(node_child(node, 1), scope, error);
        if (key == NULL)
            return NULL;
    }
    g_autoptr(ExprValue) value = evaluate(node_child(node, 0), scope, error);
    if (value == NULL)
        return NULL;
    return node->star ? star_of(value) : index_value(value, key);
}

static ExprValue *evaluate_binary(const ExprNode *node, const ExprScope *scope, GError **error)
{
    g_autoptr(ExprValue) a = evaluate(node_child(node, 0), scope, error);
    g_autoptr(ExprValue) b = a != NULL ? evaluate(node_child(node, 1), scope, error) : NULL;
    if (b == NULL)
        return NULL;
    switch (node->op) {
    case TOKEN_EQUAL:
        return expr_boolean(expr_equals(a, b));
    case TOKEN_NOT_EQUAL:
        return expr_boolean(!expr_equals(a, b));
    case TOKEN_LESS:
        return expr_boolean(expr_less(a, b));
    case TOKEN_LESS_EQUAL:
        return expr_boolean(expr_less(a, b) || expr_equals(a, b));
    case TOKEN_GREATER:
        return expr_boolean(expr_greater(a, b));
    case TOKEN_GREATER_EQUAL:
        return expr_boolean(expr_greater(a, b) || expr_equals(a, b));
    default:
        g_assert_not_reached();
    }
}

/* The operand that decides, not a boolean. */
static ExprValue *evaluate_logical(const ExprNode *node, const ExprScope *scope, GError **error)
{
    ExprValue *value = NULL;
    for (guint i = 0; i < node->children->len; i++) {
        expr_unref(value);
        value = evaluate(node_child(node, i), scope, error);
        if (value == NULL || expr_is_truthy(value) == (node->op == TOKEN_OR))
            break;
    }
    return value;
}

/* case(condition, value, …, otherwise): only what is needed is evaluated. */
static ExprValue *evaluate_case(const ExprNode *node, const ExprScope *scope, GError **error)
{
    guint last = node->children->len - 1;
    for (guint i = 0; i < last; i += 2) {
        g_autoptr(ExprValue) condition = evaluate(node_child(node, i), scope, error);
        if (condition == NULL)
            return NULL;
        if (condition->kind != EXPR_BOOLEAN) {
            g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID,
                        "case predicate must evaluate to a boolean value");
            return NULL;
        }
        if (condition->boolean)
            return evaluate(node_child(node, i + 1), scope, error);
    }
    return evaluate(node_child(node, last), scope, error);
}

static ExprValue *evaluate_call(const ExprNode *node, const ExprScope *scope, GError **error)
{
    const ExprFunction *function = node->function;
    if (function == NULL)
        function = function_find(node->text);
    if (function->call == NULL)
        return evaluate_case(node, scope, error);
    g_autoptr(GPtrArray) arguments = g_ptr_array_new_with_free_func((GDestroyNotify) expr_unref);
    for (guint i = 0; i < node->children->len; i++) {
        ExprValue *argument = evaluate(node_child(node, i), scope, error);
        if (argument == NULL)
            return NULL;
        g_ptr_array_add(arguments, argument);
    }
    return function->call(scope->user, (ExprValue *const *) arguments->pdata, arguments->len,
                          error);
}

static ExprValue *evaluate(const ExprNode *node, const ExprScope *scope, GError **error)
{
    switch (node->kind) {
    case NODE_LITERAL:
        return expr_ref(node->literal);
    case NODE_CONTEXT: {
        ExprValue *found = expr_object_get(scope->contexts, node->text);
        return found != NULL ? expr_ref(found) : expr_null();
    }
    case NODE_INDEX:
        return evaluate_index(node, scope, error);
    case NODE_CALL:
        return evaluate_call(node, scope, error);
    case NODE_NOT: {
        g_autoptr(ExprValue) value = evaluate(node_child(node, 0), scope, error);
        return value != NULL ? expr_boolean(!expr_is_truthy(value)) : NULL;
    }
    case NODE_BINARY:
        return evaluate_binary(node, scope, error);
    case NODE_LOGICAL:
        return evaluate_logical(node, scope, error);
    }
    g_assert_not_reached();
}

ExprValue *expression_evaluate(const Expression *expression, const ExprScope *scope, GError **error)
{
    return expression->root != NULL ? evaluate(expression->root, scope, error) : expr_null();
}

ExprValue *expression_run(const char *text, const ExprNames *names, const ExprScope *scope,
                          GError **error)
{
    g_autoptr(Expression) expression = expression_parse(text, names, error);
    return expression != NULL ? expression_evaluate(expression, scope, error) : NULL;
}
