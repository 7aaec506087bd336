/* step_run.c - one step: its condition, its environment, its script, its outcome. */
#include "base/clock.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/file.h"
#include "pipeline/context.h"
#include "pipeline/engine.h"
#include "pipeline/step_commands.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdarg.h>
#include <string.h>

#define CANCEL_MINUTES 5

static const char default_path[] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/* -- contexts --------------------------------------------------------------------------------- */

static void merge(ExprValue *into, const ExprValue *from)
{
    for (guint i = 0; from != NULL && i < from->items->len; i++)
        expr_object_set(into, from->keys->pdata[i], expr_ref(from->items->pdata[i]));
}

/* Low to high: the job's, GITHUB_ENV so far, what callers of a composite set, the step's own. */
static ExprValue *merged_env(const Scope *scope, const ExprValue *step_env)
{
    ExprValue *env = expr_object();
    env->case_matters = true;
    merge(env, scope->job->env);
    GHashTableIter iter;
    gpointer name, value;
    g_hash_table_iter_init(&iter, scope->job->file_env);
    while (g_hash_table_iter_next(&iter, &name, &value))
        expr_object_set(env, name, expr_string(value));
    merge(env, scope->env);
    merge(env, step_env);
    return env;
}

ExprValue *scope_contexts(Scope *scope, ExprValue *step_env)
{
    Job *job = scope->job;
    ExprValue *contexts = row_contexts(job->row);
    ExprValue *github = job->github;
    if (scope->action_folder != NULL) {
        github = expr_object();
        merge(github, job->github);
        expr_object_set(github, "action_path", expr_string(scope->action_folder));
    } else
        expr_ref(github);
    expr_object_set(contexts, "github", github);
    if (scope->inputs != NULL)
        expr_object_set(contexts, "inputs", expr_ref(scope->inputs));
    expr_object_set(contexts, "runner", expr_ref(job->runner));
    expr_object_set(contexts, "job", expr_ref(job->context));
    expr_object_set(contexts, "steps", expr_ref(scope->steps));
    expr_object_set(contexts, "env", merged_env(scope, step_env));
    return contexts;
}

static void set_status(Scope *scope)
{
    Job *job = scope->job;
    job->state.cancelled = job->row->cancelled || job->timed_out;
    job->state.failure = scope->failed;
    job->state.success = !scope->failed && !job->state.cancelled;
    if (scope->parent == NULL) {
        const char *status = job->state.cancelled ? "cancelled"
                             : scope->failed      ? "failure"
                                                  : "success";
        ExprValue *context = expr_object();
        merge(context, job->context);
        expr_object_set(context, "status", expr_string(status));
        expr_unref(job->context);
        job->context = context;
    }
}

/* A new steps context, so that values handed out before keep what they were. */
static void record(Scope *scope, const PipelineStep *step, ExprValue *outputs, Result outcome,
                   Result conclusion)
{
    ExprValue *entry = expr_object();
    expr_object_set(entry, "outputs", outputs != NULL ? expr_ref(outputs) : expr_object());
    expr_object_set(entry, "outcome", expr_string(result_name(outcome)));
    expr_object_set(entry, "conclusion", expr_string(result_name(conclusion)));
    ExprValue *steps = expr_object();
    merge(steps, scope->steps);
    expr_object_set(steps, step->id, entry);
    expr_unref(scope->steps);
    scope->steps = steps;
}

/* -- environment ------------------------------------------------------------------------------ */

static void add_all(GHashTable *environment, const ExprValue *values)
{
    for (guint i = 0; i < values->items->len; i++)
        g_hash_table_replace(environment, g_strdup(values->keys->pdata[i]),
                             expr_to_text(values->items->pdata[i]));
}

static void add_image_env(GHashTable *environment, const json_t *config)
{
    const json_t *env = json_object_get(config, "Env");
    for (size_t i = 0; i < json_array_size(env); i++) {
        const char *entry = json_string_value(json_array_get(env, i));
        g_auto(GStrv) pair = entry != NULL ? g_strsplit(entry, "=", 2) : NULL;
        if (pair != NULL && pair[0] != NULL && pair[1] != NULL)
            g_hash_table_replace(environment, g_strdup(pair[0]), g_strdup(pair[1]));
    }
}

