/* Layers from folders and back, in a temporary state; no root needed, more is seen with it. */
#include "base/error.h"
#include "base/file.h"
#include "format/tar.h"
#include "oci/layer.h"
#include "oci/root_archive.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

typedef struct {
    char *home;
    State *state;
    ContentStore *store;
} Fixture;

static void set_up(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    fixture->home = g_dir_make_tmp("slipway-test-XXXXXX", NULL);
    fixture->state = state_open(fixture->home, &error);
    g_assert_no_error(error);
    fixture->store = content_store_open(fixture->state, &error);
    g_assert_no_error(error);
}

static void tear_down(Fixture *fixture, gconstpointer data)
{
    content_store_free(fixture->store);
    state_close(fixture->state);
    file_remove_tree(AT_FDCWD, fixture->home, NULL);
    g_free(fixture->home);
}

/* --- a tar from a few words ----------------------------------------------------------------- */

typedef struct {
    TarKind kind;
    const char *path;
    const char *link; /* of a file: its content */
} Item;

typedef struct {
    ByteSink sink;
    GByteArray *bytes;
} Collector;

static bool collect(ByteSink *sink, const void *bytes, size_t length, GError **error)
{
    g_byte_array_append(((Collector *) sink)->bytes, bytes, (guint) length);
    return true;
}

static GByteArray *make_tar(const Item *items)
{
    Collector collector = {{collect}, g_byte_array_new()};
    g_autoptr(TarWriter) writer = tar_writer_new(&collector.sink);
    for (const Item *item = items; item->path != NULL; item++) {
        bool is_file = item->kind == TAR_FILE;
        TarEntry entry = {
            .kind = item->kind, .path = (char *) item->path, .mode = 0755, .mtime = 1};
        if (is_file)
            entry.size = item->link != NULL ? (int64_t) strlen(item->link) : 0;
        else
            entry.link = (char *) item->link;
        g_assert_true(tar_writer_entry(writer, &entry, NULL));
        if (entry.size > 0)
            g_assert_true(tar_writer_data(writer, item->link, (size_t) entry.size, NULL));
    }
    g_assert_true(tar_writer_finish(writer, NULL));
    return collector.bytes;
}

/* The folder of an image with the one layer TAR; NULL with an error. */
static char *unpack(Fixture *fixture, const GByteArray *tar, const char *diff_id, GError **error)
{
    g_autofree char *digest = content_put(fixture->store, tar->data, tar->len, error);
    g_assert_nonnull(digest);
    g_autoptr(Image) image = image_new();
    ImageLayer layer = {(char *) OCI_LAYER_TAR, digest, tar->len,
                        (char *) (diff_id != NULL ? diff_id : digest)};
    image_add_layer(image, &layer);
    g_auto(GStrv) folders = layer_folders(fixture->store, image, error);
    return folders != NULL ? g_strdup(folders[0]) : NULL;
}

/* --- hostile layers ------------------------------------------------------------------------- */

typedef struct {
    const char *label;
    const char *message; /* part of it; NULL: it unpacks */
    Item items[4];
} Hostile;

