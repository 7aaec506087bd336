/* Gem::Version: runs of digits and of letters; letters make a prerelease. */
#include "scan/version/scheme.h"

#include <string.h>

/* Takes the next run; a dash stands for a segment "pre". Empty at the end. */
static Span take_segment(const char **text)
{
    while (**text != '\0' && **text != '-' && !g_ascii_isalnum(**text))
        (*text)++;
    if (**text == '-') {
        (*text)++;
        return (Span){"pre", strlen("pre")};
    }
    Span segment = span_of_digits(*text);
    while (segment.length == 0 ? g_ascii_isalpha(**text) : false)
        segment.length++, (*text)++;
    if (segment.length > 0 && g_ascii_isalpha(*segment.text)) {
        while (g_ascii_isalpha(**text))
            segment.length++, (*text)++;
        return segment;
    }
    *text += segment.length;
    return segment;
}

/* Takes the next segment that counts: zeros before letters or the end do not. */
static Span take_canonical(const char **text)
{
    const char *p = *text;
    Span segment = take_segment(&p);
    if (span_is_number(segment) && strspn(segment.text, "0") >= segment.length) {
        const char *ahead = p;
        Span next = take_segment(&ahead);
        while (span_is_number(next) && strspn(next.text, "0") >= next.length)
            next = take_segment(&ahead);
        if (next.length == 0 || !span_is_number(next)) {
            *text = ahead;
            return next;
        }
    }
    *text = p;
    return segment;
}

int rubygems_compare(const char *a, const char *b)
{
    for (;;) {
        Span x = take_canonical(&a), y = take_canonical(&b);
        if (x.length == 0 && y.length == 0)
            return 0;
        /* A missing segment is zero. */
        bool number = x.length == 0 || span_is_number(x);
        bool number_b = y.length == 0 || span_is_number(y);
        int order = number - number_b;
        if (number && number_b)
            order = span_compare_number(x, y);
        else if (!number && !number_b)
            order = span_compare_text(x, y);
        if (order != 0)
            return order;
    }
}
