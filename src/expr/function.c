/* function.c - the well-known functions. */
#include "base/error.h"
#include "expr/tree.h"

#include <string.h>

static ExprValue *invalid(GError **error, const char *format, const char *what)
{
    g_autofree char *message = g_strdup_printf("%s%s", format, what);
    g_set_error_literal(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID, message);
    return NULL;
}

static char *folded(const ExprValue *value)
{
    g_autofree char *text = expr_to_text(value);
    return expr_text_fold(text);
}

static ExprValue *call_contains(void *user, ExprValue *const *a, size_t count, GError **error)
{
    if (a[0]->kind == EXPR_ARRAY) {
        for (guint i = 0; i < a[0]->items->len; i++)
            if (expr_equals(a[1], a[0]->items->pdata[i]))
                return expr_boolean(true);
        return expr_boolean(false);
    }
    if (!expr_is_primitive(a[0]) || !expr_is_primitive(a[1]))
        return expr_boolean(false);
    g_autofree char *text = folded(a[0]);
    g_autofree char *part = folded(a[1]);
    return expr_boolean(strstr(text, part) != NULL);
}

static ExprValue *call_starts_with(void *user, ExprValue *const *a, size_t count, GError **error)
{
    if (!expr_is_primitive(a[0]) || !expr_is_primitive(a[1]))
        return expr_boolean(false);
    g_autofree char *text = folded(a[0]);
    g_autofree char *part = folded(a[1]);
    return expr_boolean(g_str_has_prefix(text, part));
}

static ExprValue *call_ends_with(void *user, ExprValue *const *a, size_t count, GError **error)
{
    if (!expr_is_primitive(a[0]) || !expr_is_primitive(a[1]))
        return expr_boolean(false);
    g_autofree char *text = folded(a[0]);
    g_autofree char *part = folded(a[1]);
    return expr_boolean(g_str_has_suffix(text, part));
}

/* Appends the argument that "{N…}" at OPEN asks for; CLOSE is the next "}". false: it is malformed
 * or asks for too many. */
static bool append_argument(GString *out, const char *open, const char *close, const char *text,
                            ExprValue *const *a, size_t count, GError **error)
{
    size_t digits = strspn(open + 1, "0123456789");
    if (close == NULL || digits == 0 || open + 1 + digits != close) {
        invalid(error, "The following format string is invalid: ", text);
        return false;
    }
    guint64 number = digits > 9 ? G_MAXUINT32 : g_ascii_strtoull(open + 1, NULL, 10);
    if (number + 1 >= count) {
        invalid(error,
                "The following format string references more arguments than were supplied: ", text);
        return false;
    }
    g_autofree char *argument = expr_to_text(a[number + 1]);
    g_string_append(out, argument);
    return true;
}

static ExprValue *call_format(void *user, ExprValue *const *a, size_t count, GError **error)
{
    g_autofree char *text = expr_to_text(a[0]);
    g_autoptr(GString) out = g_string_new(NULL);
    const char *p = text;
    while (*p != '\0') {
        size_t plain = strcspn(p, "{}");
        g_string_append_len(out, p, (gssize) plain);
        p += plain;
        if (*p == '\0')
            break;
        if (p[1] == p[0]) {
            g_string_append_c(out, *p);
            p += 2;
        } else if (*p == '}')
            return invalid(error, "The following format string is invalid: ", text);
        else {
            const char *close = strchr(p, '}');
            if (!append_argument(out, p, close, text, a, count, error))
                return NULL;
            p = close + 1;
        }
    }
    return expr_string(out->str);
}

static ExprValue *call_join(void *user, ExprValue *const *a, size_t count, GError **error)
{
    if (expr_is_primitive(a[0]))
        return expr_string_take(expr_to_text(a[0]));
    if (a[0]->kind != EXPR_ARRAY)
        return expr_string("");
    g_autofree char *separator =
        count > 1 && expr_is_primitive(a[1]) ? expr_to_text(a[1]) : g_strdup(",");
    GString *out = g_string_new(NULL);
    for (guint i = 0; i < a[0]->items->len; i++) {
        g_autofree char *item = expr_to_text(a[0]->items->pdata[i]);
        if (i > 0)
            g_string_append(out, separator);
        g_string_append(out, item);
    }
    return expr_string_take(g_string_free(out, FALSE));
}

static ExprValue *call_to_json(void *user, ExprValue *const *a, size_t count, GError **error)
{
    return expr_string_take(expr_to_json_text(a[0]));
}

static ExprValue *call_from_json(void *user, ExprValue *const *a, size_t count, GError **error)
{
    g_autofree char *text = expr_to_text(a[0]);
    if (text[strspn(text, " \t\r\n")] == '\0')
        return invalid(error, "Error parsing JSON when evaluating fromJson: ", "empty input");
    json_error_t where;
    json_t *json = json_loads(text, JSON_DECODE_ANY, &where);
    if (json == NULL)
        return invalid(error, "Error parsing JSON when evaluating fromJson: ", where.text);
    ExprValue *value = expr_from_json(json);
    json_decref(json);
    return value;
}

const ExprFunction *function_find(const char *name)
{
    static const ExprFunction functions[] = {
        {"case", 3, G_MAXUINT, NULL},           {"contains", 2, 2, call_contains},
        {"endsWith", 2, 2, call_ends_with},     {"format", 1, 255, call_format},
        {"fromJSON", 1, 1, call_from_json},     {"join", 1, 2, call_join},
        {"startsWith", 2, 2, call_starts_with}, {"toJSON", 1, 1, call_to_json},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(functions); i++)
        if (g_ascii_strcasecmp(functions[i].name, name) == 0)
            return &functions[i];
    return NULL;
}