static const Hostile hostile[] = {
    {"dot-dot", "a path with '..'", {{TAR_FILE, "../escape", "x"}}},
    {"dot-dot-inside", "a path with '..'", {{TAR_FILE, "a/../../escape", "x"}}},
    {"absolute-is-below", NULL, {{TAR_FILE, "/etc/x", "x"}}},
    {"through-absolute-link",
     "leads through something that is no folder",
     {{TAR_SYMLINK, "a", "/tmp"}, {TAR_FILE, "a/escape", "x"}}},
    {"through-relative-link",
     "leads through something that is no folder",
     {{TAR_SYMLINK, "a", "../../.."}, {TAR_FILE, "a/escape", "x"}}},
    {"through-file",
     "leads through something that is no folder",
     {{TAR_FILE, "a", "x"}, {TAR_FILE, "a/b", "x"}}},
    {"over-link", NULL, {{TAR_SYMLINK, "a", "/etc/hostname"}, {TAR_FILE, "a", "mine"}}},
    {"hardlink-out", "hard link out of the layer", {{TAR_HARDLINK, "a", "../../etc/passwd"}}},
    {"hardlink-absolute",
     "hard link to what this layer has not got",
     {{TAR_HARDLINK, "a", "/etc/passwd"}}},
    {"hardlink-through-link",
     "hard link to what this layer has not got",
     {{TAR_SYMLINK, "l", "/etc"}, {TAR_HARDLINK, "a", "l/passwd"}}},
    {"hardlink-to-folder",
     "hard link to a folder or a whiteout",
     {{TAR_FOLDER, "d", NULL}, {TAR_HARDLINK, "a", "d"}}},
    {"planted-whiteout", "device 0:0 would be a whiteout", {{TAR_CHARACTER, "a", NULL}}},
    {"whiteout-of-nothing", "whiteout of nothing", {{TAR_FILE, ".wh.", NULL}}},
    {"whiteout-of-parent", "whiteout of nothing", {{TAR_FILE, "a/.wh...", NULL}}},
    {"root-is-a-link", "the root can only be a folder", {{TAR_SYMLINK, "./", "/"}}},
    {"twice", NULL, {{TAR_FILE, "a", "1"}, {TAR_FOLDER, "a", NULL}, {TAR_FILE, "a/b", "2"}}},
};

static void test_hostile(Fixture *fixture, gconstpointer data)
{
    const Hostile *h = data;
    g_autoptr(GByteArray) tar = make_tar(h->items);
    g_autoptr(GError) error = NULL;
    g_autofree char *folder = unpack(fixture, tar, NULL, &error);
    if (h->message == NULL) {
        g_assert_no_error(error);
        g_assert_nonnull(folder);
        return;
    }
    g_assert_null(folder);
    g_assert_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID);
    if (error != NULL && strstr(error->message, h->message) == NULL)
        g_test_message("%s", error->message);
    g_assert_true(error != NULL && strstr(error->message, h->message) != NULL);
    g_assert_cmpint(access("/tmp/escape", F_OK), !=, 0);
    /* Nothing half made is left. */
    g_autofree char *work = state_path(fixture->state, "layers", "work", NULL);
    g_assert_cmpint(g_rmdir(work), ==, 0);
}

static void test_damaged(Fixture *fixture, gconstpointer data)
{
    static const Item items[] = {{TAR_FILE, "a", "x"}, {0}};
    g_autoptr(GByteArray) tar = make_tar(items);
    g_autoptr(GError) error = NULL;
    const char *other = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    g_autofree char *folder = unpack(fixture, tar, other, &error);
    g_assert_null(folder);
    g_assert_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID);
}

static void test_whiteouts(Fixture *fixture, gconstpointer data)
{
    static const Item items[] = {{TAR_FILE, ".wh.gone", NULL},
                                 {TAR_FOLDER, "d", NULL},
                                 {TAR_FILE, "d/.wh..wh..opq", NULL},
                                 {TAR_FILE, "d/new", "x"},
                                 {0}};
    g_autoptr(GByteArray) tar = make_tar(items);
    g_autoptr(GError) error = NULL;
    g_autofree char *folder = unpack(fixture, tar, NULL, &error);
    g_assert_no_error(error);
    if (folder == NULL)
        return;
    g_autofree char *gone = g_build_filename(folder, "gone", NULL);
    struct stat st;
    g_assert_cmpint(lstat(gone, &st), ==, 0);
    g_assert_true(S_ISCHR(st.st_mode));
    g_assert_cmpuint(st.st_rdev, ==, makedev(0, 0));

    /* Packed again over a lower with more in it, both become whiteouts of their own. */
    g_autofree char *lower = g_build_filename(fixture->home, "lower", NULL);
    g_autofree char *inner = g_build_filename(lower, "d", NULL);
    g_autofree char *old = g_build_filename(inner, "old", NULL);
    g_autofree char *hidden = g_build_filename(lower, "gone", NULL);
    g_mkdir_with_parents(inner, 0755);
    g_file_set_contents(old, "x", 1, NULL);
    g_file_set_contents(hidden, "x", 1, NULL);
    const char *lowers[] = {lower, NULL};
    g_autoptr(ImageLayer) layer =
        layer_from_upper(fixture->store, folder, lowers, NULL, false, &error);
    g_assert_no_error(error);
    g_autofree char *path = content_path(fixture->store, layer->digest);
    g_autofree char *command = g_strdup_printf("tar -tzf %s", path);
    g_autofree char *listing = NULL;
    g_assert_true(g_spawn_command_line_sync(command, &listing, NULL, NULL, NULL));
    g_assert_cmpstr(listing, ==, ".wh.gone\nd/\nd/.wh.old\nd/new\n");
}

