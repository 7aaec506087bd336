#include "registry/layout.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/file.h"
#include "format/json.h"
#include "model/digest.h"
#include "oci/image.h"
#include "oci/manifest.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define NAME_ANNOTATION "org.opencontainers.image.ref.name"
#define LAYOUT_MARK "{\"imageLayoutVersion\":\"1.0.0\"}"
#define INDEX_DEPTH 4

/* "blobs/ALGORITHM/HEX"; NULL with INVALID where DIGEST is none. */
static char *blob_path(const char *digest, GError **error)
{
    g_autoptr(Digest) parsed = digest_parse(digest, error);
    if (parsed == NULL)
        return NULL;
    return g_strdup_printf("blobs/%s/%s", parsed->algorithm, parsed->hex);
}

static int open_folder(const char *folder, GError **error)
{
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        error_set_errno(error, errno, "open", folder);
    return fd;
}

static json_t *read_index(int root, const char *folder, GError **error)
{
    size_t length = 0;
    g_autofree char *text = file_read(root, "index.json", CONTENT_DOCUMENT_LIMIT, &length, error);
    g_autofree char *name = g_strdup_printf("%s/index.json", folder);
    g_autoptr(json_t) index = text != NULL ? json_parse(name, text, length, error) : NULL;
    if (index == NULL) {
        g_prefix_error(error, "image layout '%s': ", folder);
        return NULL;
    }
    if (json_is_array(json_object_get(index, "manifests")))
        return g_steal_pointer(&index);
    g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID, "%s: no list of manifests", name);
    return NULL;
}

/* --- reading ----------------------------------------------------------------------------- */

static const char *choose_entry(const json_t *index, const char *folder, const char *tag,
                                GError **error)
{
    const json_t *manifests = json_object_get(index, "manifests");
    size_t count = json_array_size(manifests);
    for (size_t i = 0; i < count; i++) {
        const json_t *entry = json_array_get(manifests, i);
        const char *name = json_get_string(json_object_get(entry, "annotations"), NAME_ANNOTATION);
        if ((tag == NULL && count == 1) || (tag != NULL && g_strcmp0(name, tag) == 0))
            return json_get_string(entry, "digest");
    }
    if (tag != NULL)
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_NOT_FOUND,
                    "image layout '%s' has no image called '%s'", folder, tag);
    else
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID,
                    "image layout '%s' has %zu images; say which: oci:%s:TAG", folder, count,
                    folder);
    return NULL;
}

/* Copies blob DIGEST of the layout into STORE, checked. SIZE -1: not known. */
static bool take_blob(int root, const char *digest, int64_t size, ContentStore *store,
                      GError **error)
{
    if (content_keep(store, digest, NULL))
        return true;
    g_autofree char *path = blob_path(digest, error);
    autofd int fd = path != NULL ? file_open_beneath(root, path, O_RDONLY, 0, error) : -1;
    g_autoptr(ContentWriter) writer = fd >= 0 ? content_writer_new(store, error) : NULL;
    if (writer == NULL)
        return false;
    g_autofree char *buffer = g_malloc(256 * 1024);
    for (;;) {
        ssize_t n = read(fd, buffer, 256 * 1024);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return error_set_errno(error, errno, "read", path);
        if (n == 0)
            break;
        if (size >= 0 && content_writer_size(writer) + n > size) {
            g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID,
                        "blob '%s' is larger than its manifest says", digest);
            return false;
        }
        if (!content_writer_append(writer, buffer, (size_t) n, error))
            return false;
    }
    g_autofree char *stored = content_writer_commit(writer, digest, error);
    return stored != NULL;
}

static bool take_tree(int root, const char *digest, int depth, ContentStore *store, GError **error);

static bool take_children(int root, const Manifest *manifest, int depth, ContentStore *store,
                          GError **error)
{
    const Descriptor *config = manifest->config;
    if (config != NULL && !take_blob(root, config->digest, config->size, store, error))
        return false;
    for (guint i = 0; i < manifest->layers->len; i++) {
        const Descriptor *layer = g_ptr_array_index(manifest->layers, i);
        g_autoptr(GError) trouble = NULL;
        if (take_blob(root, layer->digest, layer->size, store, &trouble))
            continue;
        if (!manifest_is_foreign_layer(layer->media_type)) {
            g_propagate_error(error, g_steal_pointer(&trouble));
            return false;
        }
    }
    for (guint i = 0; i < manifest->children->len; i++) {
        const Descriptor *child = g_ptr_array_index(manifest->children, i);
        g_autofree char *path = blob_path(child->digest, error);
        if (path == NULL)
            return false;
        bool absent = faccessat(root, path, F_OK, 0) != 0; /* an index for one platform only */
        if (!absent && !take_tree(root, child->digest, depth + 1, store, error))
            return false;
    }
    return true;
}

static bool take_tree(int root, const char *digest, int depth, ContentStore *store, GError **error)
{
    if (depth == INDEX_DEPTH) {
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID, "index '%s': nested too deeply",
                    digest);
        return false;
    }
    if (!take_blob(root, digest, CONTENT_DOCUMENT_LIMIT, store, error))
        return false;
    size_t length = 0;
    g_autofree char *text = content_read(store, digest, CONTENT_DOCUMENT_LIMIT, &length, error);
    g_autoptr(Manifest) manifest =
        text != NULL ? manifest_parse(digest, text, length, error) : NULL;
    return manifest != NULL && take_children(root, manifest, depth, store, error);
}

