/* ignore_file.c - patterns as small automata: every match is one pass over the path, whatever the
 * pattern, so a hostile one costs no more than its length times the path's. */
#include "dockerfile/ignore_file.h"

#include "base/error.h"
#include "base/path.h"

#include <string.h>

#define PATTERN_LIMIT 4096

typedef enum {
    TOKEN_CHARACTER,
    TOKEN_ANY,      /* ?: one character but '/' */
    TOKEN_CLASS,    /* [...] */
    TOKEN_STAR,     /* *: any number of characters but '/' */
    TOKEN_ANYTHING, /* **: any number of characters */
    TOKEN_FOLDERS,  /* first half of "**" before '/': may be skipped with the next token */
    TOKEN_INSIDE,   /* second half: any characters up to and with a '/' */
} TokenKind;

typedef struct {
    TokenKind kind;
    char c;
    bool negated;
    const char *from, *to; /* class, between the brackets; in the pattern's text */
} Token;

typedef struct {
    char *text;
    Token *tokens;
    size_t count;
    bool include; /* began with '!' */
} Pattern;

struct IgnoreFile {
    GPtrArray *patterns; /* Pattern * */
    bool has_include;
};

static void pattern_free(Pattern *pattern)
{
    g_free(pattern->text);
    g_free(pattern->tokens);
    g_free(pattern);
}

static const char *class_end(const char *text)
{
    const char *at = text + 1;
    if (*at == '^' || *at == '!')
        at++;
    for (bool first = true; *at != '\0' && (first || *at != ']'); first = false)
        at += *at == '\\' && at[1] != '\0' ? 2 : 1;
    return *at == ']' ? at : NULL;
}

/* Compiles TEXT (taken); NULL when it is malformed. DEEP: `**` has its meaning. */
static Pattern *pattern_new(char *text, bool deep)
{
    Pattern *pattern = g_new0(Pattern, 1);
    pattern->text = text;
    pattern->tokens = g_new0(Token, 2 * strlen(text) + 1);
    bool ok = strlen(text) <= PATTERN_LIMIT;
    for (const char *at = text; ok && *at != '\0'; at++) {
        Token *token = &pattern->tokens[pattern->count++];
        *token = (Token){.kind = TOKEN_CHARACTER, .c = *at};
        if (*at == '?') {
            token->kind = TOKEN_ANY;
        } else if (*at == '*' && deep && at[1] == '*') {
            while (at[1] == '*')
                at++;
            token->kind = TOKEN_ANYTHING;
            if (at[1] == '/') {
                at++;
                token->kind = TOKEN_FOLDERS;
                pattern->tokens[pattern->count++].kind = TOKEN_INSIDE;
            }
        } else if (*at == '*') {
            token->kind = TOKEN_STAR;
        } else if (*at == '[') {
            const char *end = class_end(at);
            ok = end != NULL;
            token->kind = TOKEN_CLASS;
            token->negated = at[1] == '^' || at[1] == '!';
            token->from = at + 1 + token->negated;
            token->to = end;
            at = ok ? end : at;
        } else if (*at == '\\') {
            ok = at[1] != '\0';
            token->c = *++at;
            at -= !ok;
        }
    }
    if (ok)
        return pattern;
    pattern_free(pattern);
    return NULL;
}

static bool class_has(const Token *token, char c)
{
    bool found = false;
    for (const char *at = token->from; at < token->to; at++) {
        if (*at == '\\' && at + 1 < token->to)
            at++;
        char low = *at, high = *at;
        if (at + 2 < token->to && at[1] == '-') {
            at += 2;
            if (*at == '\\' && at + 1 < token->to)
                at++;
            high = *at;
        }
        found = found || ((unsigned char) low <= (unsigned char) c &&
                          (unsigned char) c <= (unsigned char) high);
    }
    return found != token->negated && c != '/';
}

/* Adds state I and all that are reached from it without a character. */
static void add_state(const Pattern *pattern, bool *states, size_t i)
{
    while (!states[i]) {
        states[i] = true;
        if (i == pattern->count)
            return;
        TokenKind kind = pattern->tokens[i].kind;
        if (kind == TOKEN_FOLDERS) {
            states[i + 1] = true;
            i += 2;
        } else if (kind == TOKEN_STAR || kind == TOKEN_ANYTHING) {
            i++;
        } else {
            return;
        }
    }
}

