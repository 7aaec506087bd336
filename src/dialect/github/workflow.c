#include "dialect/github/workflow.h"

#include "dialect/github/events.h"
#include "dialect/github/graph.h"
#include "dialect/github/rules.h"

#include <string.h>

static bool is_identifier(const char *id)
{
    if (!g_ascii_isalpha(id[0]) && id[0] != '_')
        return false;
    for (const char *p = id; *p != '\0'; p++)
        if (!g_ascii_isalnum(*p) && *p != '_' && *p != '-')
            return false;
    return strlen(id) < 100;
}

static void check_identifier(Reader *reader, const PipelineValue *id)
{
    if (!is_identifier(id->text))
        reader_error(reader, "id", id->line, id->column,
                     "The identifier '%s' is invalid. IDs may only contain alphanumeric "
                     "characters, '_', and '-'. IDs must start with a letter or '_' and must be "
                     "less than 100 characters.",
                     id->text);
    else if (g_str_has_prefix(id->text, "__"))
        reader_error(reader, "id", id->line, id->column,
                     "The identifier '%s' is invalid. IDs starting with '__' are reserved.",
                     id->text);
}

/* The ids of one list of steps: given ones must be unique, missing ones are made. */
typedef struct {
    GHashTable *taken; /* lower case */
    bool action;       /* steps of a composite action */
} StepScope;

static char *base_id(const PipelineStep *step)
{
    if (step->kind != PIPELINE_STEP_USES)
        return g_strdup("__run");
    const char *uses = step->uses;
    if (uses[0] == '.' || uses[0] == '$')
        return g_strdup("__self");
    if (g_str_has_prefix(uses, "docker://"))
        uses += strlen("docker://");
    g_autofree char *name = g_strndup(uses, strcspn(uses, "@:"));
    for (char *p = name; *p != '\0'; p++)
        if (!g_ascii_isalnum(*p) && *p != '-')
            *p = '_';
    return g_strconcat("__", name, NULL);
}

static void make_id(StepScope *scope, PipelineStep *step)
{
    g_autofree char *base = base_id(step);
    step->id = g_strdup(base);
    for (int n = 2;; n++) {
        if (g_hash_table_add(scope->taken, g_ascii_strdown(step->id, -1)))
            return;
        g_free(step->id);
        step->id = g_strdup_printf("%s_%d", base, n);
    }
}

static void take_id(Reader *reader, StepScope *scope, PipelineStep *step, PipelineValue *mapping)
{
    const PipelineValue *id = pipeline_value_get(mapping, "id");
    if (id == NULL || id->text == NULL || id->text[0] == '\0')
        return;
    check_identifier(reader, id);
    step->id = g_strdup(id->text);
    step->id_given = true;
    if (!g_hash_table_add(scope->taken, g_ascii_strdown(id->text, -1)))
        reader_error(reader, "id", id->line, id->column,
                     "The identifier '%s' may not be used more than once within the same scope.",
                     id->text);
}

static char **text_list(const PipelineValue *value)
{
    g_autoptr(GStrvBuilder) list = g_strv_builder_new();
    if (value != NULL && value->kind == PIPELINE_SEQUENCE) {
        for (guint i = 0; i < value->items->len; i++) {
            const char *text = pipeline_value_text(value->items->pdata[i]);
            if (text != NULL)
                g_strv_builder_add(list, text);
        }
    } else if (value != NULL && value->text != NULL && value->kind != PIPELINE_NULL)
        g_strv_builder_add(list, value->text);
    return g_strv_builder_end(list);
}

static void read_steps(Reader *reader, PipelineValue *list, StepScope *scope, GPtrArray *steps);

static void free_step(gpointer step)
{
    pipeline_step_free(step);
}

static void take_step_fields(Reader *reader, PipelineValue *mapping, PipelineStep *step)
{
    step->name = reader_take(mapping, "name");
    step->condition = reader_take(mapping, "if");
    step->run = reader_take(mapping, "run");
    step->with = reader_take(mapping, "with");
    step->env = reader_take(mapping, "env");
    step->shell = reader_take(mapping, "shell");
    step->working_directory = reader_take(mapping, "working-directory");
    step->continue_on_error = reader_take(mapping, "continue-on-error");
    step->timeout_minutes = reader_take(mapping, "timeout-minutes");
    step->uses = g_strdup(pipeline_value_text(pipeline_value_get(mapping, "uses")));
    const PipelineValue *background = pipeline_value_get(mapping, "background");
    step->background = background != NULL && background->boolean;
}

