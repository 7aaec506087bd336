/* compare.c - equality and order of expression values, and the case folding under them. */
#include "expr/value.h"

#include <math.h>
#include <string.h>

/* Each character by itself. The dotted and dotless i and the long s keep their form, as in the
 * official evaluator's ordinal comparison. */
static gunichar upper(gunichar c)
{
    if (c < 0x80)
        return (gunichar) g_ascii_toupper((char) c);
    if (c == 0x130 || c == 0x131 || c == 0x17f)
        return c;
    return g_unichar_toupper(c);
}

char *expr_text_fold(const char *text)
{
    GString *folded = g_string_sized_new(strlen(text));
    for (const char *p = text; *p != '\0'; p = g_utf8_next_char(p))
        g_string_append_unichar(folded, upper(g_utf8_get_char(p)));
    return g_string_free(folded, FALSE);
}

/* Where a code point sorts among UTF-16 units: supplementary characters begin with a surrogate
 * and so come before U+E000. */
static guint64 utf16_order(gunichar c)
{
    if (c < 0x10000)
        return (guint64) c << 32;
    return (guint64) (0xd800 + ((c - 0x10000) >> 10)) << 32 | c;
}

static int expr_text_compare(const char *a, const char *b)
{
    while (*a != '\0' && *b != '\0') {
        guint64 x = utf16_order(upper(g_utf8_get_char(a)));
        guint64 y = utf16_order(upper(g_utf8_get_char(b)));
        if (x != y)
            return x < y ? -1 : 1;
        a = g_utf8_next_char(a);
        b = g_utf8_next_char(b);
    }
    return (*a != '\0') - (*b != '\0');
}

/* A pair of values of one kind, or of kinds that never compare. */
typedef struct {
    ExprKind left, right;
    double left_number, right_number;
} Coerced;

static Coerced coerce(const ExprValue *a, const ExprValue *b)
{
    Coerced c = {.left = a->kind, .right = b->kind};
    if (c.left == c.right)
        return c;
    bool a_folds = a->kind == EXPR_NULL || a->kind == EXPR_BOOLEAN;
    bool b_folds = b->kind == EXPR_NULL || b->kind == EXPR_BOOLEAN;
    bool number_wanted = a_folds || b_folds || a->kind == EXPR_NUMBER || b->kind == EXPR_NUMBER;
    if (number_wanted && expr_is_primitive(a) && expr_is_primitive(b))
        c.left = c.right = EXPR_NUMBER;
    return c;
}

static bool comparable(const ExprValue *a, const ExprValue *b, Coerced *c)
{
    *c = coerce(a, b);
    if (c->left != c->right)
        return false;
    if (c->left == EXPR_NUMBER) {
        c->left_number = expr_to_number(a);
        c->right_number = expr_to_number(b);
        return !isnan(c->left_number) && !isnan(c->right_number);
    }
    return true;
}

bool expr_equals(const ExprValue *a, const ExprValue *b)
{
    Coerced c;
    if (!comparable(a, b, &c))
        return false;
    switch (c.left) {
    case EXPR_NULL:
        return true;
    case EXPR_BOOLEAN:
        return a->boolean == b->boolean;
    case EXPR_NUMBER:
        return c.left_number == c.right_number;
    case EXPR_STRING:
        return expr_text_compare(a->string, b->string) == 0;
    case EXPR_ARRAY:
    case EXPR_OBJECT:
        return a == b; /* by identity */
    }
    g_assert_not_reached();
}

bool expr_less(const ExprValue *a, const ExprValue *b)
{
    Coerced c;
    if (!comparable(a, b, &c))
        return false;
    switch (c.left) {
    case EXPR_BOOLEAN:
        return !a->boolean && b->boolean;
    case EXPR_NUMBER:
        return c.left_number < c.right_number;
    case EXPR_STRING:
        return expr_text_compare(a->string, b->string) < 0;
    case EXPR_NULL:
    case EXPR_ARRAY:
    case EXPR_OBJECT:
        return false;
    }
    g_assert_not_reached();
}

bool expr_greater(const ExprValue *a, const ExprValue *b)
{
    return expr_less(b, a);
}
