/* run.c - from a file's text to its jobs' results: the graph and who runs when. */
#include "pipeline/run.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "dialect/github/trigger.h"
#include "dialect/github/workflow.h"
#include "pipeline/context.h"
#include "pipeline/engine.h"
#include "pipeline/matrix.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define WAKE_US (200 * 1000) /* how often an outside cancel is looked at */

static const char *const result_names[] = {"none", "success", "failure", "cancelled", "skipped"};

const char *result_name(Result result)
{
    return result_names[result];
}

/* -- making ----------------------------------------------------------------------------------- */

static void row_free(gpointer data)
{
    Row *row = data;
    expr_unref(row->matrix);
    expr_unref(row->strategy);
    expr_unref(row->outputs);
    g_free(row->name);
    g_free(row->reason);
    g_free(row->root);
    g_free(row);
}

static void node_free(gpointer data)
{
    Node *node = data;
    g_ptr_array_unref(node->needs);
    g_ptr_array_unref(node->rows);
    expr_unref(node->outputs);
    g_free(node->reason);
    g_free(node);
}

static Node *find_node(const Engine *engine, const char *id)
{
    const PipelineJob *job = pipeline_find_job(engine->pipeline, id);
    return job != NULL ? g_hash_table_lookup(engine->node_of, job) : NULL;
}

static void make_nodes(Engine *engine)
{
    for (guint i = 0; i < engine->pipeline->jobs->len; i++) {
        Node *node = g_new0(Node, 1);
        node->engine = engine;
        node->job = engine->pipeline->jobs->pdata[i];
        node->needs = g_ptr_array_new();
        node->rows = g_ptr_array_new_with_free_func(row_free);
        node->outputs = expr_object();
        node->wanted = engine->spec->only_job == NULL || engine->caller != NULL;
        g_ptr_array_add(engine->nodes, node);
        g_hash_table_insert(engine->node_of, (gpointer) node->job, node);
    }
    for (guint i = 0; i < engine->nodes->len; i++) {
        Node *node = engine->nodes->pdata[i];
        for (char **need = node->job->needs; *need != NULL; need++)
            g_ptr_array_add(node->needs, find_node(engine, *need));
    }
}

Engine *engine_new(const PipelineRunSpec *spec, State *state, const char *run_id,
                   const char *folder, Pipeline *pipeline)
{
    Engine *engine = g_new0(Engine, 1);
    engine->spec = spec;
    engine->state = state;
    engine->run_id = g_strdup(run_id);
    engine->folder = g_strdup(folder);
    engine->pipeline = pipeline;
    engine->prefix = "";
    engine->nodes = g_ptr_array_new_with_free_func(node_free);
    engine->node_of = g_hash_table_new(NULL, NULL);
    engine->limit = spec->parallel > 0 ? spec->parallel : g_get_num_processors();
    g_mutex_init(&engine->lock);
    g_cond_init(&engine->changed);
    make_nodes(engine);
    return engine;
}

void engine_free(Engine *engine)
{
    if (engine == NULL)
        return;
    g_ptr_array_unref(engine->nodes);
    g_hash_table_unref(engine->node_of);
    ExprValue *values[] = {engine->github, engine->inputs, engine->vars, engine->secrets,
                           engine->base_env};
    for (size_t i = 0; i < G_N_ELEMENTS(values); i++)
        expr_unref(values[i]);
    if (engine->caller == NULL) {
        mask_free(engine->mask);
        g_clear_pointer(&engine->findings, g_ptr_array_unref);
    }
    g_free(engine->run_id);
    g_free(engine->folder);
    g_mutex_clear(&engine->lock);
    g_cond_clear(&engine->changed);
    g_free(engine);
}

/* -- events and findings: from any thread ----------------------------------------------------- */

static Engine *outermost(Engine *engine)
{
    while (engine->caller != NULL)
        engine = engine->caller;
    return engine;
}

