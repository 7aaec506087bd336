/* Archives: what is written reads back, what is malformed is refused with a reason, and compressed
 * streams end where they should. */
#include "base/error.h"
#include "format/compress.h"
#include "format/tar.h"
#include "format/tar_block.h"

#include <stdio.h>
#include <string.h>
#include <zstd.h>

typedef struct {
    ByteSink sink;
    GByteArray *bytes;
} Collector;

static bool collect(ByteSink *sink, const void *bytes, size_t length, GError **error)
{
    g_byte_array_append(((Collector *) sink)->bytes, bytes, (guint) length);
    return true;
}

static Collector collector(void)
{
    return (Collector){{collect}, g_byte_array_new()};
}

/* --- what ustar cannot say ------------------------------------------------------------------ */

static char long_path[] = "0123456789/0123456789/0123456789/0123456789/0123456789/0123456789/"
                          "0123456789/0123456789/0123456789/0123456789/0123456789";

static const TarEntry entries[] = {
    {.kind = TAR_FILE,
     .path = (char *) "a",
     .mode = 04755,
     .uid = 1,
     .gid = 2,
     .size = 3,
     .mtime = 9},
    {.kind = TAR_FILE, .path = long_path, .mode = 0644, .size = 0},
    {.kind = TAR_FOLDER, .path = (char *) "d", .mode = 01777, .mtime = 1, .mtime_ns = 5},
    {.kind = TAR_FOLDER, .path = long_path, .mode = 0755},
    {.kind = TAR_SYMLINK, .path = (char *) "s", .link = long_path, .mode = 0777},
    {.kind = TAR_HARDLINK, .path = (char *) "h", .link = (char *) "a", .mode = 0644},
    {.kind = TAR_CHARACTER, .path = (char *) "c", .device_major = 1, .device_minor = 3},
    {.kind = TAR_BLOCK, .path = (char *) "b", .device_major = 8, .device_minor = 1},
    {.kind = TAR_FIFO, .path = (char *) "f", .mode = 0600},
    {.kind = TAR_FILE, .path = (char *) "big-owner", .uid = 4000000000u, .gid = 3000000000u},
    {.kind = TAR_FILE, .path = (char *) "before-1970", .mtime = -2, .mtime_ns = 500000000},
    {.kind = TAR_FILE, .path = (char *) "far", .mtime = INT64_C(99999999999)},
    {.kind = TAR_FILE, .path = (char *) "\xc3\xa9\n", .mode = 0644},
};

static void test_round_trip(void)
{
    Collector out = collector();
    g_autoptr(GByteArray) bytes = out.bytes;
    g_autoptr(TarWriter) writer = tar_writer_new(&out.sink);
    for (size_t i = 0; i < G_N_ELEMENTS(entries); i++) {
        g_assert_true(tar_writer_entry(writer, &entries[i], NULL));
        if (entries[i].size > 0)
            g_assert_true(tar_writer_data(writer, "xyz", (size_t) entries[i].size, NULL));
    }
    g_assert_true(tar_writer_finish(writer, NULL));

    g_autoptr(GError) error = NULL;
    MemorySource in = memory_source(bytes->data, bytes->len);
    g_autoptr(TarReader) reader = tar_reader_new(&in.source);
    for (size_t i = 0; i < G_N_ELEMENTS(entries); i++) {
        const TarEntry *wanted = &entries[i];
        const TarEntry *got = tar_reader_next(reader, &error);
        g_assert_no_error(error);
        g_assert_nonnull(got);
        if (got == NULL)
            return;
        g_assert_cmpint(got->kind, ==, wanted->kind);
        g_assert_cmpstr(got->path, ==, wanted->path);
        g_assert_cmpstr(got->link, ==, wanted->link);
        g_assert_cmpuint(got->mode, ==, wanted->mode);
        g_assert_cmpuint(got->uid, ==, wanted->uid);
        g_assert_cmpuint(got->gid, ==, wanted->gid);
        g_assert_cmpint(got->size, ==, wanted->size);
        g_assert_cmpint(got->mtime, ==, wanted->mtime);
        g_assert_cmpint(got->mtime_ns, ==, wanted->mtime_ns);
        g_assert_cmpuint(got->device_major, ==, wanted->device_major);
        g_assert_cmpuint(got->device_minor, ==, wanted->device_minor);
    }
    g_assert_null(tar_reader_next(reader, &error));
    g_assert_no_error(error);
}