/* The states after C. False when none is left. */
static bool step(const Pattern *pattern, const bool *states, bool *next, char c)
{
    memset(next, 0, pattern->count + 1);
    bool any = false;
    for (size_t i = 0; i < pattern->count; i++) {
        if (!states[i])
            continue;
        const Token *token = &pattern->tokens[i];
        size_t to = i + 1;
        bool goes = false;
        switch (token->kind) {
        case TOKEN_CHARACTER:
            goes = token->c == c;
            break;
        case TOKEN_ANY:
            goes = c != '/';
            break;
        case TOKEN_CLASS:
            goes = class_has(token, c);
            break;
        case TOKEN_STAR:
            goes = c != '/';
            to = i;
            break;
        case TOKEN_ANYTHING:
            goes = true;
            to = i;
            break;
        case TOKEN_INSIDE:
            next[i] = any = true;
            goes = c == '/';
            break;
        case TOKEN_FOLDERS:
            break;
        }
        if (goes) {
            add_state(pattern, next, to);
            any = true;
        }
    }
    return any;
}

typedef enum { MATCH_WHOLE, MATCH_SELF_OR_PARENT, MATCH_BELOW } MatchWhat;

static bool pattern_matches(const Pattern *pattern, const char *path, MatchWhat what)
{
    size_t size = pattern->count + 1;
    g_autofree bool *buffer = size > 512 ? g_new(bool, 2 * size) : NULL;
    bool small[1024];
    bool *states = buffer != NULL ? buffer : small, *next = states + size;
    memset(states, 0, size);
    add_state(pattern, states, 0);
    for (; *path != '\0'; path++) {
        if (what == MATCH_SELF_OR_PARENT && *path == '/' && states[pattern->count])
            return true;
        if (!step(pattern, states, next, *path))
            return false;
        bool *swap = states;
        states = next;
        next = swap;
    }
    if (what == MATCH_BELOW)
        return step(pattern, states, next, '/') || states[pattern->count];
    return states[pattern->count];
}

static bool add_pattern(IgnoreFile *file, const char *line, const char *where, GError **error)
{
    g_autofree char *text = g_strstrip(g_strdup(line));
    bool include = text[0] == '!';
    g_autofree char *body = g_strstrip(g_strdup(text + include));
    if (*body == '\0' && !include)
        return true;
    g_autofree char *clean = path_clean(body);
    if (*clean == '\0' && !include)
        return true;
    Pattern *pattern = *body != '\0' ? pattern_new(g_steal_pointer(&clean), true) : NULL;
    if (pattern == NULL) {
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID,
                    "%s: illegal exclusion pattern: \"%s\"", where, text);
        return false;
    }
    pattern->include = include;
    file->has_include = file->has_include || include;
    g_ptr_array_add(file->patterns, pattern);
    return true;
}

static IgnoreFile *ignore_file_new(void)
{
    IgnoreFile *file = g_new0(IgnoreFile, 1);
    file->patterns = g_ptr_array_new_with_free_func((GDestroyNotify) pattern_free);
    return file;
}

IgnoreFile *ignore_file_parse(const char *name, const char *text, GError **error)
{
    g_autoptr(IgnoreFile) file = ignore_file_new();
    if (g_str_has_prefix(text, "\xef\xbb\xbf"))
        text += 3;
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    for (guint i = 0; lines[i] != NULL; i++) {
        if (lines[i][0] == '#')
            continue;
        g_autofree char *where = g_strdup_printf("%s:%u:1", name, i + 1);
        if (!add_pattern(file, lines[i], where, error))
            return NULL;
    }
    return g_steal_pointer(&file);
}

IgnoreFile *ignore_file_from_patterns(const char *const *patterns, GError **error)
{
    g_autoptr(IgnoreFile) file = ignore_file_new();
    for (; *patterns != NULL; patterns++)
        if (!add_pattern(file, *patterns, "exclude", error))
            return NULL;
    return g_steal_pointer(&file);
}

bool ignore_file_excludes(const IgnoreFile *file, const char *path)
{
    for (guint i = file->patterns->len; i > 0; i--) {
        const Pattern *pattern = file->patterns->pdata[i - 1];
        if (pattern_matches(pattern, path, MATCH_SELF_OR_PARENT))
            return !pattern->include;
    }
    return false;
}

bool ignore_file_may_include_below(const IgnoreFile *file, const char *path)
{
    for (guint i = 0; file->has_include && i < file->patterns->len; i++) {
        const Pattern *pattern = file->patterns->pdata[i];
        if (pattern->include && pattern_matches(pattern, path, MATCH_BELOW))
            return true;
    }
    return false;
}

void ignore_file_free(IgnoreFile *file)
{
    if (file == NULL)
        return;
    g_ptr_array_unref(file->patterns);
    g_free(file);
}

bool path_pattern_matches(const char *pattern, const char *name)
{
    Pattern *compiled = pattern_new(g_strdup(pattern), false);
    bool matches = compiled != NULL && pattern_matches(compiled, name, MATCH_WHOLE);
    if (compiled != NULL)
        pattern_free(compiled);
    return matches;
}

bool path_pattern_is_one(const char *text)
{
    return strpbrk(text, "*?[\\") != NULL;
}
