/* text.h - building short strings where snprintf may not be called. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

typedef struct {
    char *bytes; /* always NUL-terminated */
    size_t size, length;
    bool full; /* something did not fit and was left out */
} Text;

static inline Text text_on(char *bytes, size_t size)
{
    bytes[0] = '\0';
    return (Text){.bytes = bytes, .size = size};
}
#define TEXT_ON(array) text_on(array, sizeof(array))

static inline void text_add(Text *text, const char *s)
{
    for (; *s != '\0'; s++) {
        if (text->length + 1 >= text->size) {
            text->full = true;
            return;
        }
        text->bytes[text->length++] = *s;
        text->bytes[text->length] = '\0';
    }
}

static inline void text_add_number(Text *text, unsigned number)
{
    char digits[12];
    size_t at = sizeof digits;
    digits[--at] = '\0';
    do
        digits[--at] = (char) ('0' + number % 10);
    while ((number /= 10) != 0);
    text_add(text, digits + at);
}

/* "/proc/self/fd/N": a name without commas, colons and page limits for any open folder. */
static inline void text_add_fd_path(Text *text, int fd)
{
    text_add(text, "/proc/self/fd/");
    text_add_number(text, (unsigned) fd);
}