static void test_xattrs(void)
{
    Collector out = collector();
    g_autoptr(GByteArray) bytes = out.bytes;
    g_autoptr(TarWriter) writer = tar_writer_new(&out.sink);
    g_autoptr(GPtrArray) xattrs = g_ptr_array_new_with_free_func((GDestroyNotify) tar_xattr_free);
    g_ptr_array_add(xattrs, tar_xattr_new("user.b", "2\0\n=", 4));
    g_ptr_array_add(xattrs, tar_xattr_new("user.a", "", 0));
    TarEntry entry = {.kind = TAR_FILE, .path = (char *) "x", .xattrs = xattrs};
    g_assert_true(tar_writer_entry(writer, &entry, NULL));
    g_assert_true(tar_writer_finish(writer, NULL));

    MemorySource in = memory_source(bytes->data, bytes->len);
    g_autoptr(TarReader) reader = tar_reader_new(&in.source);
    const TarEntry *got = tar_reader_next(reader, NULL);
    g_assert_nonnull(got);
    g_assert_cmpuint(got->xattrs->len, ==, 2);
    const TarXattr *first = g_ptr_array_index(got->xattrs, 0);
    const TarXattr *second = g_ptr_array_index(got->xattrs, 1);
    g_assert_cmpstr(first->name, ==, "user.a");
    g_assert_cmpmem(second->value, second->length, "2\0\n=", 4);
}

/* --- malformed ------------------------------------------------------------------------------ */

typedef struct {
    const char *label;
    char type;
    const char *size;    /* octal field */
    const char *content; /* of a PAX header */
    const char *message; /* part of it; NULL: it reads */
    bool wrong_sum;
} Malformed;

static const Malformed malformed[] = {
    {"fine", '0', "00000000000", NULL, NULL, false},
    {"wrong-checksum", '0', "00000000000", NULL, "checksum does not match", true},
    {"size-not-octal", '0', "0000009x000", NULL, "malformed number", false},
    {"size-negative", '0', "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", NULL,
     "size out of range", false},
    {"size-huge", '0', "\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff", NULL, "size out of range",
     false},
    {"size-overflow", '0', "\x80\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", NULL,
     "malformed number", false},
    {"truncated", '0', "00000001000", NULL, "middle of an entry", false},
    {"unknown-type", 'Z', "00000000000", NULL, "unknown type", false},
    {"sparse", 'S', "00000000000", NULL, "sparse", false},
    {"pax-too-large", 'x', "77777777777", NULL, "more than 1 MiB", false},
    {"pax-bad-length", 'x', "00000000010", "99 a=b\n", "malformed PAX record", false},
    {"pax-no-equals", 'x', "00000000010", "8 abcde\n", "without '='", false},
    {"pax-zero-length", 'x', "00000000010", "0 a=bcd\n", "malformed PAX record", false},
    {"pax-bad-size", 'x', "00000000012", "10 size=-\n", "malformed PAX size", false},
    {"pax-negative-size", 'x', "00000000013", "11 size=-5\n", "size out of range", false},
    {"pax-bad-owner", 'x', "00000000012", "10 uid=-5\n", "owner out of range", false},
    {"global-path", 'g', "00000000011", "9 path=x\n", "global PAX records", false},
    {"global-comment", 'g', "00000000015", "13 comment=x\n", NULL, false},
};

static void put_header(GByteArray *out, char type, const char *size, bool wrong_sum)
{
    TarHeader header = {.type = type};
    strcpy(header.name, "x");
    strcpy(header.mode, "0000644");
    strcpy(header.uid, "0000000");
    strcpy(header.gid, "0000000");
    memcpy(header.size, size, sizeof header.size);
    strcpy(header.mtime, "00000000000");
    memcpy(header.magic, "ustar", 6);
    snprintf(header.checksum, sizeof header.checksum, "%06o",
             (tar_header_sum(&header) + wrong_sum) & 0777777);
    g_byte_array_append(out, (const guint8 *) &header, sizeof header);
}

static void test_malformed(const void *data)
{
    const Malformed *m = data;
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    put_header(bytes, m->type, m->size, m->wrong_sum);
    if (m->content != NULL) {
        char block[TAR_BLOCK_SIZE] = {0};
        memcpy(block, m->content, strlen(m->content));
        g_byte_array_append(bytes, (const guint8 *) block, sizeof block);
        put_header(bytes, '0', "00000000000", false);
    }
    MemorySource in = memory_source(bytes->data, bytes->len);
    g_autoptr(TarReader) reader = tar_reader_new(&in.source);
    g_autoptr(GError) error = NULL;
    while (tar_reader_next(reader, &error) != NULL)
        continue;
    if (m->message == NULL) {
        g_assert_no_error(error);
        return;
    }
    g_assert_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID);
    if (error != NULL && strstr(error->message, m->message) == NULL) {
        g_test_message("%s", error->message);
        g_test_fail();
    }
}

/* --- compression ---------------------------------------------------------------------------- */

static GByteArray *gzip(const void *bytes, size_t length, size_t piece)
{
    Collector out = collector();
    g_autoptr(GzipWriter) writer = gzip_writer_new(&out.sink);
    ByteSink *sink = gzip_writer_sink(writer);
    for (size_t at = 0; at < length; at += piece)
        g_assert_true(sink->write(sink, (const char *) bytes + at, MIN(piece, length - at), NULL));
    g_assert_true(gzip_writer_finish(writer, NULL));
    return out.bytes;
}

