#include "ship/checks.h"

#include "actions/actions.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/file.h"
#include "delivery/evidence.h"
#include "delivery/gate.h"
#include "format/json.h"
#include "lint/dockerfile_lint.h"
#include "pipeline/run.h"
#include "pipeline/step.h"
#include "report/report.h"
#include "scan/secret_scan.h"
#include "ship/test_report.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#define FILE_LIMIT (4 * 1024 * 1024)
#define OUTPUT_LIMIT (64 * 1024 * 1024)
#define CHECK_TIMEOUT_MS (60 * 60 * 1000)
#define SHOWN_FINDINGS 20

/* One check in its own thread, with its own connection to the state. */
typedef struct Check Check;
struct Check {
    const char *name;
    bool (*run)(Check *check, GError **error);
    const CheckSpec *spec;
    Delivery *delivery;
    StageContext stage;
    GThread *thread;
    GError *error;
};

/* DETAIL is taken. */
static bool conclude(Check *check, const char *kind, bool passed, json_t *detail, GError **error)
{
    StageOutcome outcome = {.stage = check->name,
                            .kind = kind,
                            .object = check->spec->source->id,
                            .passed = passed,
                            .detail = detail};
    json_object_set_new(detail, "project", json_string(check->spec->release->project));
    bool ok = stage_conclude(&check->stage, &outcome, error);
    json_decref(detail);
    return ok;
}

/* {"error": 2, "warning": 1} of what counts. */
static json_t *count_by_severity(const GPtrArray *findings)
{
    json_t *counts = json_object();
    for (guint i = 0; i < findings->len; i++) {
        const Finding *finding = g_ptr_array_index(findings, i);
        if (finding->suppressed != NULL)
            continue;
        const char *name = severity_name(finding->severity);
        json_object_set_new(counts, name, json_integer(json_get_integer(counts, name, 0) + 1));
    }
    return counts;
}

/* For a gate only the ignore file counts, with its reason and day: what a comment beside the place
 * allows stands on nobody's account. */
static bool judge(Check *check, GPtrArray *findings, GError **error)
{
    for (guint i = 0; i < findings->len; i++) {
        Finding *finding = g_ptr_array_index(findings, i);
        g_clear_pointer(&finding->suppressed, g_free);
    }
    return report_apply_ignores(findings, check->spec->project, true, error);
}

static void emit_findings(const Check *check, const GPtrArray *findings)
{
    for (guint i = 0; i < findings->len && i < SHOWN_FINDINGS; i++) {
        const Finding *finding = g_ptr_array_index(findings, i);
        if (finding->suppressed != NULL)
            continue;
        event_emit(check->spec->sink, "finding",
                   json_pack("{s:s, s:s, s:s, s:s?, s:i, s:s, s:s?}", "job", check->name, "rule",
                             finding->rule, "severity", severity_name(finding->severity), "path",
                             finding->path, "line", finding->line, "message", finding->message,
                             "mend", finding->mend));
    }
}

/* Runs COMMAND in a fresh root on WORKSPACE; its output goes to the run's folder. */
static bool run_command(Check *check, const char *command, const char *workspace, const char *log,
                        PipelineCommandResult *result, GError **error)
{
    g_autoptr(ContentStore) store = content_store_open(check->delivery->state, error);
    if (store == NULL)
        return false;
    PipelineCommandSpec spec = {
        .state = check->delivery->state,
        .store = store,
        .image = check->spec->release->settings->root_image,
        .command = command,
        .workspace = workspace,
        .network = SANDBOX_NETWORK_SLIRP,
        .timeout_ms = CHECK_TIMEOUT_MS,
        .sink = check->spec->sink,
        .job = check->name,
        .step = command,
        .log_path = log,
    };
    return pipeline_command_run(&spec, result, error);
}

/* A copy of the content that a check may write into. */
static char *fresh_workspace(Check *check, GError **error)
{
    g_autofree char *folder = g_strdup_printf("%s/work-%s", check->spec->run_folder, check->name);
    if (!file_remove_tree(AT_FDCWD, folder, error) ||
        !source_checkout(check->spec->source, folder, error))
        return NULL;
    const char *prefix = check->spec->source->repository->prefix;
    return prefix[0] != '\0' ? g_build_filename(folder, prefix, NULL) : g_steal_pointer(&folder);
}

/* ---- lint ---- */

