/* inspect.c - what a tree mentions, and its text. */
#include "expr/tree.h"

#include <string.h>

static bool calls(const ExprNode *node, const char *const *names)
{
    if (node->kind == NODE_CALL)
        for (size_t i = 0; names[i] != NULL; i++)
            if (g_ascii_strcasecmp(names[i], node->text) == 0)
                return true;
    for (guint i = 0; node->children != NULL && i < node->children->len; i++)
        if (calls(node_child(node, i), names))
            return true;
    return false;
}

bool expression_calls(const Expression *expression, const char *const *names)
{
    return expression->root != NULL && calls(expression->root, names);
}

static bool uses(const ExprNode *node, const char *context)
{
    if (node->kind == NODE_CONTEXT && g_ascii_strcasecmp(node->text, context) == 0)
        return true;
    for (guint i = 0; node->children != NULL && i < node->children->len; i++)
        if (uses(node_child(node, i), context))
            return true;
    return false;
}

bool expression_uses(const Expression *expression, const char *context)
{
    return expression->root != NULL && uses(expression->root, context);
}

/* How tightly a node binds: the row of the precedence table, from low to high. */
static int binding(const ExprNode *node)
{
    switch (node->kind) {
    case NODE_LOGICAL:
        return node->op == TOKEN_OR ? 0 : 1;
    case NODE_BINARY:
        return node->op <= TOKEN_NOT_EQUAL ? 2 : 3;
    case NODE_NOT:
        return 4;
    case NODE_LITERAL: /* takes no index without parentheses */
        return 5;
    default:
        return 6;
    }
}

static const char *operator_text(TokenKind op)
{
    switch (op) {
    case TOKEN_EQUAL:
        return " == ";
    case TOKEN_NOT_EQUAL:
        return " != ";
    case TOKEN_LESS:
        return " < ";
    case TOKEN_LESS_EQUAL:
        return " <= ";
    case TOKEN_GREATER:
        return " > ";
    case TOKEN_GREATER_EQUAL:
        return " >= ";
    case TOKEN_AND:
        return " && ";
    default:
        return " || ";
    }
}

static void append_node(GString *out, const ExprNode *node, int least);

static void append_literal(GString *out, const ExprValue *value)
{
    if (value->kind == EXPR_NULL) {
        g_string_append(out, "null");
        return;
    }
    if (value->kind == EXPR_NUMBER) {
        char buffer[G_ASCII_DTOSTR_BUF_SIZE]; /* all digits: it must parse to the same number */
        g_autofree char *word = expr_number_format(value->number);
        bool named = word[0] == 'N' || strstr(word, "Inf") != NULL;
        g_string_append(out, named ? word : g_ascii_dtostr(buffer, sizeof buffer, value->number));
        return;
    }
    g_autofree char *text = expr_to_text(value);
    if (value->kind != EXPR_STRING) {
        g_string_append(out, text);
        return;
    }
    g_string_append_c(out, '\'');
    for (const char *p = text; *p != '\0'; p++) {
        if (*p == '\'')
            g_string_append_c(out, '\'');
        g_string_append_c(out, *p);
    }
    g_string_append_c(out, '\'');
}

static void append_index(GString *out, const ExprNode *node)
{
    append_node(out, node_child(node, 0), 6);
    if (node->star) {
        g_string_append(out, ".*");
        return;
    }
    g_string_append_c(out, '[');
    append_node(out, node_child(node, 1), 0);
    g_string_append_c(out, ']');
}

static void append_list(GString *out, const ExprNode *node, const char *between, int least)
{
    for (guint i = 0; i < node->children->len; i++) {
        if (i > 0)
            g_string_append(out, between);
        append_node(out, node_child(node, i), least);
    }
}

static void append_bare(GString *out, const ExprNode *node)
{
    switch (node->kind) {
    case NODE_LITERAL:
        append_literal(out, node->literal);
        break;
    case NODE_CONTEXT:
        g_string_append(out, node->text);
        break;
    case NODE_INDEX:
        append_index(out, node);
        break;
    case NODE_CALL:
        g_string_append_printf(out, "%s(", node->text);
        append_list(out, node, ", ", 0);
        g_string_append_c(out, ')');
        break;
    case NODE_NOT:
        g_string_append_c(out, '!');
        append_node(out, node_child(node, 0), 4);
        break;
    case NODE_BINARY:
        append_node(out, node_child(node, 0), binding(node));
        g_string_append(out, operator_text(node->op));
        append_node(out, node_child(node, 1), binding(node) + 1);
        break;
    case NODE_LOGICAL:
        append_list(out, node, operator_text(node->op), binding(node) + 1);
        break;
    }
}

static void append_node(GString *out, const ExprNode *node, int least)
{
    bool enclose = binding(node) < least;
    if (enclose)
        g_string_append_c(out, '(');
    append_bare(out, node);
    if (enclose)
        g_string_append_c(out, ')');
}

char *expression_format(const Expression *expression)
{
    GString *out = g_string_new(NULL);
    if (expression->root != NULL)
        append_node(out, expression->root, 0);
    return g_string_free(out, FALSE);
}
