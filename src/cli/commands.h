/* commands.h - the table of subcommands, one row each in commands.def. */
#pragma once

#include "cli/command.h"

#define COMMAND(symbol) extern const Command symbol;
#include "cli/commands.def"
#undef COMMAND
