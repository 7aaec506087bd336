#include "pipeline/command_file.h"

#include "base/error.h"

#include <string.h>

static bool invalid(GError **error, const char *what, const char *which)
{
    g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID, "%s '%s'", what, which);
    return false;
}

/* The line at *P without its newline, and *P behind it; *ENDED tells whether it had one. */
static char *take_line(const char **p, bool *ended)
{
    size_t length = strcspn(*p, "\n");
    char *line = g_strndup(*p, length);
    *ended = (*p)[length] == '\n';
    *p += length + (*ended ? 1 : 0);
    return line;
}

/* The lines up to one that is exactly DELIMITER, joined as they were, without the last newline. */
static char *take_block(const char **p, const char *delimiter, GError **error)
{
    g_autoptr(GString) value = g_string_new(NULL);
    while (**p != '\0') {
        bool ended;
        g_autofree char *line = take_line(p, &ended);
        if (g_str_equal(line, delimiter)) {
            if (value->len > 0)
                g_string_truncate(value, value->len - 1);
            return g_strdup(value->str);
        }
        if (!ended) {
            invalid(error, "Invalid value. EOF marker missing new line. Delimiter", delimiter);
            return NULL;
        }
        g_string_append_printf(value, "%s\n", line);
    }
    invalid(error, "Invalid value. Matching delimiter not found", delimiter);
    return NULL;
}

bool command_file_parse(const char *text, void (*set)(void *user, const char *name, char *value),
                        void *user, GError **error)
{
    const char *p = text;
    while (*p != '\0') {
        bool ended;
        g_autofree char *line = take_line(&p, &ended);
        const char *equals = strchr(line, '=');
        const char *heredoc = strstr(line, "<<");
        if (line[0] == '\0')
            continue;
        if (equals == NULL && heredoc == NULL)
            return invalid(error, "Invalid format", line);
        bool block = heredoc != NULL && (equals == NULL || heredoc < equals);
        const char *end = block ? heredoc : equals;
        g_autofree char *name = g_strndup(line, (gsize) (end - line));
        if (name[0] == '\0' || (block && heredoc[2] == '\0'))
            return invalid(error, "Invalid format. Name and delimiter must not be empty, found",
                           line);
        char *value = block ? take_block(&p, heredoc + 2, error) : g_strdup(equals + 1);
        if (value == NULL)
            return false;
        set(user, name, value);
        g_free(value);
    }
    return true;
}
