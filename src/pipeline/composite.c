/* composite.c - an action made of steps: a scope of its own within the job. */
#include "base/error.h"
#include "base/fd.h"
#include "base/file.h"
#include "dialect/github/workflow.h"
#include "pipeline/engine.h"

#include <fcntl.h>
#include <string.h>

#define DEPTH_LIMIT 9

/* FILE is below the job's work folder. */
static PipelineAction *read_action(Job *job, const char *file, GError **error)
{
    autofd int fd = file_open_beneath(job->work_fd, file, O_RDONLY | O_NONBLOCK, 0, error);
    size_t length;
    g_autofree char *text = fd >= 0 ? file_read_fd(fd, WORKFLOW_LIMIT, &length, error) : NULL;
    if (text == NULL)
        return NULL;
    g_autoptr(GPtrArray) findings = findings_new();
    PipelineAction *action = workflow_read_action(file, text, length, findings);
    if (action == NULL) {
        g_autofree char *words = workflow_findings_text(findings);
        g_set_error_literal(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID, words);
    }
    return action;
}

/* The inputs of ACTION: what `with` gives, else their defaults. */
static ExprValue *read_inputs(StepRun *run, const PipelineAction *action, GError **error)
{
    Job *job = run->scope->job;
    ExprScope scope = {run->contexts, evaluation_functions, &job->state};
    g_autoptr(ExprValue) with = evaluate_value(run->step->with, &scope, error);
    if (with == NULL)
        return NULL;
    g_autoptr(ExprValue) inputs = expr_object();
    const PipelineValue *declared = action->inputs;
    for (guint i = 0; declared != NULL && declared->keys != NULL && i < declared->keys->len; i++) {
        const PipelineValue *otherwise = pipeline_value_get(declared->items->pdata[i], "default");
        g_autofree char *text =
            otherwise != NULL ? evaluate_text(otherwise, &scope, error) : g_strdup("");
        if (text == NULL)
            return NULL;
        expr_object_set(inputs, pipeline_value_text(declared->keys->pdata[i]), expr_string(text));
    }
    for (guint i = 0; with->kind == EXPR_OBJECT && i < with->items->len; i++) {
        if (expr_object_get(inputs, with->keys->pdata[i]) == NULL)
            step_log(run, "Warning: Unexpected input(s) '%s'", (char *) with->keys->pdata[i]);
        expr_object_set(inputs, with->keys->pdata[i],
                        expr_string_take(expr_to_text(with->items->pdata[i])));
    }
    return g_steal_pointer(&inputs);
}

static bool take_outputs(StepRun *run, Scope *scope, const PipelineAction *action, GError **error)
{
    g_autoptr(ExprValue) contexts = scope_contexts(scope, NULL);
    ExprScope names = {contexts, evaluation_functions, &scope->job->state};
    const PipelineValue *outputs = action->outputs;
    for (guint i = 0; outputs != NULL && outputs->keys != NULL && i < outputs->keys->len; i++) {
        const PipelineValue *value = pipeline_value_get(outputs->items->pdata[i], "value");
        g_autofree char *text = evaluate_text(value, &names, error);
        if (value != NULL && text == NULL)
            return false;
        if (text != NULL)
            step_set_output(run, pipeline_value_text(outputs->keys->pdata[i]), text);
    }
    return true;
}

bool composite_run(StepRun *run, const char *file, const char *folder_inside, GError **error)
{
    Job *job = run->scope->job;
    g_autoptr(PipelineAction) action = read_action(job, file, error);
    if (action == NULL)
        return false;
    if (!g_str_equal(action->using, "composite")) {
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID,
                    "%s: actions with `using: %s` are not run here; composite ones are", file,
                    action->using);
        return false;
    }
    if (run->scope->depth >= DEPTH_LIMIT) {
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID,
                    "%s: composite actions are nested deeper than %d", file, DEPTH_LIMIT);
        return false;
    }
    g_autoptr(ExprValue) inputs = read_inputs(run, action, error);
    if (inputs == NULL)
        return false;
    Scope scope = {
        .job = job,
        .parent = run->scope,
        .steps = expr_object(),
        .inputs = inputs,
        .env = run->env,
        .action_folder = folder_inside,
        .depth = run->scope->depth + 1,
    };
    steps_run(&scope, action->steps);
    bool fine = take_outputs(run, &scope, action, error);
    expr_unref(scope.steps);
    if (fine && scope.failed)
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID, "a step of the action failed");
    return fine && !scope.failed;
}
