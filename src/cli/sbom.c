#include "cli/commands.h"
#include "model/finding.h"
#include "scan/sbom.h"
#include "scan/target.h"

#include <stdio.h>

static int run(int argc, char **argv, GError **error)
{
    g_autofree char *format_name = NULL;
    const GOptionEntry entries[] = {
        {"output", 'o', 0, G_OPTION_ARG_STRING, &format_name,
         "spdx-json (default), cyclonedx-json, cyclonedx-1.5-json or purl", "FORMAT"},
        {0}};
    if (!command_parse(&command_sbom, entries, &argc, &argv, error))
        return EXIT_STATUS_USAGE;
    if (argc != 2)
        return command_usage_error(
            error, "one TARGET is needed: dir:PATH, oci:DIR, docker-archive:FILE or an image");
    SbomFormat format = SBOM_SPDX_JSON;
    if (format_name != NULL && !sbom_format_parse(format_name, &format, error))
        return EXIT_STATUS_USAGE;

    g_auto(ScanTarget) target = {0};
    if (!scan_target_open(argv[1], &target, error))
        return EXIT_STATUS_NO;
    g_autoptr(Inventory) inventory = scan_target_inventory(&target, error);
    if (inventory == NULL)
        return EXIT_STATUS_NO;
    for (guint i = 0; i < inventory->unreadable->len; i++) {
        const Finding *finding = g_ptr_array_index(inventory->unreadable, i);
        fprintf(stderr, "slipway sbom: %s: %s\n", finding->path, finding->message);
    }
    g_autofree char *document = sbom_write(inventory, format, -1);
    fputs(document, stdout);
    return inventory->unreadable->len > 0 ? EXIT_STATUS_NO : EXIT_STATUS_DONE;
}

const Command command_sbom = {
    .name = "sbom",
    .group = "check",
    .operands = "TARGET",
    .summary = "list what is inside a folder or an image, as SPDX, CycloneDX or package URLs",
    .run = run,
};
