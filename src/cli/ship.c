#include "cli/commands.h"
#include "cli/view.h"
#include "ship/ship.h"

static int run(int argc, char **argv, GError **error)
{
    gboolean allow_dirty = FALSE, fresh = FALSE;
    g_autofree char *format_text = NULL;
    const GOptionEntry entries[] = {
        {"allow-dirty", 0, 0, G_OPTION_ARG_NONE, &allow_dirty,
         "ship uncommitted changes too; the provenance says so and production refuses it", NULL},
        {"new-run", 0, 0, G_OPTION_ARG_NONE, &fresh,
         "do not go on with an unfinished run of this commit", NULL},
        {"format", 0, 0, G_OPTION_ARG_STRING, &format_text, "text, or json: the event stream",
         "text|json"},
        {0},
    };
    ViewFormat format;
    if (!command_parse(&command_ship, entries, &argc, &argv, error) ||
        !view_format_parse(format_text, &format, error))
        return EXIT_STATUS_USAGE;
    if (argc > 2)
        return command_usage_error(error, "one folder at most");

    g_autoptr(View) view = view_new(format);
    ShipSpec spec = {
        .folder = argc == 2 ? argv[1] : ".",
        .allow_dirty = allow_dirty,
        .new_run = fresh,
        .sink = view_sink(view),
    };
    int status = ship(&spec, error);
    view_finish(view);
    return status;
}

const Command command_ship = {
    .name = "ship",
    .group = "path",
    .operands = "[DIR]",
    .summary = "take the HEAD commit through checks, image, evidence and environments",
    .run = run,
};