static void add_runner(GHashTable *environment, const ExprValue *runner)
{
    for (guint i = 0; i < runner->items->len; i++) {
        g_autofree char *upper = g_ascii_strup(runner->keys->pdata[i], -1);
        const ExprValue *value = runner->items->pdata[i];
        if (value->string[0] != '\0')
            g_hash_table_replace(environment, g_strconcat("RUNNER_", upper, NULL),
                                 g_strdup(value->string));
    }
}

static void add_path(GHashTable *environment, const Job *job)
{
    const char *path = g_hash_table_lookup(environment, "PATH");
    g_autoptr(GString) whole = g_string_new(NULL);
    for (guint i = job->paths->len; i > 0; i--)
        g_string_append_printf(whole, "%s:", (char *) job->paths->pdata[i - 1]);
    g_string_append(whole, path != NULL ? path : default_path);
    g_hash_table_replace(environment, g_strdup("PATH"), g_strdup(whole->str));
}

GHashTable *step_environment(StepRun *run)
{
    Job *job = run->scope->job;
    GHashTable *environment = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    g_hash_table_replace(environment, g_strdup("LANG"), g_strdup("C.UTF-8"));
    add_image_env(environment, job_root_config(job->root));
    g_hash_table_replace(environment, g_strdup("HOME"), g_strdup(job->home));
    const ExprValue *env = expr_object_get(run->contexts, "env");
    add_all(environment, env);
    add_path(environment, job);
    context_github_environment(expr_object_get(run->contexts, "github"), environment);
    g_hash_table_replace(environment, g_strdup("GITHUB_ACTION"), g_strdup(run->step->id));
    add_runner(environment, job->runner);
    g_hash_table_replace(environment, g_strdup("CI"), g_strdup("true"));
    g_hash_table_replace(environment, g_strdup("GITHUB_ACTIONS"), g_strdup("true"));
    return environment;
}

void step_set_env(Job *job, const char *name, const char *value)
{
    g_hash_table_replace(job->file_env, g_strdup(name), g_strdup(value));
}

void step_add_path(Job *job, const char *folder)
{
    for (guint i = 0; i < job->paths->len; i++)
        if (g_str_equal(job->paths->pdata[i], folder)) {
            g_ptr_array_remove_index(job->paths, i);
            break;
        }
    g_ptr_array_add(job->paths, g_strdup(folder));
}

void step_set_output(StepRun *run, const char *name, const char *value)
{
    expr_object_set(run->outputs, name, expr_string(value));
}

void step_log(StepRun *run, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    g_autofree char *line = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    output_line(run->output, line);
}

/* -- execution -------------------------------------------------------------------------------- */

static char **environment_list(GHashTable *environment)
{
    g_autoptr(GStrvBuilder) list = g_strv_builder_new();
    GHashTableIter iter;
    gpointer name, value;
    g_hash_table_iter_init(&iter, environment);
    while (g_hash_table_iter_next(&iter, &name, &value)) {
        g_autofree char *entry = g_strdup_printf("%s=%s", (char *) name, (char *) value);
        g_strv_builder_add(list, entry);
    }
    return g_strv_builder_end(list);
}

static void feed_output(void *user, const char *bytes, size_t length)
{
    output_feed(user, bytes, length);
}

/* The shorter of the step's own limit and what is left of the job's; *OF_JOB tells which. */
static int time_left(const StepRun *run, bool *of_job)
{
    const Job *job = run->scope->job;
    gint64 left = job->deadline > 0 ? (job->deadline - g_get_monotonic_time()) / 1000 : G_MAXINT;
    *of_job = run->timeout_ms == 0 || left < run->timeout_ms;
    gint64 shorter = *of_job ? left : run->timeout_ms;
    return (int) CLAMP(shorter, 1, G_MAXINT);
}

