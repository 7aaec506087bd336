/* called.c - a job that is another file of the same repository. */
#include "base/error.h"
#include "base/file.h"
#include "dialect/github/workflow.h"
#include "pipeline/context.h"
#include "pipeline/engine.h"

#include <fcntl.h>
#include <string.h>

#define CALLS_LIMIT 10

static void fail(Row *row, const char *message)
{
    const PipelineJob *job = row->node->job;
    row->result = RESULT_FAILURE;
    row->reason = g_strdup(message);
    engine_finding(row->node->engine, SEVERITY_ERROR, "workflow-call",
                   row->node->engine->pipeline->file, job->line, job->column, message);
}

static Pipeline *read_called(const Row *row, GError **error)
{
    const Engine *engine = row->node->engine;
    const char *uses = row->node->job->uses;
    const char *root = engine->spec->repository_folder;
    if ((!g_str_has_prefix(uses, "./") && !g_str_has_prefix(uses, "$/")) || strstr(uses, "..")) {
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID,
                    "'%s': only files of this repository ('./.github/workflows/FILE') are called",
                    uses);
        return NULL;
    }
    if (engine->depth + 1 > CALLS_LIMIT) {
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID,
                    "'%s': files call one another more than %d levels deep", uses, CALLS_LIMIT);
        return NULL;
    }
    g_autofree char *path = g_build_filename(root != NULL ? root : ".", uses + 2, NULL);
    size_t length;
    g_autofree char *text = file_read(AT_FDCWD, path, WORKFLOW_LIMIT, &length, error);
    if (text == NULL)
        return NULL;
    g_autoptr(GPtrArray) findings = findings_new();
    g_autoptr(Pipeline) pipeline = workflow_read(uses + 2, text, length, findings);
    if (pipeline == NULL) {
        g_autofree char *words = workflow_findings_text(findings);
        g_set_error_literal(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID, words);
        return NULL;
    }
    if (pipeline_find_trigger(pipeline, "workflow_call") == NULL) {
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID,
                    "%s: it cannot be called: 'on' does not name workflow_call", uses + 2);
        return NULL;
    }
    return g_steal_pointer(&pipeline);
}

/* Inputs, secrets and contexts of the called file; `env` of the caller is not passed. */
static bool set_contexts(Row *row, Engine *called, GError **error)
{
    const Engine *caller = row->node->engine;
    const PipelineJob *job = row->node->job;
    EvaluationState state = {.success = true};
    g_autoptr(ExprValue) contexts = row_contexts(row);
    ExprScope scope = {contexts, evaluation_functions, &state};
    g_autoptr(ExprValue) with = evaluate_value(job->with, &scope, error);
    if (with == NULL)
        return false;
    called->inputs = context_inputs(called->pipeline->call_inputs,
                                    with->kind == EXPR_OBJECT ? with : NULL, error);
    if (called->inputs == NULL)
        return false;
    called->github = expr_ref(caller->github);
    called->vars = expr_ref(caller->vars);
    called->base_env = expr_ref(caller->base_env);
    if (g_strcmp0(pipeline_value_text(job->secrets), "inherit") == 0) {
        called->secrets = expr_ref(caller->secrets);
        return true;
    }
    g_autoptr(ExprValue) secrets = evaluate_value(job->secrets, &scope, error);
    if (secrets == NULL)
        return false;
    called->secrets = secrets->kind == EXPR_OBJECT ? expr_ref(secrets) : expr_object();
    return true;
}

/* The declared outputs, from the context `jobs`. */
static bool take_outputs(Row *row, Engine *called, GError **error)
{
    const PipelineValue *outputs = called->pipeline->call_outputs;
    g_autoptr(ExprValue) contexts = expr_object();
    ExprValue *jobs = expr_object();
    expr_object_set(contexts, "jobs", jobs);
    expr_object_set(contexts, "github", expr_ref(called->github));
    expr_object_set(contexts, "inputs", expr_ref(called->inputs));
    expr_object_set(contexts, "vars", expr_ref(called->vars));
    for (guint i = 0; i < called->nodes->len; i++) {
        const Node *node = called->nodes->pdata[i];
        ExprValue *entry = expr_object();
        expr_object_set(entry, "result", expr_string(result_name(node->result)));
        expr_object_set(entry, "outputs", expr_ref(node->outputs));
        expr_object_set(jobs, node->job->id, entry);
    }
    EvaluationState state = {.success = true};
    ExprScope scope = {contexts, evaluation_functions, &state};
    for (guint i = 0; outputs != NULL && outputs->keys != NULL && i < outputs->keys->len; i++) {
        const PipelineValue *value = pipeline_value_get(outputs->items->pdata[i], "value");
        g_autofree char *text = evaluate_text(value, &scope, error);
        if (value != NULL && text == NULL)
            return false;
        if (text != NULL && text[0] != '\0')
            expr_object_set(row->outputs, pipeline_value_text(outputs->keys->pdata[i]),
                            expr_string(text));
    }
    return true;
}

void called_run(Row *row)
{
    Engine *caller = row->node->engine;
    g_autoptr(GError) error = NULL;
    g_autoptr(Pipeline) pipeline = read_called(row, &error);
    if (pipeline == NULL) {
        fail(row, error->message);
        return;
    }
    Engine *called =
        engine_new(caller->spec, caller->state, caller->run_id, caller->folder, pipeline);
    g_autofree char *prefix = g_strdup_printf("%s / ", row->name);
    called->caller = caller;
    called->prefix = prefix;
    called->depth = caller->depth + 1;
    called->mask = caller->mask;
    called->sink = caller->sink;
    for (guint i = 0; i < called->nodes->len; i++)
        ((Node *) called->nodes->pdata[i])->wanted = true;
    if (!set_contexts(row, called, &error))
        fail(row, error->message);
    else {
        /* While its jobs run, the call itself holds no place among the running ones. */
        g_mutex_lock(&caller->lock);
        caller->running--;
        g_mutex_unlock(&caller->lock);
        engine_run(called);
        g_mutex_lock(&caller->lock);
        caller->running++;
        g_mutex_unlock(&caller->lock);
        row->result = engine_result(called);
        if (!take_outputs(row, called, &error))
            fail(row, error->message);
    }
    engine_free(called);
}
