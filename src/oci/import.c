#include "oci/import.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/file.h"
#include "format/compress.h"
#include "format/json.h"
#include "model/reference.h"
#include "oci/layer_blob.h"
#include "oci/layer_unpack.h"
#include "oci/manifest.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define EXPANDED_LIMIT ((uint64_t) 64 * 1024 * 1024 * 1024)
#define INDEX_DEPTH 4
#define REF_NAME "org.opencontainers.image.ref.name"
#define CONTAINERD_NAME "io.containerd.image.name"

typedef struct {
    ContentStore *store;
    const char *path; /* for messages */
    int folder_fd;    /* the layout; every path in it is opened beneath */
} Importer;

void imported_image_free(ImportedImage *image)
{
    if (image == NULL)
        return;
    g_free(image->name);
    g_free(image->digest);
    g_free(image);
}

static bool fail(const Importer *importer, const char *why, GError **error)
{
    g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID, "'%s': %s", importer->path, why);
    return false;
}

static json_t *read_json(const Importer *importer, const char *name, GError **error)
{
    autofd int fd = file_open_beneath(importer->folder_fd, name, O_RDONLY, 0, error);
    size_t length;
    g_autofree char *text =
        fd >= 0 ? file_read_fd(fd, CONTENT_DOCUMENT_LIMIT, &length, error) : NULL;
    if (text == NULL) {
        g_prefix_error(error, "'%s': ", importer->path);
        return NULL;
    }
    return json_parse(name, text, length, error);
}

/* --- OCI ------------------------------------------------------------------------------------ */

typedef struct {
    ByteSink sink;
    ContentWriter *writer;
} BlobSink;

static bool blob_sink_write(ByteSink *sink, const void *bytes, size_t length, GError **error)
{
    return content_writer_append(((BlobSink *) sink)->writer, bytes, length, error);
}

/* Opens the layout's blob DIGEST; -1 without error when it is not there. */
static int open_blob(const Importer *importer, const char *digest)
{
    g_autoptr(Digest) parsed = digest_parse(digest, NULL);
    if (parsed == NULL)
        return -1;
    g_autofree char *path = g_build_filename("blobs", parsed->algorithm, parsed->hex, NULL);
    return file_open_beneath(importer->folder_fd, path, O_RDONLY, 0, NULL);
}

static bool take_blob(const Importer *importer, const char *digest, GError **error)
{
    if (content_keep(importer->store, digest, NULL))
        return true;
    autofd int fd = open_blob(importer, digest);
    if (fd < 0) {
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_NOT_FOUND, "'%s': blob '%s' is missing",
                    importer->path, digest);
        return false;
    }
    g_autoptr(ContentWriter) writer = content_writer_new(importer->store, error);
    if (writer == NULL)
        return false;
    FdSource source = fd_source(fd);
    BlobSink sink = {{blob_sink_write}, writer};
    if (!source_copy(&source.source, &sink.sink, error))
        return false;
    g_autofree char *stored = content_writer_commit(writer, digest, error);
    if (stored == NULL)
        g_prefix_error(error, "'%s': ", importer->path);
    return stored != NULL;
}

static bool take_manifest(const Importer *importer, const char *digest, int depth, GError **error)
{
    if (depth == INDEX_DEPTH)
        return fail(importer, "indexes are nested too deeply", error);
    if (!take_blob(importer, digest, error))
        return false;
    size_t length;
    g_autofree char *text =
        content_read(importer->store, digest, CONTENT_DOCUMENT_LIMIT, &length, error);
    g_autoptr(Manifest) manifest =
        text != NULL ? manifest_parse(digest, text, length, error) : NULL;
    if (manifest == NULL)
        return false;
    if (manifest->config != NULL && !take_blob(importer, manifest->config->digest, error))
        return false;
    for (guint i = 0; i < manifest->layers->len; i++) {
        const Descriptor *layer = g_ptr_array_index(manifest->layers, i);
        if (!manifest_is_foreign_layer(layer->media_type) &&
            !take_blob(importer, layer->digest, error))
            return false;
    }
    for (guint i = 0; i < manifest->children->len; i++) {
        const Descriptor *child = g_ptr_array_index(manifest->children, i);
        autofd int there = open_blob(importer, child->digest);
        if (there >= 0 && !take_manifest(importer, child->digest, depth + 1, error))
            return false;
    }
    return true;
}

