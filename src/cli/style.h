/* style.h - colour for people: only on a terminal, and not where NO_COLOR is set. */
#pragma once

#include <stdbool.h>
#include <stdio.h>

typedef enum {
    STYLE_NONE,
    STYLE_BOLD,
    STYLE_DIM,
    STYLE_RED,
    STYLE_GREEN,
    STYLE_YELLOW,
    STYLE_CYAN
} StyleColour;

/* OUT is a terminal that shows colour, and nobody asked for none. */
bool style_has_colour(FILE *out);

/* The escape sequence that begins COLOUR on OUT, or ends all; "" where there is no colour. */
const char *style_on(FILE *out, StyleColour colour);
const char *style_off(FILE *out);