/* owner/repo[/path]@ref, ./path, $/path or docker://image */
static void check_uses(Reader *reader, const PipelineValue *uses)
{
    const char *text = uses->text;
    if (text == NULL || text[0] == '\0' || g_str_has_prefix(text, "./") ||
        g_str_has_prefix(text, "$/") || g_str_has_prefix(text, "docker://"))
        return;
    const char *at = strchr(text, '@');
    const char *slash = strchr(text, '/');
    if (at == NULL || at[1] == '\0' || slash == NULL || slash == text || slash + 1 >= at)
        reader_error(reader, "action", uses->line, uses->column,
                     "Expected format {owner}/{repo}[/path]@{ref}. Actual '%s'", text);
}

typedef struct {
    const char *key;
    PipelineStepKind kind;
    const Rule *rule, *action_rule; /* NULL: not in a composite action */
} StepForm;

static const StepForm step_forms[] = {
    {"run", PIPELINE_STEP_RUN, &rule_run_step, &rule_action_run_step},
    {"uses", PIPELINE_STEP_USES, &rule_uses_step, &rule_action_uses_step},
    {"wait", PIPELINE_STEP_WAIT, &rule_wait_step, NULL},
    {"wait-all", PIPELINE_STEP_WAIT_ALL, &rule_wait_all_step, NULL},
    {"cancel", PIPELINE_STEP_CANCEL, &rule_cancel_step, NULL},
    {"parallel", PIPELINE_STEP_PARALLEL, &rule_parallel_step, NULL},
};

static const StepForm *step_form(Reader *reader, const PipelineValue *mapping,
                                 const StepScope *scope)
{
    for (size_t i = 0; i < G_N_ELEMENTS(step_forms); i++) {
        const StepForm *form = &step_forms[i];
        if (pipeline_value_get(mapping, form->key) != NULL &&
            (!scope->action || form->action_rule != NULL))
            return form;
    }
    reader_error(reader, "syntax-check", mapping->line, mapping->column,
                 "There's not enough info to determine what you meant. Add one of these "
                 "properties: %s",
                 scope->action ? "run, uses" : "cancel, parallel, run, uses, wait, wait-all");
    return NULL;
}

static void read_step(Reader *reader, PipelineValue *mapping, StepScope *scope, GPtrArray *steps)
{
    if (mapping->kind != PIPELINE_MAPPING) {
        reader_error(reader, "syntax-check", mapping->line, mapping->column,
                     mapping->kind == PIPELINE_SEQUENCE ? "A sequence was not expected"
                                                        : "Unexpected value '%s'",
                     mapping->text);
        return;
    }
    const StepForm *form = step_form(reader, mapping, scope);
    if (form == NULL)
        return;
    checker_check(reader, mapping, scope->action ? form->action_rule : form->rule);
    PipelineStep *step = pipeline_step_new(form->kind);
    g_ptr_array_add(steps, step);
    step->line = mapping->line;
    step->column = mapping->column;
    take_id(reader, scope, step, mapping);
    const PipelineValue *subject = pipeline_value_get(mapping, form->key);
    if (form->kind == PIPELINE_STEP_USES)
        check_uses(reader, subject);
    if (form->kind == PIPELINE_STEP_WAIT || form->kind == PIPELINE_STEP_CANCEL)
        step->targets = text_list(subject);
    if (form->kind == PIPELINE_STEP_PARALLEL) {
        step->children = g_ptr_array_new_with_free_func(free_step);
        PipelineValue *children = reader_take(mapping, "parallel");
        read_steps(reader, children, scope, step->children);
        pipeline_value_free(children);
    }
    take_step_fields(reader, mapping, step);
}

static void make_ids(StepScope *scope, GPtrArray *steps)
{
    for (guint i = 0; i < steps->len; i++) {
        PipelineStep *step = steps->pdata[i];
        if (step->id == NULL && (step->kind != PIPELINE_STEP_USES || step->uses != NULL))
            make_id(scope, step);
        if (step->children != NULL)
            make_ids(scope, step->children);
    }
}

