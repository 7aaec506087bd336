#include "cli/commands.h"
#include "cli/local_store.h"
#include "oci/image_list.h"

#include <stdio.h>

/* A name goes alone; a digest goes with all its names. */
static bool remove_one(ContentStore *store, const char *operand, GError **error)
{
    if (image_untag(store, operand, NULL)) {
        printf("untagged %s\n", operand);
        return true;
    }
    g_autofree char *digest = image_resolve(store, operand, error);
    g_auto(GStrv) names = digest != NULL ? image_names_of(store, digest, error) : NULL;
    if (names == NULL)
        return false;
    for (char **name = names; *name != NULL; name++) {
        if (!image_untag(store, *name, error))
            return false;
        printf("untagged %s\n", *name);
    }
    return true;
}

static int run(int argc, char **argv, GError **error)
{
    if (!command_parse(&command_rm, NULL, &argc, &argv, error))
        return EXIT_STATUS_USAGE;
    if (argc < 2)
        return command_usage_error(error, "expects one or more images");
    g_auto(LocalStore) store = {0};
    if (!local_store_open(&store, error))
        return EXIT_STATUS_NO;
    for (int i = 1; i < argc; i++)
        if (!remove_one(store.content, argv[i], error))
            return EXIT_STATUS_NO;
    return EXIT_STATUS_DONE;
}

const Command command_rm = {
    .name = "rm",
    .group = "image",
    .operands = "IMAGE…",
    .summary = "take names from images; `slipway prune` frees what none is left of",
    .run = run,
};