bool step_execute(StepRun *run, const char *const *argv, const char *folder, GHashTable *extra,
                  int *status, GError **error)
{
    Job *job = run->scope->job;
    g_autoptr(GHashTable) environment = step_environment(run);
    StepFiles files;
    if (!step_files_make(run, &files, environment, error))
        return false;
    GHashTableIter iter;
    gpointer name, value;
    if (extra != NULL) {
        g_hash_table_iter_init(&iter, extra);
        while (g_hash_table_iter_next(&iter, &name, &value))
            g_hash_table_replace(environment, g_strdup(name), g_strdup(value));
    }
    g_auto(GStrv) list = environment_list(environment);
    bool of_job;
    const JobRootCommand command = {
        .argv = argv,
        .environment = (const char *const *) list,
        .folder = folder,
        .timeout_ms = time_left(run, &of_job),
        .cancelled = run->late ? NULL : &job->row->cancelled,
        .output = feed_output,
        .user = run->output,
    };
    JobRootResult result;
    if (!job_root_run(job->root, &command, &result, error))
        return false;
    output_flush(run->output);
    *status = result.status;
    run->cancelled = run->cancelled || result.cancelled;
    run->timed_out = result.timed_out && !of_job;
    job->timed_out = job->timed_out || (result.timed_out && of_job);
    if (result.out_of_memory)
        step_log(run, "Error: the job ran out of memory");
    if (!step_files_read(run, &files, error))
        return false;
    if (!result.timed_out)
        return true;
    if (run->timed_out)
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_UNAVAILABLE,
                    "The action '%s' has timed out after %d minutes.", run->name,
                    run->timeout_ms / 60000);
    else
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_UNAVAILABLE, "The job's time ran out.");
    return false;
}

/* -- run steps -------------------------------------------------------------------------------- */

/* The command line template for shell NAME. */
static const char *shell_template(const Job *job, const char *name, const char **suffix)
{
    static const struct {
        const char *name, *line, *suffix;
    } shells[] = {
        {"bash", "bash --noprofile --norc -e -o pipefail {0}", ".sh"},
        {"sh", "sh -e {0}", ".sh"},
        {"python", "python {0}", ".py"},
        {"pwsh", "pwsh -command \". '{0}'\"", ".ps1"},
    };
    *suffix = ".sh";
    if (name == NULL || name[0] == '\0')
        return job->default_shell;
    for (size_t i = 0; i < G_N_ELEMENTS(shells); i++)
        if (g_str_equal(shells[i].name, name)) {
            *suffix = shells[i].suffix;
            return shells[i].line;
        }
    *suffix = "";
    return name;
}

static char **shell_argv(Job *job, const char *shell, const char *script, GError **error)
{
    const char *suffix;
    const char *line = shell_template(job, shell, &suffix);
    if (strstr(line, "{0}") == NULL) {
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID,
                    "Invalid shell option. Shell must be a valid built-in (bash, sh, python, pwsh) "
                    "or a format string containing '{0}'");
        return NULL;
    }
    g_auto(GStrv) words = NULL;
    if (!g_shell_parse_argv(line, NULL, &words, error))
        return NULL;
    if (g_str_equal(words[0], "python") && !job_root_has(job->root, "python")) {
        g_free(words[0]);
        words[0] = g_strdup("python3");
    }
    for (char **word = words; *word != NULL; word++) {
        GString *text = g_string_new(*word);
        g_string_replace(text, "{0}", script, 0);
        g_free(*word);
        *word = g_string_free(text, FALSE);
    }
    return g_steal_pointer(&words);
}

static char *working_folder(const Job *job, const char *folder)
{
    if (folder == NULL || folder[0] == '\0')
        return g_strdup(job->workspace_inside);
    return folder[0] == '/' ? g_strdup(folder)
                            : g_build_filename(job->workspace_inside, folder, NULL);
}

