/* tree.h - the nodes of a parsed expression. Private to this room. */
#pragma once

#include "expr/expression.h"
#include "expr/lexer.h"

typedef enum {
    NODE_LITERAL,
    NODE_CONTEXT, /* text: its name */
    NODE_INDEX,   /* children: object, key; star: one child */
    NODE_CALL,    /* text: the function's name; children: arguments */
    NODE_NOT,
    NODE_BINARY,  /* op; two children */
    NODE_LOGICAL, /* op; two or more children */
} NodeKind;

typedef struct ExprNode ExprNode;
struct ExprNode {
    NodeKind kind;
    TokenKind op;
    bool star;
    char *text;
    ExprValue *literal;
    const ExprFunction *function; /* NODE_CALL: a handed-down one; NULL: well-known */
    GPtrArray *children;          /* ExprNode *; may be NULL */
};

struct Expression {
    ExprNode *root; /* NULL: the empty expression */
};

static inline ExprNode *node_child(const ExprNode *node, guint i)
{
    return node->children->pdata[i];
}

/* A well-known function by its name, ignoring case; NULL: none. `case` is lazy and therefore
 * evaluated by the walker: its CALL is NULL. */
const ExprFunction *function_find(const char *name);
