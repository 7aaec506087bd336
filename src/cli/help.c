/* help.c - what commands there are: all of them by group, one in full, or the man page. */
#include "cli/commands.h"
#include "cli/manual.h"

#include <stdio.h>

static void print_commands(void)
{
    printf("slipway: from commit to production, with proof\n\nUsage: slipway COMMAND [OPTION…]\n");
    for (const CommandGroup *group = command_groups; group->name != NULL; group++) {
        printf("\n%s\n", group->title);
        for (size_t i = 0; commands[i] != NULL; i++)
            if (g_str_equal(commands[i]->group, group->name))
                printf("  %-19s %s\n", commands[i]->name, commands[i]->summary);
    }
    printf("\n`slipway COMMAND --help` says more; `slipway doctor` what this machine lacks.\n");
}

static int explain(int argc, char **argv, GError **error)
{
    int words = 0;
    const Command *command = commands_find(argc, argv, &words);
    if (command == NULL || words != argc) {
        g_autofree char *name = g_strjoinv(" ", argv);
        return command_usage_error(error, "there is no command '%s'", name);
    }
    g_autofree char *name = g_strdup(command->name);
    g_autofree char *option = g_strdup("--help");
    char *arguments[] = {name, option, NULL};
    return command->run(2, arguments, error);
}

static int run(int argc, char **argv, GError **error)
{
    gboolean manual = FALSE;
    const GOptionEntry entries[] = {
        {"man", 0, 0, G_OPTION_ARG_NONE, &manual, "print the man page, as roff", NULL},
        {0},
    };
    if (!command_parse(&command_help, entries, &argc, &argv, error))
        return EXIT_STATUS_USAGE;
    if (manual && argc > 1)
        return command_usage_error(error, "--man takes no operand, not '%s'", argv[1]);
    if (argc > 1)
        return explain(argc - 1, argv + 1, error);
    if (manual)
        manual_print();
    else
        print_commands();
    return EXIT_STATUS_DONE;
}

const Command command_help = {
    .name = "help",
    .group = "service",
    .operands = "[COMMAND]",
    .summary = "list the commands, or explain one",
    .run = run,
};
