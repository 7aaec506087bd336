/* pipeline.h - a pipeline as plain data: jobs, steps and the values their file gives.
 *
 * Dialects fill it, the engine runs it. Values keep their expressions as text (`${{ … }}`): the
 * model knows neither their grammar nor their meaning. */
#pragma once

#include <glib.h>
#include <stdbool.h>

typedef enum {
    PIPELINE_NULL,
    PIPELINE_BOOLEAN,
    PIPELINE_NUMBER,
    PIPELINE_STRING,
    PIPELINE_SEQUENCE,
    PIPELINE_MAPPING,
} PipelineValueKind;

/* A value of the file with its place. Keys of a mapping are values too (their text counts). */
typedef struct PipelineValue PipelineValue;
struct PipelineValue {
    PipelineValueKind kind;
    bool boolean;
    bool expression; /* string that holds at least one ${{ */
    double number;
    char *text;       /* scalar: as written */
    GPtrArray *keys;  /* mapping: PipelineValue *, in file order */
    GPtrArray *items; /* sequence items or mapping values */
    int line, column; /* from 1 */
};

PipelineValue *pipeline_value_new(PipelineValueKind kind, int line, int column);
PipelineValue *pipeline_value_new_text(const char *text, int line, int column);
void pipeline_value_free(PipelineValue *value);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PipelineValue, pipeline_value_free)

/* The value at KEY of a mapping, ignoring case; NULL when there is none or VALUE is no mapping
 * (VALUE may be NULL). */
const PipelineValue *pipeline_value_get(const PipelineValue *value, const char *key);
/* The text of a scalar; NULL for anything else. */
const char *pipeline_value_text(const PipelineValue *value);
size_t pipeline_value_length(const PipelineValue *value); /* items or pairs; 0 for scalars */

typedef enum {
    PIPELINE_STEP_RUN,
    PIPELINE_STEP_USES,
    PIPELINE_STEP_WAIT,     /* targets: step ids */
    PIPELINE_STEP_WAIT_ALL, /* all background steps so far */
    PIPELINE_STEP_CANCEL,   /* targets: one step id */
    PIPELINE_STEP_PARALLEL, /* children, started together, all awaited */
} PipelineStepKind;

/* NULL members were not given. */
typedef struct {
    PipelineStepKind kind;
    char *id; /* as given, or made: "__run", "__actions_checkout", "__run_2" */
    bool id_given;
    PipelineValue *name;
    PipelineValue *condition; /* `if` */
    PipelineValue *run;
    char *uses;
    PipelineValue *with; /* mapping */
    PipelineValue *env;  /* mapping, or an expression that gives one */
    PipelineValue *shell, *working_directory;
    PipelineValue *continue_on_error, *timeout_minutes;
    bool background;
    char **targets;
    GPtrArray *children; /* PipelineStep * */
    int line, column;
} PipelineStep;

typedef struct {
    char *id;
    PipelineValue *name;
    char **needs;             /* never NULL; as written in the file, known jobs only */
    PipelineValue *condition; /* `if` */
    PipelineValue *runs_on;
    PipelineValue *environment, *concurrency, *permissions;
    PipelineValue *env, *outputs, *defaults;
    PipelineValue *strategy; /* mapping: matrix, fail-fast, max-parallel; or an expression */
    PipelineValue *timeout_minutes, *cancel_timeout_minutes, *continue_on_error;
    PipelineValue *container, *services;
    GPtrArray *steps; /* PipelineStep * */
    char *uses;       /* a call of another pipeline file; then no steps */
    PipelineValue *with, *secrets;
    int line, column;
} PipelineJob;

typedef struct {
    char *name;              /* "push" */
    PipelineValue *settings; /* mapping of filters, or NULL */
    int line, column;
} PipelineTrigger;

typedef struct {
    char *file; /* for messages and GITHUB_WORKFLOW_REF */
    char *name; /* the file's `name`, or FILE */
    PipelineValue *run_name;
    GPtrArray *triggers; /* PipelineTrigger * */
    PipelineValue *permissions, *env, *defaults, *concurrency;
    GPtrArray *jobs;                                          /* PipelineJob *, in file order */
    PipelineValue *call_inputs, *call_outputs, *call_secrets; /* of workflow_call */
    PipelineValue *dispatch_inputs;                           /* of workflow_dispatch */
    GHashTable *job_index; /* lower-case id → PipelineJob *, borrowed; see pipeline_index */
} Pipeline;

Pipeline *pipeline_new(const char *file);
/* To be called once its jobs are complete: makes them quick to find. */
void pipeline_index(Pipeline *pipeline);
void pipeline_free(Pipeline *pipeline);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Pipeline, pipeline_free)

PipelineJob *pipeline_job_new(const char *id);
void pipeline_job_free(PipelineJob *job);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PipelineJob, pipeline_job_free)
PipelineStep *pipeline_step_new(PipelineStepKind kind);
void pipeline_step_free(PipelineStep *step);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PipelineStep, pipeline_step_free)
PipelineTrigger *pipeline_trigger_new(const char *name);
void pipeline_trigger_free(PipelineTrigger *trigger);

/* The job ID names, ignoring case; NULL when there is none. Borrowed. */
const PipelineJob *pipeline_find_job(const Pipeline *pipeline, const char *id);
const PipelineTrigger *pipeline_find_trigger(const Pipeline *pipeline, const char *event);
