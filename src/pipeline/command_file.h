/* command_file.h - the files by which a step sets outputs, variables and paths. Text only. */
#pragma once

#include <glib.h>
#include <stdbool.h>

/* Calls SET for each "NAME=VALUE" and "NAME<<DELIMITER … DELIMITER" of TEXT, in order. INVALID
 * with the official words for a line that is neither. */
bool command_file_parse(const char *text, void (*set)(void *user, const char *name, char *value),
                        void *user, GError **error);