/* --- folders -------------------------------------------------------------------------------- */

static void write_file(const char *folder, const char *name, const char *text, mode_t mode)
{
    g_autofree char *path = g_build_filename(folder, name, NULL);
    g_autofree char *parent = g_path_get_dirname(path);
    g_mkdir_with_parents(parent, 0755);
    g_assert_true(g_file_set_contents(path, text, -1, NULL));
    g_assert_cmpint(chmod(path, mode), ==, 0);
}

static void make_tree(const char *folder)
{
    g_autofree char *long_name = g_strnfill(120, 'n');
    g_autofree char *deep = g_strconcat("deep/", long_name, "/", long_name, "/file", NULL);
    write_file(folder, "b", "bee", 0644);
    write_file(folder, "a/x", "ex", 04755);
    write_file(folder, deep, "deep", 0600);
    write_file(folder, "\xc3\xa9", "accent", 0644);
    g_autofree char *x = g_build_filename(folder, "a", "x", NULL);
    g_autofree char *y = g_build_filename(folder, "a", "y", NULL);
    g_autofree char *l = g_build_filename(folder, "link", NULL);
    g_assert_cmpint(link(x, y), ==, 0);
    g_assert_cmpint(symlink("a/x", l), ==, 0);
}

static char *listing_of(const char *folder)
{
    g_autofree char *command = g_strdup_printf(
        "sh -c \"cd '%s' && find . -mindepth 1 -printf '%%P %%y %%m %%s %%n %%l %%T@\\n' | sort\"",
        folder);
    char *output = NULL;
    g_assert_true(g_spawn_command_line_sync(command, &output, NULL, NULL, NULL));
    return output;
}

static void test_round_trip(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *tree = g_build_filename(fixture->home, "tree", NULL);
    make_tree(tree);
    g_autoptr(ImageLayer) layer = layer_from_tree(fixture->store, tree, NULL, &error);
    g_assert_no_error(error);
    g_autoptr(Image) image = image_new();
    image_add_layer(image, layer);
    g_auto(GStrv) folders = layer_folders(fixture->store, image, &error);
    g_assert_no_error(error);
    g_autofree char *before = listing_of(tree);
    g_autofree char *after = listing_of(folders[0]);
    g_assert_cmpstr(before, ==, after);

    g_autoptr(ImageLayer) again = layer_from_tree(fixture->store, folders[0], NULL, &error);
    g_assert_no_error(error);
    g_assert_cmpstr(again->digest, ==, layer->digest);
    g_assert_cmpstr(again->diff_id, ==, layer->diff_id);
}

static void test_clamp(Fixture *fixture, gconstpointer data)
{
    char *digests[2];
    for (int i = 0; i < 2; i++) {
        g_autofree char *name = g_strdup_printf("tree%d", i);
        g_autofree char *tree = g_build_filename(fixture->home, name, NULL);
        make_tree(tree);
        LayerOptions options = {.clamp_time = 1000};
        g_autoptr(ImageLayer) layer = layer_from_tree(fixture->store, tree, &options, NULL);
        g_assert_nonnull(layer);
        digests[i] = g_strdup(layer->digest);
        g_usleep(1000);
    }
    g_assert_cmpstr(digests[0], ==, digests[1]);
    g_free(digests[0]);
    g_free(digests[1]);
}

