#include "cli/commands.h"
#include "oci/base_image.h"

#include <stdio.h>

static int run(int argc, char **argv, GError **error)
{
    gboolean force = FALSE;
    const GOptionEntry entries[] = {
        {"force", 0, 0, G_OPTION_ARG_NONE, &force, "make it anew from today's packages", NULL},
        {0},
    };
    if (!command_parse(&command_base, entries, &argc, &argv, error))
        return EXIT_STATUS_USAGE;
    if (argc != 2)
        return command_usage_error(error, "expects one name: " BASE_IMAGE_NAMES);

    g_autoptr(State) state = state_open(NULL, error);
    g_autoptr(ContentStore) store = state != NULL ? content_store_open(state, error) : NULL;
    if (store == NULL)
        return EXIT_STATUS_NO;
    g_autofree char *present = image_resolve(store, argv[1], NULL);
    if (present != NULL && !force)
        fprintf(stderr, "%s is already there; --force makes it anew\n", argv[1]);
    g_autofree char *digest = base_image_make(store, argv[1], force, error);
    if (digest == NULL)
        return EXIT_STATUS_NO;
    printf("%s\n", digest);
    return EXIT_STATUS_DONE;
}

const Command command_base = {
    .name = "base",
    .group = "image",
    .operands = "NAME",
    .summary = "make a base image from the distribution's packages (debian:bookworm-slim)",
    .run = run,
};
