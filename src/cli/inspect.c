#include "cli/commands.h"
#include "cli/local_store.h"
#include "cli/output.h"
#include "format/json.h"
#include "oci/image_list.h"

static json_t *describe(ContentStore *store, const char *digest, GError **error)
{
    g_autoptr(Image) image = image_load(store, digest, error);
    if (image == NULL)
        return NULL;
    size_t length;
    g_autofree char *text =
        content_read(store, image->manifest_digest, CONTENT_DOCUMENT_LIMIT, &length, error);
    g_autoptr(json_t) manifest = text != NULL ? json_parse(digest, text, length, error) : NULL;
    g_auto(GStrv) names = manifest != NULL ? image_names_of(store, digest, error) : NULL;
    if (names == NULL)
        return NULL;
    json_t *list = json_array();
    for (char **name = names; *name != NULL; name++)
        json_array_append_new(list, json_string(*name));
    json_t *all = json_pack("{s:s, s:o, s:I, s:O, s:O}", "digest", digest, "names", list, "size",
                            (json_int_t) image_stored_size(store, image), "manifest", manifest,
                            "config", image->config);
    /* What was named is an index: this is the entry for this machine. */
    if (!g_str_equal(digest, image->manifest_digest))
        json_object_set_new(all, "platform_digest", json_string(image->manifest_digest));
    return all;
}

static int run(int argc, char **argv, GError **error)
{
    if (!command_parse(&command_inspect, NULL, &argc, &argv, error))
        return EXIT_STATUS_USAGE;
    if (argc != 2)
        return command_usage_error(error, "expects one image");
    g_auto(LocalStore) store = {0};
    if (!local_store_open(&store, error))
        return EXIT_STATUS_NO;
    g_autofree char *digest = image_resolve(store.content, argv[1], error);
    g_autoptr(json_t) all = digest != NULL ? describe(store.content, digest, error) : NULL;
    if (all == NULL)
        return EXIT_STATUS_NO;
    output_json(all);
    return EXIT_STATUS_DONE;
}

const Command command_inspect = {
    .name = "inspect",
    .group = "image",
    .operands = "IMAGE",
    .summary = "show digest, names, manifest and config of an image, as JSON",
    .run = run,
};
