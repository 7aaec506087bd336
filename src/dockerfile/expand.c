/* expand.c - a recursive descent over one word. */
#include "dockerfile/expand.h"

#include "base/error.h"

#include <string.h>

#define DEPTH_LIMIT 100

/* Splits where blanks are not quoted, when WORDS is set; else all goes to TEXT. */
typedef struct {
    const ExpandScope *scope;
    const char *at;
    GString *text;
    GPtrArray *words; /* NULL: no splitting */
    bool started;     /* a word is under way, if only an empty quoted one */
    int depth;
} Expander;

static bool fail(GError **error, const char *text)
{
    g_set_error_literal(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID, text);
    return false;
}

static void end_word(Expander *e)
{
    if (e->words == NULL || !e->started)
        return;
    g_ptr_array_add(e->words, g_strdup(e->text->str));
    g_string_truncate(e->text, 0);
    e->started = false;
}

static void put_raw(Expander *e, char c)
{
    g_string_append_c(e->text, c);
    e->started = true;
}

static void put(Expander *e, char c)
{
    if (e->words != NULL && g_ascii_isspace(c))
        end_word(e);
    else
        put_raw(e, c);
}

static char *read_dollar(Expander *e, GError **error);

static bool read_single_quoted(Expander *e, GError **error)
{
    const char *close = strchr(++e->at, '\'');
    if (close == NULL)
        return fail(error, "unexpected end of statement while looking for matching single-quote");
    e->started = true;
    for (; e->at < close; e->at++)
        put_raw(e, *e->at);
    e->at++;
    return true;
}

static bool read_double_quoted(Expander *e, GError **error)
{
    e->at++;
    e->started = true;
    while (*e->at != '"') {
        if (*e->at == '\0')
            return fail(error,
                        "unexpected end of statement while looking for matching double-quote");
        if (*e->at == '$') {
            g_autofree char *value = read_dollar(e, error);
            if (value == NULL)
                return false;
            g_string_append(e->text, value);
            continue;
        }
        if (*e->at == e->scope->escape && e->at[1] != '\0' &&
            (e->at[1] == '"' || e->at[1] == '$' || e->at[1] == e->scope->escape))
            e->at++;
        put_raw(e, *e->at++);
    }
    e->at++;
    return true;
}

static bool read_until(Expander *e, char stop, bool keep_escapes, GError **error)
{
    while (*e->at != '\0' && (stop == '\0' || *e->at != stop)) {
        if (*e->at == '\'') {
            if (!read_single_quoted(e, error))
                return false;
        } else if (*e->at == '"') {
            if (!read_double_quoted(e, error))
                return false;
        } else if (*e->at == '$') {
            g_autofree char *value = read_dollar(e, error);
            if (value == NULL)
                return false;
            for (const char *c = value; *c != '\0'; c++)
                put(e, *c);
        } else if (*e->at == e->scope->escape) {
            if (keep_escapes)
                put_raw(e, '\\');
            if (*++e->at != '\0')
                put_raw(e, *e->at++);
        } else {
            put(e, *e->at++);
        }
    }
    if (stop == '\0')
        return true;
    if (*e->at != stop)
        return fail(error, "unexpected end of statement while looking for matching }");
    e->at++;
    return true;
}

/* The word up to STOP, nested expansions included, as one text. */
static char *read_operand(Expander *e, char stop, bool keep_escapes, GError **error)
{
    Expander inner = {.scope = e->scope, .at = e->at, .depth = e->depth + 1};
    if (inner.depth > DEPTH_LIMIT) {
        fail(error, "substitutions are nested too deep");
        return NULL;
    }
    inner.text = g_string_new(NULL);
    bool ok = read_until(&inner, stop, keep_escapes, error);
    e->at = inner.at;
    return g_string_free(inner.text, !ok);
}

