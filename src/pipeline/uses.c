/* uses.c - a `uses` step: an action of the job's own files, or an answer of the table. */
#include "base/error.h"
#include "base/fd.h"
#include "base/file.h"
#include "dialect/github/workflow.h"
#include "pipeline/engine.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* An answer while it runs, and again after the job's steps when it asked for that. */
typedef struct {
    ActionCall call;
    const Action *action;
    StepRun *run;
    char *name, *ref;
} Answer;

static StepRun *run_of(ActionCall *call)
{
    return ((Answer *) call)->run;
}

static void call_log(ActionCall *call, const char *line)
{
    step_log(run_of(call), "%s", line);
}

static void call_set_output(ActionCall *call, const char *name, const char *value)
{
    step_set_output(run_of(call), name, value);
}

static void call_set_env(ActionCall *call, const char *name, const char *value)
{
    step_set_env(run_of(call)->scope->job, name, value);
}

static void call_add_path(ActionCall *call, const char *folder)
{
    step_add_path(run_of(call)->scope->job, folder);
}

static void call_add_mask(ActionCall *call, const char *value)
{
    mask_add(run_of(call)->scope->job->engine->mask, value);
}

static bool call_execute(ActionCall *call, const char *const *argv, char **output, int *status,
                         GError **error)
{
    StepRun *run = run_of(call);
    if (!step_execute(run, argv, run->scope->job->workspace_inside, NULL, status, error))
        return false;
    if (output != NULL)
        *output = output_tail(run->output);
    return true;
}

static bool call_collect(ActionCall *call, const char *path, const char *target, GError **error)
{
    const Job *job = run_of(call)->scope->job;
    size_t length = strlen(job->inside);
    if (strncmp(path, job->inside, length) != 0 || path[length] != '/') {
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_DENIED, "'%s' is not below '%s'", path,
                    job->inside);
        return false;
    }
    autofd int from =
        file_open_beneath(job->work_fd, path + length + 1, O_RDONLY | O_NONBLOCK, 0, error);
    if (from < 0)
        return false;
    autofd int to = open(target, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (to < 0)
        return error_set_errno(error, errno, "write", target);
    ssize_t n;
    while ((n = copy_file_range(from, NULL, to, NULL, 1 << 30, 0)) > 0)
        continue;
    return n == 0 || error_set_errno(error, errno, "copy", path);
}

static void answer_free(gpointer data)
{
    Answer *answer = data;
    g_hash_table_unref(answer->call.inputs);
    g_clear_pointer(&answer->call.environment, g_hash_table_unref);
    json_decref((json_t *) answer->call.github);
    g_free(answer->name);
    g_free(answer->ref);
    g_free(answer);
}

/* The answer's second call; it speaks through an output of its own. */
static void run_post(Job *job, void *data)
{
    Answer *answer = data;
    g_autofree char *name = g_strdup_printf("Post Run %s@%s", answer->name, answer->ref);
    Scope scope = {.job = job, .steps = expr_object()};
    PipelineStep step = {.kind = PIPELINE_STEP_USES, .id = answer->name};
    StepRun run = {.scope = &scope, .step = &step, .name = name, .outputs = expr_object()};
    run.contexts = scope_contexts(&scope, NULL);
    const OutputSpec output = {.mask = job->engine->mask,
                               .sink = job->engine->sink,
                               .run = job->engine->run_id,
                               .job = job->row->name,
                               .step = name,
                               .log_fd = -1};
    run.output = output_new(&output);
    answer->run = &run;
    answer->call.post = true;
    answer->call.job_succeeded = !job->failed && !job->row->cancelled && !job->timed_out;
    g_autoptr(GError) error = NULL;
    if (!answer->action->run(&answer->call, &error)) {
        step_log(&run, "Error: %s", error->message);
        job->failed = true;
    }
    output_free(run.output);
    expr_unref(run.outputs);
    expr_unref(run.contexts);
    expr_unref(scope.steps);
}

static void call_ask_post(ActionCall *call)
{
    Answer *answer = (Answer *) call;
    Job *job = answer->run->scope->job;
    for (guint i = 0; i < job->posts->len; i++)
        if (((Post *) job->posts->pdata[i])->data == answer)
            return;
    Post *post = g_new0(Post, 1);
    *post = (Post){.run = run_post, .data = answer, .free = answer_free};
    g_ptr_array_add(job->posts, post);
}

/* -- inputs ----------------------------------------------------------------------------------- */