static bool lint_dockerfile(Check *check, GPtrArray *findings, GError **error)
{
    const Project *settings = check->spec->release->settings;
    g_autofree char *path = g_build_filename(check->spec->project, settings->build_file, NULL);
    g_autoptr(GError) failure = NULL;
    size_t length;
    g_autofree char *text = file_read(AT_FDCWD, path, FILE_LIMIT, &length, &failure);
    if (text == NULL && g_error_matches(failure, SLIPWAY_ERROR, SLIPWAY_ERROR_NOT_FOUND))
        return true; /* the build says so, with the mend */
    if (text == NULL) {
        g_propagate_error(error, g_steal_pointer(&failure));
        return false;
    }
    const DockerfileLintOptions options = {.rules = NULL};
    dockerfile_lint(settings->build_file, text, length, &options, findings);
    return judge(check, findings, error);
}

static bool run_lint(Check *check, GError **error)
{
    g_autoptr(GPtrArray) findings = findings_new();
    if (!lint_dockerfile(check, findings, error))
        return false;
    emit_findings(check, findings);

    char **commands = check->spec->release->settings->lint;
    g_autofree char *failed = NULL;
    g_autofree char *workspace = commands[0] != NULL ? fresh_workspace(check, error) : NULL;
    if (commands[0] != NULL && workspace == NULL)
        return false;
    for (size_t i = 0; commands[i] != NULL && failed == NULL; i++) {
        g_auto(PipelineCommandResult) result = {0};
        g_autofree char *log = g_strdup_printf("%s/lint-%zu.log", check->spec->run_folder, i + 1);
        if (!run_command(check, commands[i], workspace, log, &result, error))
            return false;
        if (result.status != 0)
            failed = g_strdup_printf("'%s' ended with status %d", commands[i], result.status);
    }
    json_t *counts = count_by_severity(findings);
    const char *level =
        json_get_string(json_object_get(check->spec->release->settings->json, "gates"), "lint");
    Severity worst = SEVERITY_ERROR;
    bool gated = level != NULL && severity_parse(level, &worst);
    bool passed = failed == NULL && (!gated || report_count(findings, worst) == 0);
    return conclude(check, "lint", passed,
                    json_pack("{s:o, s:s?}", "counts", counts, "failed", failed), error);
}

/* ---- tests ---- */

static json_t *policy_checks(Check *check, GError **error)
{
    int64_t version;
    g_autoptr(json_t) policy = gate_policy(check->delivery, check->spec->release, &version, error);
    return policy != NULL ? json_incref(json_object_get(policy, "checks")) : NULL;
}

static bool read_coverage(Check *check, const json_t *coverage, const char *workspace,
                          GError **error)
{
    const char *report = json_get_string(coverage, "report");
    if (report == NULL)
        return true;
    autofd int root = open(workspace, O_PATH | O_DIRECTORY | O_CLOEXEC);
    autofd int fd = file_open_beneath(root, report, O_RDONLY, 0, NULL);
    g_autofree char *xml = fd >= 0 ? file_read_fd(fd, OUTPUT_LIMIT, NULL, NULL) : NULL;
    gint64 lines = xml != NULL ? test_report_coverage(xml, NULL) : -1;
    g_autofree char *key = g_strdup_printf("run.%s.coverage", check->spec->run);
    return evidence_record(check->delivery, "coverage", check->spec->source->id,
                           lines >= json_get_integer(coverage, "min", 0) * 100 ? "passed"
                                                                               : "failed",
                           json_pack("{s:s, s:I, s:s}", "report", report, "lines",
                                     (json_int_t) lines, "project", check->spec->release->project),
                           key, error) >= 0;
}

