/* ignore_file.h - .dockerignore: which paths of a build context are left out.
 *
 * Patterns are anchored at the root, the last match wins, `!` brings back, and a match on a folder
 * covers what is below it. */
#pragma once

#include <glib.h>
#include <stdbool.h>

typedef struct IgnoreFile IgnoreFile;

/* Parses TEXT; NAME is for messages. INVALID names the line of an illegal pattern. */
IgnoreFile *ignore_file_parse(const char *name, const char *text, GError **error);
/* From PATTERNS, one each (COPY --exclude); NULL-terminated. */
IgnoreFile *ignore_file_from_patterns(const char *const *patterns, GError **error);

/* Whether PATH ("a/b", relative to the root, no leading slash) is left out. */
bool ignore_file_excludes(const IgnoreFile *file, const char *path);

/* Whether a `!` pattern could match something below the excluded folder PATH: then it must be
 * walked all the same. */
bool ignore_file_may_include_below(const IgnoreFile *file, const char *path);

void ignore_file_free(IgnoreFile *file);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(IgnoreFile, ignore_file_free)

/* Whether NAME matches PATTERN by the rules of Go's filepath.Match: `*` and `?` stop at '/',
 * [a-z] and [^a-z], `\` escapes. False for a malformed pattern too. */
bool path_pattern_matches(const char *pattern, const char *name);
/* Whether TEXT has a character that makes it a pattern. */
bool path_pattern_is_one(const char *text);
