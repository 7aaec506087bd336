/* template.h - text with expressions in it: "v${{ matrix.node }}-${{ runner.os }}". */
#pragma once

#include "expr/expression.h"

/* One piece: literal text, or an expression. */
typedef struct {
    char *text;             /* literal text, or the expression's own text */
    Expression *expression; /* NULL: literal text */
    size_t offset;          /* of the piece's "${{" or first character, in bytes */
} TemplatePiece;

typedef struct {
    GPtrArray *pieces; /* TemplatePiece * */
} Template;

/* Parses TEXT. INVALID for an unclosed "${{", an empty expression, or what expression_parse
 * says. */
Template *template_parse(const char *text, const ExprNames *names, GError **error);
void template_free(Template *template);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Template, template_free)

/* Exactly one expression and nothing else: its typed value. Else text, pieces joined. */
ExprValue *template_evaluate(const Template *template, const ExprScope *scope, GError **error);
