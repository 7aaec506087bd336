/* command.h - what a subcommand is. The dispatcher, help, man page and completions are generated
 * from these rows; a command never knows the dispatcher. */
#pragma once

#include "base/exit_status.h"

#include <glib.h>
#include <stdbool.h>

typedef struct {
    const char *name;     /* "build"; two words for a nested one: "registry serve" */
    const char *group;    /* of command_groups, or "internal" */
    const char *operands; /* "[DIR]"; NULL for none */
    const char *summary;  /* one line, imperative, lower case, no full stop */
    /* Parses its own options with command_parse and answers with a status of the table. Errors
     * go into ERROR; the dispatcher prints them as "slipway NAME: text" and maps their status. */
    int (*run)(int argc, char **argv, GError **error);
} Command;

/* Parses options anywhere in ARGV (argv[0] is the command's name); what is left stays in *ARGC
 * and *ARGV. No abbreviations; `--` ends options. false with a GOption error (status 2).
 * `--help` prints and exits 0. */
bool command_parse(const Command *command, const GOptionEntry *entries, int *argc, char ***argv,
                   GError **error);

/* Calls EACH for every option COMMAND has, without running it: the rows stand in its own run. */
typedef void (*CommandOptionVisitor)(const GOptionEntry *option, void *data);
void command_visit_options(const Command *command, CommandOptionVisitor each, void *data);

/* A usage error (status 2). Returns EXIT_STATUS_USAGE. */
int command_usage_error(GError **error, const char *format, ...) G_GNUC_PRINTF(2, 3);
