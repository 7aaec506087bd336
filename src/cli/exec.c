#include "base/clock.h"
#include "base/error.h"
#include "cli/commands.h"
#include "cli/unit_names.h"

#include <stdio.h>

static const Unit *find_running(const GPtrArray *units, const char *name, GError **error)
{
    for (guint i = 0; i < units->len; i++) {
        const Unit *unit = g_ptr_array_index(units, i);
        if (unit->status == UNIT_RUNNING)
            return unit;
    }
    g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_UNAVAILABLE, "'%s' has no unit that runs",
                name);
    return NULL;
}

static int run(int argc, char **argv, GError **error)
{
    g_autofree char *timeout = NULL;
    const GOptionEntry entries[] = {
        {"timeout", 0, 0, G_OPTION_ARG_STRING, &timeout, "kill it then (default: never)", "TIME"},
        {0},
    };
    if (!command_parse(&command_exec, entries, &argc, &argv, error))
        return EXIT_STATUS_USAGE;
    int64_t timeout_ms = -1;
    if (timeout != NULL && !clock_parse_duration(timeout, &timeout_ms, error))
        return EXIT_STATUS_USAGE;
    int command = 2;
    if (argc > 2 && g_str_equal(argv[2], "--"))
        command = 3;
    if (argc <= command)
        return command_usage_error(error, "expected UNIT -- COMMAND");

    g_autoptr(UnitManager) manager = unit_names_open(error);
    if (manager == NULL)
        return EXIT_STATUS_NO;
    g_autoptr(GPtrArray) units = unit_names_find(manager, argv[1], error);
    const Unit *unit = units != NULL ? find_running(units, argv[1], error) : NULL;
    if (unit == NULL)
        return EXIT_STATUS_NO;
    g_autofree char *output = NULL;
    int status = 0;
    if (!unit_exec(manager, unit->id, (const char *const *) argv + command, (int) timeout_ms,
                   &output, &status, error))
        return EXIT_STATUS_NO;
    fputs(output, stdout);
    return status;
}

const Command command_exec = {
    .name = "exec",
    .group = "environment",
    .operands = "ENV|UNIT -- COMMAND [ARGUMENT…]",
    .summary = "run a command inside a unit; its status is the command's",
    .run = run,
};
