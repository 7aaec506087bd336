/* parser.c - recursive descent over the tokens; precedence from high to low:
 * ( )   [ ] . call   !   < <= > >=   == !=   &&   || */
#include "base/error.h"
#include "expr/tree.h"

typedef struct {
    const char *text;
    const ExprNames *names;
    GArray *tokens;
    guint at;
    int depth;
} Parser;

static ExprNode *parse_or(Parser *parser, GError **error);

static void node_free(gpointer data)
{
    ExprNode *node = data;
    if (node == NULL)
        return;
    g_free(node->text);
    expr_unref(node->literal);
    g_clear_pointer(&node->children, g_ptr_array_unref);
    g_free(node);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ExprNode, node_free)

static ExprNode *node_new(NodeKind kind, ExprNode *first, ExprNode *second)
{
    ExprNode *node = g_new0(ExprNode, 1);
    node->kind = kind;
    node->children = g_ptr_array_new_with_free_func(node_free);
    if (first != NULL)
        g_ptr_array_add(node->children, first);
    if (second != NULL)
        g_ptr_array_add(node->children, second);
    return node;
}

static ExprNode *literal(ExprValue *value)
{
    ExprNode *node = g_new0(ExprNode, 1);
    node->kind = NODE_LITERAL;
    node->literal = value;
    return node;
}

static const Token *peek(const Parser *parser)
{
    return &g_array_index(parser->tokens, Token, parser->at);
}

static bool match(Parser *parser, TokenKind kind)
{
    if (peek(parser)->kind != kind)
        return false;
    if (kind != TOKEN_END)
        parser->at++;
    return true;
}

static void *fail(const Parser *parser, const char *what, const Token *token, GError **error)
{
    lexer_error(error, what, token->kind == TOKEN_END ? "EOF" : token->text, token->position,
                parser->text);
    return NULL;
}

static void *fail_symbol(const Parser *parser, GError **error)
{
    const Token *token = peek(parser);
    if (token->kind == TOKEN_END && parser->at > 0)
        return fail(parser, "Unexpected end of expression", token - 1, error);
    return fail(parser, "Unexpected symbol", token, error);
}

static bool deeper(Parser *parser, GError **error)
{
    if (++parser->depth <= EXPRESSION_DEPTH)
        return true;
    g_autofree char *what = g_strdup_printf("Exceeded max expression depth %d", EXPRESSION_DEPTH);
    fail(parser, what, peek(parser), error);
    return false;
}

static ExprNode *parse_expression(Parser *parser, GError **error)
{
    if (!deeper(parser, error))
        return NULL;
    ExprNode *node = parse_or(parser, error);
    parser->depth--;
    return node;
}

static ExprNode *parse_primary(Parser *parser, GError **error)
{
    const Token *token = peek(parser);
    if (match(parser, TOKEN_TRUE) || match(parser, TOKEN_FALSE))
        return literal(expr_boolean(token->kind == TOKEN_TRUE));
    if (match(parser, TOKEN_NULL))
        return literal(expr_null());
    if (match(parser, TOKEN_NUMBER))
        return literal(expr_number(token->number));
    if (match(parser, TOKEN_STRING))
        return literal(expr_string(token->text));
    if (!match(parser, TOKEN_OPEN))
        return fail_symbol(parser, error);
    g_autoptr(ExprNode) inner = parse_expression(parser, error);
    if (inner == NULL)
        return NULL;
    if (!match(parser, TOKEN_CLOSE))
        return fail_symbol(parser, error);
    return g_steal_pointer(&inner);
}

static bool name_is_known(const ExprNames *names, const char *name)
{
    if (names == NULL || names->contexts == NULL)
        return true;
    for (size_t i = 0; names->contexts[i] != NULL; i++)
        if (g_ascii_strcasecmp(names->contexts[i], name) == 0)
            return true;
    return false;
}

/* Sets FUNCTION of CALL, and says what is wrong with it. */
static bool resolve(const Parser *parser, const Token *name, ExprNode *call, GError **error)
{
    const ExprFunction *found = NULL;
    const ExprFunction *extra = parser->names != NULL ? parser->names->functions : NULL;
    for (; extra != NULL && extra->name != NULL && found == NULL; extra++)
        if (g_ascii_strcasecmp(extra->name, name->text) == 0)
            found = call->function = extra;
    if (found == NULL)
        found = function_find(name->text);
    if (found == NULL)
        return fail(parser, "Unrecognized function", name, error) != NULL;
    if (call->children->len < found->min)
        return fail(parser, "Too few parameters supplied", name, error) != NULL;
    if (call->children->len > found->max)
        return fail(parser, "Too many parameters supplied", name, error) != NULL;
    if (g_ascii_strcasecmp(name->text, "case") == 0 && call->children->len % 2 == 0)
        return fail(parser,
                    "Even number of parameters supplied, requires an odd number of parameters",
                    name, error) != NULL;
    return true;
}

static ExprNode *parse_call(Parser *parser, GError **error)
{
    const Token *name = peek(parser);
    if (!match(parser, TOKEN_NAME))
        return parse_primary(parser, error);
    if (!match(parser, TOKEN_OPEN)) {
        if (!name_is_known(parser->names, name->text))
            return fail(parser, "Unrecognized named-value", name, error);
        ExprNode *context = node_new(NODE_CONTEXT, NULL, NULL);
        context->text = g_strdup(name->text);
        return context;
    }
    g_autoptr(ExprNode) call = node_new(NODE_CALL, NULL, NULL);
    call->text = g_strdup(name->text);
    while (!match(parser, TOKEN_CLOSE)) {
        ExprNode *argument = parse_expression(parser, error);
        if (argument == NULL)
            return NULL;
        g_ptr_array_add(call->children, argument);
        if (peek(parser)->kind != TOKEN_CLOSE && !match(parser, TOKEN_COMMA))
            return fail_symbol(parser, error);
    }
    return resolve(parser, name, call, error) ? g_steal_pointer(&call) : NULL;
}

