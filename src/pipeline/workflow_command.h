/* workflow_command.h - commands in a step's output: "::error file=a.c,line=3::message" and the old
 * form "##[error file=a.c;line=3]message". Text only. */
#pragma once

#include <glib.h>
#include <stdbool.h>

typedef struct {
    char *name;             /* lower case */
    GHashTable *properties; /* lower-case name → value */
    char *data;
} WorkflowCommand;

/* true: LINE is a command of a known name; clear COMMAND afterwards. */
bool workflow_command_parse(const char *line, WorkflowCommand *command);
const char *workflow_command_property(const WorkflowCommand *command, const char *name);
void workflow_command_clear(WorkflowCommand *command);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(WorkflowCommand, workflow_command_clear)
