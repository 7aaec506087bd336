/* run.c - slipway run: a pipeline file from start to end on this machine. */
#include "actions/actions.h"
#include "base/error.h"
#include "base/file.h"
#include "cli/commands.h"
#include "cli/output.h"
#include "cli/pipeline_source.h"
#include "cli/run_view.h"
#include "cli/style.h"
#include "pipeline/run.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SECRETS_LIMIT (1024 * 1024)

static volatile int cancelled;

/* The first signal asks the run to end in order, the second ends it at once: what runs inside dies
 * with us. */
static void on_signal(int number)
{
    if (cancelled)
        _exit(128 + number);
    cancelled = 1;
}

typedef struct {
    char *event, *event_file, *job, *secret_file, *format, *image;
    char **inputs, **env, **vars, **matrix;
    gboolean offline;
    bool json;
} Options;

static void options_clear(Options *options)
{
    char *texts[] = {options->event,       options->event_file, options->job,
                     options->secret_file, options->format,     options->image};
    for (size_t i = 0; i < G_N_ELEMENTS(texts); i++)
        g_free(texts[i]);
    char **lists[] = {options->inputs, options->env, options->vars, options->matrix};
    for (size_t i = 0; i < G_N_ELEMENTS(lists); i++)
        g_strfreev(lists[i]);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Options, options_clear)

/* The value of a NAME=VALUE line: in double quotes \n and \" mean what they say, in single ones
 * nothing does. */
static char *unquote(const char *text)
{
    size_t length = strlen(text);
    if (length < 2 || text[0] != text[length - 1] || strchr("'\"", text[0]) == NULL)
        return g_strdup(text);
    g_autofree char *inner = g_strndup(text + 1, length - 2);
    return text[0] == '"' ? g_strcompress(inner) : g_steal_pointer(&inner);
}

static json_t *read_secrets(const char *file, GError **error)
{
    json_t *secrets = json_object();
    if (file == NULL)
        return secrets;
    g_autofree char *text = file_read(AT_FDCWD, file, SECRETS_LIMIT, NULL, error);
    g_auto(GStrv) lines = text != NULL ? g_strsplit(text, "\n", -1) : NULL;
    for (int i = 0; lines != NULL && lines[i] != NULL; i++) {
        char *line = g_strstrip(lines[i]);
        if (line[0] == '\0' || line[0] == '#')
            continue;
        if (g_str_has_prefix(line, "export "))
            line = g_strchug(line + strlen("export "));
        char *equals = strchr(line, '=');
        if (equals == NULL || equals == line) {
            g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID, "%s:%d: expected NAME=VALUE",
                        file, i + 1); /* the line itself may be a secret */
            text = (g_free(text), NULL);
            break;
        }
        *equals = '\0';
        g_autofree char *value = unquote(equals + 1);
        json_object_set_new(secrets, g_strchomp(line), json_string(value));
    }
    if (text != NULL)
        return secrets;
    json_decref(secrets);
    return NULL;
}

/* What the options say as JSON. */
typedef struct {
    json_t *inputs, *env, *vars, *secrets, *event;
} Given;

static void given_clear(Given *given)
{
    json_t *values[] = {given->inputs, given->env, given->vars, given->secrets, given->event};
    for (size_t i = 0; i < G_N_ELEMENTS(values); i++)
        json_decref(values[i]);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Given, given_clear)

static bool read_given(Given *given, const Options *options, const PipelineSource *source,
                       GError **error)
{
    const char *event = options->event != NULL ? options->event : "push";
    given->inputs = pipeline_pairs((const char *const *) options->inputs, "--input", error);
    given->env = given->inputs == NULL
                     ? NULL
                     : pipeline_pairs((const char *const *) options->env, "--env", error);
    given->vars = given->env == NULL
                      ? NULL
                      : pipeline_pairs((const char *const *) options->vars, "--var", error);
    given->secrets = given->vars == NULL ? NULL : read_secrets(options->secret_file, error);
    given->event = given->secrets == NULL
                       ? NULL
                       : pipeline_event(source, event, options->event_file, given->inputs, error);
    return given->event != NULL;
}

static void print_findings(const PipelineRunResult *result)
{
    for (guint i = 0; i < result->findings->len; i++) {
        const Finding *finding = result->findings->pdata[i];
        fprintf(stderr, "%s:%d:%d: %s: %s [%s]\n", finding->path, finding->line, finding->column,
                severity_name(finding->severity), finding->message, finding->rule);
    }
}

