/* keyword_index.h - many words looked for in one pass, letter case ignored (Aho and Corasick). */
#pragma once

#include <glib.h>
#include <stddef.h>

typedef struct KeywordIndex KeywordIndex;

KeywordIndex *keyword_index_new(void);
void keyword_index_free(KeywordIndex *index);
/* Adds WORD (lower case, at least one byte), which stands for VALUE. Not after the first search. */
void keyword_index_add(KeywordIndex *index, const char *word, guint value);

/* Calls HIT for every word in LENGTH bytes, in the order of their ends: START is the word's first
 * byte. */
void keyword_index_search(KeywordIndex *index, const char *bytes, size_t length,
                          void (*hit)(void *data, guint value, size_t start), void *data);
