/* expression.h - workflow expressions: text to tree, tree to value.
 *
 * The words of errors and the positions in them are the official evaluator's. It knows no
 * workflow: who evaluates hands it the contexts and the functions beyond the well-known ones. */
#pragma once

#include "expr/value.h"

#define EXPRESSION_DEPTH 50

/* A function beyond the well-known ones (contains startsWith endsWith format join toJSON fromJSON
 * case). CALL gets evaluated arguments and the scope's USER. */
typedef struct {
    const char *name;
    unsigned min, max; /* arguments */
    ExprValue *(*call)(void *user, ExprValue *const *arguments, size_t count, GError **error);
} ExprFunction;

/* What names mean at one place of a file. */
typedef struct {
    const char *const *contexts;   /* known names, NULL-terminated; NULL: any name is known */
    const ExprFunction *functions; /* ends with a row without name; NULL: none */
} ExprNames;

typedef struct {
    ExprValue *contexts;           /* object: name → value; a missing one is null */
    const ExprFunction *functions; /* as at parsing */
    void *user;
} ExprScope;

typedef struct Expression Expression;

/* Parses TEXT; an empty one is the value null. INVALID with the official words, such as
 * "Unrecognized named-value: 'x'. Located at position 1 within expression: x". */
Expression *expression_parse(const char *text, const ExprNames *names, GError **error);
void expression_free(Expression *expression);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Expression, expression_free)

ExprValue *expression_evaluate(const Expression *expression, const ExprScope *scope,
                               GError **error);

/* true: the tree calls one of NAMES (NULL-terminated, any case) somewhere. */
bool expression_calls(const Expression *expression, const char *const *names);
/* true: the tree names CONTEXT (any case) somewhere. */
bool expression_uses(const Expression *expression, const char *context);

/* Text that parses to the same tree, fully parenthesised where precedence asks for it. */
char *expression_format(const Expression *expression);

/* Parse and evaluate. */
ExprValue *expression_run(const char *text, const ExprNames *names, const ExprScope *scope,
                          GError **error);
