#include "cli/style.h"

#include <glib.h>
#include <unistd.h>

bool style_has_colour(FILE *out)
{
    const char *no_colour = g_getenv("NO_COLOR");
    return (no_colour == NULL || no_colour[0] == '\0') && isatty(fileno(out)) &&
           g_strcmp0(g_getenv("TERM"), "dumb") != 0;
}

const char *style_on(FILE *out, StyleColour colour)
{
    static const char *const codes[] = {"",         "\033[1m",  "\033[2m", "\033[31m",
                                        "\033[32m", "\033[33m", "\033[36m"};
    return colour != STYLE_NONE && style_has_colour(out) ? codes[colour] : "";
}

const char *style_off(FILE *out)
{
    return style_has_colour(out) ? "\033[0m" : "";
}