char *layout_read(const char *folder, const char *tag, ContentStore *store, GError **error)
{
    autofd int root = open_folder(folder, error);
    g_autoptr(json_t) index = root >= 0 ? read_index(root, folder, error) : NULL;
    const char *digest = index != NULL ? choose_entry(index, folder, tag, error) : NULL;
    if (digest == NULL || !take_tree(root, digest, 0, store, error))
        return NULL;
    return g_strdup(digest);
}

/* --- writing ----------------------------------------------------------------------------- */

typedef struct {
    ContentStore *store;
    const char *folder;
    GError *error;
} Writing;

static bool copy_bytes(int from, int to, int64_t size, GError **error)
{
    while (size > 0) {
        ssize_t n = copy_file_range(from, NULL, to, NULL, (size_t) size, 0);
        if (n <= 0 && !(n < 0 && errno == EINTR))
            break;
        size -= MAX(n, 0);
    }
    g_autofree char *buffer = size > 0 ? g_malloc(256 * 1024) : NULL;
    while (size > 0) { /* another file system */
        ssize_t n = read(from, buffer, 256 * 1024);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return error_set_errno(error, n < 0 ? errno : EIO, "read", "blob");
        if (!file_write_all(to, buffer, (size_t) n, error))
            return false;
        size -= n;
    }
    return true;
}

static bool write_blob(const char *digest, int64_t size, void *data)
{
    Writing *writing = data;
    g_autofree char *relative = blob_path(digest, &writing->error);
    if (relative == NULL)
        return false;
    g_autofree char *path = g_build_filename(writing->folder, relative, NULL);
    g_autofree char *parent = g_path_get_dirname(path);
    g_autofree char *temporary = g_strconcat(path, ".part", NULL);
    struct stat about;
    if (stat(path, &about) == 0 && about.st_size == size)
        return true;
    if (!file_make_folders(parent, 0755, &writing->error))
        return false;
    autofd int from = content_open(writing->store, digest, &writing->error);
    autofd int to = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (from < 0)
        return false;
    if (to < 0)
        return error_set_errno(&writing->error, errno, "create", temporary);
    if (!copy_bytes(from, to, size, &writing->error))
        return false;
    if (rename(temporary, path) < 0)
        return error_set_errno(&writing->error, errno, "rename", temporary);
    return true;
}

/* index.json as it is, or an empty one where there is no layout yet. */
static json_t *open_index(const char *folder, GError **error)
{
    g_autofree char *path = g_build_filename(folder, "index.json", NULL);
    if (access(path, F_OK) != 0)
        return json_pack("{s:i, s:s, s:[]}", "schemaVersion", 2, "mediaType", OCI_INDEX,
                         "manifests");
    autofd int root = open_folder(folder, error);
    return root >= 0 ? read_index(root, folder, error) : NULL;
}

/* Takes out of LIST what is called TAG, or is DIGEST without a name. */
static void drop_entry(json_t *list, const char *tag, const char *digest)
{
    for (size_t i = json_array_size(list); i-- > 0;) {
        const json_t *entry = json_array_get(list, i);
        const char *name = json_get_string(json_object_get(entry, "annotations"), NAME_ANNOTATION);
        bool same = g_strcmp0(json_get_string(entry, "digest"), digest) == 0;
        if (tag != NULL ? g_strcmp0(name, tag) == 0 : name == NULL && same)
            json_array_remove(list, i);
    }
}

static bool name_digest(const Writing *writing, const char *tag, const char *digest, GError **error)
{
    size_t length = 0;
    g_autofree char *text =
        content_read(writing->store, digest, CONTENT_DOCUMENT_LIMIT, &length, error);
    g_autoptr(Manifest) manifest =
        text != NULL ? manifest_parse(digest, text, length, error) : NULL;
    g_autoptr(json_t) index = manifest != NULL ? open_index(writing->folder, error) : NULL;
    if (index == NULL)
        return false;
    json_t *list = json_object_get(index, "manifests");
    drop_entry(list, tag, digest);
    json_t *entry = json_pack("{s:s, s:s, s:I}", "mediaType", manifest->media_type, "digest",
                              digest, "size", (json_int_t) length);
    if (tag != NULL)
        json_object_set_new(entry, "annotations", json_pack("{s:s}", NAME_ANNOTATION, tag));
    json_array_append_new(list, entry);

    g_autofree char *content = json_compact(index);
    g_autofree char *mark = g_build_filename(writing->folder, "oci-layout", NULL);
    g_autofree char *path = g_build_filename(writing->folder, "index.json", NULL);
    return file_write_atomic(AT_FDCWD, mark, LAYOUT_MARK, -1, 0644, error) &&
           file_write_atomic(AT_FDCWD, path, content, -1, 0644, error);
}

bool layout_write(const char *folder, const char *tag, ContentStore *store, const char *digest,
                  GError **error)
{
    Writing writing = {.store = store, .folder = folder};
    if (!file_make_folders(folder, 0755, error))
        return false;
    /* A walk that write_blob stopped has no error of its own. */
    if (!image_closure(store, digest, write_blob, &writing, error)) {
        if (writing.error != NULL)
            g_propagate_error(error, writing.error);
        return false;
    }
    return name_digest(&writing, tag, digest, error);
}
