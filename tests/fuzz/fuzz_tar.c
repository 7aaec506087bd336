/* Whatever reads as a tar is written anew; that must read and be written the same again. */
#include "format/compress.h"
#include "format/tar.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct {
    ByteSink sink;
    GByteArray *bytes;
} Collector;

static bool collect(ByteSink *sink, const void *bytes, size_t length, GError **error)
{
    g_byte_array_append(((Collector *) sink)->bytes, bytes, (guint) length);
    return true;
}

static bool copy_content(TarReader *reader, TarWriter *writer)
{
    char buffer[4096];
    ssize_t n;
    while ((n = tar_reader_read(reader, buffer, sizeof buffer, NULL)) > 0)
        g_assert_true(tar_writer_data(writer, buffer, (size_t) n, NULL));
    return n == 0;
}

/* The archive BYTES written by our writer; NULL when they are none. */
static GByteArray *rewrite(const void *bytes, size_t length)
{
    MemorySource in = memory_source(bytes, length);
    g_autoptr(Decompressor) plain = decompressor_new(&in.source, 1 << 20, NULL);
    g_assert_nonnull(plain);
    g_autoptr(TarReader) reader = tar_reader_new(decompressor_source(plain));
    Collector out = {{collect}, g_byte_array_new()};
    g_autoptr(TarWriter) writer = tar_writer_new(&out.sink);
    g_autoptr(GError) error = NULL;
    const TarEntry *entry;
    bool ok = true;
    while (ok && (entry = tar_reader_next(reader, &error)) != NULL)
        ok = entry->size <= 1 << 20 && tar_writer_entry(writer, entry, NULL) &&
             copy_content(reader, writer);
    if (ok && error == NULL && tar_writer_finish(writer, NULL))
        return out.bytes;
    g_byte_array_unref(out.bytes);
    return NULL;
}

/* Every block with the magic gets the checksum it should have: else hardly an input passes it. */
static void mend_checksums(uint8_t *bytes, size_t size)
{
    enum { BLOCK = 512, CHECKSUM = 148, CHECKSUM_SIZE = 8, MAGIC = 257 };
    for (; size >= BLOCK; bytes += BLOCK, size -= BLOCK) {
        if (memcmp(bytes + MAGIC, "ustar", 5) != 0)
            continue;
        unsigned sum = 0;
        memset(bytes + CHECKSUM, ' ', CHECKSUM_SIZE);
        for (size_t i = 0; i < BLOCK; i++)
            sum += bytes[i];
        g_snprintf((char *) bytes + CHECKSUM, CHECKSUM_SIZE - 1, "%06o", sum);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autofree uint8_t *bytes = g_memdup2(data, size);
    mend_checksums(bytes, size);
    g_autoptr(GByteArray) first = rewrite(bytes, size);
    if (first == NULL)
        return 0;
    g_autoptr(GByteArray) second = rewrite(first->data, first->len);
    g_assert_nonnull(second);
    g_assert_cmpmem(first->data, first->len, second->data, second->len);
    return 0;
}
