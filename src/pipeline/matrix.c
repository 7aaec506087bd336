/* matrix.c - 1. cross product, the first vector slowest; 2. exclude; 3. include: extras for the
 * rows it matches, else a row of its own. */
#include "pipeline/matrix.h"

#include "base/error.h"

#include <stdarg.h>

typedef struct {
    ExprValue *values;
    ExprValue *shown; /* what its label is made of: the vectors, or a whole included row */
    bool appended;
} Row;

static void row_free(gpointer data)
{
    Row *row = data;
    expr_unref(row->values);
    expr_unref(row->shown);
    g_free(row);
}

static void matrix_row_free(gpointer data)
{
    MatrixRow *row = data;
    expr_unref(row->values);
    g_free(row->label);
    g_free(row);
}

static bool invalid(GError **error, const char *format, ...) G_GNUC_PRINTF(2, 3);
static bool invalid(GError **error, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    g_autofree char *message = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    g_set_error_literal(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID, message);
    return false;
}

static bool is_special(const char *key)
{
    return g_ascii_strcasecmp(key, "include") == 0 || g_ascii_strcasecmp(key, "exclude") == 0;
}

static ExprValue *copy_object(const ExprValue *from)
{
    ExprValue *copy = expr_object();
    for (guint i = 0; i < from->items->len; i++)
        expr_object_set(copy, from->keys->pdata[i], expr_ref(from->items->pdata[i]));
    return copy;
}

static Row *row_new(ExprValue *values, bool appended)
{
    Row *row = g_new(Row, 1);
    *row = (Row){.values = values, .shown = expr_ref(values), .appended = appended};
    return row;
}

/* ROWS times one more vector. */
static bool multiply(GPtrArray **rows, const char *key, const ExprValue *vector, GError **error)
{
    if (vector->kind != EXPR_ARRAY)
        return invalid(error, "Matrix vector '%s' is no list", key);
    if (vector->items->len == 0)
        return invalid(error, "Matrix vector '%s' does not contain any values", key);
    if ((*rows)->len > G_MAXUINT16 / vector->items->len)
        return invalid(error, "the matrix has too many rows");
    GPtrArray *product = g_ptr_array_new_with_free_func(row_free);
    for (guint i = 0; i < (*rows)->len; i++)
        for (guint j = 0; j < vector->items->len; j++) {
            ExprValue *values = copy_object(((Row *) (*rows)->pdata[i])->values);
            expr_object_set(values, key, expr_ref(vector->items->pdata[j]));
            g_ptr_array_add(product, row_new(values, false));
        }
    g_ptr_array_unref(*rows);
    *rows = product;
    return true;
}

/* Every leaf of FILTER equals what VALUE has at the same path. */
static bool leaves_match(const ExprValue *filter, const ExprValue *value)
{
    if (expr_is_primitive(filter))
        return value != NULL && expr_equals(filter, value);
    for (guint i = 0; i < filter->items->len; i++) {
        const ExprValue *inner = NULL;
        if (filter->kind == EXPR_OBJECT)
            inner = expr_object_get(value, filter->keys->pdata[i]);
        else if (value != NULL && value->kind == EXPR_ARRAY && i < value->items->len)
            inner = value->items->pdata[i];
        if (!leaves_match(filter->items->pdata[i], inner))
            return false;
    }
    return true;
}

static bool apply_exclude(GPtrArray *rows, const ExprValue *matrix, const ExprValue *exclude,
                          GError **error)
{
    if (exclude->kind != EXPR_ARRAY)
        return invalid(error, "the matrix' exclude is no list");
    for (guint i = 0; i < exclude->items->len; i++) {
        const ExprValue *item = exclude->items->pdata[i];
        if (item->kind != EXPR_OBJECT || item->items->len == 0)
            return invalid(error, "Matrix exclude filter must not be empty");
        for (guint k = 0; k < item->keys->len; k++)
            if (expr_object_get(matrix, item->keys->pdata[k]) == NULL)
                return invalid(error,
                               "Matrix exclude key '%s' does not match any key within the matrix",
                               (char *) item->keys->pdata[k]);
        for (guint r = rows->len; r > 0; r--)
            if (leaves_match(item, ((Row *) rows->pdata[r - 1])->values))
                g_ptr_array_remove_index(rows, r - 1);
    }
    return true;
}