static void test_unchanged(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *lower = g_build_filename(fixture->home, "lower", NULL);
    g_autofree char *upper = g_build_filename(fixture->home, "upper", NULL);
    write_file(lower, "d/same", "x", 0644);
    g_autofree char *command = g_strdup_printf("cp -a %s %s", lower, upper);
    g_assert_true(g_spawn_command_line_sync(command, NULL, NULL, NULL, NULL));
    const char *lowers[] = {lower, NULL};
    g_autoptr(ImageLayer) layer =
        layer_from_upper(fixture->store, upper, lowers, NULL, false, &error);
    g_assert_no_error(error);
    /* The empty tar: 1024 zero bytes. */
    g_assert_cmpstr(layer->diff_id, ==,
                    "sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef");
}

static void test_move(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *upper = g_build_filename(fixture->home, "upper", NULL);
    write_file(upper, "d/new", "x", 0644);
    g_autoptr(ImageLayer) layer = layer_from_upper(fixture->store, upper, NULL, NULL, true, &error);
    g_assert_no_error(error);
    g_assert_cmpint(access(upper, F_OK), !=, 0);
    g_autoptr(Image) image = image_new();
    image_add_layer(image, layer);
    g_auto(GStrv) folders = layer_folders(fixture->store, image, &error);
    g_assert_no_error(error);
    g_autofree char *path = g_build_filename(folders[0], "d", "new", NULL);
    g_assert_cmpint(access(path, F_OK), ==, 0);
}

/* --- what ADD is given ------------------------------------------------------------------------ */

static void test_archive(Fixture *fixture, gconstpointer program)
{
    g_autofree char *found = g_find_program_in_path(program);
    if (found == NULL) {
        g_autofree char *why = g_strdup_printf("%s is missing", (const char *) program);
        g_test_skip(why);
        return;
    }
    static const Item items[] = {{TAR_FILE, "a", "x"}, {TAR_FILE, ".wh.b", "y"}, {0}};
    g_autoptr(GByteArray) tar = make_tar(items);
    g_autofree char *path = g_build_filename(fixture->home, "archive", NULL);
    g_assert_true(g_file_set_contents(path, (const char *) tar->data, tar->len, NULL));
    g_autofree char *command =
        g_strdup_printf("sh -c '%s <%s >%s.packed'", (const char *) program, path, path);
    g_assert_true(g_spawn_command_line_sync(command, NULL, NULL, NULL, NULL));
    g_autofree char *packed = g_strconcat(path, ".packed", NULL);
    g_autofree char *folder = g_build_filename(fixture->home, "out", NULL);
    g_assert_cmpint(g_mkdir(folder, 0755), ==, 0);
    int fd = open(packed, O_RDONLY | O_CLOEXEC);
    int root = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    g_autoptr(GError) error = NULL;
    g_assert_true(root_archive_is_one(fd));
    g_assert_true(root_archive_unpack(fd, root, &error));
    g_assert_no_error(error);
    g_assert_cmpint(faccessat(root, "a", F_OK, 0), ==, 0);
    g_assert_cmpint(faccessat(root, ".wh.b", F_OK, 0), ==, 0); /* a name like others here */
    close(fd);
    fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    g_assert_false(root_archive_is_one(fd));
    close(fd);
    close(root);
}

/* --- images --------------------------------------------------------------------------------- */

