/* [epoch:]version[-release], each compared as rpmvercmp does. */
#include "scan/version/scheme.h"

#include <string.h>

static bool counts(char c)
{
    return g_ascii_isalnum(c) || c == '~' || c == '^';
}

/* Takes the run of characters like the first (digits or letters) off SPAN. */
static Span take_run(Span *span)
{
    bool digits = g_ascii_isdigit(*span->text);
    Span run = {span->text, 0};
    while (span->length > 0 &&
           (digits ? g_ascii_isdigit(*span->text) : g_ascii_isalpha(*span->text)))
        span->text++, span->length--, run.length++;
    return run;
}

static char first(Span span)
{
    return span.length > 0 ? *span.text : '\0';
}

/* Orders by a mark at the front of either side: `~` is lower than all, even the end; `^` is higher
 * than the end and lower than the rest. 2: both have it, go on; 0: neither has one. */
static int compare_mark(Span *a, Span *b, char mark)
{
    char x = first(*a), y = first(*b);
    if (x != mark && y != mark)
        return 0;
    if (x == mark && y == mark) {
        a->text++, a->length--;
        b->text++, b->length--;
        return 2;
    }
    if (mark == '~')
        return x == mark ? -1 : 1;
    if (x == mark)
        return b->length == 0 ? 1 : -1;
    return a->length == 0 ? -1 : 1;
}

static int compare_part(Span a, Span b)
{
    while (a.length > 0 || b.length > 0) {
        while (a.length > 0 && !counts(*a.text))
            a.text++, a.length--;
        while (b.length > 0 && !counts(*b.text))
            b.text++, b.length--;
        int mark = compare_mark(&a, &b, '~');
        if (mark == 0)
            mark = compare_mark(&a, &b, '^');
        if (mark == 2)
            continue;
        if (mark != 0)
            return mark;
        if (a.length == 0 || b.length == 0)
            break;
        bool digits = g_ascii_isdigit(*a.text);
        if (digits != g_ascii_isdigit(*b.text))
            return digits ? 1 : -1;
        Span x = take_run(&a), y = take_run(&b);
        int order = digits ? span_compare_number(x, y) : span_compare_text(x, y);
        if (order != 0)
            return order;
    }
    return (a.length > 0) - (b.length > 0);
}

typedef struct {
    Span epoch, version, release;
    bool has_release;
} RpmVersion;

static RpmVersion split(const char *text)
{
    RpmVersion parts = {.epoch = {"0", 1}};
    const char *colon = strchr(text, ':');
    if (colon != NULL) {
        parts.epoch = (Span){text, (size_t) (colon - text)};
        text = colon + 1;
    }
    const char *dash = strchr(text, '-');
    parts.version = (Span){text, dash != NULL ? (size_t) (dash - text) : strlen(text)};
    parts.has_release = dash != NULL;
    if (dash != NULL)
        parts.release = (Span){dash + 1, strlen(dash + 1)};
    return parts;
}

int redhat_compare(const char *a, const char *b)
{
    RpmVersion x = split(a), y = split(b);
    int order = compare_part(x.epoch, y.epoch);
    if (order == 0)
        order = compare_part(x.version, y.version);
    if (order != 0)
        return order;
    if (x.has_release != y.has_release)
        return x.has_release ? 1 : -1;
    return compare_part(x.release, y.release);
}
