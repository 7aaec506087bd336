#include "registry/range.h"

#include <glib.h>
#include <string.h>

/* Reads digits at *TEXT (up to 18, which cannot overflow) and moves behind them. */
static bool read_number(const char **text, int64_t *number)
{
    size_t length = strspn(*text, "0123456789");
    if (length == 0 || length > 18)
        return false;
    *number = g_ascii_strtoll(*text, NULL, 10);
    *text += length;
    return true;
}

RangeKind range_parse(const char *header, int64_t size, int64_t *offset, int64_t *length)
{
    *offset = 0;
    *length = size;
    if (header == NULL || g_ascii_strncasecmp(header, "bytes=", 6) != 0)
        return RANGE_WHOLE; /* other units are ignored (RFC 9110 section 14.2) */
    const char *at = header + 6;
    if (strchr(at, ',') != NULL)
        return RANGE_WHOLE;

    int64_t first = 0, last = size - 1;
    bool suffix = *at == '-';
    if (suffix) {
        at++;
        int64_t count = 0;
        if (!read_number(&at, &count) || count == 0)
            return RANGE_UNSATISFIABLE;
        first = MAX(0, size - count);
    } else if (!read_number(&at, &first) || *at++ != '-') {
        return RANGE_UNSATISFIABLE;
    }
    if (!suffix && *at != '\0' && !read_number(&at, &last))
        return RANGE_UNSATISFIABLE;
    if (*at != '\0' || first > last || first >= size)
        return RANGE_UNSATISFIABLE;
    *offset = first;
    *length = MIN(last, size - 1) - first + 1;
    return RANGE_PART;
}

bool range_parse_chunk(const char *header, int64_t *first, int64_t *last)
{
    const char *at = header;
    if (g_ascii_strncasecmp(at, "bytes ", 6) == 0)
        at += 6;
    if (!read_number(&at, first) || *at++ != '-' || !read_number(&at, last))
        return false;
    return (*at == '\0' || *at == '/') && *first <= *last;
}
