#include "cli/commands.h"

const Command *const commands[] = {
#define COMMAND(symbol) &symbol,
#include "cli/commands.def"
#undef COMMAND
    NULL,
};

const CommandGroup command_groups[] = {
    {"path", "The path"},
    {"environment", "Environments"},
    {"image", "Images"},
    {"check", "Checks"},
    {"trust", "Trust and record"},
    {"service", "Machine and service"},
    {"plumbing", "Plumbing for scripts"},
    {NULL, NULL},
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

const Command *commands_find(int argc, char **argv, int *words)
{
    const Command *found = NULL;
    *words = 0;
    for (size_t i = 0; commands[i] != NULL; i++) {
        int n = match(commands[i], argc, argv);
        if (n > *words) {
            *words = n;
            found = commands[i];
        }
    }
    return found;
}
