/* SemVer 2.0 and the orderings made from it: NuGet, pub, Go. */
#include "scan/version/scheme.h"

#include <string.h>

#define NUMBERS_MAX 4

typedef struct {
    Span numbers[NUMBERS_MAX]; /* missing ones are empty: zero */
    Span prerelease, build;    /* without `-` and `+` */
    bool has_prerelease, has_build;
} Semver;

static Semver parse(const char *text, int numbers)
{
    Semver version = {0};
    if (*text == 'v' || *text == 'V')
        text++;
    for (int i = 0; i < numbers; i++) {
        Span number = span_of_digits(text);
        if (number.length == 0)
            break;
        version.numbers[i] = number;
        text += number.length;
        if (*text != '.' || i == numbers - 1 || !g_ascii_isdigit(text[1]))
            break;
        text++;
    }
    /* "1.22rc1" (Go's toolchain) has its prerelease without a dash. */
    version.has_prerelease = *text == '-' || g_ascii_isalpha(*text);
    if (version.has_prerelease) {
        text += *text == '-';
        version.prerelease = (Span){text, strcspn(text, "+")};
        text += version.prerelease.length;
    }
    if (*text != '\0') {
        version.has_build = true;
        text += *text == '+';
        version.build = (Span){text, strlen(text)};
    }
    return version;
}

static int compare_letters(Span a, Span b, bool fold)
{
    if (!fold)
        return span_compare_text(a, b);
    int order = g_ascii_strncasecmp(a.text, b.text, MIN(a.length, b.length));
    return order != 0 ? order : (a.length > b.length) - (a.length < b.length);
}

/* Dot-separated identifiers: numbers by value and below text; the longer list is greater. */
static int compare_identifiers(Span a, Span b, bool fold)
{
    const char *a_end = a.text + a.length, *b_end = b.text + b.length;
    while (a.text <= a_end && b.text <= b_end && a.text != NULL && b.text != NULL) {
        const char *a_dot = memchr(a.text, '.', (size_t) (a_end - a.text));
        const char *b_dot = memchr(b.text, '.', (size_t) (b_end - b.text));
        Span x = {a.text, (size_t) ((a_dot != NULL ? a_dot : a_end) - a.text)};
        Span y = {b.text, (size_t) ((b_dot != NULL ? b_dot : b_end) - b.text)};
        bool number = span_is_number(x), number_b = span_is_number(y);
        int order = 0;
        if (number && number_b)
            order = span_compare_number(x, y);
        else if (number != number_b)
            order = number ? -1 : 1;
        else
            order = compare_letters(x, y, fold);
        if (order != 0)
            return order;
        if (a_dot == NULL || b_dot == NULL)
            return (a_dot != NULL) - (b_dot != NULL);
        a.text = a_dot + 1;
        b.text = b_dot + 1;
    }
    return 0;
}

static int compare(const Semver *a, const Semver *b, bool fold)
{
    for (int i = 0; i < NUMBERS_MAX; i++) {
        int order = span_compare_number(a->numbers[i], b->numbers[i]);
        if (order != 0)
            return order;
    }
    if (a->has_prerelease != b->has_prerelease)
        return a->has_prerelease ? -1 : 1;
    return a->has_prerelease ? compare_identifiers(a->prerelease, b->prerelease, fold) : 0;
}

int semver_compare(const char *a, const char *b)
{
    Semver x = parse(a, 3), y = parse(b, 3);
    return compare(&x, &y, false);
}

int go_compare(const char *a, const char *b)
{
    if (g_str_has_prefix(a, "go"))
        a += strlen("go");
    if (g_str_has_prefix(b, "go"))
        b += strlen("go");
    return semver_compare(a, b);
}

int nuget_compare(const char *a, const char *b)
{
    Semver x = parse(a, 4), y = parse(b, 4);
    return compare(&x, &y, true);
}

int pub_compare(const char *a, const char *b)
{
    Semver x = parse(a, 3), y = parse(b, 3);
    int order = compare(&x, &y, false);
    if (order != 0)
        return order;
    if (x.has_build != y.has_build)
        return x.has_build ? 1 : -1;
    return x.has_build ? compare_identifiers(x.build, y.build, false) : 0;
}
