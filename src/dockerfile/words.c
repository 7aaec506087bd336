#include "dockerfile/dockerfile_words.h"

#include <jansson.h>
#include <string.h>

bool is_dockerfile_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\v' || c == '\f' || c == '\r';
}

GPtrArray *split_plain_words(const char *text)
{
    GPtrArray *words = g_ptr_array_new_with_free_func(g_free);
    while (*text != '\0') {
        while (is_dockerfile_blank(*text))
            text++;
        const char *start = text;
        while (*text != '\0' && !is_dockerfile_blank(*text))
            text++;
        if (text > start)
            g_ptr_array_add(words, g_strndup(start, (gsize) (text - start)));
    }
    return words;
}

/* The end of the word that begins at TEXT. */
static const char *quoted_word_end(const char *text, char escape)
{
    char quote = '\0';
    for (; *text != '\0'; text++) {
        if (quote == '\0' && is_dockerfile_blank(*text))
            break;
        if (*text == escape && quote != '\'' && text[1] != '\0')
            text++;
        else if (quote == '\0' && (*text == '\'' || *text == '"'))
            quote = *text;
        else if (*text == quote)
            quote = '\0';
    }
    return text;
}

GPtrArray *split_quoted_words(const char *text, char escape)
{
    GPtrArray *words = g_ptr_array_new_with_free_func(g_free);
    for (;;) {
        while (is_dockerfile_blank(*text))
            text++;
        if (*text == '\0')
            return words;
        const char *end = quoted_word_end(text, escape);
        g_ptr_array_add(words, g_strndup(text, (gsize) (end - text)));
        text = end;
    }
}

char **parse_string_array(const char *text, bool *not_strings)
{
    *not_strings = false;
    if (text[0] != '[')
        return NULL;
    json_error_t where;
    json_t *array = json_loads(text, JSON_ALLOW_NUL, &where);
    if (!json_is_array(array)) {
        json_decref(array);
        return NULL;
    }
    g_autoptr(GPtrArray) words = g_ptr_array_new_with_free_func(g_free);
    size_t index;
    json_t *value;
    json_array_foreach(array, index, value)
    {
        if (!json_is_string(value) || strlen(json_string_value(value)) != json_string_length(value))
            *not_strings = true;
        else
            g_ptr_array_add(words, g_strdup(json_string_value(value)));
    }
    json_decref(array);
    if (*not_strings)
        return NULL;
    g_ptr_array_add(words, NULL);
    return (char **) g_ptr_array_free(g_steal_pointer(&words), FALSE);
}

/* The flag word at TEXT with quotes and escapes resolved; *END is behind it. */
static char *flag_word(const char *text, char escape, const char **end)
{
    GString *word = g_string_new(NULL);
    char quote = '\0';
    for (; *text != '\0'; text++) {
        if (quote == '\0' && is_dockerfile_blank(*text))
            break;
        if (*text == escape && text[1] != '\0')
            g_string_append_c(word, *++text);
        else if (quote == '\0' && (*text == '\'' || *text == '"'))
            quote = *text;
        else if (quote != '\0' && *text == quote)
            quote = '\0';
        else
            g_string_append_c(word, *text);
    }
    *end = text;
    return g_string_free(word, FALSE);
}

const char *split_flags(const char *text, char escape, GPtrArray *flags)
{
    for (;;) {
        while (is_dockerfile_blank(*text))
            text++;
        if (text[0] != '-' || text[1] != '-')
            return text;
        const char *end;
        g_autofree char *word = flag_word(text, escape, &end);
        text = end;
        if (g_str_equal(word, "--")) {
            while (is_dockerfile_blank(*text))
                text++;
            return text;
        }
        g_ptr_array_add(flags, g_steal_pointer(&word));
    }
}