static bool run_tests(Check *check, GError **error)
{
    g_autoptr(json_t) checks = policy_checks(check, error);
    if (checks == NULL)
        return false;
    json_t *tests = json_object_get(checks, "tests"), *commands = json_object_get(tests, "command");
    if (json_array_size(commands) == 0)
        return conclude(
            check, "tests", false,
            json_pack("{s:O, s:i, s:s}", "commands", commands, "passed", 0, "why",
                      "no tests were found; name them in slipway.yml: `test: [make test]`"),
            error);
    g_autofree char *workspace = fresh_workspace(check, error);
    if (workspace == NULL)
        return false;

    TestReport total = {0};
    g_autofree char *why = NULL;
    g_autofree char *root = NULL;
    size_t i;
    json_t *command;
    json_array_foreach(commands, i, command)
    {
        const char *text = json_string_value(command);
        g_auto(PipelineCommandResult) result = {0};
        g_autofree char *log = g_strdup_printf("%s/tests-%zu.log", check->spec->run_folder, i + 1);
        if (!run_command(check, text, workspace, log, &result, error))
            return false;
        g_autofree char *output = file_read(AT_FDCWD, log, OUTPUT_LIMIT, NULL, NULL);
        TestReport report = test_report_parse(output != NULL ? output : result.tail);
        total.passed += report.passed;
        total.failed += report.failed;
        total.skipped += report.skipped;
        if (report.runner != NULL)
            total.runner = report.runner;
        g_free(root);
        root = g_strdup(result.root);
        if (result.status != 0) {
            why = g_strdup_printf("'%s' ended with status %d", text, result.status);
            break;
        }
    }
    gint64 min = json_get_integer(tests, "min", 0);
    if (why == NULL && total.failed > 0)
        why = g_strdup_printf("%" G_GINT64_FORMAT " failed", total.failed);
    else if (why == NULL && total.passed < min)
        why = g_strdup_printf(
            "%" G_GINT64_FORMAT " passed%s, the policy asks for %" G_GINT64_FORMAT, total.passed,
            total.runner == NULL ? " (no known test runner in the output)" : "", min);
    if (!read_coverage(check, json_object_get(checks, "coverage"), workspace, error))
        return false;
    return conclude(check, "tests", why == NULL,
                    json_pack("{s:O, s:I, s:I, s:I, s:s?, s:s?, s:s?}", "commands", commands,
                              "passed", (json_int_t) total.passed, "failed",
                              (json_int_t) total.failed, "skipped", (json_int_t) total.skipped,
                              "runner", total.runner, "root", root, "why", why),
                    error);
}

/* ---- secrets ---- */

static bool run_secrets(Check *check, GError **error)
{
    SecretScanSummary summary = {0};
    g_autoptr(GPtrArray) findings = secret_scan_folder(check->spec->project, &summary, error);
    if (findings == NULL || !judge(check, findings, error))
        return false;
    emit_findings(check, findings);
    size_t found = 0;
    for (guint i = 0; i < findings->len; i++) {
        const Finding *finding = g_ptr_array_index(findings, i);
        found += finding->suppressed == NULL && !g_str_has_prefix(finding->rule, "ignore");
    }
    return conclude(check, "secrets", found == 0,
                    json_pack("{s:I, s:I, s:I}", "found", (json_int_t) found, "files",
                              (json_int_t) summary.files, "bytes", (json_int_t) summary.bytes),
                    error);
}

/* ---- the repository's own workflow ---- */

static int compare_names(gconstpointer a, gconstpointer b)
{
    return strcmp(*(const char *const *) a, *(const char *const *) b);
}

static GPtrArray *workflow_files(const char *folder)
{
    GPtrArray *files = g_ptr_array_new_with_free_func(g_free);
    g_autofree char *path = g_build_filename(folder, ".github", "workflows", NULL);
    g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
    const char *name;
    while (dir != NULL && (name = g_dir_read_name(dir)) != NULL)
        if (g_str_has_suffix(name, ".yml") || g_str_has_suffix(name, ".yaml"))
            g_ptr_array_add(files, g_build_filename(path, name, NULL));
    g_ptr_array_sort(files, compare_names);
    return files;
}

/* Marks the engine's events with the stage they belong to: its jobs are not stages of the path. */
typedef struct {
    EventSink sink;
    EventSink *next;
} WorkflowSink;

static void workflow_sink_emit(EventSink *self, json_t *event)
{
    EventSink *next = ((WorkflowSink *) self)->next;
    json_object_set_new(event, "stage", json_string("workflow"));
    /* The path has one beginning and one end; a file's run within it has its own words. */
    const char *type = json_get_string(event, "type");
    if (type != NULL && g_str_has_prefix(type, "run.")) {
        g_autofree char *own = g_strconcat("workflow.", type + strlen("run."), NULL);
        json_object_set_new(event, "type", json_string(own));
    }
    if (next != NULL)
        next->emit(next, event);
}

