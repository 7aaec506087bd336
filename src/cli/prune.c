#include "base/clock.h"
#include "cli/commands.h"
#include "cli/local_store.h"
#include "oci/prune.h"

#include <stdio.h>

static void print_each(const char *what, const char *digest, int64_t size, void *data)
{
    printf("%s %s\n", what, digest);
}

static int run(int argc, char **argv, GError **error)
{
    gboolean dry_run = FALSE;
    g_autofree char *keep = NULL;
    const GOptionEntry entries[] = {
        {"dry-run", 0, 0, G_OPTION_ARG_NONE, &dry_run, "only list what would go", NULL},
        {"keep-untagged", 0, 0, G_OPTION_ARG_STRING, &keep,
         "keep images without a name this long (default 1h)", "TIME"},
        {0},
    };
    if (!command_parse(&command_prune, entries, &argc, &argv, error))
        return EXIT_STATUS_USAGE;
    if (argc > 1)
        return command_usage_error(error, "takes no operand, not '%s'", argv[1]);
    int64_t milliseconds;
    if (!clock_parse_duration(keep != NULL ? keep : "1h", &milliseconds, error))
        return EXIT_STATUS_USAGE;

    g_auto(LocalStore) store = {0};
    if (!local_store_open(&store, error))
        return EXIT_STATUS_NO;
    PruneOptions options = {
        .dry_run = dry_run, .untagged_age = milliseconds / 1000, .each = print_each};
    PruneResult result;
    if (!content_prune(store.content, &options, &result, error))
        return EXIT_STATUS_NO;
    g_autofree char *size = local_store_format_size((int64_t) result.bytes);
    fprintf(stderr, "%s %" G_GUINT64_FORMAT " blobs (%s), %" G_GUINT64_FORMAT " unpacked layers\n",
            dry_run ? "would free" : "freed", result.blobs, size, result.layers);
    return EXIT_STATUS_DONE;
}

const Command command_prune = {
    .name = "prune",
    .group = "image",
    .summary = "free what no name, lease or deployment needs any more",
    .run = run,
};