static void read_steps(Reader *reader, PipelineValue *list, StepScope *scope, GPtrArray *steps)
{
    if (list->kind != PIPELINE_SEQUENCE)
        return; /* the rule of its owner has said so */
    for (guint i = 0; i < list->items->len; i++)
        read_step(reader, list->items->pdata[i], scope, steps);
}

static void read_step_list(Reader *reader, PipelineValue *list, bool action, GPtrArray *steps)
{
    g_autoptr(GHashTable) taken = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    StepScope scope = {taken, action};
    read_steps(reader, list, &scope, steps);
    make_ids(&scope, steps);
}

/* A job of nothing but an environment stands for its approval and deployment, and needs no place
 * to run. */
static bool is_gate_only(const PipelineValue *mapping)
{
    return pipeline_value_get(mapping, "environment") != NULL &&
           pipeline_value_get(mapping, "steps") == NULL &&
           pipeline_value_get(mapping, "runs-on") == NULL;
}

static void check_job(Reader *reader, PipelineValue *mapping)
{
    if (pipeline_value_get(mapping, "uses") != NULL) {
        checker_check(reader, mapping, &rule_call_job);
        return;
    }
    if (!is_gate_only(mapping)) {
        checker_check(reader, mapping, &rule_steps_job);
        return;
    }
    Field fields[32] = {{0}};
    for (size_t i = 0; rule_steps_job.fields[i].key != NULL && i + 1 < G_N_ELEMENTS(fields); i++) {
        fields[i] = rule_steps_job.fields[i];
        fields[i].required = false;
    }
    const Rule gate = {.allow = ALLOW_MAPPING, .fields = fields};
    checker_check(reader, mapping, &gate);
}

static void take_job_fields(PipelineValue *mapping, PipelineJob *job)
{
    const struct {
        const char *key;
        PipelineValue **member;
    } members[] = {
        {"name", &job->name},
        {"if", &job->condition},
        {"runs-on", &job->runs_on},
        {"environment", &job->environment},
        {"concurrency", &job->concurrency},
        {"permissions", &job->permissions},
        {"env", &job->env},
        {"outputs", &job->outputs},
        {"defaults", &job->defaults},
        {"strategy", &job->strategy},
        {"timeout-minutes", &job->timeout_minutes},
        {"cancel-timeout-minutes", &job->cancel_timeout_minutes},
        {"continue-on-error", &job->continue_on_error},
        {"container", &job->container},
        {"services", &job->services},
        {"with", &job->with},
        {"secrets", &job->secrets},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(members); i++)
        *members[i].member = reader_take(mapping, members[i].key);
}

/* Takes MAPPING. NEEDS_VALUES keeps what messages about `needs` point at. */
static void read_job(Reader *reader, Pipeline *pipeline, const PipelineValue *id,
                     PipelineValue *mapping, GHashTable *needs_values)
{
    check_identifier(reader, id);
    if (mapping->kind != PIPELINE_MAPPING) {
        reader_error(reader, "syntax-check", mapping->line, mapping->column,
                     mapping->kind == PIPELINE_SEQUENCE ? "A sequence was not expected"
                                                        : "Unexpected value '%s'",
                     mapping->text);
        pipeline_value_free(mapping);
        return;
    }
    check_job(reader, mapping);
    PipelineJob *job = pipeline_job_new(id->text);
    g_ptr_array_add(pipeline->jobs, job);
    job->line = id->line;
    job->column = id->column;
    PipelineValue *needs = reader_take(mapping, "needs");
    job->needs = text_list(needs);
    if (needs != NULL)
        g_hash_table_insert(needs_values, job, needs);
    job->uses = g_strdup(pipeline_value_text(pipeline_value_get(mapping, "uses")));
    PipelineValue *steps = reader_take(mapping, "steps");
    if (steps != NULL)
        read_step_list(reader, steps, false, job->steps);
    pipeline_value_free(steps);
    take_job_fields(mapping, job);
    pipeline_value_free(mapping);
}

static void free_value(gpointer value)
{
    pipeline_value_free(value);
}

