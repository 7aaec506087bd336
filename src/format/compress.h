/* compress.h - compressed streams: reading gzip, zstd or plain bytes by their content, and writing
 * gzip that is the same on every machine.
 *
 * The writer is ISA-L's level 1 over pieces of fixed size: equal bytes whatever the CPU and however
 * the input arrives (level 3 would differ by CPU). */
#pragma once

#include "format/stream.h"

#include <stdint.h>

typedef enum { COMPRESSION_NONE, COMPRESSION_GZIP, COMPRESSION_ZSTD } Compression;

/* A ByteSource over RAW (borrowed) that decompresses what it finds there. More than LIMIT bytes of
 * output is INVALID: a small file may expand without end. */
typedef struct Decompressor Decompressor;
Decompressor *decompressor_new(ByteSource *raw, uint64_t limit, GError **error);
Compression decompressor_kind(const Decompressor *decompressor);
ByteSource *decompressor_source(Decompressor *decompressor);
void decompressor_free(Decompressor *decompressor);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Decompressor, decompressor_free)

/* A ByteSink that writes one gzip member into OUT (borrowed): no name, no time. */
typedef struct GzipWriter GzipWriter;
GzipWriter *gzip_writer_new(ByteSink *out);
ByteSink *gzip_writer_sink(GzipWriter *writer);
bool gzip_writer_finish(GzipWriter *writer, GError **error);
void gzip_writer_free(GzipWriter *writer);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(GzipWriter, gzip_writer_free)
