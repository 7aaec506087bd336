/* glob.c - filter patterns of branches, tags and paths, as a regular expression of PCRE2. */
#include "dialect/github/trigger.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <string.h>

const char *glob_problem(const char *pattern)
{
    if (pattern[0] == '\0')
        return "a pattern must not be empty";
    bool repeatable = false;
    for (const char *p = pattern; *p != '\0'; p++) {
        if (*p == '[') {
            const char *close = p[1] == ']' ? NULL : strchr(p + 1, ']');
            if (close == NULL)
                return p[1] == ']' ? "an empty set '[]'" : "a set without its ']'";
            for (const char *c = p + 1; c + 2 < close; c++)
                if (c[1] == '-' && c[0] > c[2])
                    return "a range whose end comes before its start";
            p = close;
        } else if (*p == '\\') {
            if (p[1] == '\0')
                return "nothing to escape at the end";
            p++;
        } else if ((*p == '?' || *p == '+') && !repeatable)
            return "nothing before '?' or '+' that could be repeated";
        repeatable = *p != '*' && *p != '?' && *p != '+' && *p != '!';
    }
    return NULL;
}

/* One pattern character (or several) as regular expression; gives where to go on. */
static const char *append_part(GString *out, const char *p)
{
    if (p[0] == '*' && p[1] == '*') {
        bool folder = p[2] == '/';
        g_string_append(out, folder ? "(?:.*/)?" : ".*");
        return p + (folder ? 3 : 2);
    }
    if (*p == '*')
        g_string_append(out, "[^/]*");
    else if (*p == '?' || *p == '+')
        g_string_append_c(out, *p);
    else if (*p == '[' && strchr(p, ']') != NULL) {
        const char *close = strchr(p, ']');
        g_string_append_c(out, '[');
        for (const char *c = p + 1; c < close; c++) {
            if (strchr("\\[^&~", *c) != NULL)
                g_string_append_c(out, '\\');
            g_string_append_c(out, *c);
        }
        g_string_append_c(out, ']');
        return close + 1;
    } else {
        if (*p == '\\' && p[1] != '\0')
            p++;
        if (strchr("\\^$.|?*+()[]{}", *p) != NULL)
            g_string_append_c(out, '\\');
        g_string_append_c(out, *p);
    }
    return p + 1;
}

bool glob_matches(const char *pattern, const char *text)
{
    g_autoptr(GString) regex = g_string_new("\\A(?:");
    for (const char *p = pattern; *p != '\0';)
        p = append_part(regex, p);
    g_string_append(regex, ")\\z");
    int code;
    PCRE2_SIZE where;
    pcre2_code *compiled =
        pcre2_compile((PCRE2_SPTR) regex->str, regex->len, PCRE2_DOTALL, &code, &where, NULL);
    if (compiled == NULL)
        return false;
    pcre2_match_data *match = pcre2_match_data_create_from_pattern(compiled, NULL);
    pcre2_match_context *limits = pcre2_match_context_create(NULL);
    pcre2_set_match_limit(limits, 1000000);
    int result = pcre2_match(compiled, (PCRE2_SPTR) text, strlen(text), 0, 0, match, limits);
    pcre2_match_context_free(limits);
    pcre2_match_data_free(match);
    pcre2_code_free(compiled);
    return result >= 0;
}
