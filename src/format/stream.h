/* stream.h - bytes that are pulled or pushed, whoever makes or takes them.
 *
 * A concrete stream has one of these as its first member. None of them owns the one it is chained
 * to. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <sys/types.h>

typedef struct ByteSource ByteSource;
struct ByteSource {
    /* At most SIZE bytes into BUFFER: their number, 0 at the end, -1 with an error. */
    ssize_t (*read)(ByteSource *source, void *buffer, size_t size, GError **error);
};

typedef struct ByteSink ByteSink;
struct ByteSink {
    bool (*write)(ByteSink *sink, const void *bytes, size_t length, GError **error);
};

/* Reads a borrowed descriptor. */
typedef struct {
    ByteSource source;
    int fd;
} FdSource;
FdSource fd_source(int fd);

/* Writes to a borrowed descriptor. */
typedef struct {
    ByteSink sink;
    int fd;
} FdSink;
FdSink fd_sink(int fd);

/* Reads bytes in memory, borrowed. */
typedef struct {
    ByteSource source;
    const char *bytes;
    size_t left;
} MemorySource;
MemorySource memory_source(const void *bytes, size_t length);

/* Reads until SIZE bytes are there or the source ends; their number, -1 with an error. */
ssize_t source_read_full(ByteSource *source, void *buffer, size_t size, GError **error);
/* Everything SOURCE still has goes into SINK. */
bool source_copy(ByteSource *source, ByteSink *sink, GError **error);
