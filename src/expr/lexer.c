#include "expr/lexer.h"

#include "base/error.h"
#include "expr/value.h"

#include <math.h>
#include <string.h>

typedef struct {
    const char *text, *at, *start;
    GArray *tokens;
} Lexer;

void lexer_error(GError **error, const char *what, const char *text, size_t position,
                 const char *expression)
{
    g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID,
                "%s: '%s'. Located at position %zu within expression: %s", what, text, position,
                expression);
}

static void clear_token(gpointer token)
{
    g_free(((Token *) token)->text);
}

static void add(Lexer *lexer, TokenKind kind, double number, char *text)
{
    Token token = {
        .kind = kind,
        .text = text != NULL ? text : g_strndup(lexer->start, (gsize) (lexer->at - lexer->start)),
        .number = number,
        .position = (size_t) g_utf8_pointer_to_offset(lexer->text, lexer->start) + 1,
    };
    g_array_append_val(lexer->tokens, token);
}

static TokenKind previous(const Lexer *lexer)
{
    guint n = lexer->tokens->len;
    return n == 0 ? TOKEN_END : g_array_index(lexer->tokens, Token, n - 1).kind;
}

static bool unexpected(const Lexer *lexer, const char *end, GError **error)
{
    g_autofree char *symbol = g_strndup(lexer->start, (gsize) (end - lexer->start));
    lexer_error(error, "Unexpected symbol", symbol,
                (size_t) g_utf8_pointer_to_offset(lexer->text, lexer->start) + 1, lexer->text);
    return false;
}

static bool is_boundary(const char *p)
{
    return *p == '\0' || strchr("([)],.!><=&|", *p) != NULL || *p == '\v' ||
           g_unichar_isspace(g_utf8_get_char(p));
}

static bool lex_number(Lexer *lexer, GError **error)
{
    while (!is_boundary(lexer->at) || *lexer->at == '.')
        lexer->at = g_utf8_next_char(lexer->at);
    g_autofree char *text = g_strndup(lexer->start, (gsize) (lexer->at - lexer->start));
    double number = expr_number_parse(text);
    if (isnan(number))
        return unexpected(lexer, lexer->at, error);
    add(lexer, TOKEN_NUMBER, number, NULL);
    return true;
}

static bool lex_string(Lexer *lexer, GError **error)
{
    GString *text = g_string_new(NULL);
    for (const char *p = lexer->start + 1; *p != '\0'; p++) {
        if (*p == '\'' && p[1] == '\'')
            p++;
        else if (*p == '\'') {
            lexer->at = p + 1;
            add(lexer, TOKEN_STRING, 0, g_string_free(text, FALSE));
            return true;
        }
        g_string_append_c(text, *p);
    }
    g_string_free(text, TRUE);
    return unexpected(lexer, lexer->start + strlen(lexer->start), error);
}

static bool is_name(const char *text)
{
    if (!g_ascii_isalpha(text[0]) && text[0] != '_')
        return false;
    for (const char *p = text; *p != '\0'; p++)
        if (!g_ascii_isalnum(*p) && *p != '_' && *p != '-')
            return false;
    return true;
}

static bool lex_name(Lexer *lexer, GError **error)
{
    static const struct {
        const char *text;
        TokenKind kind;
        double number;
    } keywords[] = {
        {"true", TOKEN_TRUE, 0},
        {"false", TOKEN_FALSE, 0},
        {"null", TOKEN_NULL, 0},
        {"NaN", TOKEN_NUMBER, (double) NAN},
        {"Infinity", TOKEN_NUMBER, (double) INFINITY},
    };

    while (!is_boundary(lexer->at))
        lexer->at = g_utf8_next_char(lexer->at);
    g_autofree char *text = g_strndup(lexer->start, (gsize) (lexer->at - lexer->start));
    if (!is_name(text))
        return unexpected(lexer, lexer->at, error);
    if (previous(lexer) != TOKEN_DOT) /* after a dot it is always a property */
        for (size_t i = 0; i < G_N_ELEMENTS(keywords); i++)
            if (g_str_equal(text, keywords[i].text)) {
                add(lexer, keywords[i].kind, keywords[i].number, NULL);
                return true;
            }
    add(lexer, TOKEN_NAME, 0, NULL);
    return true;
}

/* One or two characters that are a token by themselves; 0: none. */
static size_t punctuation(const char *at, TokenKind *kind)
{
    static const struct {
        const char *text;
        TokenKind kind;
    } marks[] = {
        {"!=", TOKEN_NOT_EQUAL},  {"==", TOKEN_EQUAL},
        {"<=", TOKEN_LESS_EQUAL}, {">=", TOKEN_GREATER_EQUAL},
        {"&&", TOKEN_AND},        {"||", TOKEN_OR},
        {"(", TOKEN_OPEN},        {")", TOKEN_CLOSE},
        {"[", TOKEN_OPEN_INDEX},  {"]", TOKEN_CLOSE_INDEX},
        {",", TOKEN_COMMA},       {"*", TOKEN_STAR},
        {"!", TOKEN_NOT},         {"<", TOKEN_LESS},
        {">", TOKEN_GREATER},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(marks); i++)
        if (g_str_has_prefix(at, marks[i].text)) {
            *kind = marks[i].kind;
            return strlen(marks[i].text);
        }
    return 0;
}

static bool lex_token(Lexer *lexer, GError **error)
{
    TokenKind kind;
    char c = *lexer->start;
    size_t length = punctuation(lexer->start, &kind);
    lexer->at = length > 0 ? lexer->start + length : g_utf8_next_char(lexer->start);
    if (length > 0) {
        add(lexer, kind, 0, NULL);
        return true;
    }
    if (c == '.') {
        TokenKind before = previous(lexer);
        if (before != TOKEN_NAME && before != TOKEN_CLOSE_INDEX && before != TOKEN_CLOSE &&
            before != TOKEN_STAR)
            return lex_number(lexer, error);
        add(lexer, TOKEN_DOT, 0, NULL);
        return true;
    }
    if (c == '\'')
        return lex_string(lexer, error);
    if (c == '-' || c == '+' || g_ascii_isdigit(c))
        return lex_number(lexer, error);
    return lex_name(lexer, error);
}

GArray *lexer_run(const char *text, GError **error)
{
    if (!g_utf8_validate(text, -1, NULL)) {
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID, "expression is not UTF-8");
        return NULL;
    }
    if (g_utf8_strlen(text, -1) > EXPRESSION_LIMIT) {
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID,
                    "Exceeded max expression length %d", EXPRESSION_LIMIT);
        return NULL;
    }
    Lexer lexer = {.text = text, .at = text};
    lexer.tokens = g_array_new(FALSE, FALSE, sizeof(Token));
    g_array_set_clear_func(lexer.tokens, clear_token);
    while (*lexer.at != '\0') {
        if (*lexer.at == '\v' || g_unichar_isspace(g_utf8_get_char(lexer.at))) {
            lexer.at = g_utf8_next_char(lexer.at);
            continue;
        }
        lexer.start = lexer.at;
        if (!lex_token(&lexer, error)) {
            g_array_unref(lexer.tokens);
            return NULL;
        }
    }
    lexer.start = lexer.at;
    add(&lexer, TOKEN_END, 0, NULL);
    return lexer.tokens;
}