static GByteArray *expand(const GByteArray *bytes, uint64_t limit, Compression *kind,
                          GError **error)
{
    MemorySource in = memory_source(bytes->data, bytes->len);
    g_autoptr(Decompressor) plain = decompressor_new(&in.source, limit, error);
    if (plain == NULL)
        return NULL;
    *kind = decompressor_kind(plain);
    Collector out = collector();
    if (source_copy(decompressor_source(plain), &out.sink, error))
        return out.bytes;
    g_byte_array_unref(out.bytes);
    return NULL;
}

static char *sample(size_t length)
{
    char *bytes = g_malloc(length);
    for (size_t i = 0; i < length; i++)
        bytes[i] = (char) ((i * 2654435761u) >> (i % 13));
    return bytes;
}

static void test_gzip(void)
{
    size_t length = 3 * 1024 * 1024 + 17;
    g_autofree char *bytes = sample(length);
    g_autoptr(GByteArray) whole = gzip(bytes, length, length);
    g_autoptr(GByteArray) pieces = gzip(bytes, length, 4097);
    g_assert_cmpmem(whole->data, whole->len, pieces->data, pieces->len);

    Compression kind;
    g_autoptr(GError) error = NULL;
    g_autoptr(GByteArray) plain = expand(whole, length, &kind, &error);
    g_assert_no_error(error);
    g_assert_cmpint(kind, ==, COMPRESSION_GZIP);
    g_assert_cmpmem(plain->data, plain->len, bytes, length);

    g_byte_array_append(whole, pieces->data, pieces->len); /* a second member */
    g_autoptr(GByteArray) twice = expand(whole, 2 * length, &kind, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(twice->len, ==, 2 * length);
}

static void test_bomb(void)
{
    size_t length = 64 * 1024 * 1024;
    g_autofree char *zeros = g_malloc0(length);
    g_autoptr(GByteArray) small = gzip(zeros, length, length);
    Compression kind;
    g_autoptr(GError) error = NULL;
    g_assert_null(expand(small, 1024 * 1024, &kind, &error));
    g_assert_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID);
    g_assert_nonnull(strstr(error->message, "expands to more than 1048576 bytes"));
}

static void test_cut_and_damaged(void)
{
    g_autofree char *bytes = sample(100000);
    g_autoptr(GByteArray) good = gzip(bytes, 100000, 100000);
    Compression kind;
    for (guint cut = 1; cut < 9; cut++) {
        g_autoptr(GByteArray) part = g_byte_array_new();
        g_byte_array_append(part, good->data, good->len - cut * good->len / 9);
        g_autoptr(GError) error = NULL;
        g_autoptr(GByteArray) plain = expand(part, G_MAXUINT64, &kind, &error);
        g_assert_null(plain);
        g_assert_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID);
    }
    good->data[good->len - 6] ^= 1; /* its checksum */
    g_autoptr(GError) error = NULL;
    g_assert_null(expand(good, G_MAXUINT64, &kind, &error));
    g_assert_cmpstr(error != NULL ? error->message : NULL, ==, "gzip stream: wrong checksum");
}

static void test_zstd(void)
{
    g_autofree char *bytes = sample(300000);
    size_t bound = ZSTD_compressBound(300000);
    g_autofree char *packed = g_malloc(bound);
    size_t length = ZSTD_compress(packed, bound, bytes, 300000, 3);
    g_autoptr(GByteArray) frame = g_byte_array_new();
    g_byte_array_append(frame, (const guint8 *) packed, (guint) length);
    Compression kind;
    g_autoptr(GError) error = NULL;
    g_autoptr(GByteArray) plain = expand(frame, G_MAXUINT64, &kind, &error);
    g_assert_no_error(error);
    g_assert_cmpint(kind, ==, COMPRESSION_ZSTD);
    g_assert_cmpmem(plain->data, plain->len, bytes, 300000);
    g_byte_array_set_size(frame, (guint) length - 5);
    g_assert_null(expand(frame, G_MAXUINT64, &kind, &error));
    g_assert_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_set_nonfatal_assertions();
    g_test_add_func("/tar/round-trip", test_round_trip);
    g_test_add_func("/tar/xattrs", test_xattrs);
    for (size_t i = 0; i < G_N_ELEMENTS(malformed); i++) {
        g_autofree char *path = g_strdup_printf("/tar/malformed/%s", malformed[i].label);
        g_test_add_data_func(path, &malformed[i], test_malformed);
    }
    g_test_add_func("/compress/gzip", test_gzip);
    g_test_add_func("/compress/bomb", test_bomb);
    g_test_add_func("/compress/cut", test_cut_and_damaged);
    g_test_add_func("/compress/zstd", test_zstd);
    return g_test_run();
}
