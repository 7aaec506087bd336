/* matrix.h - the rows of a strategy's matrix. */
#pragma once

#include "expr/value.h"

#define MATRIX_ROWS 256

typedef struct {
    ExprValue *values; /* object: what `matrix` is in this row */
    char *label;       /* "linux, 12": for the job's name; "" when there is nothing to show */
} MatrixRow;

/* Expands MATRIX (object with vectors, include, exclude) in the official order. INVALID for an
 * empty vector, an unknown key in an exclude, or more than MATRIX_ROWS rows. */
GPtrArray *matrix_expand(const ExprValue *matrix, GError **error);