void engine_event(Engine *engine, const char *type, json_t *fields)
{
    json_t *all = json_pack("{s:s}", "run", engine->run_id);
    if (fields != NULL)
        json_object_update_missing(all, fields);
    json_decref(fields);
    event_emit(engine->sink, type, all);
}

void engine_finding(Engine *engine, Severity severity, const char *rule, const char *path, int line,
                    int column, const char *message)
{
    Engine *first = outermost(engine);
    g_autofree char *masked = mask_text(engine->mask, message);
    g_mutex_lock(&first->lock);
    g_ptr_array_add(first->findings, finding_new(rule, severity, path, line, column, masked));
    g_mutex_unlock(&first->lock);
}

/* -- deciding --------------------------------------------------------------------------------- */

/* Calls VISIT for all that NODE needs, directly or not, each once. */
static void each_ancestor(Node *node, void (*visit)(Node *ancestor, void *user), void *user)
{
    g_autoptr(GHashTable) seen = g_hash_table_new(NULL, NULL);
    g_autoptr(GPtrArray) open = g_ptr_array_new();
    g_ptr_array_add(open, node);
    while (open->len > 0) {
        const Node *next = g_ptr_array_steal_index(open, open->len - 1);
        for (guint i = 0; i < next->needs->len; i++) {
            Node *need = next->needs->pdata[i];
            if (!g_hash_table_add(seen, need))
                continue;
            visit(need, user);
            g_ptr_array_add(open, need);
        }
    }
}

static void add_result(Node *ancestor, void *results)
{
    expr_object_set(results, ancestor->job->id, expr_string(result_name(ancestor->result)));
}

static void set_status(Node *node, EvaluationState *state, ExprValue *results)
{
    node->all_succeeded = true;
    for (guint i = 0; i < node->needs->len; i++) {
        const Node *need = node->needs->pdata[i];
        node->all_succeeded =
            node->all_succeeded && need->all_succeeded && need->result == RESULT_SUCCESS;
        node->any_failed = node->any_failed || need->any_failed || need->result == RESULT_FAILURE;
    }
    state->success = node->all_succeeded && !node->engine->cancelled;
    state->failure = node->any_failed;
    state->cancelled = node->engine->cancelled;
    state->results = results;
    const char *condition = pipeline_value_text(node->job->condition);
    if (condition != NULL && strchr(condition, '(') != NULL) /* success('a') may be asked */
        each_ancestor(node, add_result, results);
}

ExprValue *node_contexts(const Node *node)
{
    const Engine *engine = node->engine;
    ExprValue *contexts = expr_object();
    expr_object_set(contexts, "github", expr_ref(engine->github));
    expr_object_set(contexts, "inputs", expr_ref(engine->inputs));
    expr_object_set(contexts, "vars", expr_ref(engine->vars));
    ExprValue *needs = expr_object();
    for (guint i = 0; i < node->needs->len; i++) {
        const Node *need = node->needs->pdata[i];
        ExprValue *entry = expr_object();
        expr_object_set(entry, "result", expr_string(result_name(need->result)));
        expr_object_set(entry, "outputs", expr_ref(need->outputs));
        expr_object_set(needs, need->job->id, entry);
    }
    expr_object_set(contexts, "needs", needs);
    return contexts;
}

ExprValue *row_contexts(const Row *row)
{
    ExprValue *contexts = node_contexts(row->node);
    expr_object_set(contexts, "strategy", expr_ref(row->strategy));
    expr_object_set(contexts, "matrix", row->matrix != NULL ? expr_ref(row->matrix) : expr_null());
    expr_object_set(contexts, "secrets", expr_ref(row->node->engine->secrets));
    return contexts;
}

static void end_node(Node *node, Result result, char *reason)
{
    node->decided = node->ended = true;
    node->result = result;
    node->reason = reason;
    engine_event(node->engine, "job.ended",
                 json_pack("{s:s, s:s, s:s, s:s*}", "job", node->job->id, "name", node->job->id,
                           "result", result_name(result), "reason", reason));
}

