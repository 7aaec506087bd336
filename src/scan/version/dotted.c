/* R and Haskell: numbers between separators; the one that has more of them is greater. */
#include "scan/version/scheme.h"

#include <string.h>

static int compare(const char *a, const char *b, const char *separators)
{
    for (;;) {
        Span x = {a, strcspn(a, separators)}, y = {b, strcspn(b, separators)};
        int order = span_is_number(x) && span_is_number(y) ? span_compare_number(x, y)
                                                           : span_compare_text(x, y);
        if (order != 0)
            return order;
        a += x.length;
        b += y.length;
        if (*a == '\0' || *b == '\0')
            return (*a != '\0') - (*b != '\0');
        a++;
        b++;
    }
}

int cran_compare(const char *a, const char *b)
{
    return compare(a, b, ".-");
}

int hackage_compare(const char *a, const char *b)
{
    return compare(a, b, ".");
}
