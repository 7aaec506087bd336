#include "cli/commands.h"
#include "cli/unit_names.h"
#include "container/usage.h"

#include <stdio.h>
#include <unistd.h>

#define INTERVAL_US G_USEC_PER_SEC

static Usage *sample(const GPtrArray *units)
{
    Usage *usages = g_new0(Usage, units->len + 1);
    for (guint i = 0; i < units->len; i++)
        usages[i].pid = ((const Unit *) g_ptr_array_index(units, i))->pid;
    usage_read(usages, units->len);
    return usages;
}

static void print_units(const GPtrArray *units, const Usage *before, const Usage *after,
                        int64_t between_us)
{
    printf("%-40s  %-12s  %6s  %10s  %9s  %8s\n", "UNIT", "ENVIRONMENT", "CPU", "MEMORY",
           "PROCESSES", "RESTARTS");
    for (guint i = 0; i < units->len; i++) {
        const Unit *unit = g_ptr_array_index(units, i);
        if (after[i].processes == 0)
            continue;
        double share = (double) MAX(after[i].cpu_us - before[i].cpu_us, 0) / (double) between_us;
        printf("%-40s  %-12s  %5.1f%%  %6.1f MiB  %9d  %8d\n", unit->id,
               unit_names_label(unit, "environment"), share * 100,
               (double) after[i].memory / (1 << 20), after[i].processes, unit->restarts);
    }
}

static int run(int argc, char **argv, GError **error)
{
    gboolean once = FALSE;
    const GOptionEntry entries[] = {
        {"once", 0, 0, G_OPTION_ARG_NONE, &once, "one look, then end (so without a terminal)",
         NULL},
        {0},
    };
    if (!command_parse(&command_top, entries, &argc, &argv, error))
        return EXIT_STATUS_USAGE;
    if (argc > 2)
        return command_usage_error(error, "unexpected operand '%s'", argv[2]);
    bool terminal = isatty(STDOUT_FILENO);
    g_autoptr(UnitManager) manager = unit_names_open(error);
    if (manager == NULL)
        return EXIT_STATUS_NO;
    for (;;) {
        g_autoptr(GPtrArray) units = argc == 2 ? unit_names_find(manager, argv[1], error)
                                               : unit_list(manager, NULL, NULL, error);
        if (units == NULL)
            return EXIT_STATUS_NO;
        g_autofree Usage *before = sample(units);
        int64_t start = g_get_monotonic_time();
        g_usleep(INTERVAL_US);
        g_autofree Usage *after = sample(units);
        if (terminal && !once)
            fputs("\033[H\033[2J", stdout);
        print_units(units, before, after, g_get_monotonic_time() - start);
        if (!terminal || once || fflush(stdout) != 0)
            return EXIT_STATUS_DONE;
    }
}

const Command command_top = {
    .name = "top",
    .group = "environment",
    .operands = "[ENV|UNIT]",
    .summary = "show what units take of processor and memory, every second",
    .run = run,
};
