#include "report/glob.h"

#include <stddef.h>
#include <string.h>

/* Matches with one place to come back to for `*` and one for `**`: the last star decides, an
 * earlier one need never be tried again unless the last may not cross the slash. */
static bool match(const char *pattern, const char *text, bool parts)
{
    const char *star = NULL, *star_text = NULL;         /* after the last `*`, and what it left */
    const char *globstar = NULL, *globstar_text = NULL; /* the same for `**` */
    bool whole_parts = false; /* that was `**` and a slash: stands for whole parts */

    while (*text != '\0') {
        if (pattern[0] == '*' && pattern[1] == '*') {
            pattern += 2;
            whole_parts = *pattern == '/';
            if (whole_parts)
                pattern++;
            globstar = pattern;
            globstar_text = text;
            star = NULL;
            continue;
        }
        if (*pattern == '*') {
            star = ++pattern;
            star_text = text;
            continue;
        }
        if (*pattern == *text || (*pattern == '?' && !(parts && *text == '/'))) {
            pattern++;
            text++;
            continue;
        }
        if (star != NULL && !(parts && *star_text == '/')) {
            pattern = star;
            text = ++star_text;
            continue;
        }
        if (globstar == NULL)
            return false;
        star = NULL;
        if (whole_parts && (globstar_text = strchr(globstar_text, '/')) == NULL)
            return false;
        pattern = globstar;
        text = ++globstar_text;
    }
    while (*pattern == '*')
        pattern++;
    return *pattern == '\0';
}

bool glob_match_path(const char *pattern, const char *text)
{
    if (match(pattern, text, true))
        return true;
    const char *slash = strrchr(text, '/');
    return slash != NULL && strchr(pattern, '/') == NULL && match(pattern, slash + 1, true);
}

bool glob_match_name(const char *pattern, const char *text)
{
    return match(pattern, text, false);
}
