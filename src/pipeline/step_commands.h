/* step_commands.h - how a step talks back: command files and commands in its output. Private. */
#pragma once

#include "pipeline/engine.h"

/* The command files of one execution, as paths below the job's work folder. */
typedef struct {
    char *output, *env, *path, *state, *summary;
} StepFiles;

/* Makes them empty and names them in ENVIRONMENT. */
bool step_files_make(StepRun *run, StepFiles *files, GHashTable *environment, GError **error);
/* Reads what the step wrote into RUN and its job, and frees FILES. */
bool step_files_read(StepRun *run, StepFiles *files, GError **error);

/* Writes SCRIPT to a new file of the job; gives its path as the step sees it. */
char *step_write_script(Job *job, const char *script, const char *suffix, GError **error);

/* A raw line of a step's output (user: its StepRun). true: it was a command. */
bool step_command(void *user, const char *line);
