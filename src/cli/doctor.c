#include "cli/commands.h"
#include "cli/machine.h"
#include "cli/output.h"
#include "cli/style.h"

#include <jansson.h>
#include <stdio.h>

static const struct {
    const char *word, *colour;
} states[] = {
    [MACHINE_OK] = {"ok", "\033[32m"},
    [MACHINE_ABSENT] = {"optional", "\033[33m"},
    [MACHINE_MISSING] = {"missing", "\033[31m"},
};

static size_t count(const GPtrArray *checks, MachineState state)
{
    size_t n = 0;
    for (guint i = 0; i < checks->len; i++)
        n += ((const MachineCheck *) g_ptr_array_index(checks, i))->state == state;
    return n;
}

static void print_text(const GPtrArray *checks)
{
    bool colour = style_has_colour(stdout);
    for (guint i = 0; i < checks->len; i++) {
        const MachineCheck *check = g_ptr_array_index(checks, i);
        printf("%s%-8s%s  %-15s  %s\n", colour ? states[check->state].colour : "",
               states[check->state].word, colour ? "\033[0m" : "", check->name, check->detail);
        if (check->mend != NULL)
            printf("%27smend: %s\n", "", check->mend);
    }
    size_t missing = count(checks, MACHINE_MISSING), absent = count(checks, MACHINE_ABSENT);
    if (missing > 0)
        printf("\n%zu needed %s missing", missing, missing == 1 ? "thing is" : "things are");
    else
        printf("\nall that is needed is here");
    if (absent > 0)
        printf("; %zu optional %s not here", absent, absent == 1 ? "one is" : "ones are");
    putchar('\n');
}

static void print_json(const GPtrArray *checks)
{
    json_t *list = json_array();
    for (guint i = 0; i < checks->len; i++) {
        const MachineCheck *check = g_ptr_array_index(checks, i);
        json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s?}", "name", check->name, "state",
                                              states[check->state].word, "detail", check->detail,
                                              "mend", check->mend));
    }
    g_autoptr(json_t) all =
        json_pack("{s:b, s:o}", "ok", count(checks, MACHINE_MISSING) == 0, "checks", list);
    output_json(all);
}

static int run(int argc, char **argv, GError **error)
{
    g_autofree char *format = NULL;
    const GOptionEntry entries[] = {
        OUTPUT_FORMAT_ROW(format),
        {0},
    };
    bool as_json;
    if (!command_parse(&command_doctor, entries, &argc, &argv, error) ||
        !output_parse_format(format, &as_json, error))
        return EXIT_STATUS_USAGE;
    if (argc > 1)
        return command_usage_error(error, "takes no operand, not '%s'", argv[1]);

    g_autoptr(GPtrArray) checks = machine_look();
    if (as_json)
        print_json(checks);
    else
        print_text(checks);
    return count(checks, MACHINE_MISSING) == 0 ? EXIT_STATUS_DONE : EXIT_STATUS_NO;
}

const Command command_doctor = {
    .name = "doctor",
    .group = "service",
    .summary = "show what this machine can do, what is missing and how to mend it",
    .run = run,
};