/* What stands after `[` or `.`: a key, or `*` (then NULL with *STAR set). */
static ExprNode *parse_key(Parser *parser, bool bracket, bool *star, GError **error)
{
    ExprNode *key = NULL;
    const Token *token = peek(parser);
    if (match(parser, TOKEN_STAR))
        *star = true;
    else if (bracket)
        key = parse_expression(parser, error);
    else if (match(parser, TOKEN_NAME))
        key = literal(expr_string(token->text));
    else
        return fail_symbol(parser, error);
    if (bracket && (key != NULL || *star) && !match(parser, TOKEN_CLOSE_INDEX)) {
        g_clear_pointer(&key, node_free);
        *star = false;
        return fail_symbol(parser, error);
    }
    return key;
}

static ExprNode *parse_index(Parser *parser, GError **error)
{
    bool grouped = peek(parser)->kind == TOKEN_OPEN;
    g_autoptr(ExprNode) node = parse_call(parser, error);
    if (node == NULL || (!grouped && node->kind == NODE_LITERAL))
        return g_steal_pointer(&node);
    int depth = parser->depth;
    for (;;) {
        bool bracket = match(parser, TOKEN_OPEN_INDEX);
        if (!bracket && !match(parser, TOKEN_DOT))
            break;
        bool star = false;
        ExprNode *key = parse_key(parser, bracket, &star, error);
        if (key == NULL && !star)
            return NULL;
        node = node_new(NODE_INDEX, g_steal_pointer(&node), key);
        node->star = star;
        if (!deeper(parser, error))
            return NULL;
    }
    parser->depth = depth;
    return g_steal_pointer(&node);
}

static ExprNode *parse_not(Parser *parser, GError **error)
{
    if (!match(parser, TOKEN_NOT))
        return parse_index(parser, error);
    if (!deeper(parser, error))
        return NULL;
    ExprNode *inner = parse_not(parser, error);
    parser->depth--;
    return inner != NULL ? node_new(NODE_NOT, inner, NULL) : NULL;
}

typedef ExprNode *(*ParseFunction)(Parser *parser, GError **error);

/* Left-associative operators FIRST to LAST over what NEXT parses. */
static ExprNode *parse_binary(Parser *parser, TokenKind first, TokenKind last, ParseFunction next,
                              GError **error)
{
    g_autoptr(ExprNode) node = next(parser, error);
    while (node != NULL && peek(parser)->kind >= first && peek(parser)->kind <= last) {
        TokenKind op = peek(parser)->kind;
        match(parser, op);
        ExprNode *right = next(parser, error);
        if (right == NULL)
            return NULL;
        node = node_new(NODE_BINARY, g_steal_pointer(&node), right);
        node->op = op;
    }
    return g_steal_pointer(&node);
}

static ExprNode *parse_comparison(Parser *parser, GError **error)
{
    return parse_binary(parser, TOKEN_LESS, TOKEN_GREATER_EQUAL, parse_not, error);
}

static ExprNode *parse_equality(Parser *parser, GError **error)
{
    return parse_binary(parser, TOKEN_EQUAL, TOKEN_NOT_EQUAL, parse_comparison, error);
}

/* `a && b && c` is one node, so that long chains are not deep. */
static ExprNode *parse_logical(Parser *parser, TokenKind op, ParseFunction next, GError **error)
{
    g_autoptr(ExprNode) first = next(parser, error);
    if (first == NULL || peek(parser)->kind != op)
        return g_steal_pointer(&first);
    if (!deeper(parser, error))
        return NULL;
    g_autoptr(ExprNode) node = node_new(NODE_LOGICAL, g_steal_pointer(&first), NULL);
    node->op = op;
    while (match(parser, op)) {
        ExprNode *right = next(parser, error);
        if (right == NULL)
            return NULL;
        g_ptr_array_add(node->children, right);
    }
    parser->depth--;
    return g_steal_pointer(&node);
}

static ExprNode *parse_and(Parser *parser, GError **error)
{
    return parse_logical(parser, TOKEN_AND, parse_equality, error);
}

static ExprNode *parse_or(Parser *parser, GError **error)
{
    return parse_logical(parser, TOKEN_OR, parse_and, error);
}

Expression *expression_parse(const char *text, const ExprNames *names, GError **error)
{
    g_autoptr(GArray) tokens = lexer_run(text, error);
    if (tokens == NULL)
        return NULL;
    Parser parser = {.text = text, .names = names, .tokens = tokens};
    g_autoptr(ExprNode) root = NULL;
    if (tokens->len > 1) {
        root = parse_expression(&parser, error);
        if (root == NULL)
            return NULL;
        if (peek(&parser)->kind != TOKEN_END)
            return fail_symbol(&parser, error);
    }
    Expression *expression = g_new(Expression, 1);
    expression->root = g_steal_pointer(&root);
    return expression;
}

void expression_free(Expression *expression)
{
    if (expression == NULL)
        return;
    node_free(expression->root);
    g_free(expression);
}
