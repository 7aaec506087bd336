/* expand.h - $variables, quotes and escapes of Dockerfile words. */
#pragma once

#include <glib.h>
#include <stdbool.h>

typedef struct {
    char escape; /* the file's escape character */
    /* The value of NAME, NULL when it is unset; borrowed until the expansion ends. */
    const char *(*lookup)(void *data, const char *name);
    void *data;
} ExpandScope;

/* One word: variables replaced, quotes and escapes removed. INVALID for bad substitutions and
 * unbalanced quotes; the message is for the caller to place. */
char *expand_word(const ExpandScope *scope, const char *word, GError **error);

/* The same, then split at the blanks that were not quoted: "$PORTS" may become many. */
char **expand_words(const ExpandScope *scope, const char *word, GError **error);

/* Content of a here-document: quotes are ordinary characters there. */
char *expand_heredoc(const ExpandScope *scope, const char *text, GError **error);

/* Whether TEXT refers to a variable; calls EACH with every name. */
void expand_each_name(const char *text, char escape, void (*each)(const char *name, void *data),
                      void *data);
