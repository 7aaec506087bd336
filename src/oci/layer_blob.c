#include "oci/layer_blob.h"

#include "base/error.h"
#include "crypto/hash.h"
#include "format/compress.h"

#include <string.h>

struct LayerBlob {
    ByteSink tar_sink, blob_sink;
    ContentWriter *writer;
    GzipWriter *gzip;
    Hash *hash; /* of the tar */
};

#define CONTAINER(sink, member) ((LayerBlob *) ((char *) (sink) -offsetof(LayerBlob, member)))

static bool take_tar(ByteSink *sink, const void *bytes, size_t length, GError **error)
{
    LayerBlob *blob = CONTAINER(sink, tar_sink);
    hash_update(blob->hash, bytes, length);
    ByteSink *gzip = gzip_writer_sink(blob->gzip);
    return gzip->write(gzip, bytes, length, error);
}

static bool take_gzip(ByteSink *sink, const void *bytes, size_t length, GError **error)
{
    return content_writer_append(CONTAINER(sink, blob_sink)->writer, bytes, length, error);
}

LayerBlob *layer_blob_new(ContentStore *store, GError **error)
{
    g_autoptr(ContentWriter) writer = content_writer_new(store, error);
    if (writer == NULL)
        return NULL;
    LayerBlob *blob = g_new0(LayerBlob, 1);
    blob->tar_sink.write = take_tar;
    blob->blob_sink.write = take_gzip;
    blob->writer = g_steal_pointer(&writer);
    blob->gzip = gzip_writer_new(&blob->blob_sink);
    blob->hash = hash_new(HASH_SHA256);
    return blob;
}

ByteSink *layer_blob_sink(LayerBlob *blob)
{
    return &blob->tar_sink;
}

ImageLayer *layer_blob_finish(LayerBlob *blob, const char *expected_diff_id, GError **error)
{
    if (!gzip_writer_finish(blob->gzip, error))
        return NULL;
    g_autofree char *diff_id = hash_finish_digest(blob->hash);
    if (expected_diff_id != NULL && !g_str_equal(diff_id, expected_diff_id)) {
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID,
                    "layer is %s, but its image says %s: damaged or forged", diff_id,
                    expected_diff_id);
        return NULL;
    }
    char *digest = content_writer_commit(blob->writer, NULL, error);
    if (digest == NULL)
        return NULL;
    ImageLayer *layer = g_new(ImageLayer, 1);
    *layer = (ImageLayer){
        .media_type = g_strdup(OCI_LAYER_GZIP),
        .digest = digest,
        .size = content_writer_size(blob->writer),
        .diff_id = g_steal_pointer(&diff_id),
    };
    return layer;
}

void layer_blob_free(LayerBlob *blob)
{
    if (blob == NULL)
        return;
    content_writer_free(blob->writer);
    gzip_writer_free(blob->gzip);
    hash_free(blob->hash);
    g_free(blob);
}

ImageLayer *layer_from_stream(ContentStore *store, ByteSource *tar, const char *expected_diff_id,
                              GError **error)
{
    g_autoptr(LayerBlob) blob = layer_blob_new(store, error);
    if (blob == NULL || !source_copy(tar, layer_blob_sink(blob), error))
        return NULL;
    return layer_blob_finish(blob, expected_diff_id, error);
}

/* "./a/" → "a"; "" for the root. */
static const char *without_dot(const char *path)
{
    while (*path == '/' || (path[0] == '.' && path[1] == '/'))
        path++;
    return g_str_equal(path, ".") ? "" : path;
}

static bool copy_content(TarReader *reader, TarWriter *writer, char *buffer, size_t size,
                         GError **error)
{
    ssize_t n;
    while ((n = tar_reader_read(reader, buffer, size, error)) > 0)
        if (!tar_writer_data(writer, buffer, (size_t) n, error))
            return false;
    return n == 0;
}

static bool copy_entries(TarReader *reader, TarWriter *writer, const LayerOptions *options,
                         bool (*keep)(const TarEntry *entry, void *data), void *data,
                         GError **error)
{
    size_t size = 256 * 1024;
    g_autofree char *buffer = g_malloc(size);
    g_autoptr(GError) trouble = NULL;
    const TarEntry *read;
    while ((read = tar_reader_next(reader, &trouble)) != NULL) {
        TarEntry entry = *read; /* its strings stay the reader's */
        entry.path = (char *) without_dot(read->path);
        if (entry.kind == TAR_HARDLINK)
            entry.link = (char *) without_dot(read->link);
        if (*entry.path == '\0' || (keep != NULL && !keep(&entry, data)))
            continue;
        if (options != NULL && options->clamp_time >= 0 && entry.mtime >= options->clamp_time) {
            entry.mtime = options->clamp_time;
            entry.mtime_ns = 0;
        }
        if (!tar_writer_entry(writer, &entry, error) ||
            !copy_content(reader, writer, buffer, size, error))
            return false;
    }
    if (trouble == NULL)
        return tar_writer_finish(writer, error);
    g_propagate_error(error, g_steal_pointer(&trouble));
    return false;
}

ImageLayer *layer_from_tar(ContentStore *store, ByteSource *tar, const LayerOptions *options,
                           bool (*keep)(const TarEntry *entry, void *data), void *data,
                           GError **error)
{
    g_autoptr(LayerBlob) blob = layer_blob_new(store, error);
    if (blob == NULL)
        return NULL;
    g_autoptr(TarReader) reader = tar_reader_new(tar);
    g_autoptr(TarWriter) writer = tar_writer_new(layer_blob_sink(blob));
    if (!copy_entries(reader, writer, options, keep, data, error))
        return NULL;
    return layer_blob_finish(blob, NULL, error);
}
