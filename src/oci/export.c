#include "oci/export.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/file.h"
#include "format/json.h"
#include "format/tar.h"
#include "model/reference.h"
#include "oci/manifest.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#define LAYOUT "{\"imageLayoutVersion\":\"1.0.0\"}"
#define REF_NAME "org.opencontainers.image.ref.name"
#define CONTAINERD_NAME "io.containerd.image.name"

typedef struct {
    char *digest;
    int64_t size;
} Blob;

static void blob_free(Blob *blob)
{
    g_free(blob->digest);
    g_free(blob);
}

static bool add_blob(const char *digest, int64_t size, void *data)
{
    GPtrArray *blobs = data;
    for (guint i = 0; i < blobs->len; i++)
        if (g_str_equal(((Blob *) g_ptr_array_index(blobs, i))->digest, digest))
            return true;
    Blob *blob = g_new(Blob, 1);
    *blob = (Blob){g_strdup(digest), size};
    g_ptr_array_add(blobs, blob);
    return true;
}

static int by_digest(gconstpointer a, gconstpointer b)
{
    const Blob *const *left = a;
    const Blob *const *right = b;
    return strcmp((*left)->digest, (*right)->digest);
}

/* DIGEST and all it needs, each once, in the order of their digests. */
static GPtrArray *needed_blobs(ContentStore *store, const char *digest, GError **error)
{
    g_autoptr(GPtrArray) blobs = g_ptr_array_new_with_free_func((GDestroyNotify) blob_free);
    if (!image_closure(store, digest, add_blob, blobs, error))
        return NULL;
    g_ptr_array_sort(blobs, by_digest);
    return g_steal_pointer(&blobs);
}

/* "sha256:HEX" → "blobs/sha256/HEX" */
static char *blob_name(const char *digest)
{
    g_auto(GStrv) parts = g_strsplit(digest, ":", 2);
    return g_strdup_printf("blobs/%s/%s", parts[0], parts[1]);
}

/* The entry of index.json for DIGEST. */
static json_t *root_descriptor(ContentStore *store, const char *digest, const char *name,
                               GError **error)
{
    size_t length;
    g_autofree char *text = content_read(store, digest, CONTENT_DOCUMENT_LIMIT, &length, error);
    g_autoptr(Manifest) manifest =
        text != NULL ? manifest_parse(digest, text, length, error) : NULL;
    if (manifest == NULL)
        return NULL;
    json_t *descriptor = json_pack("{s:s, s:s, s:I}", "mediaType", manifest->media_type, "digest",
                                   digest, "size", (json_int_t) length);
    g_autoptr(Reference) reference = name != NULL ? reference_parse(name, NULL) : NULL;
    if (reference != NULL) {
        g_autofree char *full = reference_name(reference);
        json_object_set_new(descriptor, "annotations",
                            json_pack("{s:s, s:s}", CONTAINERD_NAME, full, REF_NAME,
                                      reference->tag != NULL ? reference->tag : "latest"));
    }
    return descriptor;
}

static char *index_text(json_t *descriptors, GError **error)
{
    g_autoptr(json_t) index = json_pack("{s:i, s:s, s:O}", "schemaVersion", 2, "mediaType",
                                        OCI_INDEX, "manifests", descriptors);
    return json_canonical(index, error);
}

/* --- archives ------------------------------------------------------------------------------- */

static bool write_text(TarWriter *writer, const char *path, const char *text, GError **error)
{
    TarEntry entry = {
        .kind = TAR_FILE, .path = (char *) path, .mode = 0644, .size = (int64_t) strlen(text)};
    return tar_writer_entry(writer, &entry, error) &&
           tar_writer_data(writer, text, strlen(text), error);
}

static bool write_folder(TarWriter *writer, const char *path, GError **error)
{
    TarEntry entry = {.kind = TAR_FOLDER, .path = (char *) path, .mode = 0755};
    return tar_writer_entry(writer, &entry, error);
}

typedef struct {
    ByteSink sink;
    TarWriter *writer;
} DataSink;

static bool data_sink_write(ByteSink *sink, const void *bytes, size_t length, GError **error)
{
    return tar_writer_data(((DataSink *) sink)->writer, bytes, length, error);
}

static bool write_blob(ContentStore *store, TarWriter *writer, const Blob *blob, GError **error)
{
    autofd int fd = content_open(store, blob->digest, error);
    if (fd < 0)
        return false;
    g_autofree char *path = blob_name(blob->digest);
    TarEntry entry = {.kind = TAR_FILE, .path = path, .mode = 0644, .size = blob->size};
    FdSource source = fd_source(fd);
    DataSink sink = {{data_sink_write}, writer};
    return tar_writer_entry(writer, &entry, error) &&
           source_copy(&source.source, &sink.sink, error);
}

static bool write_blobs(ContentStore *store, TarWriter *writer, const GPtrArray *blobs,
                        GError **error)
{
    g_autofree char *last = NULL;
    if (!write_folder(writer, "blobs", error))
        return false;
    for (guint i = 0; i < blobs->len; i++) {
        const Blob *blob = g_ptr_array_index(blobs, i);
        g_autofree char *path = blob_name(blob->digest);
        g_autofree char *folder = g_path_get_dirname(path);
        if (g_strcmp0(folder, last) != 0) {
            if (!write_folder(writer, folder, error))
                return false;
            g_free(last);
            last = g_steal_pointer(&folder);
        }
        if (!write_blob(store, writer, blob, error))
            return false;
    }
    return true;
}

