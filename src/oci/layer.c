#include "oci/layer.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/file.h"
#include "crypto/hash.h"
#include "format/compress.h"
#include "oci/layer_blob.h"
#include "oci/layer_pack.h"
#include "oci/layer_unpack.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

/* layers/
 *   ALGORITHM/HEX-OF-DIFF-ID/fs     the layer
 *   ALGORITHM/HEX-OF-DIFF-ID/boot   the boot it was made in; its time is the last use
 *   work/                           being made; renamed when whole
 *   lock-XX                         by the first two hex digits: one process makes a layer
 *
 * Nothing here is synced. After a crash of the machine what is here may be hollow, so what another
 * boot has made is made anew. */
#define BOOT_ID "/proc/sys/kernel/random/boot_id"
#define EXPANDED_LIMIT ((uint64_t) 64 * 1024 * 1024 * 1024)

static char *read_boot(void)
{
    char *text = file_read(AT_FDCWD, BOOT_ID, 128, NULL, NULL);
    return text != NULL ? g_strchomp(text) : g_strdup("unknown");
}

static char *layer_home(ContentStore *store, const char *diff_id, GError **error)
{
    g_autoptr(Digest) digest = digest_parse(diff_id, error);
    if (digest == NULL)
        return NULL;
    State *state = content_state(store);
    g_autofree char *parent = state_folder(state, error, "layers", digest->algorithm, NULL);
    g_autofree char *work = state_folder(state, error, "layers", "work", NULL);
    if (parent == NULL || work == NULL)
        return NULL;
    return g_build_filename(parent, digest->hex, NULL);
}

/* HOME is whole: it was made in this boot. Marks it as used. */
static bool is_made(const char *home)
{
    g_autofree char *marker = g_build_filename(home, "boot", NULL);
    g_autofree char *made = file_read(AT_FDCWD, marker, 128, NULL, NULL);
    g_autofree char *now = read_boot();
    return made != NULL && g_str_equal(g_strchomp(made), now) &&
           utimensat(AT_FDCWD, marker, NULL, 0) == 0;
}

static int lock_layer(ContentStore *store, const char *diff_id, GError **error)
{
    const char *hex = strchr(diff_id, ':') + 1;
    g_autofree char *name = g_strdup_printf("lock-%.2s", hex);
    g_autofree char *path = state_path(content_state(store), "layers", name, NULL);
    autofd int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) {
        error_set_errno(error, errno, "open", path);
        return -1;
    }
    while (flock(fd, LOCK_EX) < 0)
        if (errno != EINTR) {
            error_set_errno(error, errno, "lock", path);
            return -1;
        }
    return steal_fd(&fd);
}

