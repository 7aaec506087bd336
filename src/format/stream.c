#include "format/stream.h"

#include "base/error.h"
#include "base/file.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static ssize_t fd_read(ByteSource *source, void *buffer, size_t size, GError **error)
{
    int fd = ((FdSource *) source)->fd;
    ssize_t n;
    do
        n = read(fd, buffer, size);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        error_set_errno(error, errno, "read", "file");
    return n;
}

FdSource fd_source(int fd)
{
    return (FdSource){{fd_read}, fd};
}

static bool fd_write(ByteSink *sink, const void *bytes, size_t length, GError **error)
{
    return file_write_all(((FdSink *) sink)->fd, bytes, length, error);
}

FdSink fd_sink(int fd)
{
    return (FdSink){{fd_write}, fd};
}

static ssize_t memory_read(ByteSource *source, void *buffer, size_t size, GError **error)
{
    MemorySource *memory = (MemorySource *) source;
    size_t n = MIN(size, memory->left);
    if (n > 0)
        memcpy(buffer, memory->bytes, n);
    memory->bytes += n;
    memory->left -= n;
    return (ssize_t) n;
}

MemorySource memory_source(const void *bytes, size_t length)
{
    return (MemorySource){{memory_read}, bytes, length};
}

ssize_t source_read_full(ByteSource *source, void *buffer, size_t size, GError **error)
{
    size_t done = 0;
    while (done < size) {
        ssize_t n = source->read(source, (char *) buffer + done, size - done, error);
        if (n < 0)
            return -1;
        if (n == 0)
            break;
        done += (size_t) n;
    }
    return (ssize_t) done;
}

bool source_copy(ByteSource *source, ByteSink *sink, GError **error)
{
    size_t size = 256 * 1024;
    g_autofree char *buffer = g_malloc(size);
    for (;;) {
        ssize_t n = source->read(source, buffer, size, error);
        if (n <= 0)
            return n == 0;
        if (!sink->write(sink, buffer, (size_t) n, error))
            return false;
    }
}
