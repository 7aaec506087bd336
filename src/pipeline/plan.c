#include "pipeline/plan.h"

#include "base/error.h"
#include "dialect/github/workflow.h"
#include "expr/template.h"
#include "pipeline/engine.h"

#include <string.h>

/* Does a text of VALUE, however deep, name CONTEXT in an expression? */
static bool names_context(const PipelineValue *value, const char *context)
{
    if (value == NULL)
        return false;
    for (guint i = 0; value->items != NULL && i < value->items->len; i++)
        if (names_context(value->items->pdata[i], context) ||
            (value->keys != NULL && names_context(value->keys->pdata[i], context)))
            return true;
    if (!value->expression)
        return false;
    const ExprNames names = {.functions = evaluation_functions};
    g_autoptr(Template) template = template_parse(value->text, &names, NULL);
    for (guint i = 0; template != NULL && i < template->pieces->len; i++) {
        const TemplatePiece *piece = template->pieces->pdata[i];
        if (piece->expression != NULL && expression_uses(piece->expression, context))
            return true;
    }
    return false;
}

/* The same for a condition, whose braces may be left out. */
static bool condition_names(const PipelineValue *condition, const char *const *contexts)
{
    if (condition == NULL || condition->text == NULL)
        return false;
    g_autofree char *text = evaluate_condition_text(condition);
    g_autofree char *braced = condition->expression && strstr(text, "${{") != NULL
                                  ? g_strdup(text)
                                  : g_strdup_printf("${{ %s }}", text);
    g_autoptr(PipelineValue) value = pipeline_value_new_text(braced, 1, 1);
    for (; *contexts != NULL; contexts++)
        if (names_context(value, *contexts))
            return true;
    return false;
}

/* -- steps ------------------------------------------------------------------------------------ */

static const char *step_label(const PipelineStep *step)
{
    if (step->name != NULL && step->name->text != NULL)
        return step->name->text;
    if (step->uses != NULL)
        return step->uses;
    return step->run != NULL ? step->run->text : step->id;
}

typedef enum { PLAN_NO, PLAN_YES, PLAN_LATER } PlanAnswer;

/* Would it run after steps that succeeded, and after one that failed? */
static PlanAnswer step_answer(const PipelineStep *step, ExprValue *contexts, const char **reason)
{
    EvaluationState good = {.success = true}, bad = {.failure = true};
    const ExprScope after_good = {contexts, evaluation_functions, &good};
    const ExprScope after_bad = {contexts, evaluation_functions, &bad};
    bool runs = false, runs_then = false;
    if (!evaluate_condition(step->condition, &after_good, &runs, NULL) ||
        !evaluate_condition(step->condition, &after_bad, &runs_then, NULL)) {
        *reason = "its condition can be evaluated only when its job runs";
        return PLAN_LATER;
    }
    if (runs) {
        *reason = runs_then ? "its condition holds" : "its condition holds while no step fails";
        return PLAN_YES;
    }
    *reason = runs_then ? "only after a step that failed" : "its condition is false";
    return runs_then ? PLAN_LATER : PLAN_NO;
}

static json_t *plan_step(const PipelineStep *step, ExprValue *contexts)
{
    static const char *const later[] = {"steps", "env", "job", "runner", NULL};
    g_autofree char *label = g_strdup(step_label(step));
    label[strcspn(label, "\r\n")] = '\0';
    g_autofree char *condition = evaluate_condition_text(step->condition);
    json_t *entry =
        json_pack("{s:s, s:s, s:s}", "id", step->id, "name", label, "condition", condition);
    const char *reason;
    PlanAnswer answer = PLAN_LATER;
    if (condition_names(step->condition, later))
        reason = "known when its job runs";
    else
        answer = step_answer(step, contexts, &reason);
    json_object_set_new(entry, "runs",
                        answer == PLAN_LATER ? json_null() : json_boolean(answer == PLAN_YES));
    json_object_set_new(entry, "reason", json_string(reason));
    return entry;
}

static json_t *plan_steps(const Node *node)
{
    json_t *steps = json_array();
    g_autoptr(ExprValue) contexts =
        node->rows->len > 0 ? row_contexts(node->rows->pdata[0]) : node_contexts(node);
    for (guint i = 0; i < node->job->steps->len; i++)
        json_array_append_new(steps, plan_step(node->job->steps->pdata[i], contexts));
    return steps;
}

/* -- jobs ------------------------------------------------------------------------------------- */

static json_t *plan_rows(const Node *node)
{
    json_t *rows = json_array();
    for (guint i = 0; i < node->rows->len; i++) {
        const Row *row = node->rows->pdata[i];
        json_t *matrix = row->matrix != NULL ? expr_to_json(row->matrix) : json_null();
        json_array_append_new(rows, json_pack("{s:s, s:o}", "name", row->name, "matrix", matrix));
    }
    return rows;
}

