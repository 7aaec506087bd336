/* job.c - one job on its thread: folders, root, contexts, steps, posts, outputs. */
#include "base/error.h"
#include "base/file.h"
#include "pipeline/context.h"
#include "pipeline/engine.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

#define INSIDE "/home/runner/work"
#define INSIDE_CONTAINER "/__w"
#define DEFAULT_MINUTES 360

static void post_free(gpointer data)
{
    Post *post = data;
    if (post->free != NULL)
        post->free(post->data);
    g_free(post->name);
    g_free(post);
}

static void job_free(Job *job)
{
    job_root_free(job->root);
    if (job->work_fd >= 0)
        close(job->work_fd);
    ExprValue *values[] = {job->github, job->runner, job->context, job->needs, job->env};
    for (size_t i = 0; i < G_N_ELEMENTS(values); i++)
        expr_unref(values[i]);
    g_hash_table_unref(job->file_env);
    g_ptr_array_unref(job->paths);
    g_ptr_array_unref(job->posts);
    if (job->folder != NULL)
        file_remove_tree(AT_FDCWD, job->folder, NULL);
    char *texts[] = {job->folder,       job->work,
                     job->workspace,    job->hand_over,
                     job->inside,       job->workspace_inside,
                     job->temp_inside,  job->home,
                     job->shell,        job->working_directory,
                     job->default_shell};
    for (size_t i = 0; i < G_N_ELEMENTS(texts); i++)
        g_free(texts[i]);
    g_free(job);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Job, job_free)

static Job *job_new(Row *row)
{
    Job *job = g_new0(Job, 1);
    job->engine = row->node->engine;
    job->row = row;
    job->job = row->node->job;
    job->work_fd = -1;
    job->state.success = true;
    job->env = expr_object();
    job->env->case_matters = true;
    job->file_env = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    job->paths = g_ptr_array_new_with_free_func(g_free);
    job->posts = g_ptr_array_new_with_free_func(post_free);
    return job;
}

/* -- folders ---------------------------------------------------------------------------------- */