/* The vectors' part of an include item must equal the row's; the rest are extras. */
static bool include_matches(const ExprValue *matrix, const ExprValue *item, const Row *row)
{
    if (row->appended)
        return false;
    for (guint i = 0; i < item->keys->len; i++) {
        const char *key = item->keys->pdata[i];
        if (expr_object_get(matrix, key) != NULL && !is_special(key) &&
            !leaves_match(item->items->pdata[i], expr_object_get(row->shown, key)))
            return false;
    }
    return true;
}

static void add_extras(const ExprValue *matrix, const ExprValue *item, Row *row)
{
    if (row->values == row->shown) {
        expr_unref(row->values);
        row->values = copy_object(row->shown);
    }
    for (guint i = 0; i < item->keys->len; i++) {
        const char *key = item->keys->pdata[i];
        if (expr_object_get(matrix, key) == NULL || is_special(key))
            expr_object_set(row->values, key, expr_ref(item->items->pdata[i]));
    }
}

static bool apply_include(GPtrArray *rows, const ExprValue *matrix, const ExprValue *include,
                          GError **error)
{
    if (include->kind != EXPR_ARRAY)
        return invalid(error, "the matrix' include is no list");
    for (guint i = 0; i < include->items->len; i++) {
        const ExprValue *item = include->items->pdata[i];
        if (item->kind != EXPR_OBJECT)
            return invalid(error, "Matrix include must hold mappings");
        bool matched = false;
        for (guint r = 0; r < rows->len; r++) {
            if (!include_matches(matrix, item, rows->pdata[r]))
                continue;
            add_extras(matrix, item, rows->pdata[r]);
            matched = true;
        }
        if (!matched)
            g_ptr_array_add(rows, row_new(copy_object(item), true));
    }
    return true;
}

static void append_leaves(GString *label, const ExprValue *value)
{
    if (!expr_is_primitive(value)) {
        for (guint i = 0; i < value->items->len; i++)
            append_leaves(label, value->items->pdata[i]);
        return;
    }
    g_autofree char *text = expr_to_text(value);
    if (text[0] != '\0')
        g_string_append_printf(label, "%s%s", label->len > 0 ? ", " : "", text);
}

static GPtrArray *finish(const GPtrArray *rows)
{
    GPtrArray *result = g_ptr_array_new_with_free_func(matrix_row_free);
    for (guint i = 0; i < rows->len; i++) {
        const Row *row = rows->pdata[i];
        GString *label = g_string_new(NULL);
        append_leaves(label, row->shown);
        MatrixRow *entry = g_new(MatrixRow, 1);
        *entry = (MatrixRow){.values = expr_ref(row->values), .label = g_string_free(label, FALSE)};
        g_ptr_array_add(result, entry);
    }
    return result;
}

GPtrArray *matrix_expand(const ExprValue *matrix, GError **error)
{
    if (matrix->kind != EXPR_OBJECT) {
        invalid(error, "the matrix is no mapping");
        return NULL;
    }
    GPtrArray *rows = g_ptr_array_new_with_free_func(row_free);
    bool fine = true, vectors = false;
    g_ptr_array_add(rows, row_new(expr_object(), false));
    for (guint i = 0; i < matrix->keys->len && fine; i++)
        if (!is_special(matrix->keys->pdata[i])) {
            fine = multiply(&rows, matrix->keys->pdata[i], matrix->items->pdata[i], error);
            vectors = true;
        }
    if (!vectors)
        g_ptr_array_set_size(rows, 0);
    const ExprValue *exclude = expr_object_get(matrix, "exclude");
    const ExprValue *include = expr_object_get(matrix, "include");
    fine = fine && (exclude == NULL || apply_exclude(rows, matrix, exclude, error));
    fine = fine && (include == NULL || apply_include(rows, matrix, include, error));
    if (fine && rows->len == 0)
        fine = invalid(error, "Matrix must define at least one vector");
    if (fine && rows->len > MATRIX_ROWS)
        fine = invalid(error, "the matrix has %u rows, at most %d are allowed", rows->len,
                       MATRIX_ROWS);
    GPtrArray *result = fine ? finish(rows) : NULL;
    g_ptr_array_unref(rows);
    return result;
}
