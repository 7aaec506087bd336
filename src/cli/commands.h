/* commands.h - the table of subcommands, one row each in commands.def, and its groups. Dispatch,
 * help, the man page and the completions read it; a command itself needs only its own row. */
#pragma once

#include "cli/command.h"

#include <stddef.h>

#define COMMAND(symbol) extern const Command symbol;
#include "cli/commands.def"
#undef COMMAND

/* In the order of commands.def; NULL ends it. */
extern const Command *const commands[];

typedef struct {
    const char *name, *title;
} CommandGroup;

/* In the order of help; a NULL name ends it. A command of any other group is for the program
 * itself and shown nowhere. */
extern const CommandGroup command_groups[];

/* The command whose name the first words of ARGV are, the longest that fits, and how many words
 * that was; NULL for none. */
const Command *commands_find(int argc, char **argv, int *words);