static char *skip_reason(const Node *node, const EvaluationState *state)
{
    if (!node->wanted)
        return g_strdup("not asked for");
    for (guint i = 0; i < node->needs->len && !state->success; i++) {
        const Node *need = node->needs->pdata[i];
        if (need->result != RESULT_SUCCESS)
            return g_strdup_printf("it needs '%s', which ended with %s", need->job->id,
                                   result_name(need->result));
    }
    g_autofree char *condition = evaluate_condition_text(node->job->condition);
    return g_strdup_printf("its condition is false: %s", condition);
}

static bool row_is_wanted(const Engine *engine, const ExprValue *values)
{
    for (const char *const *want = engine->spec->only_matrix;
         want != NULL && *want != NULL && engine->caller == NULL; want++) {
        g_auto(GStrv) pair = g_strsplit(*want, ":", 2);
        const ExprValue *value = pair[1] != NULL ? expr_object_get(values, pair[0]) : NULL;
        g_autofree char *text = value != NULL ? expr_to_text(value) : NULL;
        if (text != NULL && !g_str_equal(text, pair[1]))
            return false;
    }
    return true;
}

static char *cut_name(char *name)
{
    if (g_utf8_strlen(name, -1) <= 100)
        return name;
    g_autofree char *whole = name;
    g_autofree char *cut = g_utf8_substring(whole, 0, 97);
    return g_strconcat(cut, "...", NULL);
}

static Row *add_row(Node *node, const ExprValue *matrix)
{
    Row *row = g_new0(Row, 1);
    row->node = node;
    row->matrix = matrix != NULL ? expr_ref((ExprValue *) matrix) : NULL;
    row->outputs = expr_object();
    row->number = ++outermost(node->engine)->rows_made;
    g_ptr_array_add(node->rows, row);
    return row;
}

/* Name and strategy context of each row, once all are known. */
static bool finish_rows(Node *node, GPtrArray *labels, GError **error)
{
    for (guint i = 0; i < node->rows->len; i++) {
        Row *row = node->rows->pdata[i];
        row->strategy = expr_object();
        expr_object_set(row->strategy, "fail-fast", expr_boolean(node->fail_fast));
        expr_object_set(row->strategy, "job-index", expr_number(i));
        expr_object_set(row->strategy, "job-total", expr_number(node->rows->len));
        expr_object_set(row->strategy, "max-parallel",
                        expr_number(node->max_parallel > 0 ? node->max_parallel : node->rows->len));
        EvaluationState state = {.success = true};
        g_autoptr(ExprValue) contexts = row_contexts(row);
        ExprScope scope = {contexts, evaluation_functions, &state};
        g_autofree char *name = evaluate_text(node->job->name, &scope, error);
        if (node->job->name != NULL && name == NULL)
            return false;
        const char *label = labels->pdata[i];
        bool own = node->job->name != NULL && node->job->name->expression;
        const char *base = name != NULL && name[0] != '\0' ? name : node->job->id;
        g_autofree char *shown =
            label[0] != '\0' && !own ? g_strdup_printf("%s (%s)", base, label) : g_strdup(base);
        row->name = cut_name(g_strconcat(node->engine->prefix, shown, NULL));
        if (!evaluate_boolean(node->job->continue_on_error, &scope, false, &row->continue_on_error,
                              error))
            return false;
    }
    return true;
}

