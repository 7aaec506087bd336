/* buffer.h - bytes between two sockets: appended behind, taken in front, never beyond a limit. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <string.h>

typedef struct {
    char *bytes;
    size_t start, end, capacity;
} Buffer;

static inline size_t buffer_length(const Buffer *buffer)
{
    return buffer->end - buffer->start;
}

static inline const char *buffer_at(const Buffer *buffer)
{
    return buffer->bytes + buffer->start;
}

/* Makes room for ROOM more bytes behind the end. */
static inline void buffer_reserve(Buffer *buffer, size_t room)
{
    if (buffer->capacity - buffer->end >= room)
        return;
    size_t length = buffer_length(buffer);
    if (buffer->start > 0) {
        memmove(buffer->bytes, buffer->bytes + buffer->start, length);
        buffer->start = 0;
        buffer->end = length;
    }
    if (buffer->capacity - length < room) {
        buffer->capacity = MAX(MAX(buffer->capacity * 2, (size_t) 4096), length + room);
        buffer->bytes = g_realloc(buffer->bytes, buffer->capacity);
    }
}

static inline void buffer_append(Buffer *buffer, const void *bytes, size_t length)
{
    if (length == 0)
        return;
    buffer_reserve(buffer, length);
    memcpy(buffer->bytes + buffer->end, bytes, length);
    buffer->end += length;
}

static inline void buffer_append_text(Buffer *buffer, const char *text)
{
    buffer_append(buffer, text, strlen(text));
}

static inline void buffer_take(Buffer *buffer, size_t length)
{
    buffer->start += length;
    if (buffer->start == buffer->end)
        buffer->start = buffer->end = 0;
}

static inline void buffer_clear(Buffer *buffer)
{
    buffer->start = buffer->end = 0;
}

/* Gives the memory back. */
static inline void buffer_release(Buffer *buffer)
{
    g_free(buffer->bytes);
    *buffer = (Buffer){0};
}