/* Puts the folder WORK, which holds fs/, in HOME's place. Under the layer's lock. */
static bool publish(const char *work, const char *home, GError **error)
{
    g_autofree char *marker = g_build_filename(work, "boot", NULL);
    g_autofree char *boot = read_boot();
    int fd = open(marker, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    bool ok = fd >= 0 && write(fd, boot, strlen(boot)) == (ssize_t) strlen(boot);
    if (fd >= 0)
        close(fd);
    if (!ok)
        return error_set_errno(error, errno, "write", marker);
    if (!file_remove_tree(AT_FDCWD, home, error))
        return false;
    if (rename(work, home) < 0)
        return error_set_errno(error, errno, "store layer", home);
    return true;
}

/* A new folder in layers/work with an empty fs/ (mode 0755) in it. */
static char *make_work(ContentStore *store, GError **error)
{
    g_autofree char *parent = state_folder(content_state(store), error, "layers", "work", NULL);
    if (parent == NULL)
        return NULL;
    g_autofree char *work = file_make_temporary_folder(parent, "layer", error);
    if (work == NULL)
        return NULL;
    g_autofree char *fs = g_build_filename(work, "fs", NULL);
    if (mkdir(fs, 0755) < 0 || chmod(fs, 0755) < 0) {
        error_set_errno(error, errno, "create folder", fs);
        return NULL;
    }
    return g_steal_pointer(&work);
}

/* --- unpacking ------------------------------------------------------------------------------ */

/* Passes a source on and hashes what it passes. */
typedef struct {
    ByteSource source;
    ByteSource *from;
    Hash *hash;
} HashSource;

static ssize_t hash_source_read(ByteSource *source, void *buffer, size_t size, GError **error)
{
    HashSource *hashed = (HashSource *) source;
    ssize_t n = hashed->from->read(hashed->from, buffer, size, error);
    if (n > 0)
        hash_update(hashed->hash, buffer, (size_t) n);
    return n;
}

/* As much as the disk can still take: a layer that expands further is refused, not half made. */
static uint64_t expanded_limit(const char *folder)
{
    struct statvfs st;
    if (statvfs(folder, &st) < 0)
        return EXPANDED_LIMIT;
    return MIN(EXPANDED_LIMIT, (uint64_t) st.f_bavail * st.f_frsize);
}

static HashAlgorithm algorithm_of(const char *diff_id)
{
    HashAlgorithm algorithm = HASH_SHA256;
    hash_parse_name(diff_id, strcspn(diff_id, ":"), &algorithm);
    return algorithm;
}

static bool unpack_into(ContentStore *store, const ImageLayer *layer, const char *fs,
                        const char *const *lowers, GError **error)
{
    autofd int blob = content_open(store, layer->digest, error);
    autofd int root = blob >= 0 ? open(fs, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (root < 0) {
        if (blob >= 0)
            error_set_errno(error, errno, "open", fs);
        return false;
    }
    posix_fadvise(blob, 0, 0, POSIX_FADV_SEQUENTIAL);
    FdSource file = fd_source(blob);
    g_autoptr(Decompressor) plain = decompressor_new(&file.source, expanded_limit(fs), error);
    if (plain == NULL)
        return false;
    g_autoptr(Hash) hash = hash_new(algorithm_of(layer->diff_id));
    HashSource hashed = {{hash_source_read}, decompressor_source(plain), hash};
    LayerUnpack unpack = {.source = &hashed.source, .root_fd = root, .lowers = lowers};
    if (!layer_unpack(&unpack, error))
        return false;
    g_autofree char *actual = hash_finish_digest(hash);
    if (g_str_equal(actual, layer->diff_id))
        return true;
    g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID,
                "its content is %s, but its image says %s: damaged or forged", actual,
                layer->diff_id);
    return false;
}

static bool make_layer(ContentStore *store, const ImageLayer *layer, const char *home,
                       const char *const *lowers, GError **error)
{
    g_autofree char *work = make_work(store, error);
    if (work == NULL)
        return false;
    g_autofree char *fs = g_build_filename(work, "fs", NULL);
    if (unpack_into(store, layer, fs, lowers, error) && publish(work, home, error))
        return true;
    g_prefix_error(error, "layer '%s': ", layer->digest);
    file_remove_tree(AT_FDCWD, work, NULL);
    return false;
}

static char *layer_folder(ContentStore *store, const ImageLayer *layer, const char *const *lowers,
                          GError **error)
{
    g_autofree char *home = layer_home(store, layer->diff_id, error);
    if (home == NULL)
        return NULL;
    if (!is_made(home)) {
        autofd int locked = lock_layer(store, layer->diff_id, error);
        if (locked < 0 || (!is_made(home) && !make_layer(store, layer, home, lowers, error)))
            return NULL;
    }
    return g_build_filename(home, "fs", NULL);
}

/* overlayfs refuses a folder that stands twice among the lowers; what the lower one of two equal
 * layers holds, the upper one holds, too. */
static void drop_equal(GPtrArray *folders, const char *folder)
{
    for (guint i = 0; folders->pdata[i] != NULL; i++) {
        if (g_str_equal(folders->pdata[i], folder)) {
            g_ptr_array_remove_index(folders, i);
            return;
        }
    }
}

char **layer_folders(ContentStore *store, const Image *image, GError **error)
{
    g_autoptr(GPtrArray) folders = g_ptr_array_new_with_free_func(g_free);
    g_ptr_array_add(folders, NULL);
    for (guint i = 0; i < image->layers->len; i++) {
        char *folder = layer_folder(store, g_ptr_array_index(image->layers, i),
                                    (const char *const *) folders->pdata, error);
        if (folder == NULL)
            return NULL;
        drop_equal(folders, folder);
        g_ptr_array_insert(folders, 0, folder);
    }
    return (char **) g_ptr_array_free(g_steal_pointer(&folders), FALSE);
}

/* --- packing -------------------------------------------------------------------------------- */

static ImageLayer *pack(ContentStore *store, LayerPack *what, GError **error)
{
    g_autoptr(LayerBlob) blob = layer_blob_new(store, error);
    if (blob == NULL)
        return NULL;
    what->sink = layer_blob_sink(blob);
    return layer_pack(what, error) ? layer_blob_finish(blob, NULL, error) : NULL;
}

/* Makes UPPER the unpacked folder of DIFF_ID. Where that cannot be (another file system) it stays
 * as it is, and the layer is unpacked when it is needed. */
static bool keep_upper(ContentStore *store, const char *upper, const char *diff_id, GError **error)
{
    g_autofree char *home = layer_home(store, diff_id, error);
    autofd int locked = home != NULL ? lock_layer(store, diff_id, error) : -1;
    if (locked < 0)
        return false;
    if (is_made(home))
        return file_remove_tree(AT_FDCWD, upper, error);
    g_autofree char *work = make_work(store, error);
    if (work == NULL)
        return false;
    g_autofree char *fs = g_build_filename(work, "fs", NULL);
    if (rename(upper, fs) < 0) {
        bool elsewhere = errno == EXDEV;
        if (!elsewhere)
            error_set_errno(error, errno, "keep layer", upper);
        file_remove_tree(AT_FDCWD, work, NULL);
        return elsewhere;
    }
    /* The root of the topmost layer is the root's own folder: everyone may enter it. */
    if (chmod(fs, 0755) < 0)
        return error_set_errno(error, errno, "set mode of", fs);
    return publish(work, home, error);
}

ImageLayer *layer_from_upper(ContentStore *store, const char *upper, const char *const *lowers,
                             const LayerOptions *options, bool move, GError **error)
{
    LayerPack what = {
        .folder = upper,
        .lowers = lowers,
        .clamp_time = options != NULL ? options->clamp_time : -1,
        .clamp_source = move,
    };
    g_autoptr(ImageLayer) layer = pack(store, &what, error);
    if (layer == NULL || (move && !keep_upper(store, upper, layer->diff_id, error)))
        return NULL;
    return g_steal_pointer(&layer);
}

ImageLayer *layer_from_tree(ContentStore *store, const char *folder, const LayerOptions *options,
                            GError **error)
{
    return layer_from_upper(store, folder, NULL, options, false, error);
}
