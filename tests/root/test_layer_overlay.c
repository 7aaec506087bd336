/* What a step did to an overlay, packed as a layer and unpacked again, shows the same files: with
 * deletions, replaced folders, links, owners, modes and capabilities. */
#include "base/file.h"
#include "oci/layer.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>

typedef struct {
    const char *label;
    const char *change;  /* run in the root */
    const char *listing; /* of the layer's tar; NULL: not compared */
} Case;

static const Case cases[] = {
    {"nothing", "true", ""},
    {"read-only", "cat d/old >/dev/null; ls -lR >/dev/null", ""},
    {"new-file", "echo x > d/new", "d/\nd/new\n"},
    {"append", "echo more >> d/old", "d/\nd/old\n"},
    {"delete", "rm d/old", "d/\nd/.wh.old\n"},
    {"delete-folder", "rm -r d", ".wh.d\n"},
    {"delete-new", "echo x > t; rm t", ""},
    {"replace-folder", "rm -r d; mkdir d; echo x > d/new", "d/\nd/.wh.old\nd/.wh.sub\nd/new\n"},
    {"folder-to-file", "rm -r d; echo x > d", "d\n"},
    {"file-to-folder", "rm f; mkdir f; echo x > f/in", "f/\nf/in\n"},
    {"link-to-folder", "rm l; mkdir l; touch l/x", "l/\nl/x\n"},
    {"mode-of-folder", "chmod 711 d", "d/\n"},
    {"mode-of-file", "chmod 600 f", "f\n"},
    {"owner", "chown 12:34 d/sub/deep", "d/\nd/sub/\nd/sub/deep\n"},
    {"set-user-id", "cp f s; chown 7:7 s; chmod 4755 s", "s\n"},
    {"rename", "mv f g", ".wh.f\ng\n"},
    {"hard-links", "echo x > a; ln a b; ln a d/c", "a\nb\nd/\nd/c\n"},
    {"capability", "cp f c; setcap cap_net_raw+ep c", "c\n"},
    {"user-xattr", "python3 -c \"import os; os.setxattr('f', 'user.note', b'hi')\"", "f\n"},
    {"same-mode-again", "chmod 644 f", ""},
    {"pipe-and-link", "mkfifo p; ln -s nowhere q", "p\nq\n"},
};

static bool sh(const char *folder, const char *command, char **output)
{
    const char *argv[] = {"sh", "-c", command, NULL};
    int status = -1;
    return g_spawn_sync(folder, (char **) argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, output, NULL,
                        &status, NULL) &&
           status == 0;
}

/* A folder's size and links are the file system's business. */
static const char listing[] =
    "find . -mindepth 1 \\( -type d -printf '%P d %m %U:%G\\n' -o "
    "-printf '%P %y %m %U:%G %s %n %l\\n' \\) | sort; "
    "find . -type f | sort | xargs sha256sum; getcap -r . 2>/dev/null; "
    "python3 -c \"import os; print([(n, os.listxattr(n)) for n in sorted(os.listdir('.')) "
    "if os.path.isfile(n)])\" 2>/dev/null; true";

static bool mount_overlay(const char *const *lowers, const char *upper, const char *work,
                          const char *target)
{
    g_autofree char *lower = g_strjoinv(":", (char **) lowers);
    g_autofree char *options =
        upper != NULL
            ? g_strdup_printf(
                  "lowerdir=%s,upperdir=%s,workdir=%s,index=off,redirect_dir=off,metacopy=off",
                  lower, upper, work)
            : g_strdup_printf("lowerdir=%s", lower);
    return mount("overlay", target, "overlay", MS_NODEV, options) == 0;
}

static char *make_folder(const char *home, const char *name)
{
    char *path = g_build_filename(home, name, NULL);
    g_mkdir(path, 0755);
    return path;
}

static void check_packed(ContentStore *store, const Case *c, const ImageLayer *base,
                         const char *upper, const char *lower, const char *root, const char *before)
{
    g_autoptr(GError) error = NULL;
    const char *lowers[] = {lower, NULL};
    g_autoptr(ImageLayer) layer = layer_from_upper(store, upper, lowers, NULL, false, &error);
    g_assert_no_error(error);
    if (layer == NULL)
        return;
    g_autofree char *blob = content_path(store, layer->digest);
    g_autofree char *command = g_strdup_printf("tar -tzf %s", blob);
    g_autofree char *names = NULL;
    g_assert_true(sh("/", command, &names));
    if (c->listing != NULL)
        g_assert_cmpstr(names, ==, c->listing);

    g_autoptr(Image) image = image_new();
    image_add_layer(image, base);
    image_add_layer(image, layer);
    g_auto(GStrv) folders = layer_folders(store, image, &error);
    g_assert_no_error(error);
    if (folders == NULL)
        return;
    g_assert_true(mount_overlay((const char *const *) folders, NULL, NULL, root));
    g_autofree char *after = NULL;
    g_assert_true(sh(root, listing, &after));
    g_assert_cmpstr(after, ==, before);
    umount2(root, MNT_DETACH);
}

static void run_case(State *state, const Case *c)
{
    g_autoptr(ContentStore) store = content_store_open(state, NULL);
    g_autofree char *lower = make_folder(state->home, "lower");
    g_autofree char *upper = make_folder(state->home, "upper");
    g_autofree char *work = make_folder(state->home, "work");
    g_autofree char *root = make_folder(state->home, "root");
    g_assert_true(sh(lower,
                     "mkdir -p d/sub; echo old > d/old; echo deep > d/sub/deep; echo f > f; "
                     "ln -s d l; chmod 644 f; touch -d @1000000000 f d/old d/sub/deep d/sub d",
                     NULL));
    g_autoptr(ImageLayer) base = layer_from_tree(store, lower, NULL, NULL);
    g_assert_nonnull(base);

    const char *lowers[] = {lower, NULL};
    if (!mount_overlay(lowers, upper, work, root)) {
        g_autofree char *why =
            g_strdup_printf("cannot mount an overlay here: %s", g_strerror(errno));
        g_test_skip(why);
        return;
    }
    g_autofree char *before = NULL;
    bool changed = sh(root, c->change, NULL);
    g_assert_true(sh(root, listing, &before));
    umount2(root, MNT_DETACH);
    if (!changed) {
        g_test_skip("a tool of the change is missing, or refused");
        return;
    }
    check_packed(store, c, base, upper, lower, root, before);
}

static void test_case(const void *data)
{
    if (geteuid() != 0 || unshare(CLONE_NEWNS) < 0 ||
        mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) {
        g_test_skip("needs root and mounts");
        return;
    }
    g_autofree char *home = g_dir_make_tmp("slipway-test-XXXXXX", NULL);
    g_autoptr(State) state = state_open(home, NULL);
    run_case(state, data);
    file_remove_tree(AT_FDCWD, home, NULL);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_set_nonfatal_assertions();
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *path = g_strdup_printf("/layer/overlay/%s", cases[i].label);
        g_test_add_data_func(path, &cases[i], test_case);
    }
    return g_test_run();
}
