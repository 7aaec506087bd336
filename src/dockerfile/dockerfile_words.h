/* dockerfile_words.h - how the rest of a line is cut into words; between the files of this room. */
#pragma once

#include "dockerfile/dockerfile.h"

bool is_dockerfile_blank(char c);

/* At blanks outside quotes; quotes and escapes are kept (ENV, LABEL, ARG). */
GPtrArray *split_quoted_words(const char *text, char escape);

/* At blanks. */
GPtrArray *split_plain_words(const char *text);

/* TEXT as a JSON array of strings; NULL where it is none. *NOT_STRINGS: it is an array of something
 * else. */
char **parse_string_array(const char *text, bool *not_strings);

/* Cuts leading --flags off TEXT (their words go to FLAGS); gives where the rest begins. */
const char *split_flags(const char *text, char escape, GPtrArray *flags);

/* Appends a Heredoc (without content) for each `<<WORD` in LINE. */
void find_heredocs(const char *line, GPtrArray *heredocs);
void heredoc_free(Heredoc *heredoc);
