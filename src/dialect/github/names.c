#include "dialect/github/names.h"

#include "base/error.h"

const char *const workflow_status_functions[] = {"success", "failure", "cancelled", "always", NULL};

static ExprValue *not_here(void *user, ExprValue *const *a, size_t count, GError **error)
{
    g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INTERNAL,
                "a function of the run was called while reading");
    return NULL;
}

static const ExprFunction hash_files[] = {{"hashFiles", 1, 255, not_here}, {0}};
static const ExprFunction job_status[] = {
    {"always", 0, 0, not_here},
    {"cancelled", 0, 0, not_here},
    {"failure", 0, 255, not_here},
    {"success", 0, 255, not_here},
    {0},
};
static const ExprFunction step_status[] = {
    {"always", 0, 0, not_here},  {"cancelled", 0, 0, not_here},   {"failure", 0, 0, not_here},
    {"success", 0, 0, not_here}, {"hashFiles", 1, 255, not_here}, {0},
};

#define LIST(...) ((const char *const[]){__VA_ARGS__, NULL})
#define BASE "github", "inputs", "vars"
#define ROW BASE, "needs", "strategy", "matrix"

/* Compound literals at file scope live as long as the program. */
static const ExprNames names[PLACE_COUNT] = {
    [PLACE_NONE] = {(const char *const[]){NULL}, NULL},
    [PLACE_RUN_NAME] = {LIST(BASE), NULL},
    [PLACE_ROOT_ENV] = {LIST(BASE, "secrets"), NULL},
    [PLACE_JOB_IF] = {LIST(BASE, "needs"), job_status},
    [PLACE_STRATEGY] = {LIST(BASE, "needs"), NULL},
    [PLACE_JOB] = {LIST(ROW), NULL},
    [PLACE_JOB_ENV] = {LIST(ROW, "secrets"), NULL},
    [PLACE_DEFAULTS] = {LIST(ROW, "env"), NULL},
    [PLACE_CREDENTIALS] = {LIST(ROW, "secrets", "env"), NULL},
    [PLACE_CONTAINER_ENV] = {LIST(ROW, "secrets", "env", "job", "runner"), NULL},
    [PLACE_OUTPUT] = {LIST(ROW, "secrets", "env", "job", "runner", "steps"), NULL},
    [PLACE_ENVIRONMENT_URL] = {LIST(ROW, "env", "job", "runner", "steps"), NULL},
    [PLACE_STEP] = {LIST(ROW, "secrets", "env", "job", "runner", "steps"), hash_files},
    [PLACE_STEP_IF] = {LIST(ROW, "env", "job", "runner", "steps"), step_status},
    [PLACE_CALL_OUTPUT] = {LIST(BASE, "jobs"), NULL},
    [PLACE_ACTION_STEP] = {LIST("github", "inputs", "strategy", "matrix", "env", "job", "runner",
                                "steps"),
                           hash_files},
    [PLACE_ACTION_STEP_IF] = {LIST("github", "inputs", "strategy", "matrix", "env", "job", "runner",
                                   "steps"),
                              step_status},
    [PLACE_ACTION_OUTPUT] = {LIST("github", "inputs", "strategy", "matrix", "env", "job", "runner",
                                  "steps"),
                             hash_files},
    [PLACE_ACTION_INPUT] = {LIST("github", "strategy", "matrix", "job", "runner", "env"),
                            hash_files},
};

const ExprNames *workflow_names(WorkflowPlace place)
{
    return &names[place];
}
