/* licence.h - what packages say of their licence, as an SPDX expression. */
#pragma once

#include <stdbool.h>

/* The SPDX expression TEXT is or clearly means ("MIT License" → "MIT"), made only of ids of the
 * SPDX list known here; NULL for anything else. The caller's to free. */
char *licence_expression(const char *text);

/* Whether EXPRESSION is one id, without operators. */
bool licence_is_single(const char *expression);

/* "LicenseRef-…" for text that is no expression: only letters, digits, dots and dashes. */
char *licence_reference(const char *text);