/* Evaluates the strategy of NODE into rows. */
static bool expand(Node *node, GError **error)
{
    EvaluationState state = {.success = true};
    g_autoptr(ExprValue) contexts = node_contexts(node);
    ExprScope scope = {contexts, evaluation_functions, &state};
    g_autoptr(ExprValue) strategy = evaluate_value(node->job->strategy, &scope, error);
    if (strategy == NULL)
        return false;
    const ExprValue *fail_fast = expr_object_get(strategy, "fail-fast");
    const ExprValue *parallel = expr_object_get(strategy, "max-parallel");
    const ExprValue *matrix = expr_object_get(strategy, "matrix");
    node->fail_fast = fail_fast == NULL || expr_is_truthy(fail_fast);
    double most = parallel != NULL ? expr_to_number(parallel) : 0;
    node->max_parallel = most >= 1 && most < 10000 ? (unsigned) most : 0;
    g_autoptr(GPtrArray) labels = g_ptr_array_new_with_free_func(g_free);
    if (matrix == NULL) {
        add_row(node, NULL);
        g_ptr_array_add(labels, g_strdup(""));
        return finish_rows(node, labels, error);
    }
    g_autoptr(GPtrArray) rows = matrix_expand(matrix, error);
    if (rows == NULL)
        return false;
    for (guint i = 0; i < rows->len; i++) {
        const MatrixRow *row = rows->pdata[i];
        if (!row_is_wanted(node->engine, row->values))
            continue;
        add_row(node, row->values);
        g_ptr_array_add(labels, g_strdup(row->label));
    }
    return finish_rows(node, labels, error);
}

/* All its needs have ended: it runs, is skipped, or fails. */
void engine_decide(Node *node)
{
    g_autoptr(GError) error = NULL;
    EvaluationState state = {0};
    g_autoptr(ExprValue) results = expr_object();
    set_status(node, &state, results);
    g_autoptr(ExprValue) contexts = node_contexts(node);
    ExprScope scope = {contexts, evaluation_functions, &state};
    bool runs = false;
    if (node->wanted && !evaluate_condition(node->job->condition, &scope, &runs, &error)) {
        end_node(node, RESULT_FAILURE, g_strdup(error->message));
        return;
    }
    if (!runs) {
        Result result = node->engine->cancelled ? RESULT_CANCELLED : RESULT_SKIPPED;
        end_node(node, result, skip_reason(node, &state));
        return;
    }
    if (!expand(node, &error)) {
        end_node(node, RESULT_FAILURE, g_strdup(error->message));
        return;
    }
    if (node->rows->len == 0)
        end_node(node, RESULT_SKIPPED, g_strdup("no row of its matrix was asked for"));
    node->decided = true;
}

/* -- running ---------------------------------------------------------------------------------- */

static void cancel_row(Row *row)
{
    row->cancelled = 1;
    if (row->started)
        return;
    row->ended = true;
    row->result = RESULT_CANCELLED;
}

static gpointer row_main(gpointer data)
{
    Row *row = data;
    Node *node = row->node;
    Engine *engine = node->engine;
    row->started_at = clock_now_ns();
    engine_event(engine, "job.started",
                 json_pack("{s:s, s:s}", "job", node->job->id, "name", row->name));
    if (node->job->uses != NULL)
        called_run(row);
    else
        job_run(row);
    row->ended_at = clock_now_ns();
    engine_event(engine, "job.ended",
                 json_pack("{s:s, s:s, s:s, s:s*, s:f}", "job", node->job->id, "name", row->name,
                           "result", result_name(row->result), "reason", row->reason, "seconds",
                           (double) (row->ended_at - row->started_at) / 1e9));
    g_mutex_lock(&engine->lock);
    row->ended = true;
    engine->running--;
    bool failed = row->result == RESULT_FAILURE && !row->continue_on_error;
    for (guint i = 0; failed && node->fail_fast && i < node->rows->len; i++) {
        Row *sibling = node->rows->pdata[i];
        if (!sibling->ended && !sibling->continue_on_error)
            cancel_row(sibling);
    }
    g_cond_broadcast(&engine->changed);
    g_mutex_unlock(&engine->lock);
    return NULL;
}

