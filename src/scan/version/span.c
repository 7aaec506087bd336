#include "scan/version/scheme.h"

#include <string.h>

int span_compare_number(Span a, Span b)
{
    while (a.length > 0 && *a.text == '0')
        a.text++, a.length--;
    while (b.length > 0 && *b.text == '0')
        b.text++, b.length--;
    if (a.length != b.length)
        return a.length < b.length ? -1 : 1;
    return a.length == 0 ? 0 : memcmp(a.text, b.text, a.length);
}

int span_compare_text(Span a, Span b)
{
    size_t common = MIN(a.length, b.length);
    int order = common == 0 ? 0 : memcmp(a.text, b.text, common);
    if (order != 0)
        return order;
    return a.length == b.length ? 0 : a.length < b.length ? -1 : 1;
}

bool span_is_number(Span span)
{
    for (size_t i = 0; i < span.length; i++)
        if (!g_ascii_isdigit(span.text[i]))
            return false;
    return span.length > 0;
}

bool span_is(Span span, const char *literal)
{
    return strlen(literal) == span.length && memcmp(span.text, literal, span.length) == 0;
}

Span span_of_digits(const char *text)
{
    return (Span){text, strspn(text, "0123456789")};
}
