/* glob.h - path patterns: `?` and `*` stay inside a path part, `**` crosses parts. No braces, no
 * character classes. */
#pragma once

#include <stdbool.h>

/* Whether the whole of TEXT is of the form PATTERN. A pattern without `/` also matches the last
 * part of a path. Time is bounded by the product of the lengths. */
bool glob_match_path(const char *pattern, const char *text);

/* For names without parts: `*` matches any run. Letter case counts. */
bool glob_match_name(const char *pattern, const char *text);