static void start_rows(Node *node)
{
    Engine *engine = node->engine;
    unsigned running = 0;
    for (guint i = 0; i < node->rows->len; i++) {
        const Row *row = node->rows->pdata[i];
        running += row->started && !row->ended;
    }
    for (guint i = 0; i < node->rows->len; i++) {
        Row *row = node->rows->pdata[i];
        if (row->started || row->ended)
            continue;
        /* A call holds no place of its own: the jobs of its file do. */
        bool call = node->job->uses != NULL;
        if ((!call && engine->running >= engine->limit) ||
            (node->max_parallel > 0 && running >= node->max_parallel))
            return;
        row->started = true;
        engine->running += 1;
        running++;
        row->thread = g_thread_new("job", row_main, row);
    }
}

static void finish_node(Node *node)
{
    Result result = RESULT_SUCCESS;
    for (guint i = 0; i < node->rows->len; i++) {
        Row *row = node->rows->pdata[i];
        if (!row->ended)
            return;
        if (row->result == RESULT_FAILURE && !row->continue_on_error)
            result = RESULT_FAILURE;
        else if (row->result == RESULT_CANCELLED && result == RESULT_SUCCESS)
            result = RESULT_CANCELLED;
    }
    if (node->rows->len == 1) {
        const Row *only = node->rows->pdata[0];
        if (only->result == RESULT_SKIPPED)
            result = RESULT_SKIPPED;
    }
    for (guint i = 0; i < node->rows->len; i++) {
        const Row *row = node->rows->pdata[i];
        for (guint k = 0; k < row->outputs->items->len; k++) /* the last one to end wins */
            expr_object_set(node->outputs, row->outputs->keys->pdata[k],
                            expr_ref(row->outputs->items->pdata[k]));
    }
    node->result = result;
    node->ended = true;
}

static bool needs_ended(const Node *node)
{
    for (guint i = 0; i < node->needs->len; i++)
        if (!((Node *) node->needs->pdata[i])->ended)
            return false;
    return true;
}

static void look_at_cancel(Engine *engine)
{
    const volatile int *asked = engine->spec->cancelled;
    bool outer = engine->caller != NULL && engine->caller->cancelled;
    if (engine->cancelled || (!outer && (asked == NULL || *asked == 0)))
        return;
    engine->cancelled = 1;
    for (guint i = 0; i < engine->nodes->len; i++) {
        const Node *node = engine->nodes->pdata[i];
        for (guint k = 0; k < node->rows->len; k++)
            cancel_row(node->rows->pdata[k]);
    }
}

/* One look at every node. true: all have ended. */
static bool advance(Engine *engine)
{
    bool again = true, all = true;
    while (again) {
        again = false;
        all = true;
        for (guint i = 0; i < engine->nodes->len; i++) {
            Node *node = engine->nodes->pdata[i];
            if (!node->decided && needs_ended(node)) {
                engine_decide(node);
                again = true;
            }
            if (node->decided && !node->ended) {
                start_rows(node);
                finish_node(node);
                again = again || node->ended;
            }
            all = all && node->ended;
        }
    }
    return all;
}

void engine_run(Engine *engine)
{
    g_mutex_lock(&engine->lock);
    for (;;) {
        look_at_cancel(engine);
        if (advance(engine))
            break;
        g_cond_wait_until(&engine->changed, &engine->lock, g_get_monotonic_time() + WAKE_US);
    }
    g_mutex_unlock(&engine->lock);
    for (guint i = 0; i < engine->nodes->len; i++) {
        Node *node = engine->nodes->pdata[i];
        for (guint k = 0; k < node->rows->len; k++) {
            Row *row = node->rows->pdata[k];
            if (row->thread != NULL)
                g_thread_join(row->thread);
        }
    }
}

