/* main.c - the dispatcher: finds the row, runs it, prints its error, answers with its status. */
#include "cli/commands.h"
#include "config.h"

#include <errno.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

/* `slipway`, `slipway --help` and `slipway -h` are `slipway help`. */
static bool asks_for_help(int argc, char **argv)
{
    return argc < 2 || g_str_equal(argv[1], "--help") || g_str_equal(argv[1], "-h");
}

static int unknown(const char *name)
{
    g_autoptr(GString) longer = g_string_new(NULL);
    for (size_t i = 0; commands[i] != NULL; i++)
        if (g_str_has_prefix(commands[i]->name, name) && commands[i]->name[strlen(name)] == ' ')
            g_string_append_printf(longer, "%s%s", longer->len > 0 ? ", " : "", commands[i]->name);
    if (longer->len > 0)
        fprintf(stderr, "slipway %s: expected one of %s\n", name, longer->str);
    else
        fprintf(stderr, "slipway: unknown command '%s'; `slipway help` lists them\n", name);
    return EXIT_STATUS_USAGE;
}

int main(int argc, char **argv)
{
    setlocale(LC_ALL, "");
    signal(SIGPIPE, SIG_IGN);

    if (argc > 1 && g_str_equal(argv[1], "--version")) {
        printf("slipway %s\n", SLIPWAY_VERSION);
        return EXIT_STATUS_DONE;
    }
    g_autoptr(GError) error = NULL;
    if (asks_for_help(argc, argv)) {
        char *help[] = {(char *) "help", NULL};
        command_help.run(1, help, &error);
        return argc < 2 ? EXIT_STATUS_USAGE : EXIT_STATUS_DONE;
    }
    int words = 0;
    const Command *command = commands_find(argc - 1, argv + 1, &words);
    if (command == NULL)
        return unknown(argv[1]);
    int status = command->run(argc - words, argv + words, &error);
    if (fflush(stdout) != 0 && status == EXIT_STATUS_DONE) {
        fprintf(stderr, "slipway %s: write stdout: %s\n", command->name, g_strerror(errno));
        return EXIT_STATUS_UNAVAILABLE;
    }
    if (error == NULL)
        return status;
    fprintf(stderr, "slipway %s: %s\n", command->name, error->message);
    return status > EXIT_STATUS_NO ? status : (int) exit_status_of_error(error);
}
