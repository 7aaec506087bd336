#include "pipeline/step_commands.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/file.h"
#include "pipeline/command_file.h"
#include "pipeline/workflow_command.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#define FILE_LIMIT (16 * 1024 * 1024)
#define SUMMARY_LIMIT (1024 * 1024)
#define ANNOTATIONS 10 /* of each kind in a step */
#define ANNOTATION_LIMIT 4096

/* -- files ------------------------------------------------------------------------------------ */

/* A new file NAME below the job's temporary folder with TEXT; links there lead nowhere. */
static bool make_file(Job *job, const char *path, const char *text, mode_t mode, GError **error)
{
    autofd int fd = file_open_beneath(job->work_fd, path, O_WRONLY | O_CREAT | O_EXCL, mode, error);
    return fd >= 0 && file_write_all(fd, text, strlen(text), error);
}

char *step_write_script(Job *job, const char *script, const char *suffix, GError **error)
{
    g_autofree char *path = g_strdup_printf("_temp/script-%d%s", ++job->files, suffix);
    if (!make_file(job, path, script, 0755, error))
        return NULL;
    return g_build_filename(job->inside, path, NULL);
}

bool step_files_make(StepRun *run, StepFiles *files, GHashTable *environment, GError **error)
{
    Job *job = run->scope->job;
    const struct {
        const char *name, *variable;
        char **path;
    } all[] = {
        {"set_output", "GITHUB_OUTPUT", &files->output},
        {"set_env", "GITHUB_ENV", &files->env},
        {"add_path", "GITHUB_PATH", &files->path},
        {"save_state", "GITHUB_STATE", &files->state},
        {"step_summary", "GITHUB_STEP_SUMMARY", &files->summary},
    };
    *files = (StepFiles){0};
    int number = ++job->files;
    for (size_t i = 0; i < G_N_ELEMENTS(all); i++) {
        *all[i].path = g_strdup_printf("_temp/_runner_file_commands/%s_%d", all[i].name, number);
        if (!make_file(job, *all[i].path, "", 0666, error))
            return false;
        g_hash_table_replace(environment, g_strdup(all[i].variable),
                             g_build_filename(job->inside, *all[i].path, NULL));
    }
    return true;
}

static char *read_file(Job *job, const char *path, size_t limit, GError **error)
{
    autofd int fd =
        file_open_beneath(job->work_fd, path, O_RDONLY | O_NONBLOCK | O_NOFOLLOW, 0, NULL);
    if (fd < 0)
        return g_strdup(""); /* the step removed it: it says nothing */
    return file_read_fd(fd, limit, NULL, error);
}

static void set_output(void *user, const char *name, char *value)
{
    step_set_output(user, name, value);
}

static void set_env(void *user, const char *name, char *value)
{
    StepRun *run = user;
    if (g_ascii_strcasecmp(name, "NODE_OPTIONS") == 0)
        step_log(run, "Error: Can't store NODE_OPTIONS output parameter using '$GITHUB_ENV' "
                      "command.");
    else
        step_set_env(run->scope->job, name, value);
}

static void set_state(void *user, const char *name, char *value)
{
    /* States are for the post part of an action; answers keep theirs themselves. */
}

static void add_paths(StepRun *run, const char *text)
{
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    for (char **line = lines; *line != NULL; line++) {
        g_strchomp(*line);
        if (**line != '\0')
            step_add_path(run->scope->job, *line);
    }
}

static void keep_summary(StepRun *run, const char *text)
{
    Job *job = run->scope->job;
    if (text[0] == '\0')
        return;
    if (strlen(text) > SUMMARY_LIMIT) {
        step_log(run, "Error: $GITHUB_STEP_SUMMARY upload aborted, supports content up to a size "
                      "of 1024k");
        return;
    }
    g_autofree char *name = g_strdup_printf("%d-%s", job->row->number, job->job->id);
    g_autofree char *folder = g_build_filename(job->engine->folder, "logs", name, NULL);
    g_autofree char *file = g_strdup_printf("%02d_%s.summary.md", job->steps, run->step->id);
    g_autofree char *path = g_build_filename(folder, file, NULL);
    g_autofree char *masked = mask_text(job->engine->mask, text);
    file_write_atomic(AT_FDCWD, path, masked, -1, 0600, NULL);
}

bool step_files_read(StepRun *run, StepFiles *files, GError **error)
{
    Job *job = run->scope->job;
    g_autofree char *output = read_file(job, files->output, FILE_LIMIT, error);
    g_autofree char *env = output != NULL ? read_file(job, files->env, FILE_LIMIT, error) : NULL;
    g_autofree char *path = env != NULL ? read_file(job, files->path, FILE_LIMIT, error) : NULL;
    g_autofree char *state = path != NULL ? read_file(job, files->state, FILE_LIMIT, error) : NULL;
    g_autofree char *summary = read_file(job, files->summary, FILE_LIMIT, NULL);
    bool fine = state != NULL && command_file_parse(output, set_output, run, error) &&
                command_file_parse(env, set_env, run, error) &&
                command_file_parse(state, set_state, run, error);
    if (fine) {
        add_paths(run, path);
        keep_summary(run, summary != NULL ? summary : "");
    }
    char *names[] = {files->output, files->env, files->path, files->state, files->summary};
    for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
        g_free(names[i]);
    return fine;
}

