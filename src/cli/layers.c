#include "cli/commands.h"
#include "cli/local_store.h"
#include "cli/output.h"
#include "oci/image_list.h"

#include <stdio.h>

static void print_text(const Image *image)
{
    printf("%-12s %-12s %10s  %s\n", "DIGEST", "DIFF ID", "SIZE", "CREATED BY");
    for (guint i = 0; i < image->layers->len; i++) {
        const ImageLayer *layer = g_ptr_array_index(image->layers, i);
        g_autofree char *digest = local_store_short_digest(layer->digest);
        g_autofree char *diff_id = local_store_short_digest(layer->diff_id);
        g_autofree char *size = local_store_format_size(layer->size);
        const char *origin = image_layer_origin(image, i);
        printf("%s %s %10s  %s\n", digest, diff_id, size, origin != NULL ? origin : "-");
    }
}

static void print_json(const Image *image)
{
    g_autoptr(json_t) list = json_array();
    for (guint i = 0; i < image->layers->len; i++) {
        const ImageLayer *layer = g_ptr_array_index(image->layers, i);
        json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:I, s:s?}", "digest", layer->digest,
                                              "diff_id", layer->diff_id, "media_type",
                                              layer->media_type, "size", (json_int_t) layer->size,
                                              "created_by", image_layer_origin(image, i)));
    }
    output_json(list);
}

static int run(int argc, char **argv, GError **error)
{
    g_autofree char *format = NULL;
    const GOptionEntry entries[] = {
        OUTPUT_FORMAT_ROW(format),
        {0},
    };
    bool as_json;
    if (!command_parse(&command_layers, entries, &argc, &argv, error) ||
        !output_parse_format(format, &as_json, error))
        return EXIT_STATUS_USAGE;
    if (argc != 2)
        return command_usage_error(error, "expects one image");
    g_auto(LocalStore) store = {0};
    if (!local_store_open(&store, error))
        return EXIT_STATUS_NO;
    g_autofree char *digest = image_resolve(store.content, argv[1], error);
    g_autoptr(Image) image = digest != NULL ? image_load(store.content, digest, error) : NULL;
    if (image == NULL)
        return EXIT_STATUS_NO;
    if (as_json)
        print_json(image);
    else
        print_text(image);
    return EXIT_STATUS_DONE;
}

const Command command_layers = {
    .name = "layers",
    .group = "image",
    .operands = "IMAGE",
    .summary = "list an image's layers, lowest first: size and what made them",
    .run = run,
};