static bool run_script(StepRun *run, GError **error)
{
    Job *job = run->scope->job;
    const PipelineStep *step = run->step;
    bool composite = run->scope->parent != NULL;
    ExprScope scope = {run->contexts, evaluation_functions, &job->state};
    g_autofree char *script = evaluate_text(step->run, &scope, error);
    if (script == NULL)
        return false;
    g_autofree char *shell = step->shell != NULL ? evaluate_text(step->shell, &scope, error)
                                                 : g_strdup(composite ? NULL : job->shell);
    g_autofree char *asked = step->working_directory != NULL
                                 ? evaluate_text(step->working_directory, &scope, error)
                                 : g_strdup(composite ? NULL : job->working_directory);
    if ((step->shell != NULL && shell == NULL) ||
        (step->working_directory != NULL && asked == NULL))
        return false;
    const char *suffix;
    shell_template(job, shell, &suffix);
    g_autofree char *path = step_write_script(job, script, suffix, error);
    if (path == NULL)
        return false;
    g_auto(GStrv) argv = shell_argv(job, shell, path, error);
    if (argv == NULL)
        return false;
    g_autofree char *folder = working_folder(job, asked);
    int status;
    if (!step_execute(run, (const char *const *) argv, folder, NULL, &status, error))
        return false;
    if (status == 0 && !run->cancelled)
        return true;
    g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID,
                run->cancelled ? "The operation was canceled."
                               : "Process completed with exit code %d.",
                status);
    return false;
}

/* -- one step --------------------------------------------------------------------------------- */

static char *plain_name(const StepRun *run, const ExprScope *names)
{
    const PipelineStep *step = run->step;
    g_autofree char *given = evaluate_text(step->name, names, NULL);
    if (given != NULL && given[0] != '\0')
        return g_steal_pointer(&given);
    if (step->kind == PIPELINE_STEP_USES)
        return g_strdup_printf("Run %s", step->uses);
    g_autofree char *script = evaluate_text(step->run, names, NULL);
    const char *text = script != NULL ? script : step->id;
    text += strspn(text, " \t\r\n");
    g_autofree char *line = g_strndup(text, strcspn(text, "\r\n"));
    return g_strdup_printf("Run %s", line);
}

/* The name as everyone may see it. */
static char *step_name(const StepRun *run, const ExprScope *names)
{
    g_autofree char *name = plain_name(run, names);
    return mask_text(run->scope->job->engine->mask, name);
}

static int open_log(Job *job, const PipelineStep *step)
{
    g_autofree char *name = g_strdup_printf("%d-%s", job->row->number, job->job->id);
    g_autofree char *folder = g_build_filename(job->engine->folder, "logs", name, NULL);
    g_autofree char *file = g_strdup_printf("%02d_%s.log", job->steps, step->id);
    g_autofree char *path = g_build_filename(folder, file, NULL);
    if (!file_make_folders(folder, 0700, NULL))
        return -1;
    return open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
}

static bool run_kind(StepRun *run, GError **error)
{
    switch (run->step->kind) {
    case PIPELINE_STEP_RUN:
        return run_script(run, error);
    case PIPELINE_STEP_USES:
        return uses_run(run, error);
    default:
        break;
    }
    g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID,
                "background steps (wait, wait-all, cancel, parallel) are not run by this engine");
    return false;
}

static bool read_limits(StepRun *run, bool *continue_on_error, GError **error)
{
    ExprScope scope = {run->contexts, evaluation_functions, &run->scope->job->state};
    double minutes;
    if (!evaluate_boolean(run->step->continue_on_error, &scope, false, continue_on_error, error) ||
        !evaluate_number(run->step->timeout_minutes, &scope, 0, &minutes, error))
        return false;
    if (minutes >= 1 && minutes < 30000)
        run->timeout_ms = (int) floor(minutes) * 60000;
    if (run->step->background) {
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID,
                    "background steps are not run by this engine");
        return false;
    }
    return true;
}

/* Everything between the decision to run and the outcome. */
static Result perform(StepRun *run, bool *continue_on_error)
{
    Scope *scope = run->scope;
    Job *job = scope->job;
    const OutputSpec output = {
        .mask = job->engine->mask,
        .sink = job->engine->sink,
        .run = job->engine->run_id,
        .job = job->row->name,
        .step = run->name,
        .log_fd = run->log_fd,
        .command = step_command,
        .user = run,
    };
    g_autoptr(GError) error = NULL;
    run->output = output_new(&output);
    bool fine = read_limits(run, continue_on_error, &error) && run_kind(run, &error);
    if (!fine) {
        step_log(run, "Error: %s", error->message);
        if (!run->cancelled)
            engine_finding(job->engine, *continue_on_error ? SEVERITY_WARNING : SEVERITY_ERROR,
                           "step", job->engine->pipeline->file, run->step->line, run->step->column,
                           error->message);
    }
    output_free(g_steal_pointer(&run->output));
    if (fine)
        return RESULT_SUCCESS;
    return run->cancelled ? RESULT_CANCELLED : RESULT_FAILURE;
}

