#include "dockerfile/dockerfile_words.h"

#include <string.h>

void heredoc_free(Heredoc *heredoc)
{
    if (heredoc == NULL)
        return;
    g_free(heredoc->name);
    g_free(heredoc->content);
    g_free(heredoc);
}

/* The delimiter at TEXT (its quotes removed), or NULL where no word stands; *END is behind it. */
static char *delimiter(const char *text, bool *quoted, const char **end)
{
    GString *name = g_string_new(NULL);
    *quoted = false;
    while (*text != '\0' && !is_dockerfile_blank(*text) && strchr("<>|&;()\n", *text) == NULL) {
        if (*text == '\'' || *text == '"') {
            const char *close = strchr(text + 1, *text);
            if (close == NULL)
                break;
            *quoted = true;
            g_string_append_len(name, text + 1, close - text - 1);
            text = close + 1;
        } else if (*text == '\\' && text[1] != '\0') {
            *quoted = true;
            g_string_append_c(name, text[1]);
            text += 2;
        } else {
            g_string_append_c(name, *text++);
        }
    }
    *end = text;
    if (name->len > 0)
        return g_string_free(name, FALSE);
    g_string_free(name, TRUE);
    return NULL;
}

/* At "<<" of TEXT, which begins a word (digits before it are skipped): appends what it opens. */
static const char *read_operator(const char *text, GPtrArray *heredocs)
{
    text += 2;
    bool chomp = *text == '-';
    if (chomp)
        text++;
    while (is_dockerfile_blank(*text))
        text++;
    if (*text == '<')
        return text + 1;
    bool quoted;
    const char *end;
    char *name = delimiter(text, &quoted, &end);
    if (name == NULL)
        return end > text ? end : text;
    Heredoc *heredoc = g_new0(Heredoc, 1);
    *heredoc = (Heredoc){.name = name, .expand = !quoted, .chomp = chomp};
    g_ptr_array_add(heredocs, heredoc);
    return end;
}

void find_heredocs(const char *line, GPtrArray *heredocs)
{
    char quote = '\0';
    bool at_start = true; /* of a word, digits apart */
    while (*line != '\0') {
        char c = *line;
        if (quote == '\0' && at_start && c == '<' && line[1] == '<' && line[2] != '<') {
            line = read_operator(line, heredocs);
            at_start = false;
            continue;
        }
        if (c == '\\' && quote != '\'' && line[1] != '\0') {
            line += 2;
            at_start = false;
            continue;
        }
        if (quote == '\0' && (c == '\'' || c == '"'))
            quote = c;
        else if (c == quote)
            quote = '\0';
        at_start = quote == '\0' && (is_dockerfile_blank(c) || (at_start && g_ascii_isdigit(c)));
        line++;
    }
}
