#include "cli/commands.h"
#include "container/shim.h"

#define READY_FD 3 /* what unit_start hands over */

static int run(int argc, char **argv, GError **error)
{
    if (!command_parse(&command_unit_shim, NULL, &argc, &argv, error))
        return EXIT_STATUS_USAGE;
    if (argc != 2)
        return command_usage_error(error, "expected the unit's folder");
    return shim_run(argv[1], READY_FD, error) ? EXIT_STATUS_DONE : EXIT_STATUS_NO;
}

const Command command_unit_shim = {
    .name = "unit-shim",
    .group = "internal",
    .operands = "FOLDER",
    .summary = "the parent of one unit (started by the supervisor)",
    .run = run,
};