/* Runs one file; *RESULT is its word: success, failure, cancelled, skipped. */
static bool run_workflow_file(Check *check, const char *path, json_t *jobs, char **result,
                              GError **error)
{
    size_t length;
    g_autofree char *text = file_read(AT_FDCWD, path, FILE_LIMIT, &length, error);
    g_autoptr(ContentStore) store =
        text != NULL ? content_store_open(check->delivery->state, error) : NULL;
    if (store == NULL)
        return false;
    const Source *source = check->spec->source;
    /* A project in a subfolder is to its workflow what a repository of its own would be; so is a
     * tree with uncommitted changes. */
    bool whole = source->repository->prefix[0] == '\0' && !source->dirty;
    WorkflowSink sink = {.sink = {.emit = workflow_sink_emit}, .next = check->spec->sink};
    g_autofree char *name = g_path_get_basename(path);
    g_autofree char *shown = g_strconcat(".github/workflows/", name, NULL);
    PipelineRunSpec spec = {
        .state = check->delivery->state,
        .store = store,
        .file = shown,
        .text = text,
        .length = length,
        .repository_folder = whole ? source->repository->root : check->spec->project,
        .content_only = !whole,
        .commit = source->commit->id,
        .ref = source->ref,
        .root_image = check->spec->release->settings->root_image,
        .network = SANDBOX_NETWORK_SLIRP,
        .actions = actions_table,
        .sink = &sink.sink,
    };
    g_autoptr(PipelineRunResult) outcome = pipeline_run(&spec, error);
    if (outcome == NULL)
        return false;
    for (guint i = 0; i < outcome->jobs->len; i++) {
        const PipelineJobResult *job = g_ptr_array_index(outcome->jobs, i);
        json_array_append_new(jobs,
                              json_pack("{s:s, s:s, s:s, s:s?}", "file", shown, "job", job->name,
                                        "result", job->result, "reason", job->reason));
    }
    *result = g_strdup(outcome->result);
    return true;
}

static bool run_workflow(Check *check, GError **error)
{
    g_autoptr(GPtrArray) files = workflow_files(check->spec->project);
    if (files->len == 0)
        return stage_end(&check->stage, check->name, "skipped", NULL, error);
    g_autoptr(json_t) jobs = json_array();
    g_autoptr(GString) names = g_string_new(NULL);
    bool passed = true, any = false;
    for (guint i = 0; i < files->len; i++) {
        g_autofree char *result = NULL;
        g_autofree char *base = g_path_get_basename(g_ptr_array_index(files, i));
        g_autoptr(GError) failure = NULL;
        if (!run_workflow_file(check, g_ptr_array_index(files, i), jobs, &result, &failure)) {
            /* A file that does not read is the change's fault, not ours. */
            if (!g_error_matches(failure, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID)) {
                g_propagate_error(error, g_steal_pointer(&failure));
                return false;
            }
            event_emit(check->spec->sink, "finding",
                       json_pack("{s:s, s:s, s:s, s:s, s:i, s:s}", "job", check->name, "rule",
                                 "workflow", "severity", "error", "path", base, "line", 1,
                                 "message", failure->message));
            passed = false;
            any = true;
        }
        any = any || (result != NULL && !g_str_equal(result, "skipped"));
        passed = passed && (result == NULL || g_str_equal(result, "success") ||
                            g_str_equal(result, "skipped"));
        g_string_append_printf(names, "%s%s", names->len > 0 ? ", " : "", base);
    }
    if (!any && passed)
        return stage_end(&check->stage, check->name, "skipped", NULL, error);
    return conclude(check, "workflow", passed,
                    json_pack("{s:s, s:O}", "file", names->str, "jobs", jobs), error);
}

/* ---- side by side ---- */

static gpointer run_check(gpointer data)
{
    Check *check = data;
    check->delivery = delivery_open(check->spec->home, NULL, &check->error);
    if (check->delivery == NULL)
        return NULL;
    check->stage = (StageContext){.delivery = check->delivery,
                                  .run = check->spec->run,
                                  .project = check->spec->release->project,
                                  .sink = check->spec->sink};
    g_autoptr(json_t) before = NULL;
    if (stage_begin(&check->stage, check->name, &before, &check->error) && before == NULL &&
        !check->run(check, &check->error)) {
        g_prefix_error(&check->error, "%s: ", check->name);
        g_autoptr(json_t) detail = json_pack("{s:s}", "why", check->error->message);
        stage_end(&check->stage, check->name, "failed", detail, NULL);
    }
    delivery_close(check->delivery);
    return NULL;
}

bool checks_run(const CheckSpec *spec, GError **error)
{
    Check checks[] = {
        {.name = "lint", .run = run_lint, .spec = spec},
        {.name = "tests", .run = run_tests, .spec = spec},
        {.name = "secrets", .run = run_secrets, .spec = spec},
        {.name = "workflow", .run = run_workflow, .spec = spec},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(checks); i++)
        checks[i].thread = g_thread_new(checks[i].name, run_check, &checks[i]);
    bool ok = true;
    for (size_t i = 0; i < G_N_ELEMENTS(checks); i++) {
        g_thread_join(checks[i].thread);
        if (checks[i].error == NULL)
            continue;
        if (ok)
            g_propagate_error(error, checks[i].error);
        else
            g_error_free(checks[i].error);
        ok = false;
    }
    return ok;
}
