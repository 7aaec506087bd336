/* file_mode.h - --chmod: octal or symbolic modes. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <sys/types.h>

/* Whether TEXT is a mode ("0755", "u=rwX,go=rX", "+x"); INVALID says what was expected. */
bool file_mode_check(const char *text, GError **error);

/* MODE (with its type bits) changed by TEXT, which has been checked. */
mode_t file_mode_apply(const char *text, mode_t mode);