static bool make_folders(Job *job, bool container, GError **error)
{
    const ExprValue *repository = expr_object_get(job->engine->github, "repository");
    const char *slash = strchr(repository->string, '/');
    const char *name = slash != NULL && slash[1] != '\0' ? slash + 1 : "project";
    g_autofree char *number = g_strdup_printf("%d", job->row->number);
    job->folder = g_build_filename(job->engine->folder, "jobs", number, NULL);
    job->work = g_build_filename(job->folder, "work", NULL);
    job->workspace = g_build_filename(job->work, name, name, NULL);
    g_autofree char *temp = g_build_filename(job->work, "_temp", NULL);
    job->inside = g_strdup(container ? INSIDE_CONTAINER : INSIDE);
    job->workspace_inside = g_build_filename(job->inside, name, name, NULL);
    job->temp_inside = g_build_filename(job->inside, "_temp", NULL);
    g_autofree char *commands = g_build_filename(temp, "_runner_file_commands", NULL);
    g_autofree char *event_folder = g_build_filename(temp, "_github_workflow", NULL);
    g_autofree char *home = g_build_filename(temp, "_home", NULL);
    g_autofree char *tools = g_build_filename(job->work, "_tool", NULL);
    const char *const folders[] = {job->workspace, commands, event_folder, home, tools};
    for (size_t i = 0; i < G_N_ELEMENTS(folders); i++)
        if (!file_make_folders(folders[i], 0755, error))
            return false;
    g_autofree char *event_file = g_build_filename(event_folder, "event.json", NULL);
    g_autofree char *event = expr_to_json_text(expr_object_get(job->engine->github, "event"));
    if (!file_write_atomic(AT_FDCWD, event_file, event, -1, 0644, error))
        return false;
    job->work_fd = open(job->work, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return job->work_fd >= 0 || error_set_errno(error, errno, "open", job->work);
}

/* -- contexts --------------------------------------------------------------------------------- */

static void set_text(ExprValue *object, const char *key, const char *value)
{
    expr_object_set(object, key, expr_string(value != NULL ? value : ""));
}

static void set_github(Job *job)
{
    const ExprValue *from = job->engine->github;
    job->github = expr_object();
    for (guint i = 0; i < from->items->len; i++)
        expr_object_set(job->github, from->keys->pdata[i], expr_ref(from->items->pdata[i]));
    g_autofree char *event =
        g_build_filename(job->temp_inside, "_github_workflow", "event.json", NULL);
    set_text(job->github, "job", job->job->id);
    set_text(job->github, "workspace", job->workspace_inside);
    set_text(job->github, "event_path", event);
}

static void set_runner(Job *job)
{
    g_autofree char *tools = g_build_filename(job->inside, "_tool", NULL);
    job->runner = expr_object();
    set_text(job->runner, "os", "Linux");
#if defined(__aarch64__)
    set_text(job->runner, "arch", "ARM64");
#else
    set_text(job->runner, "arch", "X64");
#endif
    set_text(job->runner, "name", "slipway");
    set_text(job->runner, "environment", "self-hosted");
    set_text(job->runner, "temp", job->temp_inside);
    set_text(job->runner, "tool_cache", tools);
    set_text(job->runner, "workspace", job->inside);
    set_text(job->runner, "debug", "");
}

static bool add_env(Job *job, const PipelineValue *env, ExprValue *contexts, GError **error)
{
    if (env == NULL)
        return true;
    ExprScope scope = {contexts, evaluation_functions, &job->state};
    g_autoptr(ExprValue) values = evaluate_value(env, &scope, error);
    if (values == NULL)
        return false;
    for (guint i = 0; values->kind == EXPR_OBJECT && i < values->items->len; i++)
        expr_object_set(job->env, values->keys->pdata[i],
                        expr_string_take(expr_to_text(values->items->pdata[i])));
    return true;
}

static bool read_defaults(Job *job, const PipelineValue *defaults, ExprValue *contexts,
                          GError **error)
{
    const PipelineValue *run = pipeline_value_get(defaults, "run");
    const struct {
        const char *key;
        char **member;
    } members[] = {{"shell", &job->shell}, {"working-directory", &job->working_directory}};
    ExprScope scope = {contexts, evaluation_functions, &job->state};
    for (size_t i = 0; i < G_N_ELEMENTS(members); i++) {
        const PipelineValue *value = pipeline_value_get(run, members[i].key);
        if (value == NULL)
            continue;
        g_free(*members[i].member);
        *members[i].member = evaluate_text(value, &scope, error);
        if (*members[i].member == NULL)
            return false;
    }
    return true;
}

static bool set_contexts(Job *job, GError **error)
{
    set_github(job);
    set_runner(job);
    job->context = expr_object();
    set_text(job->context, "status", "success");
    for (guint i = 0; i < job->engine->base_env->items->len; i++)
        expr_object_set(job->env, job->engine->base_env->keys->pdata[i],
                        expr_ref(job->engine->base_env->items->pdata[i]));
    g_autoptr(ExprValue) contexts = row_contexts(job->row);
    expr_object_set(contexts, "github", expr_ref(job->github));
    if (!add_env(job, job->engine->pipeline->env, contexts, error) ||
        !add_env(job, job->job->env, contexts, error))
        return false;
    expr_object_set(contexts, "env", expr_ref(job->env));
    return read_defaults(job, job->engine->pipeline->defaults, contexts, error) &&
           read_defaults(job, job->job->defaults, contexts, error);
}

/* -- root ------------------------------------------------------------------------------------- */

/* The image of `container`, what the settings map `runs-on` to, or NULL for the host. */
static bool choose_image(Job *job, char **image, GError **error)
{
    g_autoptr(ExprValue) contexts = row_contexts(job->row);
    ExprScope scope = {contexts, evaluation_functions, &job->state};
    const PipelineValue *container = job->job->container;
    const PipelineValue *named = pipeline_value_get(container, "image");
    g_autofree char *text = NULL;
    if (container != NULL) {
        text = evaluate_text(named != NULL ? named : container, &scope, error);
        if (text == NULL)
            return false;
    }
    const char *chosen = text != NULL && text[0] != '\0' ? text : job->engine->spec->root_image;
    *image = g_strdup(chosen);
    return true;
}

static bool refuse_services(const Job *job, GError **error)
{
    if (pipeline_value_length(job->job->services) == 0)
        return true;
    g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID,
                "%s:%d:%d: job '%s' asks for services, which are not started here; start them in "
                "a step",
                job->engine->pipeline->file, job->job->services->line, job->job->services->column,
                job->job->id);
    return false;
}

