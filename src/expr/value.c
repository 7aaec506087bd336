#include "expr/value.h"

#include <math.h>
#include <string.h>

static ExprValue *value_new(ExprKind kind)
{
    ExprValue *value = g_new0(ExprValue, 1);
    g_atomic_ref_count_init(&value->references);
    value->kind = kind;
    return value;
}

ExprValue *expr_null(void)
{
    return value_new(EXPR_NULL);
}

ExprValue *expr_boolean(bool boolean)
{
    ExprValue *value = value_new(EXPR_BOOLEAN);
    value->boolean = boolean;
    return value;
}

ExprValue *expr_number(double number)
{
    ExprValue *value = value_new(EXPR_NUMBER);
    value->number = number;
    return value;
}

ExprValue *expr_string(const char *text)
{
    return expr_string_take(g_strdup(text));
}

ExprValue *expr_string_take(char *text)
{
    ExprValue *value = value_new(EXPR_STRING);
    value->string = text;
    return value;
}

static void unref_item(gpointer item)
{
    expr_unref(item);
}

ExprValue *expr_array(void)
{
    ExprValue *value = value_new(EXPR_ARRAY);
    value->items = g_ptr_array_new_with_free_func(unref_item);
    return value;
}

ExprValue *expr_object(void)
{
    ExprValue *value = value_new(EXPR_OBJECT);
    value->items = g_ptr_array_new_with_free_func(unref_item);
    value->keys = g_ptr_array_new_with_free_func(g_free);
    value->index = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    return value;
}

ExprValue *expr_ref(ExprValue *value)
{
    g_atomic_ref_count_inc(&value->references);
    return value;
}

void expr_unref(ExprValue *value)
{
    if (value == NULL || !g_atomic_ref_count_dec(&value->references))
        return;
    g_free(value->string);
    g_clear_pointer(&value->items, g_ptr_array_unref);
    g_clear_pointer(&value->keys, g_ptr_array_unref);
    g_clear_pointer(&value->index, g_hash_table_unref);
    g_free(value);
}

void expr_array_add(ExprValue *array, ExprValue *value)
{
    g_assert(array->kind == EXPR_ARRAY);
    g_ptr_array_add(array->items, value);
}

static char *key_of(const ExprValue *object, const char *key)
{
    return object->case_matters ? g_strdup(key) : expr_text_fold(key);
}

void expr_object_set(ExprValue *object, const char *key, ExprValue *value)
{
    g_assert(object->kind == EXPR_OBJECT);
    char *folded = key_of(object, key);
    guint position = GPOINTER_TO_UINT(g_hash_table_lookup(object->index, folded));
    if (position > 0) {
        expr_unref(object->items->pdata[position - 1]);
        object->items->pdata[position - 1] = value;
        g_free(folded);
        return;
    }
    g_ptr_array_add(object->keys, g_strdup(key));
    g_ptr_array_add(object->items, value);
    g_hash_table_insert(object->index, folded, GUINT_TO_POINTER(object->items->len));
}

ExprValue *expr_object_get(const ExprValue *object, const char *key)
{
    if (object == NULL || object->kind != EXPR_OBJECT)
        return NULL;
    g_autofree char *folded = key_of(object, key);
    guint position = GPOINTER_TO_UINT(g_hash_table_lookup(object->index, folded));
    return position > 0 ? object->items->pdata[position - 1] : NULL;
}

bool expr_is_truthy(const ExprValue *value)
{
    switch (value->kind) {
    case EXPR_NULL:
        return false;
    case EXPR_BOOLEAN:
        return value->boolean;
    case EXPR_NUMBER:
        return value->number != 0 && !isnan(value->number);
    case EXPR_STRING:
        return value->string[0] != '\0';
    case EXPR_ARRAY:
    case EXPR_OBJECT:
        return true;
    }
    g_assert_not_reached();
}

bool expr_is_primitive(const ExprValue *value)
{
    return value->kind != EXPR_ARRAY && value->kind != EXPR_OBJECT;
}

