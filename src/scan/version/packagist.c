/* Composer, as PHP's version_compare: parts between dots and between digits and other text. */
#include "scan/version/scheme.h"

#include <string.h>

static bool is_separator(char c)
{
    return c == '.' || c == '-' || c == '_' || c == '+';
}

/* Takes the next part; false at the end. */
static bool take_part(const char **text, Span *part)
{
    if (**text == '\0')
        return false;
    const char *p = *text;
    bool digits = g_ascii_isdigit(*p);
    while (*p != '\0' && !is_separator(*p) && g_ascii_isdigit(*p) == digits)
        p++;
    *part = (Span){*text, (size_t) (p - *text)};
    *text = is_separator(*p) ? p + 1 : p;
    return true;
}

#define WEIGHT_NUMBER 4

/* Words from the least: dev, alpha, beta, RC, a release (a number), patch. Unknown words are as
 * dev. */
static int weigh(Span part)
{
    static const struct {
        const char *prefix;
        int weight;
    } words[] = {{"RC", 3}, {"dev", 0}, {"a", 1}, {"b", 2}, {"rc", 3}, {"#", 4}, {"p", 5}};
    if (span_is_number(part))
        return WEIGHT_NUMBER;
    for (size_t i = 0; i < G_N_ELEMENTS(words); i++) {
        size_t length = strlen(words[i].prefix);
        if (part.length >= length && memcmp(part.text, words[i].prefix, length) == 0)
            return words[i].weight;
    }
    return 0;
}

/* How a version whose next part is TEXT stands to one that ended before it. */
static int compare_to_end(const char *text)
{
    Span part = {NULL, 0};
    while (take_part(&text, &part)) {
        if (span_is_number(part))
            return 1;
        if (weigh(part) != WEIGHT_NUMBER)
            return weigh(part) - WEIGHT_NUMBER;
    }
    return 0;
}

int packagist_compare(const char *a, const char *b)
{
    a += *a == 'v' || *a == 'V';
    b += *b == 'v' || *b == 'V';
    for (;;) {
        Span x = {NULL, 0}, y = {NULL, 0};
        const char *a_rest = a, *b_rest = b;
        bool more = take_part(&a, &x), more_b = take_part(&b, &y);
        if (!more && !more_b)
            return 0;
        if (!more_b)
            return compare_to_end(a_rest);
        if (!more)
            return -compare_to_end(b_rest);
        int order = span_is_number(x) && span_is_number(y) ? span_compare_number(x, y)
                                                           : weigh(x) - weigh(y);
        if (order != 0)
            return order;
    }
}
