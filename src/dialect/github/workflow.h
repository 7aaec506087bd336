/* workflow.h - a GitHub Actions workflow file as a Pipeline.
 *
 * It only reads: conditions stay text, a matrix is not expanded, no called file is opened. */
#pragma once

#include "model/finding.h"
#include "model/pipeline.h"

#define WORKFLOW_LIMIT (1024 * 1024) /* bytes of a file */

/* Reads TEXT. What is wrong with it is added to FINDINGS (rule, path, line, column, message); NULL
 * when one of them is an error. */
Pipeline *workflow_read(const char *file, const char *text, size_t length, GPtrArray *findings);

/* Steps of a composite action: the list at NODE's `steps`. FINDINGS as above. */
typedef struct PipelineAction {
    char *name;
    char *using;            /* composite | docker | node20 … */
    PipelineValue *inputs;  /* mapping: name → {description, required, default} */
    PipelineValue *outputs; /* mapping: name → {value} */
    PipelineValue *runs;    /* the whole `runs` mapping */
    GPtrArray *steps;       /* composite: PipelineStep * */
} PipelineAction;

/* Reads an action.yml. */
PipelineAction *workflow_read_action(const char *file, const char *text, size_t length,
                                     GPtrArray *findings);
void pipeline_action_free(PipelineAction *action);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PipelineAction, pipeline_action_free)

/* "FILE (Line: L, Col: C): MESSAGE" for each of FINDINGS, a line each. */
char *workflow_findings_text(const GPtrArray *findings);