static void test_image(Fixture *fixture, gconstpointer data)
{
    static const Item items[] = {{TAR_FILE, "a", "x"}, {0}};
    g_autoptr(GByteArray) tar = make_tar(items);
    g_autoptr(GError) error = NULL;
    g_autofree char *digest = content_put(fixture->store, tar->data, tar->len, &error);
    g_autoptr(Image) image = image_new();
    image_add_layer(image, &(ImageLayer){(char *) OCI_LAYER_TAR, digest, tar->len, digest});
    g_assert_true(image_store(fixture->store, image, &error));
    g_assert_no_error(error);
    g_assert_true(
        image_tag(fixture->store, "registry.local/orders:v1", image->manifest_digest, &error));
    g_assert_no_error(error);

    const char *hex = strchr(image->manifest_digest, ':') + 1;
    g_autofree char *prefix = g_strndup(hex, 12);
    g_autofree char *config_prefix = g_strndup(strchr(image->config_digest, ':') + 1, 20);
    g_autofree char *pinned = g_strconcat("registry.local/orders@", image->manifest_digest, NULL);
    const char *const names[] = {
        "registry.local/orders:v1", image->manifest_digest, hex, prefix, config_prefix, pinned};
    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char *found = image_resolve(fixture->store, names[i], &error);
        g_assert_no_error(error);
        g_assert_cmpstr(found, ==, image->manifest_digest);
    }
    g_autoptr(Image) loaded = image_load(fixture->store, image->manifest_digest, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(loaded->layers->len, ==, 1);
    g_autofree char *kept = g_strdup(loaded->manifest_digest);
    g_assert_true(image_store(fixture->store, loaded, &error));
    g_assert_cmpstr(loaded->manifest_digest, ==, kept);

    g_assert_true(image_untag(fixture->store, "registry.local/orders:v1", &error));
    g_assert_null(image_resolve(fixture->store, "registry.local/orders:v1", &error));
    g_assert_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_NOT_FOUND);
}

static void test_damaged_blob(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *digest = content_put(fixture->store, "good", 4, &error);
    g_autofree char *path = content_path(fixture->store, digest);
    g_assert_true(g_file_set_contents(path, "evil", 4, NULL));
    g_assert_null(content_read(fixture->store, digest, 100, NULL, &error));
    g_assert_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID);
    g_clear_error(&error);
    g_autoptr(ContentWriter) writer = content_writer_new(fixture->store, &error);
    g_assert_true(content_writer_append(writer, "x", 1, &error));
    g_assert_null(content_writer_commit(writer, digest, &error));
    g_assert_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID);
    g_assert_null(content_path(fixture->store, "sha256:../../x"));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_set_nonfatal_assertions();
    for (size_t i = 0; i < G_N_ELEMENTS(hostile); i++) {
        g_autofree char *path = g_strdup_printf("/layer/hostile/%s", hostile[i].label);
        g_test_add(path, Fixture, &hostile[i], set_up, test_hostile, tear_down);
    }
    g_test_add("/layer/damaged", Fixture, NULL, set_up, test_damaged, tear_down);
    g_test_add("/layer/whiteouts", Fixture, NULL, set_up, test_whiteouts, tear_down);
    g_test_add("/layer/round-trip", Fixture, NULL, set_up, test_round_trip, tear_down);
    g_test_add("/layer/clamp", Fixture, NULL, set_up, test_clamp, tear_down);
    g_test_add("/layer/unchanged", Fixture, NULL, set_up, test_unchanged, tear_down);
    g_test_add("/layer/move", Fixture, NULL, set_up, test_move, tear_down);
    static const char *const programs[] = {"cat", "gzip", "bzip2", "xz", "zstd"};
    for (size_t i = 0; i < G_N_ELEMENTS(programs); i++) {
        g_autofree char *path = g_strdup_printf("/archive/%s", programs[i]);
        g_test_add(path, Fixture, programs[i], set_up, test_archive, tear_down);
    }
    g_test_add("/image/names", Fixture, NULL, set_up, test_image, tear_down);
    g_test_add("/content/damaged", Fixture, NULL, set_up, test_damaged_blob, tear_down);
    return g_test_run();
}
