#include "base/clock.h"
#include "cli/commands.h"
#include "cli/output.h"
#include "cli/unit_names.h"
#include "container/supervisor.h"
#include "container/usage.h"

#include <stdio.h>
#include <string.h>

static bool is_alive(const Unit *unit)
{
    return unit->status == UNIT_RUNNING || unit->status == UNIT_STARTING;
}

static int64_t uptime(const Unit *unit)
{
    return is_alive(unit) ? (clock_now_ns() - unit->started_at) / 1000000000 : 0;
}

static json_t *format_unit(const Unit *unit, const Usage *usage)
{
    json_t *json = json_pack("{s:s, s:s, s:s, s:s, s:s, s:i, s:I, s:i, s:I, s:i}", "unit", unit->id,
                             "project", unit_names_label(unit, "project"), "environment",
                             unit_names_label(unit, "environment"), "deployment",
                             unit_names_label(unit, "deployment"), "status",
                             unit_names_status(unit->status), "pid", (int) unit->pid, "uptime",
                             (json_int_t) uptime(unit), "restarts", unit->restarts, "memory",
                             (json_int_t) usage->memory, "processes", usage->processes);
    json_object_set(json, "labels", unit->labels);
    if (unit->status == UNIT_EXITED)
        json_object_set_new(json, "exit_status", json_integer(unit->exit_status));
    if (unit->out_of_memory)
        json_object_set_new(json, "out_of_memory", json_true());
    return json;
}

static void print_json(const GPtrArray *units, const Usage *usages)
{
    g_autoptr(json_t) list = json_array();
    for (guint i = 0; i < units->len; i++)
        json_array_append_new(list, format_unit(g_ptr_array_index(units, i), &usages[i]));
    output_json_line(list);
}

static char *describe(const Unit *unit)
{
    if (unit->status != UNIT_EXITED)
        return g_strdup(unit_names_status(unit->status));
    return g_strdup_printf("exited %d%s", unit->exit_status,
                           unit->out_of_memory ? " (memory)" : "");
}

static void print_table(const GPtrArray *units, const Usage *usages)
{
    int width = 4;
    for (guint i = 0; i < units->len; i++)
        width = MAX(width, (int) strlen(((const Unit *) g_ptr_array_index(units, i))->id));
    printf("%-*s  %-12s  %-12s  %-10s  %8s  %8s  %8s  %9s\n", width, "UNIT", "ENVIRONMENT",
           "DEPLOYMENT", "STATUS", "PID", "UPTIME", "RESTARTS", "MEMORY");
    for (guint i = 0; i < units->len; i++) {
        const Unit *unit = g_ptr_array_index(units, i);
        g_autofree char *status = describe(unit);
        g_autofree char *up = is_alive(unit) ? unit_names_duration(uptime(unit)) : g_strdup("-");
        g_autofree char *memory =
            usages[i].processes > 0
                ? g_strdup_printf("%.1f MiB", (double) usages[i].memory / (1 << 20))
                : g_strdup("-");
        g_autofree char *pid =
            unit->pid > 0 ? g_strdup_printf("%d", (int) unit->pid) : g_strdup("-");
        printf("%-*s  %-12s  %-12s  %-10s  %8s  %8s  %8d  %9s\n", width, unit->id,
               unit_names_label(unit, "environment"), unit_names_label(unit, "deployment"), status,
               pid, up, unit->restarts, memory);
    }
}

/* Whoever looks at living units makes sure that somebody looks after them. */
static void call_supervisor(const UnitManager *manager, const GPtrArray *units)
{
    bool alive = false;
    for (guint i = 0; i < units->len; i++)
        alive |= is_alive(g_ptr_array_index(units, i));
    if (!alive)
        return;
    g_autoptr(GError) problem = NULL;
    g_autoptr(json_t) answer =
        supervisor_call(unit_manager_home(manager), json_pack("{s:s}", "op", "ping"), &problem);
    if (answer == NULL)
        fprintf(stderr, "slipway ps: no supervisor: %s\n", problem->message);
}

static int run(int argc, char **argv, GError **error)
{
    g_autofree char *format = NULL;
    const GOptionEntry entries[] = {
        OUTPUT_FORMAT_ROW(format),
        {0},
    };
    bool as_json;
    if (!command_parse(&command_ps, entries, &argc, &argv, error) ||
        !output_parse_format(format, &as_json, error))
        return EXIT_STATUS_USAGE;
    if (argc > 2)
        return command_usage_error(error, "unexpected operand '%s'", argv[2]);

    g_autoptr(UnitManager) manager = unit_names_open(error);
    if (manager == NULL)
        return EXIT_STATUS_NO;
    g_autoptr(GPtrArray) units = argc == 2 ? unit_names_find(manager, argv[1], error)
                                           : unit_list(manager, NULL, NULL, error);
    if (units == NULL)
        return EXIT_STATUS_NO;
    g_autofree Usage *usages = g_new0(Usage, units->len + 1);
    for (guint i = 0; i < units->len; i++)
        usages[i].pid = ((const Unit *) g_ptr_array_index(units, i))->pid;
    usage_read(usages, units->len);
    call_supervisor(manager, units);
    if (as_json)
        print_json(units, usages);
    else
        print_table(units, usages);
    return EXIT_STATUS_DONE;
}

const Command command_ps = {
    .name = "ps",
    .group = "environment",
    .operands = "[ENV|UNIT]",
    .summary = "list units: environment, deployment, status, uptime, restarts, memory",
    .run = run,
};