static char *read_name(Expander *e)
{
    const char *start = e->at;
    if (g_ascii_isdigit(*e->at)) {
        while (g_ascii_isdigit(*e->at))
            e->at++;
    } else if (g_ascii_isalpha(*e->at) || *e->at == '_') {
        while (g_ascii_isalnum(*e->at) || *e->at == '_')
            e->at++;
    } else if (*e->at != '\0' && strchr("@*#?-$!", *e->at) != NULL) {
        e->at++;
    }
    return g_strndup(start, (gsize) (e->at - start));
}

/* Whether PATTERN (`*`, `?`, `\` escapes) matches exactly the LENGTH bytes of TEXT. */
static bool glob_matches(const char *pattern, const char *text, size_t length)
{
    const char *star = NULL;
    size_t i = 0, star_at = 0;
    for (;;) {
        if (*pattern == '*') {
            star = ++pattern;
            star_at = i;
            continue;
        }
        char want = *pattern == '\\' && pattern[1] != '\0' ? pattern[1] : *pattern;
        bool any = *pattern == '?';
        if (i == length && *pattern == '\0')
            return true;
        if (i < length && *pattern != '\0' && (any || want == text[i])) {
            pattern += *pattern == '\\' && pattern[1] != '\0' ? 2 : 1;
            i++;
            continue;
        }
        if (star == NULL || star_at >= length)
            return false;
        pattern = star;
        i = ++star_at;
    }
}

static char *strip_prefix(const char *value, const char *pattern, bool longest)
{
    size_t length = strlen(value);
    for (size_t step = 0; step <= length; step++) {
        size_t n = longest ? length - step : step;
        if (glob_matches(pattern, value, n))
            return g_strdup(value + n);
    }
    return g_strdup(value);
}

static char *strip_suffix(const char *value, const char *pattern, bool longest)
{
    size_t length = strlen(value);
    for (size_t step = 0; step <= length; step++) {
        size_t n = longest ? length - step : step;
        if (glob_matches(pattern, value + length - n, n))
            return g_strndup(value, length - n);
    }
    return g_strdup(value);
}

static char *replace(const char *value, const char *pattern, const char *with, bool all)
{
    GString *out = g_string_new(NULL);
    size_t length = strlen(value);
    bool done = false;
    for (size_t i = 0; i < length;) {
        size_t n = done && !all ? 0 : length - i;
        while (n > 0 && !glob_matches(pattern, value + i, n))
            n--;
        if (n == 0) {
            g_string_append_c(out, value[i++]);
            continue;
        }
        g_string_append(out, with);
        done = true;
        i += n;
    }
    return g_string_free(out, FALSE);
}

/* `${name` was read and `-`, `+` or `?` (after `:`, when COLON) follows. */
static char *read_conditional(Expander *e, const char *name, const char *value, bool colon,
                              GError **error)
{
    char modifier = *e->at++;
    g_autofree char *word = read_operand(e, '}', false, error);
    if (word == NULL)
        return NULL;
    bool set = value != NULL && (!colon || *value != '\0');
    if (modifier == '+')
        return g_strdup(set ? word : "");
    if (set)
        return g_strdup(value);
    if (modifier == '-')
        return g_steal_pointer(&word);
    g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID, "%s: %s", name,
                *word != '\0' ? word
                : colon       ? "is not allowed to be empty"
                              : "is not allowed to be unset");
    return NULL;
}

static char *read_strip(Expander *e, const char *value, GError **error)
{
    char modifier = *e->at++;
    bool longest = *e->at == modifier;
    if (longest)
        e->at++;
    g_autofree char *pattern = read_operand(e, '}', true, error);
    if (pattern == NULL)
        return NULL;
    return modifier == '#' ? strip_prefix(value, pattern, longest)
                           : strip_suffix(value, pattern, longest);
}

static char *read_replace(Expander *e, const char *value, GError **error)
{
    bool all = *++e->at == '/';
    if (all)
        e->at++;
    g_autofree char *pattern = read_operand(e, '/', true, error);
    g_autofree char *with = pattern != NULL ? read_operand(e, '}', false, error) : NULL;
    return with != NULL ? replace(value, pattern, with, all) : NULL;
}