static GHashTable *read_inputs(StepRun *run, GError **error)
{
    Job *job = run->scope->job;
    ExprScope scope = {run->contexts, evaluation_functions, &job->state};
    g_autoptr(ExprValue) with = evaluate_value(run->step->with, &scope, error);
    if (with == NULL)
        return NULL;
    GHashTable *inputs = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    for (guint i = 0; with->kind == EXPR_OBJECT && i < with->items->len; i++)
        g_hash_table_replace(inputs, g_ascii_strdown(with->keys->pdata[i], -1),
                             expr_to_text(with->items->pdata[i]));
    return inputs;
}

static void warn_of_unknown(StepRun *run, const Action *action, GHashTable *inputs)
{
    GHashTableIter iter;
    gpointer name;
    g_hash_table_iter_init(&iter, inputs);
    while (action->inputs != NULL && g_hash_table_iter_next(&iter, &name, NULL))
        if (!g_strv_contains(action->inputs, name))
            step_log(run, "Warning: Unexpected input(s) '%s'", (char *) name);
}

/* -- the table -------------------------------------------------------------------------------- */

static const Action *find_action(const Engine *engine, const char *name)
{
    for (const Action *const *row = engine->spec->actions; row != NULL && *row != NULL; row++)
        if (g_ascii_strcasecmp((*row)->name, name) == 0)
            return *row;
    return NULL;
}

static Answer *answer_new(StepRun *run, const Action *action, const char *name, const char *ref)
{
    Job *job = run->scope->job;
    Answer *answer = g_new0(Answer, 1);
    answer->action = action;
    answer->run = run;
    answer->name = g_strdup(name);
    answer->ref = g_strdup(ref);
    answer->call = (ActionCall){
        .name = answer->name,
        .ref = answer->ref,
        .run = job->engine->spec,
        .environment = step_environment(run),
        .github = expr_to_json(expr_object_get(run->contexts, "github")),
        .job = job->row->name,
        .workspace = job->workspace_inside,
        .temp = job->temp_inside,
        .hand_over = job->hand_over,
        .hand_over_inside = JOB_ROOT_FOLDER "/hand-over",
        .log = call_log,
        .set_output = call_set_output,
        .set_env = call_set_env,
        .add_path = call_add_path,
        .add_mask = call_add_mask,
        .ask_post = call_ask_post,
        .collect = call_collect,
        .run_folder = job->engine->folder,
        .job_succeeded = !job->failed,
        .execute = call_execute,
    };
    return answer;
}

static bool run_answer(StepRun *run, const Action *action, const char *name, const char *ref,
                       GError **error)
{
    GHashTable *inputs = read_inputs(run, error);
    if (inputs == NULL)
        return false;
    Job *job = run->scope->job;
    step_log(run, "%s@%s is answered by slipway itself", name, ref);
    warn_of_unknown(run, action, inputs);
    Answer *answer = answer_new(run, action, name, ref);
    answer->call.inputs = inputs;
    bool fine = action->run(&answer->call, error);
    answer->run = NULL;
    for (guint i = 0; i < job->posts->len; i++)
        if (((Post *) job->posts->pdata[i])->data == answer)
            return fine; /* freed with its post */
    answer_free(answer);
    return fine;
}

/* -- actions of the job's own files ----------------------------------------------------------- */

static bool run_local(StepRun *run, const char *path, GError **error)
{
    static const char *const names[] = {"action.yml", "action.yaml"};
    Job *job = run->scope->job;
    const char *workspace = job->workspace + strlen(job->work) + 1; /* below the work folder */
    g_autofree char *folder = g_build_filename(workspace, path, NULL);
    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char *file = g_build_filename(folder, names[i], NULL);
        autofd int fd = file_open_beneath(job->work_fd, file, O_RDONLY | O_NONBLOCK, 0, NULL);
        if (fd < 0)
            continue;
        g_autofree char *inside = g_build_filename(job->workspace_inside, path, NULL);
        return composite_run(run, file, inside, error);
    }
    g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_NOT_FOUND,
                "Can't find 'action.yml' or 'action.yaml' under '%s'. Did you forget to run "
                "actions/checkout before running your local action?",
                path);
    return false;
}

bool uses_run(StepRun *run, GError **error)
{
    const char *uses = run->step->uses;
    if (g_str_has_prefix(uses, "./") || g_str_has_prefix(uses, "$/"))
        return run_local(run, uses + 2, error);
    if (g_str_has_prefix(uses, "docker://")) {
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID,
                    "container actions ('%s') are not run here; run the image's command in a job "
                    "with `container:`",
                    uses);
        return false;
    }
    g_auto(GStrv) parts = g_strsplit(uses, "@", 2);
    const Action *action = find_action(run->scope->job->engine, parts[0]);
    if (action != NULL)
        return run_answer(run, action, parts[0], parts[1], error);
    g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_NOT_FOUND,
                "no built-in answer for the action '%s'; needed: its files in this repository, "
                "used as './path'",
                uses);
    return false;
}
