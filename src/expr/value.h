/* value.h - what a workflow expression works on: JSON's kinds with the coercions of expressions.
 *
 * Values never change once they are shared and are counted atomically, so that jobs on several
 * threads may read the same contexts. */
#pragma once

#include <glib.h>
#include <jansson.h>
#include <stdbool.h>

typedef enum {
    EXPR_NULL,
    EXPR_BOOLEAN,
    EXPR_NUMBER,
    EXPR_STRING,
    EXPR_ARRAY,
    EXPR_OBJECT,
} ExprKind;

typedef struct ExprValue ExprValue;
struct ExprValue {
    gatomicrefcount references;
    ExprKind kind;
    bool boolean;
    bool filtered;     /* array made by `.*`: a following index applies to each member */
    bool case_matters; /* object whose keys are told apart by case (`env`) */
    double number;
    char *string;
    GPtrArray *items;  /* array items, object values: ExprValue * */
    GPtrArray *keys;   /* object: char *, in the order they were set */
    GHashTable *index; /* object: folded key → position + 1 */
};

ExprValue *expr_null(void);
ExprValue *expr_boolean(bool value);
ExprValue *expr_number(double value);
ExprValue *expr_string(const char *text);
ExprValue *expr_string_take(char *text);
ExprValue *expr_array(void);
ExprValue *expr_object(void);

ExprValue *expr_ref(ExprValue *value);
void expr_unref(ExprValue *value); /* accepts NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ExprValue, expr_unref)

/* Both take VALUE. A key that is there keeps its place and gets the new value. */
void expr_array_add(ExprValue *array, ExprValue *value);
void expr_object_set(ExprValue *object, const char *key, ExprValue *value);
/* The value at KEY, ignoring case unless the object says otherwise; NULL: none. Borrowed. */
ExprValue *expr_object_get(const ExprValue *object, const char *key);

bool expr_is_truthy(const ExprValue *value);
bool expr_is_primitive(const ExprValue *value);
double expr_to_number(const ExprValue *value);
char *expr_to_text(const ExprValue *value);

/* "15 significant digits": 1E+15, 0.1, NaN, -Infinity; negative zero is 0. */
char *expr_number_format(double number);
/* Blanks trimmed; decimal, 0x, 0o, Infinity; NaN for what is no number. "" is 0. */
double expr_number_parse(const char *text);

bool expr_equals(const ExprValue *a, const ExprValue *b);
bool expr_less(const ExprValue *a, const ExprValue *b);
bool expr_greater(const ExprValue *a, const ExprValue *b);

/* Ordinal comparison of UTF-16 units after upper-casing each character by itself. */
/* The text upper-cased character by character, as comparisons see it. */
char *expr_text_fold(const char *text);

/* Pretty-printed JSON with two blanks (toJSON). */
char *expr_to_json_text(const ExprValue *value);
ExprValue *expr_from_json(const json_t *json);
/* NaN and infinities become strings; whole numbers integers. */
json_t *expr_to_json(const ExprValue *value);
