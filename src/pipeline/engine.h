/* engine.h - the moving parts of one run. Private to this room.
 *
 *   Engine      one run: its contexts, its lock, its jobs
 *   Node        one job of the file: waits for its needs, becomes rows
 *   Row         one row of its matrix (or its only one): a thread while it runs
 *   Job         a row that runs: root, folders, environment, status
 *   Scope       the steps of a job, or of a composite action within it
 *
 * The lock guards Node and Row; a Job and its scopes belong to their thread. */
#pragma once

#include "expr/value.h"
#include "model/finding.h"
#include "model/pipeline.h"
#include "pipeline/evaluation.h"
#include "pipeline/job_root.h"
#include "pipeline/mask.h"
#include "pipeline/output.h"
#include "pipeline/run.h"

typedef enum {
    RESULT_NONE,
    RESULT_SUCCESS,
    RESULT_FAILURE,
    RESULT_CANCELLED,
    RESULT_SKIPPED
} Result;
const char *result_name(Result result);

typedef struct Engine Engine;
typedef struct Node Node;
typedef struct Row Row;
typedef struct Job Job;
typedef struct Scope Scope;

struct Row {
    Node *node;
    ExprValue *matrix, *strategy;
    char *name; /* as shown */
    int number; /* among all rows of the run, from 1: names its folder */
    bool continue_on_error;
    bool started, ended, left_out;
    volatile int cancelled;
    Result result;
    char *reason, *root;
    ExprValue *outputs;
    int64_t started_at, ended_at;
    int steps_run;
    GThread *thread;
};

struct Node {
    Engine *engine;
    const PipelineJob *job;
    GPtrArray *needs; /* Node *, borrowed */
    /* Of all it needs, directly or not: known once these have ended. */
    bool all_succeeded, any_failed;
    GPtrArray *rows; /* Row * */
    bool wanted;     /* false: outside of what was asked for */
    bool decided, ended;
    bool fail_fast;
    unsigned max_parallel;
    Result result;
    char *reason;
    ExprValue *outputs;
};

struct Engine {
    const PipelineRunSpec *spec;
    State *state;
    char *run_id, *folder; /* runs/ID */
    Pipeline *pipeline;
    Engine *caller;     /* of a called pipeline; NULL: the run itself */
    const char *prefix; /* "caller / " before job names; "" */
    ExprValue *github, *inputs, *vars, *secrets;
    ExprValue *base_env; /* of the spec */
    Mask *mask;
    GPtrArray *nodes;
    GHashTable *node_of; /* PipelineJob * → Node *, borrowed */
    GPtrArray *findings;
    EventSink *sink;
    GMutex lock;
    GCond changed;
    unsigned running, limit;
    int rows_made;
    int depth; /* of calls */
    volatile int cancelled;
};

struct Scope {
    Job *job;
    Scope *parent;             /* NULL: the job's own steps */
    ExprValue *steps;          /* the steps context */
    ExprValue *inputs;         /* of a composite action; NULL: the run's */
    ExprValue *env;            /* what the caller's step sets for a composite; NULL: nothing */
    const char *action_folder; /* inside; NULL */
    bool failed;               /* a step of this scope failed */
    int depth;
};

struct Job {
    Engine *engine;
    Row *row;
    const PipelineJob *job;
    JobRoot *root;
    EvaluationState state;
    ExprValue *github, *runner, *context, *needs;
    ExprValue *env;       /* root and job env, evaluated; keys by case */
    GHashTable *file_env; /* GITHUB_ENV so far */
    GPtrArray *paths;     /* GITHUB_PATH so far, the latest last */
    GPtrArray *posts;     /* Post *: what runs at the end, last registered first */
    char *folder;         /* of this machine */
    char *work;           /* of this machine: mounted at INSIDE */
    int work_fd;          /* what steps can reach is opened below it, never by path */
    char *workspace;      /* of this machine */
    char *hand_over;      /* of this machine: /run/slipway/hand-over inside, read-only */
    char *inside;         /* "/home/runner/work" */
    char *workspace_inside, *temp_inside, *home;
    int files;                       /* made so far in the job's temporary folder */
    char *default_shell;             /* "bash -e" or "sh -e" */
    char *shell, *working_directory; /* defaults.run; NULL */
    int steps;                       /* numbered for their logs */
    bool failed;
    gint64 deadline; /* monotonic µs; 0: none */
    bool timed_out, cancel_seen;
};

/* A post step: runs when the job ends. */
typedef struct {
    void (*run)(Job *job, void *data);
    void *data;
    GDestroyNotify free;
    char *name;
} Post;

/* -- run.c */
Engine *engine_new(const PipelineRunSpec *spec, State *state, const char *run_id,
                   const char *folder, Pipeline *pipeline);
void engine_free(Engine *engine);
/* Runs all nodes to their end. */
void engine_run(Engine *engine);
Result engine_result(const Engine *engine);
/* The needs of NODE have ended: it is skipped, fails, or gets its rows. */
void engine_decide(Node *node);
/* Contexts of the whole run; true: `on` lets it run, else *REASON says why not. */
bool engine_set_contexts(Engine *engine, GError **error);
bool engine_mark_wanted(Engine *engine, GError **error);
bool engine_fires(const Engine *engine, char **reason);
void engine_event(Engine *engine, const char *type, json_t *fields);
void engine_finding(Engine *engine, Severity severity, const char *rule, const char *path, int line,
                    int column, const char *message);

/* -- called.c: a job that calls another file. Sets ROW's result and outputs. */
void called_run(Row *row);

/* -- job.c: on the row's thread. Sets ROW's result and outputs. */
void job_run(Row *row);
/* Contexts for expressions of NODE's own keys. */
ExprValue *node_contexts(const Node *node);
ExprValue *row_contexts(const Row *row);
/* All contexts of a step in SCOPE with ENV on top of the job's. */
ExprValue *scope_contexts(Scope *scope, ExprValue *step_env);

/* -- step_run.c */
/* Runs STEPS of SCOPE one after the other. */
void steps_run(Scope *scope, const GPtrArray *steps);

/* What runs one step: its name, log and output; shared by run steps, answers and composites. */
typedef struct {
    Scope *scope;
    const PipelineStep *step;
    char *name;
    ExprValue *env;      /* the step's own, evaluated */
    ExprValue *contexts; /* with that env */
    ExprValue *outputs;
    int timeout_ms;
    Output *output;
    int log_fd;
    char *stop_token; /* after stop-commands */
    unsigned annotations[3];
    bool late; /* began after the cancel: its end is its own */
    bool timed_out, cancelled;
} StepRun;

/* Runs ARGV as this step would: environment, command files, masks. */
bool step_execute(StepRun *run, const char *const *argv, const char *folder, GHashTable *extra,
                  int *status, GError **error);
void step_log(StepRun *run, const char *format, ...) G_GNUC_PRINTF(2, 3);
void step_set_output(StepRun *run, const char *name, const char *value);
void step_set_env(Job *job, const char *name, const char *value);
void step_add_path(Job *job, const char *folder);
/* The step's environment as it would run: name → value. */
GHashTable *step_environment(StepRun *run);

/* -- uses.c: a `uses` step. false: it failed, with the error's text. */
bool uses_run(StepRun *run, GError **error);
/* -- composite.c */
bool composite_run(StepRun *run, const char *folder, const char *folder_inside, GError **error);
