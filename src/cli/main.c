/* main.c - the dispatcher: finds the row, runs it, prints its error, answers with its status. */
#include "cli/commands.h"
#include "config.h"

#include <errno.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

static const Command *const commands[] = {
#define COMMAND(symbol) &symbol,
#include "cli/commands.def"
#undef COMMAND
};

static const struct {
    const char *group, *title;
} groups[] = {
    {"path", "The path"},
    {"image", "Images"},
    {"check", "Checks"},
    {"trust", "Trust and record"},
    {"environment", "Environments"},
    {"service", "Service"},
    {"plumbing", "Plumbing"},
};

/* The number of leading words of ARGV that are COMMAND's name; 0 when they are not. */
static int match(const Command *command, int argc, char **argv)
{
    g_auto(GStrv) words = g_strsplit(command->name, " ", -1);
    int n = (int) g_strv_length(words);
    if (argc < n)
        return 0;
    for (int i = 0; i < n; i++)
        if (!g_str_equal(words[i], argv[i]))
            return 0;
    return n;
}

static void print_help(void)
{
    printf("slipway: from commit to production, with proof\n\nUsage: slipway COMMAND [OPTION…]\n");
    for (size_t g = 0; g < G_N_ELEMENTS(groups); g++) {
        bool titled = false;
        for (size_t i = 0; i < G_N_ELEMENTS(commands); i++) {
            if (!g_str_equal(commands[i]->group, groups[g].group))
                continue;
            if (!titled)
                printf("\n%s\n", groups[g].title);
            titled = true;
            printf("  %-22s %s\n", commands[i]->name, commands[i]->summary);
        }
    }
    printf("\n`slipway COMMAND --help` says more.\n");
}

int main(int argc, char **argv)
{
    setlocale(LC_ALL, "");
    signal(SIGPIPE, SIG_IGN);

    if (argc < 2 || g_str_equal(argv[1], "help") || g_str_equal(argv[1], "--help") ||
        g_str_equal(argv[1], "-h")) {
        print_help();
        return argc < 2 ? EXIT_STATUS_USAGE : EXIT_STATUS_DONE;
    }
    if (g_str_equal(argv[1], "--version")) {
        printf("slipway %s\n", SLIPWAY_VERSION);
        return EXIT_STATUS_DONE;
    }
    const Command *command = NULL;
    int words = 0;
    for (size_t i = 0; i < G_N_ELEMENTS(commands); i++) {
        int n = match(commands[i], argc - 1, argv + 1);
        if (n > words) {
            words = n;
            command = commands[i];
        }
    }
    if (command == NULL) {
        fprintf(stderr, "slipway: unknown command '%s'; `slipway help` lists them\n", argv[1]);
        return EXIT_STATUS_USAGE;
    }
    g_autoptr(GError) error = NULL;
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
