#include "cli/commands.h"

static int run(int argc, char **argv, GError **error)
{
    if (!command_parse(&command_doctor, NULL, &argc, &argv, error))
        return EXIT_STATUS_USAGE;
    return EXIT_STATUS_DONE;
}

const Command command_doctor = {
    .name = "doctor",
    .group = "service",
    .summary = "what this machine can do, what is missing and how to mend it",
    .run = run,
};
