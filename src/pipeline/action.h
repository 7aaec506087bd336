/* action.h - what `uses:` may mean: a table of answers that is handed down to the engine.
 *
 * An answer runs in the engine's process, on the job's thread, for the length of one step. It sees
 * the job's folders through the call only. */
#pragma once

#include <glib.h>
#include <jansson.h>
#include <stdbool.h>

typedef struct PipelineRunSpec PipelineRunSpec;

typedef struct ActionCall ActionCall;
struct ActionCall {
    const char *name, *ref; /* "actions/checkout", "v4" */
    const PipelineRunSpec *run;
    GHashTable *inputs;      /* lower-case name → value; with `with:` evaluated */
    GHashTable *environment; /* the step's; name → value */
    const json_t *github;    /* the github context */
    const char *job;         /* the job's name as shown */
    const char *workspace;   /* GITHUB_WORKSPACE, as a step sees it */
    const char *temp;        /* RUNNER_TEMP, as a step sees it */
    /* A folder of this machine, and where steps see it, read-only. What an answer makes is handed
     * over here and copied on by `execute`: the job's own folders may hold links that lead
     * anywhere and are never written from outside. */
    const char *hand_over, *hand_over_inside;
    const char *run_folder; /* of this machine; stays when the run has ended */
    bool job_succeeded;     /* so far */
    bool post;              /* called again at the job's end, because it asked for it */

    /* Filled by the engine; each takes effect as the command file of its name would. */
    void (*log)(ActionCall *call, const char *line);
    void (*set_output)(ActionCall *call, const char *name, const char *value);
    void (*set_env)(ActionCall *call, const char *name, const char *value);
    void (*add_path)(ActionCall *call, const char *folder);
    void (*add_mask)(ActionCall *call, const char *value);
    /* Asks to be called again with `post` set when the job ends. */
    void (*ask_post)(ActionCall *call);
    /* Copies the file PATH (as a step sees it, below RUNNER_TEMP) to TARGET on this machine. */
    bool (*collect)(ActionCall *call, const char *path, const char *target, GError **error);
    /* Runs ARGV inside the job as a step would; its output is logged, or kept in *OUTPUT. */
    bool (*execute)(ActionCall *call, const char *const *argv, char **output, int *status,
                    GError **error);
};

typedef struct {
    const char *name;          /* "actions/checkout" or "owner/repo/path"; lower case */
    const char *const *inputs; /* the names it understands, NULL-terminated; others are warned of */
    /* false fails the step with the error's text. */
    bool (*run)(ActionCall *call, GError **error);
} Action;

/* The value of input NAME (lower case), or OTHERWISE where it is missing or empty. */
const char *action_input(const ActionCall *call, const char *name, const char *otherwise);
/* true|True|TRUE or false|False|FALSE; INVALID for anything else. */
bool action_input_boolean(const ActionCall *call, const char *name, bool otherwise, bool *value,
                          GError **error);
