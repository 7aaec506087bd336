#include "expr/template.h"

#include "base/error.h"

#include <string.h>

static void piece_free(gpointer data)
{
    TemplatePiece *piece = data;
    g_free(piece->text);
    expression_free(piece->expression);
    g_free(piece);
}

static TemplatePiece *add_piece(Template *template, const char *text, const char *from,
                                const char *to)
{
    TemplatePiece *piece = g_new0(TemplatePiece, 1);
    piece->text = g_strndup(from, (gsize) (to - from));
    piece->offset = (size_t) (from - text);
    g_ptr_array_add(template->pieces, piece);
    return piece;
}

/* The "}}" that ends the expression at P: one inside quotes does not count. */
static const char *find_end(const char *p)
{
    for (bool quoted = false; *p != '\0'; p++) {
        if (*p == '\'')
            quoted = !quoted;
        else if (!quoted && p[0] == '}' && p[1] == '}')
            return p;
    }
    return NULL;
}

static bool add_expression(Template *template, const char *text, const char *from, const char *to,
                           const ExprNames *names, GError **error)
{
    TemplatePiece *piece = add_piece(template, text, from, to);
    g_strstrip(piece->text);
    if (piece->text[0] == '\0') {
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID, "An expression was expected");
        return false;
    }
    piece->expression = expression_parse(piece->text, names, error);
    return piece->expression != NULL;
}

Template *template_parse(const char *text, const ExprNames *names, GError **error)
{
    g_autoptr(Template) template = g_new0(Template, 1);
    template->pieces = g_ptr_array_new_with_free_func(piece_free);
    const char *p = text;
    for (const char *open; (open = strstr(p, "${{")) != NULL;) {
        const char *end = find_end(open + 3);
        if (end == NULL) {
            g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID,
                        "The expression is not closed. An unescaped ${{ sequence was found, but "
                        "the closing }} sequence was not found.");
            return NULL;
        }
        if (open > p)
            add_piece(template, text, p, open);
        if (!add_expression(template, text, open + 3, end, names, error))
            return NULL;
        p = end + 2;
    }
    if (*p != '\0')
        add_piece(template, text, p, p + strlen(p));
    return g_steal_pointer(&template);
}

void template_free(Template *template)
{
    if (template == NULL)
        return;
    g_ptr_array_unref(template->pieces);
    g_free(template);
}

ExprValue *template_evaluate(const Template *template, const ExprScope *scope, GError **error)
{
    if (template->pieces->len == 1) {
        const TemplatePiece *only = template->pieces->pdata[0];
        if (only->expression != NULL)
            return expression_evaluate(only->expression, scope, error);
    }
    g_autoptr(GString) out = g_string_new(NULL);
    for (guint i = 0; i < template->pieces->len; i++) {
        const TemplatePiece *piece = template->pieces->pdata[i];
        if (piece->expression == NULL) {
            g_string_append(out, piece->text);
            continue;
        }
        g_autoptr(ExprValue) value = expression_evaluate(piece->expression, scope, error);
        if (value == NULL)
            return NULL;
        g_autofree char *text = expr_to_text(value);
        g_string_append(out, text);
    }
    return expr_string(out->str);
}