Result engine_result(const Engine *engine)
{
    bool ran = false;
    Result result = RESULT_SUCCESS;
    for (guint i = 0; i < engine->nodes->len; i++) {
        const Node *node = engine->nodes->pdata[i];
        ran = ran || node->result != RESULT_SKIPPED;
        if (node->result == RESULT_FAILURE)
            result = RESULT_FAILURE;
        else if (node->result == RESULT_CANCELLED && result == RESULT_SUCCESS)
            result = RESULT_CANCELLED;
    }
    return ran ? result : RESULT_SKIPPED;
}

/* -- the whole run ---------------------------------------------------------------------------- */

/* Events of several threads, one at a time. */
typedef struct {
    EventSink sink;
    EventSink *next;
    GMutex lock;
} LockedSink;

static void locked_emit(EventSink *sink, json_t *event)
{
    LockedSink *locked = (LockedSink *) sink;
    g_mutex_lock(&locked->lock);
    locked->next->emit(locked->next, event);
    g_mutex_unlock(&locked->lock);
}

static char *make_run_id(void)
{
    g_autoptr(GDateTime) now = g_date_time_new_now_utc();
    g_autofree char *stamp = g_date_time_format(now, "%Y%m%d-%H%M%S");
    return g_strdup_printf("%s-%08x", stamp, g_random_int());
}

static void want(Node *node, void *user)
{
    node->wanted = true;
}

bool engine_mark_wanted(Engine *engine, GError **error)
{
    const char *id = engine->spec->only_job;
    if (id == NULL)
        return true;
    Node *node = find_node(engine, id);
    if (node == NULL) {
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_NOT_FOUND, "%s has no job '%s'",
                    engine->pipeline->file, id);
        return false;
    }
    want(node, NULL);
    each_ancestor(node, want, NULL);
    return true;
}

bool engine_fires(const Engine *engine, char **reason)
{
    const PipelineRunSpec *spec = engine->spec;
    const json_t *event = spec->event;
    const json_t *started = json_object_get(event, "workflow_run");
    const TriggerEvent trigger = {
        .name = spec->event_name != NULL ? spec->event_name : "push",
        .action = json_string_value(json_object_get(event, "action")),
        .ref = spec->base_ref != NULL ? spec->base_ref
               : spec->ref != NULL    ? spec->ref
                                      : "refs/heads/main",
        .workflow = json_string_value(json_object_get(started, "name")),
    };
    return spec->ignore_triggers || trigger_matches(engine->pipeline, &trigger, reason);
}

bool engine_set_contexts(Engine *engine, GError **error)
{
    const PipelineRunSpec *spec = engine->spec;
    engine->github = context_github(spec, engine->run_id, engine->pipeline->name);
    engine->vars = context_texts(spec->vars, false);
    engine->secrets = context_texts(spec->secrets, false);
    engine->base_env = context_texts(spec->env, true);
    for (guint i = 0; i < engine->secrets->items->len; i++)
        mask_add(engine->mask, ((ExprValue *) engine->secrets->items->pdata[i])->string);
    g_autoptr(ExprValue) given =
        spec->inputs != NULL ? expr_from_json(spec->inputs) : expr_object();
    const PipelineValue *declared = engine->pipeline->dispatch_inputs;
    if (declared == NULL)
        declared = engine->pipeline->call_inputs;
    bool asked = g_strcmp0(spec->event_name, "workflow_dispatch") == 0 ||
                 g_strcmp0(spec->event_name, "workflow_call") == 0;
    engine->inputs = context_inputs(asked ? declared : NULL, given, error);
    return engine->inputs != NULL;
}

static PipelineJobResult *job_result(const Node *node, const Row *row)
{
    PipelineJobResult *result = g_new0(PipelineJobResult, 1);
    result->id = g_strdup(node->job->id);
    result->name = g_strdup(row != NULL ? row->name : node->job->id);
    result->result = g_strdup(result_name(row != NULL ? row->result : node->result));
    result->reason = g_strdup(row != NULL ? row->reason : node->reason);
    result->root = g_strdup(row != NULL ? row->root : NULL);
    result->outputs = expr_to_json(row != NULL ? row->outputs : node->outputs);
    result->started_at = row != NULL ? row->started_at : 0;
    result->ended_at = row != NULL ? row->ended_at : 0;
    result->steps_run = row != NULL ? row->steps_run : 0;
    return result;
}

