#include "cli/commands.h"
#include "cli/local_store.h"
#include "oci/image.h"

static int run(int argc, char **argv, GError **error)
{
    if (!command_parse(&command_tag, NULL, &argc, &argv, error))
        return EXIT_STATUS_USAGE;
    if (argc < 3)
        return command_usage_error(error, "expects an image and one or more names for it");
    g_auto(LocalStore) store = {0};
    if (!local_store_open(&store, error))
        return EXIT_STATUS_NO;
    g_autofree char *digest = image_resolve(store.content, argv[1], error);
    for (int i = 2; digest != NULL && i < argc; i++)
        if (!image_tag(store.content, argv[i], digest, error))
            return EXIT_STATUS_NO;
    return digest != NULL ? EXIT_STATUS_DONE : EXIT_STATUS_NO;
}

const Command command_tag = {
    .name = "tag",
    .group = "image",
    .operands = "IMAGE NAME…",
    .summary = "give an image more names",
    .run = run,
};
