/* number{.number}…[letter]{_suffix[number]}…[~hash][-r[number]]; apk-package(5). */
#include "scan/version/scheme.h"

#include <string.h>

static const char *const suffixes[] = {"alpha", "beta", "pre", "rc", "",
                                       "cvs",   "svn",  "git", "hg", "p"};
#define SUFFIX_NONE 4 /* of no suffix, between those that come before a release and after it */

typedef struct {
    const char *original;
    const char *rest; /* what is not read yet, in the end what is malformed */
    bool has_build;
    Span build;
    char letter;
    const char *numbers, *suffixes; /* where they begin; read again while comparing */
} ApkVersion;

/* Takes the next number: digits, or after the first one a dot and digits. */
static bool take_number(const char **text, bool first, Span *number)
{
    const char *p = *text;
    if (!first && *p != '.')
        return false;
    *number = span_of_digits(p + !first);
    if (number->length == 0)
        return false;
    *text = number->text + number->length;
    return true;
}

/* Takes "_suffix[number]"; the longest name counts ("pre" is not "p" and "re"). */
static bool take_suffix(const char **text, int *weight, Span *number)
{
    if (**text != '_')
        return false;
    size_t length = 0;
    for (size_t i = 0; i < G_N_ELEMENTS(suffixes); i++) {
        if (i == SUFFIX_NONE || strlen(suffixes[i]) <= length ||
            !g_str_has_prefix(*text + 1, suffixes[i]))
            continue;
        *weight = (int) i;
        length = strlen(suffixes[i]);
    }
    if (length == 0)
        return false;
    *number = span_of_digits(*text + 1 + length);
    *text = number->text + number->length;
    return true;
}

static ApkVersion parse(const char *text)
{
    ApkVersion version = {.original = text, .numbers = text};
    const char *p = text;
    Span number = {NULL, 0};
    int weight = 0;
    if (take_number(&p, true, &number))
        while (take_number(&p, false, &number))
            ;
    if (g_ascii_islower(*p))
        version.letter = *p++;
    version.suffixes = p;
    while (take_suffix(&p, &weight, &number))
        ;
    if (*p == '~')
        p += 1 + strspn(p + 1, "0123456789abcdef");
    if (p[0] == '-' && p[1] == 'r') {
        version.has_build = true;
        version.build = span_of_digits(p + 2);
        const char *end = p + 2 + version.build.length;
        version.rest = *end != '\0' ? p : end; /* malformed as a whole */
    } else {
        version.rest = p;
    }
    return version;
}

static int compare_numbers(const ApkVersion *a, const ApkVersion *b)
{
    const char *p = a->numbers, *q = b->numbers;
    for (bool first = true;; first = false) {
        Span x = {NULL, 0}, y = {NULL, 0};
        bool more = take_number(&p, first, &x), more_b = take_number(&q, first, &y);
        if (!more || !more_b)
            return more - more_b;
        /* Behind the first, a leading zero makes it a decimal fraction. */
        bool as_text = !first && (*x.text == '0' || *y.text == '0');
        int order = as_text ? span_compare_text(x, y) : span_compare_number(x, y);
        if (order != 0)
            return order;
    }
}

static int compare_suffixes(const ApkVersion *a, const ApkVersion *b)
{
    const char *p = a->suffixes, *q = b->suffixes;
    for (;;) {
        Span x = {NULL, 0}, y = {NULL, 0};
        int weight = SUFFIX_NONE, weight_b = SUFFIX_NONE;
        bool more = take_suffix(&p, &weight, &x), more_b = take_suffix(&q, &weight_b, &y);
        if (!more && !more_b)
            return 0;
        int order = weight != weight_b ? weight - weight_b : span_compare_number(x, y);
        if (order != 0)
            return order;
    }
}

/* Malformed: anything is left over. What is malformed only in its build part still has an order by
 * what stands before. */
static bool is_malformed(const ApkVersion *version)
{
    return *version->rest != '\0' && *version->rest != '-';
}

int alpine_compare(const char *a, const char *b)
{
    ApkVersion x = parse(a), y = parse(b);
    if (is_malformed(&x) && is_malformed(&y))
        return strcmp(a, b);
    int order = compare_numbers(&x, &y);
    if (order == 0)
        order = x.letter - y.letter;
    if (order == 0)
        order = compare_suffixes(&x, &y);
    if (order != 0)
        return order;
    bool left = *x.rest != '\0', left_b = *y.rest != '\0';
    if (left || left_b)
        return left_b - left;
    if (x.has_build != y.has_build)
        return x.has_build - y.has_build;
    return span_compare_number(x.build, y.build);
}