static char *read_braced(Expander *e, GError **error)
{
    if (*e->at == '}' || *e->at == ':' || *e->at == '{' || *e->at == '\0') {
        fail(error, "syntax error: missing or unsupported parameter name in ${…}");
        return NULL;
    }
    g_autofree char *name = read_name(e);
    const char *value = e->scope->lookup(e->scope->data, name);
    const char *text = value != NULL ? value : "";
    if (*e->at == '}' && *name != '\0') {
        e->at++;
        return g_strdup(text);
    }
    if (*name != '\0' && (*e->at == '#' || *e->at == '%'))
        return read_strip(e, text, error);
    if (*name != '\0' && *e->at == '/')
        return read_replace(e, text, error);
    bool colon = *e->at == ':';
    if (colon)
        e->at++;
    if (*name != '\0' && *e->at != '\0' && strchr("-+?", *e->at) != NULL)
        return read_conditional(e, name, value, colon, error);
    if (*e->at == '\0')
        fail(error, "syntax error: missing '}'");
    else
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID,
                    "unsupported modifier (%c) in substitution of '%s'", *e->at, name);
    return NULL;
}

/* At a `$`: what it stands for. */
static char *read_dollar(Expander *e, GError **error)
{
    if (*++e->at == '{') {
        e->at++;
        return read_braced(e, error);
    }
    g_autofree char *name = read_name(e);
    if (*name == '\0')
        return g_strdup("$");
    const char *value = e->scope->lookup(e->scope->data, name);
    return g_strdup(value != NULL ? value : "");
}

char *expand_word(const ExpandScope *scope, const char *word, GError **error)
{
    Expander e = {.scope = scope, .at = word, .text = g_string_new(NULL)};
    bool ok = read_until(&e, '\0', false, error);
    return g_string_free(e.text, !ok);
}

char **expand_words(const ExpandScope *scope, const char *word, GError **error)
{
    g_autoptr(GPtrArray) words = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GString) text = g_string_new(NULL);
    Expander e = {.scope = scope, .at = word, .text = text, .words = words};
    if (!read_until(&e, '\0', false, error))
        return NULL;
    end_word(&e);
    g_ptr_array_add(words, NULL);
    return (char **) g_ptr_array_free(g_steal_pointer(&words), FALSE);
}

char *expand_heredoc(const ExpandScope *scope, const char *text, GError **error)
{
    Expander e = {.scope = scope, .at = text};
    g_autoptr(GString) out = g_string_new(NULL);
    while (*e.at != '\0') {
        if (*e.at == '\\' && (e.at[1] == '$' || e.at[1] == '\\')) {
            g_string_append_c(out, e.at[1]);
            e.at += 2;
        } else if (*e.at == '$') {
            g_autofree char *value = read_dollar(&e, error);
            if (value == NULL)
                return NULL;
            g_string_append(out, value);
        } else {
            g_string_append_c(out, *e.at++);
        }
    }
    return g_string_free(g_steal_pointer(&out), FALSE);
}

void expand_each_name(const char *text, char escape, void (*each)(const char *name, void *data),
                      void *data)
{
    char quote = '\0';
    for (; *text != '\0'; text++) {
        if (*text == escape && quote != '\'' && text[1] != '\0') {
            text++;
        } else if (quote == '\0' && (*text == '\'' || *text == '"')) {
            quote = *text;
        } else if (*text == quote) {
            quote = '\0';
        } else if (*text == '$' && quote != '\'') {
            const char *name = text[1] == '{' ? text + 2 : text + 1;
            size_t length = 0;
            while (g_ascii_isalnum(name[length]) || name[length] == '_')
                length++;
            g_autofree char *copy = g_strndup(name, length);
            if (length > 0)
                each(copy, data);
        }
    }
}