/* Takes JOBS. */
static void read_jobs(Reader *reader, Pipeline *pipeline, PipelineValue *jobs)
{
    if (jobs->kind != PIPELINE_MAPPING || jobs->keys->len == 0) {
        reader_error(reader, "syntax-check", jobs->line, jobs->column,
                     jobs->kind == PIPELINE_SEQUENCE ? "A sequence was not expected"
                                                     : "Unexpected value '%s'",
                     jobs->text != NULL ? jobs->text : "");
        pipeline_value_free(jobs);
        return;
    }
    g_autoptr(GHashTable) needs = g_hash_table_new_full(NULL, NULL, NULL, free_value);
    for (guint i = 0; i < jobs->keys->len; i++) {
        const PipelineValue *id = jobs->keys->pdata[i];
        read_job(reader, pipeline, id, reader_take(jobs, id->text), needs);
    }
    pipeline_index(pipeline);
    graph_check(reader, pipeline, needs);
    pipeline_value_free(jobs);
}

Pipeline *workflow_read(const char *file, const char *text, size_t length, GPtrArray *findings)
{
    Reader reader = {.file = file, .findings = findings};
    g_autoptr(PipelineValue) root = reader_parse(&reader, text, length);
    if (root == NULL)
        return NULL;
    checker_check(&reader, root, &rule_workflow);
    if (root->kind != PIPELINE_MAPPING)
        return NULL;
    g_autoptr(Pipeline) pipeline = pipeline_new(file);
    const char *name = pipeline_value_text(pipeline_value_get(root, "name"));
    pipeline->name = g_strdup(name != NULL && name[0] != '\0' ? name : file);
    pipeline->run_name = reader_take(root, "run-name");
    pipeline->permissions = reader_take(root, "permissions");
    pipeline->env = reader_take(root, "env");
    pipeline->defaults = reader_take(root, "defaults");
    pipeline->concurrency = reader_take(root, "concurrency");
    PipelineValue *on = reader_take(root, "on");
    if (on != NULL)
        events_read(&reader, pipeline, on);
    PipelineValue *jobs = reader_take(root, "jobs");
    if (jobs != NULL)
        read_jobs(&reader, pipeline, jobs);
    return reader.errors == 0 ? g_steal_pointer(&pipeline) : NULL;
}

PipelineAction *workflow_read_action(const char *file, const char *text, size_t length,
                                     GPtrArray *findings)
{
    Reader reader = {.file = file, .findings = findings};
    g_autoptr(PipelineValue) root = reader_parse(&reader, text, length);
    if (root == NULL)
        return NULL;
    checker_check(&reader, root, &rule_action);
    const PipelineValue *using = pipeline_value_get(pipeline_value_get(root, "runs"), "using");
    if (pipeline_value_text(using) == NULL) {
        if (reader.errors == 0)
            reader_error(&reader, "action", root->line, root->column,
                         "Required property is missing: using");
        return NULL;
    }
    g_autoptr(PipelineAction) action = g_new0(PipelineAction, 1);
    action->using = g_ascii_strdown(using->text, -1);
    action->name = g_strdup(pipeline_value_text(pipeline_value_get(root, "name")));
    action->inputs = reader_take(root, "inputs");
    action->outputs = reader_take(root, "outputs");
    action->runs = reader_take(root, "runs");
    action->steps = g_ptr_array_new_with_free_func(free_step);
    PipelineValue *steps = reader_take(action->runs, "steps");
    if (steps != NULL && steps->kind == PIPELINE_SEQUENCE)
        read_step_list(&reader, steps, true, action->steps);
    else if (g_str_equal(action->using, "composite"))
        reader_error(&reader, "action", action->runs->line, action->runs->column,
                     "Required property is missing: steps");
    pipeline_value_free(steps);
    return reader.errors == 0 ? g_steal_pointer(&action) : NULL;
}

void pipeline_action_free(PipelineAction *action)
{
    if (action == NULL)
        return;
    g_free(action->name);
    g_free(action->using);
    pipeline_value_free(action->inputs);
    pipeline_value_free(action->outputs);
    pipeline_value_free(action->runs);
    g_ptr_array_unref(action->steps);
    g_free(action);
}

char *workflow_findings_text(const GPtrArray *findings)
{
    GString *text = g_string_new(NULL);
    for (guint i = 0; i < findings->len; i++) {
        const Finding *finding = findings->pdata[i];
        g_string_append_printf(text, "%s%s (Line: %d, Col: %d): %s", i > 0 ? "\n" : "",
                               finding->path, finding->line, finding->column, finding->message);
    }
    return g_string_free(text, FALSE);
}