static json_t *plan_job(const Node *node, PlanAnswer runs, bool rows_known)
{
    const PipelineJob *job = node->job;
    g_autofree char *condition = evaluate_condition_text(job->condition);
    const char *name = node->rows->len == 1 ? ((Row *) node->rows->pdata[0])->name : job->id;
    json_t *needs = json_array();
    for (char **need = job->needs; *need != NULL; need++)
        json_array_append_new(needs, json_string(*need));
    json_t *answer = runs == PLAN_LATER ? json_null() : json_boolean(runs == PLAN_YES);
    return json_pack("{s:s, s:s, s:o, s:s, s:o, s:s, s:o, s:o}", "id", job->id, "name", name,
                     "needs", needs, "condition", condition, "runs", answer, "reason", node->reason,
                     "rows", rows_known ? plan_rows(node) : json_null(), "steps", plan_steps(node));
}

static PlanAnswer answer_of(Node *node, GHashTable *later, bool *rows_known)
{
    static const char *const needs[] = {"needs", NULL};
    *rows_known = true;
    if (!node->wanted) {
        node->reason = g_strdup("its file does not run for this event");
        node->result = RESULT_SKIPPED;
        return PLAN_NO;
    }
    for (guint i = 0; i < node->needs->len; i++)
        if (g_hash_table_contains(later, node->needs->pdata[i])) {
            node->reason = g_strdup_printf("it needs '%s', of which only the run can tell",
                                           ((Node *) node->needs->pdata[i])->job->id);
            *rows_known = false;
            return PLAN_LATER;
        }
    if (condition_names(node->job->condition, needs)) {
        node->reason = g_strdup("its condition asks for results of what it needs");
        *rows_known = false;
        return PLAN_LATER;
    }
    *rows_known = !names_context(node->job->strategy, "needs");
    if (!*rows_known) {
        node->reason = g_strdup("its matrix is made of what it needs");
        return PLAN_LATER;
    }
    engine_decide(node);
    if (!node->ended) {
        node->reason =
            g_strdup(node->needs->len > 0 ? "its condition holds when what it needs succeeds"
                                          : "its condition holds");
        node->result = RESULT_SUCCESS;
        return PLAN_YES;
    }
    return PLAN_NO;
}

/* Jobs in the order of the file, decided in the order of their needs. */
static json_t *plan_jobs(Engine *engine)
{
    g_autoptr(GHashTable) later = g_hash_table_new(NULL, NULL);
    guint count = engine->nodes->len;
    g_autofree json_t **entries = g_new0(json_t *, count);
    for (guint done = 0; done < count;)
        for (guint i = 0; i < count; i++) {
            Node *node = engine->nodes->pdata[i];
            bool ready = entries[i] == NULL;
            for (guint k = 0; k < node->needs->len && ready; k++)
                ready = ((Node *) node->needs->pdata[k])->ended;
            if (!ready)
                continue;
            bool rows_known;
            PlanAnswer runs = answer_of(node, later, &rows_known);
            if (runs == PLAN_LATER)
                g_hash_table_add(later, node);
            entries[i] = plan_job(node, runs, rows_known);
            node->ended = true;
            done++;
        }
    json_t *jobs = json_array();
    for (guint i = 0; i < count; i++)
        json_array_append_new(jobs, entries[i]);
    return jobs;
}

static json_t *plan_engine(Engine *engine, GError **error)
{
    if (!engine_set_contexts(engine, error) || !engine_mark_wanted(engine, error))
        return NULL;
    g_autofree char *reason = NULL;
    bool runs = engine_fires(engine, &reason);
    const char *event = engine->spec->event_name != NULL ? engine->spec->event_name : "push";
    if (!runs)
        for (guint i = 0; i < engine->nodes->len; i++)
            ((Node *) engine->nodes->pdata[i])->wanted = false;
    return json_pack("{s:s, s:s, s:s, s:b, s:s, s:o}", "file", engine->pipeline->file, "name",
                     engine->pipeline->name, "event", event, "runs", runs, "reason",
                     reason != NULL ? reason : "it was asked for", "jobs", plan_jobs(engine));
}

json_t *pipeline_plan(const PipelineRunSpec *spec, GError **error)
{
    g_autoptr(GPtrArray) findings = findings_new();
    g_autoptr(Pipeline) pipeline = workflow_read(spec->file, spec->text, spec->length, findings);
    if (pipeline == NULL) {
        g_autofree char *text = workflow_findings_text(findings);
        g_set_error_literal(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID, text);
        return NULL;
    }
    Engine *engine = engine_new(spec, NULL, "plan", "", pipeline);
    engine->mask = mask_new();
    engine->findings = findings_new();
    json_t *plan = plan_engine(engine, error);
    engine_free(engine);
    return plan;
}
