#include "cli/commands.h"
#include "cli/local_store.h"
#include "oci/import.h"

#include <stdio.h>

static void print_one(const ImportedImage *image)
{
    printf("%s%s%s\n", image->digest, image->name != NULL ? " " : "",
           image->name != NULL ? image->name : "");
}

static int run(int argc, char **argv, GError **error)
{
    g_autofree char *name = NULL;
    gboolean rootfs = FALSE;
    const GOptionEntry entries[] = {
        {"tag", 't', 0, G_OPTION_ARG_STRING, &name, "name instead of the one it carries", "NAME"},
        {"rootfs", 0, 0, G_OPTION_ARG_NONE, &rootfs, "PATH is a root as a plain tar", NULL},
        {0},
    };
    if (!command_parse(&command_import, entries, &argc, &argv, error))
        return EXIT_STATUS_USAGE;
    if (argc != 2)
        return command_usage_error(error, "expects one file or folder");
    g_auto(LocalStore) store = {0};
    if (!local_store_open(&store, error))
        return EXIT_STATUS_NO;
    if (rootfs) {
        g_autoptr(ImportedImage) image = image_import_root(store.content, argv[1], name, error);
        if (image != NULL)
            print_one(image);
        return image != NULL ? EXIT_STATUS_DONE : EXIT_STATUS_NO;
    }
    g_autoptr(GPtrArray) images = image_import(store.content, argv[1], name, error);
    for (guint i = 0; images != NULL && i < images->len; i++)
        print_one(g_ptr_array_index(images, i));
    return images != NULL ? EXIT_STATUS_DONE : EXIT_STATUS_NO;
}

const Command command_import = {
    .name = "import",
    .group = "image",
    .operands = "PATH",
    .summary = "take in an OCI layout (folder or tar), a docker save archive or a root's tar",
    .run = run,
};