double expr_to_number(const ExprValue *value)
{
    switch (value->kind) {
    case EXPR_NULL:
        return 0;
    case EXPR_BOOLEAN:
        return value->boolean ? 1 : 0;
    case EXPR_NUMBER:
        return value->number;
    case EXPR_STRING:
        return expr_number_parse(value->string);
    case EXPR_ARRAY:
    case EXPR_OBJECT:
        return (double) NAN;
    }
    g_assert_not_reached();
}

char *expr_to_text(const ExprValue *value)
{
    switch (value->kind) {
    case EXPR_NULL:
        return g_strdup("");
    case EXPR_BOOLEAN:
        return g_strdup(value->boolean ? "true" : "false");
    case EXPR_NUMBER:
        return expr_number_format(value->number);
    case EXPR_STRING:
        return g_strdup(value->string);
    case EXPR_ARRAY:
        return g_strdup("Array");
    case EXPR_OBJECT:
        return g_strdup("Object");
    }
    g_assert_not_reached();
}

char *expr_number_format(double number)
{
    if (isnan(number))
        return g_strdup("NaN");
    if (isinf(number))
        return g_strdup(number > 0 ? "Infinity" : "-Infinity");
    if (number == 0)
        return g_strdup("0");
    char buffer[G_ASCII_DTOSTR_BUF_SIZE];
    g_ascii_formatd(buffer, sizeof buffer, "%.15G", number);
    return g_strdup(buffer);
}

/* Digits of BASE after a two-character prefix, as a 32-bit integer in two's complement, which is
 * how the official evaluator reads them; NaN where they do not fit. */
static double parse_prefixed(const char *digits, unsigned base)
{
    guint64 value = 0;
    for (const char *d = digits; *d != '\0'; d++) {
        int digit = g_ascii_xdigit_value(*d);
        if (digit < 0 || (unsigned) digit >= base)
            return (double) NAN;
        value = value * base + (unsigned) digit;
        if (value > G_MAXUINT32)
            return (double) NAN;
    }
    return digits[0] == '\0' ? (double) NAN : (double) (gint32) (guint32) value;
}

/* [sign] digits [. digits] [e [sign] digits], at least one digit before the exponent. */
static bool is_decimal(const char *s)
{
    if (*s == '-' || *s == '+')
        s++;
    size_t whole = strspn(s, "0123456789");
    s += whole;
    size_t fraction = 0;
    if (*s == '.') {
        fraction = strspn(s + 1, "0123456789");
        s += 1 + fraction;
    }
    if (whole + fraction == 0)
        return false;
    if (*s == 'e' || *s == 'E') {
        s++;
        if (*s == '-' || *s == '+')
            s++;
        size_t exponent = strspn(s, "0123456789");
        if (exponent == 0)
            return false;
        s += exponent;
    }
    return *s == '\0';
}

static bool is_blank(gunichar c)
{
    return g_unichar_isspace(c) || c == '\v' || c == 0x85;
}

/* TEXT without the blanks, Unicode's too, around it. */
static char *trimmed(const char *text)
{
    const char *end = text + strlen(text);
    while (*text != '\0' && is_blank(g_utf8_get_char(text)))
        text = g_utf8_next_char(text);
    while (end > text) {
        const char *last = g_utf8_prev_char(end);
        if (!is_blank(g_utf8_get_char(last)))
            break;
        end = last;
    }
    return g_strndup(text, (gsize) (end - text));
}

double expr_number_parse(const char *text)
{
    g_autofree char *s = trimmed(text);
    if (s[0] == '\0')
        return 0;
    if (is_decimal(s))
        return g_ascii_strtod(s, NULL);
    if (g_str_has_prefix(s, "0x"))
        return parse_prefixed(s + 2, 16);
    if (g_str_has_prefix(s, "0o"))
        return parse_prefixed(s + 2, 8);
    if (g_str_equal(s, "Infinity"))
        return (double) INFINITY;
    if (g_str_equal(s, "-Infinity"))
        return (double) -INFINITY;
    return (double) NAN;
}
