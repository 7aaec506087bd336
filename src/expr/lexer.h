/* lexer.h - the tokens of an expression. Private to this room. */
#pragma once

#include <glib.h>

#define EXPRESSION_LIMIT 21000 /* characters */

typedef enum {
    TOKEN_END,
    TOKEN_OPEN,
    TOKEN_CLOSE,
    TOKEN_OPEN_INDEX,
    TOKEN_CLOSE_INDEX,
    TOKEN_COMMA,
    TOKEN_DOT,
    TOKEN_STAR,
    TOKEN_NOT,
    TOKEN_EQUAL,
    TOKEN_NOT_EQUAL,
    TOKEN_LESS,
    TOKEN_LESS_EQUAL,
    TOKEN_GREATER,
    TOKEN_GREATER_EQUAL,
    TOKEN_AND,
    TOKEN_OR,
    TOKEN_NUMBER,
    TOKEN_STRING,
    TOKEN_NAME,
    TOKEN_TRUE,
    TOKEN_FALSE,
    TOKEN_NULL,
} TokenKind;

typedef struct {
    TokenKind kind;
    char *text; /* as written; of a string: without its quotes */
    double number;
    size_t position; /* in characters, from 1 */
} Token;

/* The tokens of TEXT, ending with TOKEN_END. NULL with INVALID and the official words. */
GArray *lexer_run(const char *text, GError **error);

/* Sets INVALID: "WHAT: 'TEXT'. Located at position N within expression: EXPRESSION". */
void lexer_error(GError **error, const char *what, const char *text, size_t position,
                 const char *expression);