static int run_source(const Options *options, const PipelineSource *source, const Given *given,
                      GError **error)
{
    g_autoptr(State) state = state_open(NULL, error);
    g_autoptr(ContentStore) store = state != NULL ? content_store_open(state, error) : NULL;
    if (store == NULL)
        return EXIT_STATUS_NO;
    RunView *view = run_view_new(stdout, options->json, style_has_colour(stdout));
    const PipelineRunSpec spec = {
        .state = state,
        .store = store,
        .file = source->file,
        .text = source->text,
        .length = source->length,
        .repository_folder = source->root,
        .repository = source->repository,
        .commit = source->commit,
        .ref = source->ref,
        .uncommitted = true,
        .actor = source->actor,
        .event_name = options->event,
        .event = given->event,
        /* Without --event the file is run because it was asked for, whatever `on` says. */
        .ignore_triggers = options->event == NULL,
        .inputs = given->inputs,
        .vars = given->vars,
        .secrets = given->secrets,
        .env = given->env,
        .only_job = options->job,
        .only_matrix = (const char *const *) options->matrix,
        .root_image = options->image,
        .network = SANDBOX_NETWORK_SLIRP,
        .offline = options->offline,
        .actions = actions_table,
        .sink = run_view_sink(view),
        .cancelled = &cancelled,
    };
    g_autoptr(PipelineRunResult) result = pipeline_run(&spec, error);
    run_view_free(view);
    if (result == NULL)
        return EXIT_STATUS_NO;
    if (!options->json)
        print_findings(result);
    bool fine = g_str_equal(result->result, "success") || g_str_equal(result->result, "skipped");
    return fine ? EXIT_STATUS_DONE : EXIT_STATUS_NO;
}

static int run(int argc, char **argv, GError **error)
{
    g_auto(Options) options = {0};
    const GOptionEntry entries[] = {
        {"event", 0, 0, G_OPTION_ARG_STRING, &options.event,
         "the event: push, pull_request, workflow_dispatch, …", "NAME"},
        {"event-file", 0, 0, G_OPTION_ARG_FILENAME, &options.event_file, "its payload as JSON",
         "FILE"},
        {"job", 0, 0, G_OPTION_ARG_STRING, &options.job, "only this job and what it needs", "ID"},
        {"input", 0, 0, G_OPTION_ARG_STRING_ARRAY, &options.inputs, "an input of the run", "K=V"},
        {"secret-file", 0, 0, G_OPTION_ARG_FILENAME, &options.secret_file,
         "secrets, NAME=VALUE a line", "FILE"},
        {"env", 0, 0, G_OPTION_ARG_STRING_ARRAY, &options.env,
         "a variable below the file's own env", "K=V"},
        {"var", 0, 0, G_OPTION_ARG_STRING_ARRAY, &options.vars, "a value of the vars context",
         "K=V"},
        {"matrix", 0, 0, G_OPTION_ARG_STRING_ARRAY, &options.matrix,
         "only rows of a matrix with this value", "K:V"},
        {"image", 0, 0, G_OPTION_ARG_STRING, &options.image,
         "what runs-on means: an image of the local store (default: this machine's /usr)", "REF"},
        {"offline", 0, 0, G_OPTION_ARG_NONE, &options.offline, "jobs have no network", NULL},
        {"format", 0, 0, G_OPTION_ARG_STRING, &options.format, "text or json (the events)",
         "text|json"},
        {0},
    };
    if (!command_parse(&command_run, entries, &argc, &argv, error) ||
        !output_parse_format(options.format, &options.json, error))
        return EXIT_STATUS_USAGE;
    if (argc > 2)
        return command_usage_error(error, "one file at most");
    if (options.event == NULL && options.event_file != NULL)
        return command_usage_error(error, "--event-file needs --event");
    g_auto(PipelineSource) source = {0};
    g_auto(Given) given = {0};
    if (!pipeline_source_open(&source, argc > 1 ? argv[1] : NULL, error) ||
        !read_given(&given, &options, &source, error))
        return EXIT_STATUS_NO;
    const struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    return run_source(&options, &source, &given, error);
}

const Command command_run = {
    .name = "run",
    .group = "path",
    .operands = "[FILE]",
    .summary = "run a pipeline file on this machine",
    .run = run,
};
