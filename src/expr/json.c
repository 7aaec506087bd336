/* json.c - expression values as JSON and back. */
#include "expr/value.h"

#include <math.h>
#include <string.h>

static void append_indent(GString *out, int depth)
{
    g_string_append_c(out, '\n');
    for (int i = 0; i < depth; i++)
        g_string_append(out, "  ");
}

static void append_quoted(GString *out, const char *text)
{
    static const char short_form[] = "\b\f\n\r\t\"\\";
    static const char letter[] = "bfnrt\"\\";

    g_string_append_c(out, '"');
    for (const char *p = text; *p != '\0'; p = g_utf8_next_char(p)) {
        gunichar c = g_utf8_get_char(p);
        const char *known = c < 0x80 ? strchr(short_form, (int) c) : NULL;
        if (known != NULL)
            g_string_append_printf(out, "\\%c", letter[known - short_form]);
        else if (c < 0x20 || c == 0x85 || c == 0x2028 || c == 0x2029)
            g_string_append_printf(out, "\\u%04x", c);
        else
            g_string_append_unichar(out, c);
    }
    g_string_append_c(out, '"');
}

static void append_value(GString *out, const ExprValue *value, int depth)
{
    if (value->kind == EXPR_NULL) {
        g_string_append(out, "null");
        return;
    }
    if (value->kind == EXPR_STRING) {
        append_quoted(out, value->string);
        return;
    }
    if (expr_is_primitive(value)) {
        g_autofree char *text = expr_to_text(value);
        g_string_append(out, text);
        return;
    }
    bool object = value->kind == EXPR_OBJECT;
    g_string_append_c(out, object ? '{' : '[');
    for (guint i = 0; i < value->items->len; i++) {
        if (i > 0)
            g_string_append_c(out, ',');
        append_indent(out, depth + 1);
        if (object) {
            append_quoted(out, value->keys->pdata[i]);
            g_string_append(out, ": ");
        }
        append_value(out, value->items->pdata[i], depth + 1);
    }
    if (value->items->len > 0)
        append_indent(out, depth);
    g_string_append_c(out, object ? '}' : ']');
}

char *expr_to_json_text(const ExprValue *value)
{
    GString *out = g_string_new(NULL);
    append_value(out, value, 0);
    return g_string_free(out, FALSE);
}

ExprValue *expr_from_json(const json_t *json)
{
    switch (json_typeof(json)) {
    case JSON_NULL:
        return expr_null();
    case JSON_TRUE:
    case JSON_FALSE:
        return expr_boolean(json_is_true(json));
    case JSON_INTEGER:
    case JSON_REAL:
        return expr_number(json_number_value(json));
    case JSON_STRING:
        return expr_string(json_string_value(json));
    case JSON_ARRAY: {
        ExprValue *array = expr_array();
        for (size_t i = 0; i < json_array_size(json); i++)
            expr_array_add(array, expr_from_json(json_array_get(json, i)));
        return array;
    }
    case JSON_OBJECT: {
        ExprValue *object = expr_object();
        const char *key;
        json_t *item;
        json_object_foreach((json_t *) json, key,
                            item) if (expr_object_get(object, key) ==
                                      NULL) /* the first of keys that differ by case */
            expr_object_set(object, key, expr_from_json(item));
        return object;
    }
    }
    g_assert_not_reached();
}

static json_t *number_to_json(double number)
{
    if (!isfinite(number)) {
        g_autofree char *text = expr_number_format(number);
        return json_string(text);
    }
    if (number == floor(number) && fabs(number) < 9007199254740992.0)
        return json_integer((json_int_t) number);
    return json_real(number);
}

json_t *expr_to_json(const ExprValue *value)
{
    switch (value->kind) {
    case EXPR_NULL:
        return json_null();
    case EXPR_BOOLEAN:
        return json_boolean(value->boolean);
    case EXPR_NUMBER:
        return number_to_json(value->number);
    case EXPR_STRING:
        return json_string(value->string);
    case EXPR_ARRAY: {
        json_t *array = json_array();
        for (guint i = 0; i < value->items->len; i++)
            json_array_append_new(array, expr_to_json(value->items->pdata[i]));
        return array;
    }
    case EXPR_OBJECT: {
        json_t *object = json_object();
        for (guint i = 0; i < value->items->len; i++)
            json_object_set_new(object, value->keys->pdata[i],
                                expr_to_json(value->items->pdata[i]));
        return object;
    }
    }
    g_assert_not_reached();
}
