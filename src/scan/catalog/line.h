/* line.h - text taken apart in place, line by line. */
#pragma once

#include <string.h>

/* Ends the line at *REST, moves *REST behind it and returns the line; NULL at the end of the text.
 * A carriage return before the line's end is dropped. */
static inline char *line_take(char **rest)
{
    char *line = *rest;
    if (*line == '\0')
        return NULL;
    size_t length = strcspn(line, "\n");
    *rest = line + length + (line[length] == '\n');
    line[length] = '\0';
    if (length > 0 && line[length - 1] == '\r')
        line[length - 1] = '\0';
    return line;
}
