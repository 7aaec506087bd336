/* plan.c - slipway plan: every job and step with the reason it runs or not. */
#include "cli/commands.h"
#include "cli/output.h"
#include "cli/pipeline_source.h"
#include "pipeline/plan.h"

#include <stdio.h>
#include <stdlib.h>

static const char *text_of(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

static const char *answer(const json_t *object)
{
    const json_t *runs = json_object_get(object, "runs");
    return json_is_null(runs) ? "?" : json_is_true(runs) ? "+" : "-";
}

static void print_job(const json_t *job)
{
    printf("%s %s", answer(job), text_of(job, "id"));
    const json_t *needs = json_object_get(job, "needs");
    for (size_t i = 0; i < json_array_size(needs); i++)
        printf("%s%s", i == 0 ? " <- " : ", ", json_string_value(json_array_get(needs, i)));
    printf(": %s\n", text_of(job, "reason"));
    if (!json_is_true(json_object_get(job, "runs")) && !json_is_null(json_object_get(job, "runs")))
        return;
    const json_t *rows = json_object_get(job, "rows");
    for (size_t i = 0; json_array_size(rows) > 1 && i < json_array_size(rows); i++)
        printf("    row %s\n", text_of(json_array_get(rows, i), "name"));
    size_t i;
    json_t *step;
    json_array_foreach(json_object_get(job, "steps"), i, step)
    {
        printf("  %s %s", answer(step), text_of(step, "name"));
        if (!json_is_true(json_object_get(step, "runs")) ||
            !g_str_equal(text_of(step, "condition"), "success()"))
            printf(": %s (%s)", text_of(step, "reason"), text_of(step, "condition"));
        putchar('\n');
    }
}

static void print_plan(const json_t *plan)
{
    printf("%s (%s)\n%s %s: %s\n", text_of(plan, "name"), text_of(plan, "file"), answer(plan),
           text_of(plan, "event"), text_of(plan, "reason"));
    size_t i;
    json_t *job;
    json_array_foreach(json_object_get(plan, "jobs"), i, job) print_job(job);
}

static int run(int argc, char **argv, GError **error)
{
    g_autofree char *event = NULL, *event_file = NULL, *format = NULL;
    g_auto(GStrv) inputs = NULL;
    const GOptionEntry entries[] = {
        {"event", 0, 0, G_OPTION_ARG_STRING, &event, "the event (default: push)", "NAME"},
        {"event-file", 0, 0, G_OPTION_ARG_FILENAME, &event_file, "its payload as JSON", "FILE"},
        {"input", 0, 0, G_OPTION_ARG_STRING_ARRAY, &inputs, "an input of the run", "K=V"},
        OUTPUT_FORMAT_ROW(format),
        {0},
    };
    bool as_json;
    if (!command_parse(&command_plan, entries, &argc, &argv, error) ||
        !output_parse_format(format, &as_json, error))
        return EXIT_STATUS_USAGE;
    if (argc > 2)
        return command_usage_error(error, "one file at most");
    g_auto(PipelineSource) source = {0};
    if (!pipeline_source_open(&source, argc > 1 ? argv[1] : NULL, error))
        return EXIT_STATUS_NO;
    g_autoptr(json_t) given = pipeline_pairs((const char *const *) inputs, "--input", error);
    g_autoptr(json_t) payload =
        given != NULL
            ? pipeline_event(&source, event != NULL ? event : "push", event_file, given, error)
            : NULL;
    if (payload == NULL)
        return EXIT_STATUS_NO;
    const PipelineRunSpec spec = {
        .file = source.file,
        .text = source.text,
        .length = source.length,
        .repository_folder = source.root,
        .repository = source.repository,
        .commit = source.commit,
        .ref = source.ref,
        .actor = source.actor,
        .event_name = event,
        .event = payload,
        .inputs = given,
    };
    g_autoptr(json_t) plan = pipeline_plan(&spec, error);
    if (plan == NULL)
        return EXIT_STATUS_NO;
    if (as_json)
        output_json(plan);
    else
        print_plan(plan);
    return EXIT_STATUS_DONE;
}

const Command command_plan = {
    .name = "plan",
    .group = "path",
    .operands = "[FILE]",
    .summary = "show every job and step of a pipeline file, and why it runs or not",
    .run = run,
};