static bool start_root(Job *job, const char *image, GError **error)
{
    const PipelineRunSpec *spec = job->engine->spec;
    g_autofree char *home = g_build_filename(job->work, "_temp", "_home", NULL);
    g_autofree char *scratch = g_build_filename(job->folder, "root", NULL);
    bool container = image != NULL;
    job->home = g_strdup(container ? "/github/home" : "/home/runner");
    const SandboxMount mounts[] = {
        {.kind = SANDBOX_MOUNT_BIND, .source = home, .target = job->home},
        {.kind = SANDBOX_MOUNT_BIND, .source = job->work, .target = job->inside},
    };
    const JobRootSpec root = {
        .store = spec->store,
        .image = image,
        .scratch = scratch,
        .mounts = mounts,
        .mount_count = G_N_ELEMENTS(mounts),
        .hostname = "runner",
        .network = spec->offline ? SANDBOX_NETWORK_NONE : spec->network,
        .limits = spec->limits,
    };
    if (!file_make_folders(scratch, 0700, error))
        return false;
    job->root = job_root_start(&root, error);
    if (job->root == NULL)
        return false;
    job->row->root = g_strdup(job_root_name(job->root));
    bool bash = job->job->container == NULL && job_root_has(job->root, "bash");
    job->default_shell = g_strdup(bash ? "bash -e {0}" : "sh -e {0}");
    job->state.workspace = job->workspace;
    job->hand_over = g_build_filename(job_root_folder(job->root), "hand-over", NULL);
    return file_make_folders(job->hand_over, 0755, error);
}

/* -- the end ---------------------------------------------------------------------------------- */

static void run_posts(Job *job)
{
    while (job->posts->len > 0) {
        Post *post = g_ptr_array_steal_index(job->posts, job->posts->len - 1);
        post->run(job, post->data);
        post_free(post);
    }
}

static void take_outputs(Job *job, Scope *scope)
{
    const PipelineValue *outputs = job->job->outputs;
    g_autoptr(ExprValue) contexts = scope_contexts(scope, NULL);
    ExprScope names = {contexts, evaluation_functions, &job->state};
    for (guint i = 0; outputs != NULL && outputs->keys != NULL && i < outputs->keys->len; i++) {
        const char *key = pipeline_value_text(outputs->keys->pdata[i]);
        g_autoptr(GError) error = NULL;
        g_autofree char *value = evaluate_text(outputs->items->pdata[i], &names, &error);
        if (value == NULL) {
            engine_finding(job->engine, SEVERITY_ERROR, "expression", job->engine->pipeline->file,
                           outputs->line, outputs->column, error->message);
            continue;
        }
        if (value[0] == '\0')
            continue;
        if (mask_would_change(job->engine->mask, value)) {
            g_autofree char *message =
                g_strdup_printf("Skip output '%s' since it may contain secret.", key);
            engine_finding(job->engine, SEVERITY_WARNING, "output", job->engine->pipeline->file,
                           outputs->line, outputs->column, message);
            continue;
        }
        expr_object_set(job->row->outputs, key, expr_string(value));
    }
}

static bool set_deadline(Job *job, GError **error)
{
    g_autoptr(ExprValue) contexts = row_contexts(job->row);
    ExprScope scope = {contexts, evaluation_functions, &job->state};
    double minutes;
    if (!evaluate_number(job->job->timeout_minutes, &scope, DEFAULT_MINUTES, &minutes, error))
        return false;
    if (minutes >= 1 && minutes < 100000)
        job->deadline = g_get_monotonic_time() + (gint64) floor(minutes) * 60 * G_USEC_PER_SEC;
    return true;
}

static bool prepare(Job *job, GError **error)
{
    g_autofree char *image = NULL;
    return choose_image(job, &image, error) && refuse_services(job, error) &&
           make_folders(job, job->job->container != NULL && image != NULL, error) &&
           set_contexts(job, error) && set_deadline(job, error) && start_root(job, image, error);
}

void job_run(Row *row)
{
    g_autoptr(Job) job = job_new(row);
    g_autoptr(GError) error = NULL;
    if (job->job->steps->len == 0) {
        row->result = RESULT_SUCCESS;
        return;
    }
    if (!prepare(job, &error)) {
        row->result = RESULT_FAILURE;
        row->reason = g_strdup(error->message);
        engine_finding(job->engine, SEVERITY_ERROR, "job", job->engine->pipeline->file,
                       job->job->line, job->job->column, error->message);
        return;
    }
    Scope scope = {.job = job, .steps = expr_object()};
    steps_run(&scope, job->job->steps);
    run_posts(job);
    if (job->timed_out)
        row->reason = g_strdup("its time ran out");
    row->result = job->failed || job->timed_out ? RESULT_FAILURE
                  : row->cancelled              ? RESULT_CANCELLED
                                                : RESULT_SUCCESS;
    take_outputs(job, &scope);
    expr_unref(scope.steps);
}
