#include "cli/commands.h"
#include "cli/registry_options.h"
#include "oci/image.h"

#include <stdio.h>

static int run(int argc, char **argv, GError **error)
{
    g_auto(RegistryOptionValues) values = {0};
    const GOptionEntry entries[] = {
        REGISTRY_OPTION_ROWS(values),
        {0},
    };
    if (!command_parse(&command_push, entries, &argc, &argv, error))
        return EXIT_STATUS_USAGE;
    if (argc != 2 && argc != 3)
        return command_usage_error(error, "expected an image, and where it goes if its name does "
                                          "not say so");
    g_autoptr(Reference) target = reference_parse(argv[argc - 1], error);
    if (target == NULL)
        return EXIT_STATUS_NO;
    g_autoptr(State) state = state_open(NULL, error);
    g_autoptr(ContentStore) store = state != NULL ? content_store_open(state, error) : NULL;
    g_autofree char *digest = store != NULL ? image_resolve(store, argv[1], error) : NULL;
    if (digest == NULL)
        return EXIT_STATUS_NO;

    /* In this machine's own registry it is a row, not a copy. */
    TransferOptions options = registry_option_values_read(&values);
    g_autofree char *name = reference_name(target);
    bool pushed = reference_is_local(target)
                      ? image_tag(store, name, digest, error)
                      : transfer_push(store, digest, target, &options, error);
    if (!pushed)
        return EXIT_STATUS_NO;
    printf("%s\n", digest);
    return EXIT_STATUS_DONE;
}

const Command command_push = {
    .name = "push",
    .group = "image",
    .operands = "REF [TARGET]",
    .summary = "send an image to its registry, or to TARGET's, byte for byte",
    .run = run,
};