/* -- commands --------------------------------------------------------------------------------- */

static int number_of(const WorkflowCommand *command, const char *property)
{
    const char *text = workflow_command_property(command, property);
    return text != NULL ? atoi(text) : 0;
}

static void annotate(StepRun *run, const WorkflowCommand *command, Severity severity, int kind)
{
    Job *job = run->scope->job;
    g_autofree char *line = g_strdup_printf("%c%s: %s", g_ascii_toupper(command->name[0]),
                                            command->name + 1, command->data);
    output_line(run->output, line);
    if (run->annotations[kind]++ >= ANNOTATIONS)
        return;
    const char *file = workflow_command_property(command, "file");
    const char *title = workflow_command_property(command, "title");
    g_autofree char *whole =
        title != NULL ? g_strdup_printf("%s: %s", title, command->data) : g_strdup(command->data);
    g_autofree char *message = g_strndup(whole, ANNOTATION_LIMIT);
    g_autofree char *valid = g_utf8_make_valid(message, -1);
    engine_finding(job->engine, severity, "annotation",
                   file != NULL ? file : job->engine->pipeline->file,
                   file != NULL ? number_of(command, "line") : run->step->line,
                   file != NULL ? number_of(command, "col") : run->step->column, valid);
}

static bool insecure_allowed(const StepRun *run)
{
    const ExprValue *env = expr_object_get(run->contexts, "env");
    const ExprValue *value = expr_object_get(env, "ACTIONS_ALLOW_UNSECURE_COMMANDS");
    g_autofree char *text = value != NULL ? expr_to_text(value) : NULL;
    return g_strcmp0(text, "true") == 0;
}

static void set_insecure(StepRun *run, const WorkflowCommand *command)
{
    if (!insecure_allowed(run)) {
        step_log(
            run,
            "Error: The `%s` command is disabled. Please upgrade to using Environment Files or "
            "opt into unsecure command execution by setting the "
            "`ACTIONS_ALLOW_UNSECURE_COMMANDS` environment variable to `true`.",
            command->name);
        return;
    }
    const char *name = workflow_command_property(command, "name");
    if (g_str_equal(command->name, "add-path"))
        step_add_path(run->scope->job, command->data);
    else if (name != NULL)
        step_set_env(run->scope->job, name, command->data);
}

static void stop_commands(StepRun *run, const char *token)
{
    WorkflowCommand other;
    g_autofree char *as_command = g_strdup_printf("::%s::", token);
    bool known = workflow_command_parse(as_command, &other);
    workflow_command_clear(&other);
    if (token[0] == '\0' || known || g_str_equal(token, "pause-logging"))
        step_log(run, "Error: Invalid stop-commands token '%s'", token);
    else
        run->stop_token = g_strdup(token);
}

static void add_mask(StepRun *run, const char *value)
{
    if (value[strspn(value, " \t\r\n")] == '\0')
        step_log(run, "Warning: Can't add secret mask for empty string in ##[add-mask] command.");
    else
        mask_add(run->scope->job->engine->mask, value);
}

static void obey(StepRun *run, const WorkflowCommand *command)
{
    const char *name = command->name;
    const char *key = workflow_command_property(command, "name");
    if (g_str_equal(name, "error"))
        annotate(run, command, SEVERITY_ERROR, 0);
    else if (g_str_equal(name, "warning"))
        annotate(run, command, SEVERITY_WARNING, 1);
    else if (g_str_equal(name, "notice"))
        annotate(run, command, SEVERITY_INFO, 2);
    else if (g_str_equal(name, "add-mask"))
        add_mask(run, command->data);
    else if (g_str_equal(name, "set-output") && key != NULL)
        step_set_output(run, key, command->data);
    else if (g_str_equal(name, "set-env") || g_str_equal(name, "add-path"))
        set_insecure(run, command);
    else if (g_str_equal(name, "stop-commands"))
        stop_commands(run, command->data);
    else if (g_str_equal(name, "group") || g_str_equal(name, "section") ||
             g_str_equal(name, "command"))
        output_line(run->output, command->data);
    else if (g_str_has_suffix(name, "-matcher"))
        step_log(run, "Notice: problem matchers are not applied: %s",
                 command->data[0] != '\0' ? command->data : name);
}

bool step_command(void *user, const char *line)
{
    StepRun *run = user;
    if (run->stop_token != NULL) {
        const char *start = line + strspn(line, " \t");
        g_autofree char *end = g_strdup_printf("::%s::", run->stop_token);
        if (!g_str_has_prefix(start, end))
            return false;
        g_clear_pointer(&run->stop_token, g_free);
        return true;
    }
    g_auto(WorkflowCommand) command = {0};
    if (!workflow_command_parse(line, &command))
        return false;
    obey(run, &command);
    return true;
}
