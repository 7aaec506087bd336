#include "cli/commands.h"
#include "cli/registry_options.h"
#include "oci/image.h"

#include <stdio.h>

static bool is_local(const Reference *reference, GError **error)
{
    if (reference_is_local(reference))
        command_usage_error(error, "'%s/%s' is in this machine's own store already",
                            reference->domain, reference->path);
    return reference_is_local(reference);
}

/* Names DIGEST as REFERENCE says: by its tag, or only as content of its repository. */
static bool name_it(ContentStore *store, const Reference *reference, const char *digest,
                    GError **error)
{
    g_autofree char *repository = reference_repository(reference);
    g_autofree char *name = reference_name(reference);
    if (reference->digest != NULL && reference->tag == NULL)
        return image_link(store, repository, digest, error);
    return image_tag(store, name, digest, error);
}

static int run(int argc, char **argv, GError **error)
{
    g_auto(RegistryOptionValues) values = {0};
    gboolean all = FALSE;
    const GOptionEntry entries[] = {
        {"all-platforms", 0, 0, G_OPTION_ARG_NONE, &all,
         "every variant of the image, not only this machine's", NULL},
        REGISTRY_OPTION_ROWS(values),
        {0},
    };
    if (!command_parse(&command_pull, entries, &argc, &argv, error))
        return EXIT_STATUS_USAGE;
    if (argc != 2)
        return command_usage_error(error, "expected one image, such as debian:bookworm-slim");

    g_autoptr(Reference) reference = reference_parse(argv[1], error);
    if (reference == NULL)
        return EXIT_STATUS_NO;
    if (is_local(reference, error))
        return EXIT_STATUS_USAGE;
    g_autoptr(State) state = state_open(NULL, error);
    g_autoptr(ContentStore) store = state != NULL ? content_store_open(state, error) : NULL;
    if (store == NULL)
        return EXIT_STATUS_NO;
    TransferOptions options = registry_option_values_read(&values);
    options.all_platforms = all;
    g_autofree char *digest = transfer_pull(store, reference, &options, error);
    if (digest == NULL || !name_it(store, reference, digest, error))
        return EXIT_STATUS_NO;
    printf("%s\n", digest);
    return EXIT_STATUS_DONE;
}

const Command command_pull = {
    .name = "pull",
    .group = "image",
    .operands = "REF",
    .summary = "fetch an image from its registry into the store",
    .run = run,
};