/* What docker load looks for: [{"Config":…,"RepoTags":[…],"Layers":[…]}]. */
static char *docker_manifest(ContentStore *store, const char *digest, const char *name,
                             GError **error)
{
    g_autoptr(Image) image = image_load(store, digest, error);
    if (image == NULL)
        return NULL;
    json_t *layers = json_array();
    for (guint i = 0; i < image->layers->len; i++) {
        const ImageLayer *layer = g_ptr_array_index(image->layers, i);
        g_autofree char *path = blob_name(layer->digest);
        json_array_append_new(layers, json_string(path));
    }
    json_t *tags = json_array();
    g_autoptr(Reference) reference = name != NULL ? reference_parse(name, NULL) : NULL;
    if (reference != NULL) {
        if (reference->tag == NULL)
            reference->tag = g_strdup("latest");
        g_clear_pointer(&reference->digest, g_free);
        g_autofree char *familiar = reference_familiar(reference);
        json_array_append_new(tags, json_string(familiar));
    }
    g_autofree char *config = blob_name(image->config_digest);
    g_autoptr(json_t) list =
        json_pack("[{s:s, s:o, s:o}]", "Config", config, "RepoTags", tags, "Layers", layers);
    return json_canonical(list, error);
}

bool image_export(ContentStore *store, const char *digest, const char *name, ExportFormat format,
                  ByteSink *out, GError **error)
{
    g_autoptr(GPtrArray) blobs = needed_blobs(store, digest, error);
    g_autoptr(json_t) descriptors = json_array();
    json_t *descriptor = blobs != NULL ? root_descriptor(store, digest, name, error) : NULL;
    if (descriptor == NULL)
        return false;
    json_array_append_new(descriptors, descriptor);
    g_autofree char *index = index_text(descriptors, error);
    g_autofree char *docker = NULL;
    if (index == NULL)
        return false;
    if (format == EXPORT_DOCKER && (docker = docker_manifest(store, digest, name, error)) == NULL)
        return false;

    g_autoptr(TarWriter) writer = tar_writer_new(out);
    return write_blobs(store, writer, blobs, error) &&
           write_text(writer, "index.json", index, error) &&
           (docker == NULL || write_text(writer, "manifest.json", docker, error)) &&
           write_text(writer, "oci-layout", LAYOUT, error) && tar_writer_finish(writer, error);
}

/* --- folders -------------------------------------------------------------------------------- */

static bool copy_blob(ContentStore *store, const Blob *blob, const char *folder, GError **error)
{
    g_autofree char *name = blob_name(blob->digest);
    g_autofree char *path = g_build_filename(folder, name, NULL);
    if (access(path, F_OK) == 0)
        return true;
    g_autofree char *parent = g_path_get_dirname(path);
    autofd int from = content_open(store, blob->digest, error);
    if (from < 0 || !file_make_folders(parent, 0755, error))
        return false;
    g_autofree char *temporary = g_strconcat(path, ".XXXXXX", NULL);
    autofd int to = g_mkstemp_full(temporary, O_WRONLY | O_CLOEXEC, 0644);
    if (to < 0)
        return error_set_errno(error, errno, "create", temporary);
    FdSource source = fd_source(from);
    FdSink sink = fd_sink(to);
    bool ok = source_copy(&source.source, &sink.sink, error) &&
              (rename(temporary, path) == 0 || error_set_errno(error, errno, "write", path));
    if (!ok)
        unlink(temporary);
    return ok;
}

/* The entries of FOLDER's index that stay beside a new one with NAME's tag. */
static json_t *other_entries(const char *folder, const json_t *added)
{
    g_autofree char *path = g_build_filename(folder, "index.json", NULL);
    size_t length;
    g_autofree char *text = file_read(AT_FDCWD, path, CONTENT_DOCUMENT_LIMIT, &length, NULL);
    g_autoptr(json_t) index = text != NULL ? json_parse(path, text, length, NULL) : NULL;
    json_t *kept = json_array();
    const char *ref = json_get_string(json_object_get(added, "annotations"), REF_NAME);
    size_t position;
    json_t *entry;
    json_array_foreach(json_object_get(index, "manifests"), position, entry)
    {
        const char *other = json_get_string(json_object_get(entry, "annotations"), REF_NAME);
        bool same = ref != NULL ? g_strcmp0(ref, other) == 0
                                : g_strcmp0(json_get_string(entry, "digest"),
                                            json_get_string(added, "digest")) == 0;
        if (!same)
            json_array_append(kept, entry);
    }
    return kept;
}

bool image_export_folder(ContentStore *store, const char *digest, const char *name,
                         const char *folder, GError **error)
{
    g_autoptr(GPtrArray) blobs = needed_blobs(store, digest, error);
    json_t *descriptor = blobs != NULL ? root_descriptor(store, digest, name, error) : NULL;
    if (descriptor == NULL || !file_make_folders(folder, 0755, error))
        return false;
    for (guint i = 0; i < blobs->len; i++)
        if (!copy_blob(store, g_ptr_array_index(blobs, i), folder, error)) {
            json_decref(descriptor);
            return false;
        }
    g_autoptr(json_t) descriptors = other_entries(folder, descriptor);
    json_array_append_new(descriptors, descriptor);
    g_autofree char *index = index_text(descriptors, error);
    g_autofree char *index_path = g_build_filename(folder, "index.json", NULL);
    g_autofree char *layout_path = g_build_filename(folder, "oci-layout", NULL);
    return index != NULL && file_write_atomic(AT_FDCWD, layout_path, LAYOUT, -1, 0644, error) &&
           file_write_atomic(AT_FDCWD, index_path, index, -1, 0644, error);
}
