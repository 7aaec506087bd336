/* run_view.c - while one job runs its lines stand alone under their step; while several run, each
 * line names its job. */
#include "cli/run_view.h"

#include <glib.h>
#include <stdlib.h>

struct RunView {
    EventSink sink;
    FILE *out;
    bool json, colour;
    int running;  /* jobs */
    bool crowded; /* more than one has been running at a time: names stay until it is quiet */
};

static const char *text_of(const json_t *event, const char *key)
{
    const char *text = json_string_value(json_object_get(event, key));
    return text != NULL ? text : "";
}

static const char *shade(const RunView *view, const char *code)
{
    return view->colour ? code : "";
}

static const char *sign(const RunView *view, const char *result)
{
    if (g_str_equal(result, "success"))
        return view->colour ? "\033[32m✓\033[0m" : "ok";
    if (g_str_equal(result, "failure"))
        return view->colour ? "\033[31m✗\033[0m" : "FAILED";
    if (g_str_equal(result, "cancelled"))
        return view->colour ? "\033[33m■\033[0m" : "cancelled";
    return view->colour ? "\033[2m–\033[0m" : "skipped";
}

static void print_prefix(const RunView *view, const json_t *event)
{
    if (view->crowded)
        fprintf(view->out, "%s%s |%s ", shade(view, "\033[2m"), text_of(event, "job"),
                shade(view, "\033[0m"));
}

static void print_indent(const RunView *view, const json_t *event)
{
    for (json_int_t i = json_integer_value(json_object_get(event, "depth")); i >= 0; i--)
        fputs("  ", view->out);
}

static void on_job_started(RunView *view, const json_t *event)
{
    view->running++;
    view->crowded = view->crowded || view->running > 1;
    fprintf(view->out, "%s%s%s\n", shade(view, "\033[1m"), text_of(event, "name"),
            shade(view, "\033[0m"));
}

static void on_job_ended(RunView *view, const json_t *event)
{
    const json_t *seconds = json_object_get(event, "seconds");
    const char *reason = text_of(event, "reason");
    if (seconds != NULL)
        view->running--;
    fprintf(view->out, "%s %s", sign(view, text_of(event, "result")), text_of(event, "name"));
    if (seconds != NULL)
        fprintf(view->out, " %s%.1f s%s", shade(view, "\033[2m"), json_real_value(seconds),
                shade(view, "\033[0m"));
    fprintf(view->out, "%s%s\n", reason[0] != '\0' ? ": " : "", reason);
    view->crowded = view->crowded && view->running > 0;
}

static void on_step_started(RunView *view, const json_t *event)
{
    print_prefix(view, event);
    print_indent(view, event);
    fprintf(view->out, "%s▸ %s%s\n", shade(view, "\033[36m"), text_of(event, "step"),
            shade(view, "\033[0m"));
}

static void on_step_ended(RunView *view, const json_t *event)
{
    const char *result = text_of(event, "result");
    double seconds = json_real_value(json_object_get(event, "seconds"));
    bool success = g_str_equal(result, "success");
    if (success && seconds < 1)
        return; /* silence is success: the next step begins */
    print_prefix(view, event);
    print_indent(view, event);
    if (success)
        fprintf(view->out, "  %s%.1f s%s\n", shade(view, "\033[2m"), seconds,
                shade(view, "\033[0m"));
    else
        fprintf(view->out, "%s %s\n", sign(view, result), text_of(event, "step"));
}

static void on_log(RunView *view, const json_t *event)
{
    print_prefix(view, event);
    fprintf(view->out, "    %s\n", text_of(event, "line"));
}

static void on_run_ended(RunView *view, const json_t *event)
{
    const char *reason = text_of(event, "reason");
    fprintf(view->out, "%s run %s%s%s\n", sign(view, text_of(event, "result")),
            text_of(event, "run"), reason[0] != '\0' ? ": " : "", reason);
}

static void emit(EventSink *sink, json_t *event)
{
    static const struct {
        const char *type;
        void (*show)(RunView *view, const json_t *event);
    } shows[] = {
        {"job.started", on_job_started},
        {"job.ended", on_job_ended},
        {"log", on_log},
        {"step.started", on_step_started},
        {"run.ended", on_run_ended},
        {"step.ended", on_step_ended},
    };
    RunView *view = (RunView *) sink;
    if (view->json) {
        char *line = json_dumps(event, JSON_COMPACT);
        fprintf(view->out, "%s\n", line);
        free(line);
    } else {
        for (size_t i = 0; i < G_N_ELEMENTS(shows); i++)
            if (g_str_equal(shows[i].type, text_of(event, "type")))
                shows[i].show(view, event);
    }
    fflush(view->out);
}

RunView *run_view_new(FILE *out, bool json, bool colour)
{
    RunView *view = g_new0(RunView, 1);
    *view = (RunView){.sink = {emit}, .out = out, .json = json, .colour = colour};
    return view;
}

EventSink *run_view_sink(RunView *view)
{
    return &view->sink;
}

void run_view_free(RunView *view)
{
    g_free(view);
}
