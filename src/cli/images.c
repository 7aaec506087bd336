#include "base/clock.h"
#include "cli/commands.h"
#include "cli/local_store.h"
#include "cli/output.h"
#include "model/reference.h"
#include "oci/image_list.h"

#include <stdio.h>

static void print_text(const ImageName *name, const Image *image, int64_t size)
{
    g_autoptr(Reference) reference = reference_parse(name->name, NULL);
    g_autofree char *familiar =
        reference != NULL ? reference_familiar(reference) : g_strdup(name->name);
    g_autofree char *digest = local_store_short_digest(name->digest);
    g_autofree char *length = local_store_format_size(size);
    const char *created =
        image != NULL && image_created(image) != NULL ? image_created(image) : "-";
    printf("%-44s %s  %-20.20s %10s\n", familiar, digest, created,
           image != NULL ? length : "damaged");
}

static json_t *describe(const ImageName *name, const Image *image, int64_t size)
{
    g_autofree char *tagged = clock_format_seconds(name->tagged_at);
    json_t *entry =
        json_pack("{s:s, s:s, s:s}", "name", name->name, "digest", name->digest, "tagged", tagged);
    if (image != NULL) {
        json_object_set_new(entry, "size", json_integer(size));
        json_object_set_new(entry, "config", json_string(image->config_digest));
        json_object_set_new(entry, "layers", json_integer(image->layers->len));
        if (image_created(image) != NULL)
            json_object_set_new(entry, "created", json_string(image_created(image)));
    }
    return entry;
}

static int run(int argc, char **argv, GError **error)
{
    g_autofree char *format = NULL;
    const GOptionEntry entries[] = {
        OUTPUT_FORMAT_ROW(format),
        {0},
    };
    bool as_json;
    if (!command_parse(&command_images, entries, &argc, &argv, error) ||
        !output_parse_format(format, &as_json, error))
        return EXIT_STATUS_USAGE;
    if (argc > 1)
        return command_usage_error(error, "takes no operand, not '%s'", argv[1]);

    g_auto(LocalStore) store = {0};
    if (!local_store_open(&store, error))
        return EXIT_STATUS_NO;
    g_autoptr(GPtrArray) names = image_list(store.content, error);
    if (names == NULL)
        return EXIT_STATUS_NO;
    if (!as_json && names->len > 0)
        printf("%-44s %-12s  %-20s %10s\n", "IMAGE", "DIGEST", "CREATED", "SIZE");
    g_autoptr(json_t) list = json_array();
    for (guint i = 0; i < names->len; i++) {
        const ImageName *name = g_ptr_array_index(names, i);
        g_autoptr(Image) image = image_load(store.content, name->digest, NULL);
        int64_t size = image != NULL ? image_stored_size(store.content, image) : 0;
        if (as_json)
            json_array_append_new(list, describe(name, image, size));
        else
            print_text(name, image, size);
    }
    if (as_json)
        output_json(list);
    return EXIT_STATUS_DONE;
}

const Command command_images = {
    .name = "images",
    .group = "image",
    .summary = "list the images that have a name here",
    .run = run,
};