/* The name an entry of index.json carries; a bare tag names no repository. */
static char *carried_name(const json_t *entry)
{
    const json_t *annotations = json_object_get(entry, "annotations");
    const char *full = json_get_string(annotations, CONTAINERD_NAME);
    const char *ref = json_get_string(annotations, REF_NAME);
    const char *name = full != NULL ? full : ref;
    if (name == NULL || (full == NULL && strpbrk(ref, ":/") == NULL))
        return NULL;
    g_autoptr(Reference) reference = reference_parse(name, NULL);
    return reference != NULL && reference->digest == NULL ? reference_name(reference) : NULL;
}

static bool add_image(const Importer *importer, GPtrArray *images, const char *name,
                      const char *digest, GError **error)
{
    if (name != NULL && !image_tag(importer->store, name, digest, error))
        return false;
    ImportedImage *image = g_new(ImportedImage, 1);
    *image = (ImportedImage){g_strdup(name), g_strdup(digest)};
    g_ptr_array_add(images, image);
    return true;
}

static bool import_layout(const Importer *importer, const char *name, GPtrArray *images,
                          GError **error)
{
    g_autoptr(json_t) index = read_json(importer, "index.json", error);
    if (index == NULL)
        return false;
    const json_t *entries = json_object_get(index, "manifests");
    if (json_array_size(entries) == 0)
        return fail(importer, "its index.json names no image", error);
    if (name != NULL && json_array_size(entries) > 1)
        return fail(importer, "it holds several images, which cannot all have one name", error);
    size_t position;
    json_t *entry;
    json_array_foreach(entries, position, entry)
    {
        const char *digest = json_get_string(entry, "digest");
        if (digest == NULL)
            return fail(importer, "an entry of its index.json lacks its digest", error);
        g_autofree char *carried = carried_name(entry);
        if (!take_manifest(importer, digest, 0, error) ||
            !add_image(importer, images, name != NULL ? name : carried, digest, error))
            return false;
    }
    return true;
}

/* --- docker save ---------------------------------------------------------------------------- */

/* Layers are stored as ours are: the tar's own bytes, compressed the one way. */
static ImageLayer *import_docker_layer(const Importer *importer, const char *path,
                                       const char *diff_id, GError **error)
{
    autofd int fd = file_open_beneath(importer->folder_fd, path, O_RDONLY, 0, error);
    if (fd < 0)
        return NULL;
    FdSource file = fd_source(fd);
    g_autoptr(Decompressor) plain = decompressor_new(&file.source, EXPANDED_LIMIT, error);
    if (plain == NULL)
        return NULL;
    return layer_from_stream(importer->store, decompressor_source(plain), diff_id, error);
}

static bool import_docker_layers(const Importer *importer, Image *image, const json_t *paths,
                                 GError **error)
{
    const json_t *diff_ids = json_object_get(json_object_get(image->config, "rootfs"), "diff_ids");
    if (json_array_size(diff_ids) != json_array_size(paths))
        return fail(importer, "an image's config and layers differ in number", error);
    size_t i;
    json_t *path;
    json_array_foreach(paths, i, path)
    {
        const char *diff_id = json_string_value(json_array_get(diff_ids, i));
        if (!json_is_string(path) || diff_id == NULL)
            return fail(importer, "malformed manifest.json", error);
        g_autoptr(ImageLayer) layer =
            import_docker_layer(importer, json_string_value(path), diff_id, error);
        if (layer == NULL) {
            g_prefix_error(error, "'%s': layer '%s': ", importer->path, json_string_value(path));
            return false;
        }
        image_add_layer(image, layer);
    }
    return true;
}

static bool import_docker_image(const Importer *importer, const json_t *entry, const char *name,
                                GPtrArray *images, GError **error)
{
    const char *config = json_get_string(entry, "Config");
    if (config == NULL)
        return fail(importer, "malformed manifest.json", error);
    g_autoptr(Image) image = image_new();
    json_decref(image->config);
    image->config = read_json(importer, config, error);
    if (image->config == NULL ||
        !import_docker_layers(importer, image, json_object_get(entry, "Layers"), error) ||
        !image_store(importer->store, image, error))
        return false;
    const json_t *tags = json_object_get(entry, "RepoTags");
    if (name != NULL || json_array_size(tags) == 0)
        return add_image(importer, images, name, image->manifest_digest, error);
    size_t position;
    json_t *tag;
    json_array_foreach(tags, position, tag)
    {
        g_autoptr(Reference) reference =
            reference_parse(json_is_string(tag) ? json_string_value(tag) : "", error);
        g_autofree char *full = reference != NULL ? reference_name(reference) : NULL;
        if (full == NULL || !add_image(importer, images, full, image->manifest_digest, error))
            return false;
    }
    return true;
}

