#include "cli/commands.h"
#include "cli/registry_options.h"
#include "oci/image.h"
#include "registry/layout.h"

#include <stdio.h>
#include <string.h>

/* Where an image is or goes: docker://REF, oci:FOLDER[:TAG], or a name in the store. */
typedef struct {
    enum { PLACE_REGISTRY, PLACE_LAYOUT, PLACE_STORE } kind;
    Reference *reference; /* of a registry */
    char *folder, *tag;   /* of a layout */
    const char *name;     /* in the store */
} Place;

static void place_clear(Place *place)
{
    reference_free(place->reference);
    g_free(place->folder);
    g_free(place->tag);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Place, place_clear)

static bool place_parse(const char *text, Place *place, GError **error)
{
    *place = (Place){.kind = PLACE_STORE, .name = text};
    if (g_str_has_prefix(text, "oci:")) {
        const char *folder = text + strlen("oci:");
        const char *colon = strrchr(folder, ':');
        place->kind = PLACE_LAYOUT;
        bool tagged = colon != NULL && reference_is_tag(colon + 1);
        place->folder = tagged ? g_strndup(folder, (size_t) (colon - folder)) : g_strdup(folder);
        place->tag = tagged ? g_strdup(colon + 1) : NULL;
        return true;
    }
    if (!g_str_has_prefix(text, "docker://"))
        return true;
    place->reference = reference_parse(text + strlen("docker://"), error);
    if (place->reference == NULL)
        return false;
    /* The own registry is the store. */
    place->kind = reference_is_local(place->reference) ? PLACE_STORE : PLACE_REGISTRY;
    place->name = text + strlen("docker://");
    return true;
}

static char *take(const Place *place, ContentStore *store, const TransferOptions *options,
                  GError **error)
{
    switch (place->kind) {
    case PLACE_REGISTRY:
        return transfer_pull(store, place->reference, options, error);
    case PLACE_LAYOUT:
        return layout_read(place->folder, place->tag, store, error);
    default:
        return image_resolve(store, place->name, error);
    }
}

static bool put(const Place *place, ContentStore *store, const char *digest,
                const TransferOptions *options, GError **error)
{
    switch (place->kind) {
    case PLACE_REGISTRY:
        return transfer_push(store, digest, place->reference, options, error);
    case PLACE_LAYOUT:
        return layout_write(place->folder, place->tag, store, digest, error);
    default:
        return image_tag(store, place->name, digest, error);
    }
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
    if (!command_parse(&command_copy, entries, &argc, &argv, error))
        return EXIT_STATUS_USAGE;
    if (argc != 3)
        return command_usage_error(error, "expected where from and where to, each docker://REF, "
                                          "oci:FOLDER[:TAG] or a name in the store");
    g_auto(Place) from = {0};
    g_auto(Place) to = {0};
    if (!place_parse(argv[1], &from, error) || !place_parse(argv[2], &to, error))
        return EXIT_STATUS_NO;
    g_autoptr(State) state = state_open(NULL, error);
    g_autoptr(ContentStore) store = state != NULL ? content_store_open(state, error) : NULL;
    if (store == NULL)
        return EXIT_STATUS_NO;
    TransferOptions options = registry_option_values_read(&values);
    /* To another registry an index goes whole or not at all. */
    options.all_platforms = all || to.kind == PLACE_REGISTRY;
    g_autofree char *digest = take(&from, store, &options, error);
    if (digest == NULL || !put(&to, store, digest, &options, error))
        return EXIT_STATUS_NO;
    printf("%s\n", digest);
    return EXIT_STATUS_DONE;
}

const Command command_copy = {
    .name = "copy",
    .group = "image",
    .operands = "SOURCE TARGET",
    .summary = "copy an image between registries, OCI layouts and the store",
    .run = run,
};
