#include "format/compress.h"

#include "base/error.h"

#include <isa-l/igzip_lib.h>
#include <string.h>

/* What is compressed at a time: part of the format of our output, for where a piece ends shows in
 * the compressed bytes. */
#define PIECE ((size_t) 1024 * 1024)

struct GzipWriter {
    ByteSink sink;
    ByteSink *out;
    struct isal_zstream stream;
    uint8_t *level_buffer;
    uint8_t *piece;
    uint8_t *output;
    size_t used; /* of piece */
};

static bool deflate_piece(GzipWriter *writer, bool last, GError **error)
{
    struct isal_zstream *stream = &writer->stream;
    stream->next_in = writer->piece;
    stream->avail_in = (uint32_t) writer->used;
    stream->end_of_stream = last;
    writer->used = 0;
    do {
        stream->next_out = writer->output;
        stream->avail_out = (uint32_t) PIECE;
        int status = isal_deflate(stream);
        if (status != COMP_OK) {
            g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INTERNAL, "gzip: status %d", status);
            return false;
        }
        size_t length = PIECE - stream->avail_out;
        if (length > 0 && !writer->out->write(writer->out, writer->output, length, error))
            return false;
    } while (stream->avail_out == 0 || stream->avail_in > 0);
    return true;
}

static bool gzip_write(ByteSink *sink, const void *bytes, size_t length, GError **error)
{
    GzipWriter *writer = (GzipWriter *) sink;
    const uint8_t *at = bytes;
    while (length > 0) {
        size_t n = MIN(length, PIECE - writer->used);
        memcpy(writer->piece + writer->used, at, n);
        writer->used += n;
        at += n;
        length -= n;
        if (writer->used == PIECE && !deflate_piece(writer, false, error))
            return false;
    }
    return true;
}

GzipWriter *gzip_writer_new(ByteSink *out)
{
    GzipWriter *writer = g_new0(GzipWriter, 1);
    writer->sink.write = gzip_write;
    writer->out = out;
    writer->piece = g_malloc(PIECE);
    writer->output = g_malloc(PIECE);
    writer->level_buffer = g_malloc0(ISAL_DEF_LVL1_DEFAULT);
    isal_deflate_init(&writer->stream);
    writer->stream.level = 1;
    writer->stream.level_buf = writer->level_buffer;
    writer->stream.level_buf_size = ISAL_DEF_LVL1_DEFAULT;
    writer->stream.gzip_flag = IGZIP_GZIP;
    writer->stream.flush = NO_FLUSH;
    return writer;
}

ByteSink *gzip_writer_sink(GzipWriter *writer)
{
    return &writer->sink;
}

bool gzip_writer_finish(GzipWriter *writer, GError **error)
{
    return deflate_piece(writer, true, error);
}

void gzip_writer_free(GzipWriter *writer)
{
    if (writer == NULL)
        return;
    g_free(writer->piece);
    g_free(writer->output);
    g_free(writer->level_buffer);
    g_free(writer);
}
