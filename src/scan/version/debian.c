/* [epoch:]upstream[-revision]; deb-version(7). */
#include "scan/version/scheme.h"

#include <string.h>

/* The weight of a character outside numbers: `~` is below the end, letters are below the rest. */
static int weight(const char *p, const char *end)
{
    if (p == end || g_ascii_isdigit(*p))
        return 0;
    if (*p == '~')
        return -1;
    return g_ascii_isalpha(*p) ? *p : (unsigned char) *p + 256;
}

static int compare_part(Span a, Span b)
{
    const char *p = a.text, *p_end = a.text + a.length, *q = b.text, *q_end = b.text + b.length;
    while (p < p_end || q < q_end) {
        while ((p < p_end && !g_ascii_isdigit(*p)) || (q < q_end && !g_ascii_isdigit(*q))) {
            int difference = weight(p, p_end) - weight(q, q_end);
            if (difference != 0)
                return difference;
            p += p < p_end;
            q += q < q_end;
        }
        Span x = {p, 0}, y = {q, 0};
        while (p < p_end && g_ascii_isdigit(*p))
            p++, x.length++;
        while (q < q_end && g_ascii_isdigit(*q))
            q++, y.length++;
        int order = span_compare_number(x, y);
        if (order != 0)
            return order;
    }
    return 0;
}

typedef struct {
    Span epoch, upstream, revision;
} DebianVersion;

static DebianVersion split(const char *text)
{
    DebianVersion version = {.epoch = span_of_digits(text)};
    if (text[version.epoch.length] == ':')
        text += version.epoch.length + 1;
    else
        version.epoch.length = 0;
    const char *dash = strrchr(text, '-');
    version.upstream = (Span){text, dash != NULL ? (size_t) (dash - text) : strlen(text)};
    /* A missing revision equals "0". */
    version.revision = dash != NULL ? (Span){dash + 1, strlen(dash + 1)} : (Span){"0", 1};
    return version;
}

int debian_compare(const char *a, const char *b)
{
    DebianVersion x = split(a), y = split(b);
    int order = span_compare_number(x.epoch, y.epoch);
    if (order == 0)
        order = compare_part(x.upstream, y.upstream);
    return order != 0 ? order : compare_part(x.revision, y.revision);
}