static void job_result_free(gpointer data)
{
    PipelineJobResult *result = data;
    g_free(result->id);
    g_free(result->name);
    g_free(result->result);
    g_free(result->reason);
    g_free(result->root);
    json_decref(result->outputs);
    g_free(result);
}

static PipelineRunResult *collect(Engine *engine, Result outcome)
{
    PipelineRunResult *result = g_new0(PipelineRunResult, 1);
    result->run_id = g_strdup(engine->run_id);
    result->result = g_strdup(result_name(outcome));
    result->findings = g_ptr_array_ref(engine->findings);
    result->jobs = g_ptr_array_new_with_free_func(job_result_free);
    for (guint i = 0; i < engine->nodes->len; i++) {
        const Node *node = engine->nodes->pdata[i];
        for (guint k = 0; k < node->rows->len; k++)
            g_ptr_array_add(result->jobs, job_result(node, node->rows->pdata[k]));
        if (node->rows->len == 0)
            g_ptr_array_add(result->jobs, job_result(node, NULL));
    }
    return result;
}

/* ENGINE is complete but for its contexts. */
static PipelineRunResult *run_whole(Engine *engine, GError **error)
{
    if (!engine_set_contexts(engine, error) || !engine_mark_wanted(engine, error))
        return NULL;
    g_autofree char *reason = NULL;
    engine_event(
        engine, "run.started",
        json_pack("{s:s, s:s}", "name", engine->pipeline->name, "file", engine->pipeline->file));
    Result outcome = RESULT_SKIPPED;
    if (engine_fires(engine, &reason)) {
        engine_run(engine);
        outcome = engine_result(engine);
    } else {
        for (guint i = 0; i < engine->nodes->len; i++) {
            Node *node = engine->nodes->pdata[i];
            node->result = RESULT_SKIPPED;
            node->reason = g_strdup(reason);
        }
    }
    engine_event(engine, "run.ended",
                 json_pack("{s:s, s:s*}", "result", result_name(outcome), "reason",
                           outcome == RESULT_SKIPPED ? reason : NULL));
    return collect(engine, outcome);
}

PipelineRunResult *pipeline_run(const PipelineRunSpec *spec, GError **error)
{
    g_autoptr(GPtrArray) findings = findings_new();
    g_autoptr(Pipeline) pipeline = workflow_read(spec->file, spec->text, spec->length, findings);
    if (pipeline == NULL) {
        g_autofree char *text = workflow_findings_text(findings);
        g_set_error_literal(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID, text);
        return NULL;
    }
    g_autofree char *run_id = spec->run_id != NULL ? g_strdup(spec->run_id) : make_run_id();
    g_autofree char *folder = state_folder(spec->state, error, "runs", run_id, NULL);
    if (folder == NULL)
        return NULL;
    LockedSink sink = {.sink = {locked_emit}, .next = spec->sink};
    g_mutex_init(&sink.lock);
    Engine *engine = engine_new(spec, spec->state, run_id, folder, pipeline);
    engine->mask = mask_new();
    engine->findings = g_steal_pointer(&findings);
    engine->sink = spec->sink != NULL ? &sink.sink : NULL;
    PipelineRunResult *result = run_whole(engine, error);
    engine_free(engine);
    g_mutex_clear(&sink.lock);
    return result;
}

void pipeline_run_result_free(PipelineRunResult *result)
{
    if (result == NULL)
        return;
    g_free(result->run_id);
    g_free(result->result);
    g_ptr_array_unref(result->jobs);
    g_ptr_array_unref(result->findings);
    g_free(result);
}