static bool import_docker(const Importer *importer, const char *name, GPtrArray *images,
                          GError **error)
{
    g_autoptr(json_t) list = read_json(importer, "manifest.json", error);
    if (list == NULL)
        return false;
    if (name != NULL && json_array_size(list) > 1)
        return fail(importer, "it holds several images, which cannot all have one name", error);
    size_t position;
    json_t *entry;
    json_array_foreach(list, position, entry) if (!import_docker_image(importer, entry, name,
                                                                       images, error)) return false;
    return true;
}

/* --- both ----------------------------------------------------------------------------------- */

static GPtrArray *import_folder(ContentStore *store, const char *path, int fd, const char *name,
                                GError **error)
{
    Importer importer = {store, path, fd};
    g_autoptr(GPtrArray) images =
        g_ptr_array_new_with_free_func((GDestroyNotify) imported_image_free);
    bool ok = false;
    /* What newer dockers save is both; the layout keeps the digests. */
    if (faccessat(fd, "oci-layout", F_OK, 0) == 0)
        ok = import_layout(&importer, name, images, error);
    else if (faccessat(fd, "manifest.json", F_OK, 0) == 0)
        ok = import_docker(&importer, name, images, error);
    else
        fail(&importer,
             "neither an OCI layout nor what docker save writes; a plain root needs --rootfs",
             error);
    return ok ? g_steal_pointer(&images) : NULL;
}

static GPtrArray *import_archive(ContentStore *store, const char *path, int archive_fd,
                                 const char *folder, const char *name, GError **error)
{
    autofd int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        error_set_errno(error, errno, "open", folder);
        return NULL;
    }
    FdSource file = fd_source(archive_fd);
    g_autoptr(Decompressor) plain = decompressor_new(&file.source, EXPANDED_LIMIT, error);
    LayerUnpack unpack = {.root_fd = fd, .whole = true};
    if (plain != NULL)
        unpack.source = decompressor_source(plain);
    if (plain == NULL || !layer_unpack(&unpack, error)) {
        g_prefix_error(error, "'%s': ", path);
        return NULL;
    }
    return import_folder(store, path, fd, name, error);
}

GPtrArray *image_import(ContentStore *store, const char *path, const char *name, GError **error)
{
    autofd int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0) {
        error_set_errno(error, errno, "open", path);
        return NULL;
    }
    if (S_ISDIR(st.st_mode))
        return import_folder(store, path, fd, name, error);
    g_autofree char *folder =
        file_make_temporary_folder(content_ingest_folder(store), "import", error);
    if (folder == NULL)
        return NULL;
    GPtrArray *images = import_archive(store, path, fd, folder, name, error);
    file_remove_tree(AT_FDCWD, folder, NULL);
    return images;
}

ImportedImage *image_import_root(ContentStore *store, const char *path, const char *name,
                                 GError **error)
{
    autofd int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        error_set_errno(error, errno, "open", path);
        return NULL;
    }
    FdSource file = fd_source(fd);
    g_autoptr(Decompressor) plain = decompressor_new(&file.source, EXPANDED_LIMIT, error);
    g_autoptr(ImageLayer) layer =
        plain != NULL ? layer_from_tar(store, decompressor_source(plain), NULL, NULL, NULL, error)
                      : NULL;
    if (layer == NULL) {
        g_prefix_error(error, "'%s': ", path);
        return NULL;
    }
    g_autoptr(Image) image = image_new();
    image_add_layer(image, layer);
    json_object_set_new(image->config, "history",
                        json_pack("[{s:s}]", "created_by", "slipway import --rootfs"));
    if (!image_store(store, image, error) ||
        (name != NULL && !image_tag(store, name, image->manifest_digest, error)))
        return NULL;
    ImportedImage *imported = g_new(ImportedImage, 1);
    *imported = (ImportedImage){g_strdup(name), g_strdup(image->manifest_digest)};
    return imported;
}
