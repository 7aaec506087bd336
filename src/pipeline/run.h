/* run.h - runs one pipeline file to its end: jobs as a graph, each in a fresh root.
 *
 * It decides nothing about gates or evidence; who calls it reads the results. */
#pragma once

#include "base/event.h"
#include "model/finding.h"
#include "oci/content.h"
#include "pipeline/action.h"
#include "sandbox/sandbox.h"
#include "store/state.h"

#include <jansson.h>

struct PipelineRunSpec {
    State *state;        /* logs go to its runs/ID/ */
    ContentStore *store; /* for roots made of images; NULL: host roots only */
    const char *run_id;  /* NULL: one is made */

    const char *file; /* ".github/workflows/ci.yml": for messages and contexts */
    const char *text; /* the file's bytes */
    size_t length;

    /* The repository: a work tree (actions/checkout copies from it, local actions are read from
     * it). COMMIT and REF may be NULL for a folder that is no repository. With UNCOMMITTED the
     * checkout also brings what is changed and not committed. */
    const char *repository_folder;
    const char *repository; /* "owner/name"; NULL: "local/FOLDER" */
    const char *commit;
    const char *ref;                 /* "refs/heads/main" */
    const char *base_ref, *head_ref; /* of pull requests; may be NULL */
    bool uncommitted;
    bool content_only; /* REPOSITORY_FOLDER is the commit's content without .git: checkout copies it
                        */
    const char *actor; /* NULL: "slipway" */

    const char *event_name; /* NULL: "push" */
    const json_t *event;    /* the payload; NULL: {} */
    bool ignore_triggers;   /* run even where `on:` does not match */
    const json_t *inputs;   /* object; of workflow_dispatch and workflow_call; may be NULL */
    const json_t *vars;     /* object of strings; may be NULL */
    const json_t *secrets;  /* object of strings; masked everywhere; may be NULL */
    const json_t *env;      /* object of strings, below the file's own env; may be NULL */

    const char *only_job;           /* run this job and what it needs; NULL: all */
    const char *const *only_matrix; /* "key:value"; rows that differ are left out; may be NULL */

    const char *root_image; /* what every `runs-on` means: an image, or NULL for the host's root */
    SandboxNetwork network; /* of the jobs */
    SandboxLimits limits;   /* of each job */
    unsigned parallel;      /* jobs at once; 0: one a processor */
    bool offline;           /* nothing may be fetched; network NONE */

    const Action *const *actions;  /* NULL-terminated table of answers; may be NULL */
    EventSink *sink;               /* emit is called from one thread at a time */
    const volatile int *cancelled; /* set to non-zero by who wants the run to end; may be NULL */
};

typedef struct {
    char *id;     /* of the file */
    char *name;   /* as shown, with its matrix values */
    char *result; /* success | failure | cancelled | skipped */
    char *reason; /* why it was skipped or failed; may be NULL */
    char *root;   /* "host" or the digest of the image its steps ran in; NULL: never started */
    json_t *outputs;
    int64_t started_at, ended_at; /* ns since 1970; 0: never */
    int steps_run;
} PipelineJobResult;

typedef struct {
    char *run_id;
    char *result;        /* success | failure | cancelled | skipped (no trigger matched) */
    GPtrArray *jobs;     /* PipelineJobResult *, in the order of the file */
    GPtrArray *findings; /* Finding *: annotations and what the reader and the engine found */
} PipelineRunResult;

/* Runs SPEC to its end. NULL only when it could not begin: INVALID when the file is malformed (all
 * its findings in the text), NOT_FOUND for a job that is not there. A failed job is a result. */
PipelineRunResult *pipeline_run(const PipelineRunSpec *spec, GError **error);

void pipeline_run_result_free(PipelineRunResult *result);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PipelineRunResult, pipeline_run_result_free)