static void announce(const StepRun *run, const char *type, const char *result, gint64 since)
{
    const Job *job = run->scope->job;
    json_t *fields = json_pack("{s:s, s:s, s:s, s:i, s:i, s:s*}", "job", job->row->name, "step",
                               run->name, "id", run->step->id, "number", job->steps, "depth",
                               run->scope->depth, "result", result);
    if (since > 0)
        json_object_set_new(fields, "seconds", json_real((double) (clock_now_ns() - since) / 1e9));
    engine_event(job->engine, type, fields);
}

/* What still runs after a cancel has CANCEL_MINUTES, or the job's own figure, together. */
static void bound_cancelled(Job *job)
{
    if (!job->row->cancelled || job->cancel_seen)
        return;
    job->cancel_seen = true;
    g_autoptr(ExprValue) contexts = row_contexts(job->row);
    ExprScope scope = {contexts, evaluation_functions, &job->state};
    double minutes;
    if (!evaluate_number(job->job->cancel_timeout_minutes, &scope, CANCEL_MINUTES, &minutes, NULL))
        minutes = CANCEL_MINUTES;
    gint64 end = g_get_monotonic_time() + (gint64) (CLAMP(minutes, 0, 10000) * 60e6);
    job->deadline = job->deadline > 0 ? MIN(job->deadline, end) : end;
}

static void run_step(Scope *scope, const PipelineStep *step)
{
    Job *job = scope->job;
    StepRun run = {.scope = scope,
                   .step = step,
                   .outputs = expr_object(),
                   .log_fd = -1,
                   .late = job->row->cancelled};
    g_autoptr(GError) error = NULL;
    bound_cancelled(job);
    set_status(scope);
    g_autoptr(ExprValue) before = scope_contexts(scope, NULL);
    ExprScope names = {before, evaluation_functions, &job->state};
    job->steps++;
    bool runs = false;
    bool known = evaluate_condition(step->condition, &names, &runs, &error);
    if (known && runs && step->env != NULL)
        run.env = evaluate_value(step->env, &names, &error);
    Result outcome = RESULT_SKIPPED;
    bool continue_on_error = false;
    gint64 since = clock_now_ns();
    run.contexts =
        scope_contexts(scope, run.env != NULL && run.env->kind == EXPR_OBJECT ? run.env : NULL);
    ExprScope named = {run.contexts, evaluation_functions, &job->state};
    run.name = step_name(&run, &named);
    if (error != NULL) {
        announce(&run, "step.started", NULL, 0);
        engine_finding(job->engine, SEVERITY_ERROR, "expression", job->engine->pipeline->file,
                       step->line, step->column, error->message);
        outcome = RESULT_FAILURE;
    } else if (runs) {
        run.log_fd = open_log(job, step);
        announce(&run, "step.started", NULL, 0);
        job->row->steps_run++;
        outcome = perform(&run, &continue_on_error);
        if (run.log_fd >= 0)
            close(run.log_fd);
    }
    Result conclusion = outcome == RESULT_FAILURE && continue_on_error ? RESULT_SUCCESS : outcome;
    announce(&run, "step.ended", result_name(outcome), since);
    record(scope, step, run.outputs, outcome, conclusion);
    scope->failed = scope->failed || conclusion == RESULT_FAILURE;
    if (scope->parent == NULL)
        job->failed = scope->failed;
    expr_unref(run.outputs);
    expr_unref(run.env);
    expr_unref(run.contexts);
    g_free(run.name);
    g_free(run.stop_token);
}

void steps_run(Scope *scope, const GPtrArray *steps)
{
    for (guint i = 0; i < steps->len; i++)
        run_step(scope, steps->pdata[i]);
    set_status(scope);
}
