#include "cli/view.h"

#include "base/error.h"
#include "cli/style.h"
#include "format/json.h"

#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define TICK_US (120 * 1000)
#define LOG_TAIL 12

typedef enum { ROW_RUNNING, ROW_PASSED, ROW_FAILED, ROW_SKIPPED, ROW_WAITING } RowState;

/* One line of the picture: a stage of the run, or an environment. */
typedef struct {
    char *name, *text;
    RowState state;
    gint64 started, ended; /* monotonic us */
    GQueue log;            /* char *, the last lines of output */
} Row;

struct View {
    EventSink sink; /* first: the sink is the view */
    ViewFormat format;
    bool live;
    GMutex lock;
    GPtrArray *rows;    /* Row * */
    GPtrArray *summary; /* char *, name and value in turn */
    guint drawn;        /* lines on the screen that are ours */
    guint tick;
    GThread *ticker;
    bool stop, ended;
};

static void row_free(gpointer data)
{
    Row *row = data;
    g_free(row->name);
    g_free(row->text);
    g_queue_clear_full(&row->log, g_free);
    g_free(row);
}

static Row *find_row(View *view, const char *name, bool make)
{
    for (guint i = 0; i < view->rows->len; i++) {
        Row *row = g_ptr_array_index(view->rows, i);
        if (g_str_equal(row->name, name))
            return row;
    }
    if (!make)
        return NULL;
    Row *row = g_new0(Row, 1);
    row->name = g_strdup(name);
    row->started = g_get_monotonic_time();
    g_queue_init(&row->log);
    g_ptr_array_add(view->rows, row);
    return row;
}

static void set_text(Row *row, const char *text)
{
    if (text == NULL)
        return;
    g_free(row->text);
    row->text = g_strdelimit(g_utf8_make_valid(text, -1), "\r\n\t\033", ' ');
}

/* ---- drawing ---- */

static const char *const spinner[] = {"⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"};

static const char *symbol(const View *view, const Row *row)
{
    switch (row->state) {
    case ROW_PASSED:
        return "✓";
    case ROW_FAILED:
        return "✗";
    case ROW_SKIPPED:
        return "–";
    case ROW_WAITING:
        return "●";
    case ROW_RUNNING:
        break;
    }
    return view->live ? spinner[view->tick % G_N_ELEMENTS(spinner)] : "→";
}

static StyleColour colour_of(const Row *row)
{
    static const StyleColour colours[] = {[ROW_RUNNING] = STYLE_CYAN,
                                          [ROW_PASSED] = STYLE_GREEN,
                                          [ROW_FAILED] = STYLE_RED,
                                          [ROW_SKIPPED] = STYLE_DIM,
                                          [ROW_WAITING] = STYLE_YELLOW};
    return colours[row->state];
}

static char *format_time(const Row *row)
{
    gint64 until = row->ended > 0 ? row->ended : g_get_monotonic_time();
    double seconds = (double) (until - row->started) / 1e6;
    if (seconds < 0.05)
        return g_strdup("");
    if (seconds < 60)
        return g_strdup_printf("%.1f s", seconds);
    return g_strdup_printf("%d m %02d s", (int) seconds / 60, (int) seconds % 60);
}

/* TEXT cut to WIDTH characters. */
static char *fit(const char *text, glong width)
{
    if (width < 1)
        return g_strdup("");
    if (g_utf8_strlen(text, -1) <= width)
        return g_strdup(text);
    g_autofree char *cut = g_utf8_substring(text, 0, width - 1);
    return g_strconcat(cut, "…", NULL);
}

static void print_row(const View *view, const Row *row, int columns)
{
    g_autofree char *time = format_time(row);
    g_autofree char *text = fit(row->text != NULL ? row->text : "", columns - 2 - 2 - 13 - 11);
    glong pad = columns - 2 - 2 - 13 - g_utf8_strlen(text, -1) - 10;
    fprintf(stderr, "  %s%s%s %s%-12s%s %s", style_on(stderr, colour_of(row)), symbol(view, row),
            style_off(stderr),
            style_on(stderr, row->state == ROW_RUNNING ? STYLE_BOLD : STYLE_NONE), row->name,
            style_off(stderr), text);
    if (time[0] != '\0')
        fprintf(stderr, "%*s%s%8s%s", (int) MAX(pad, 1), "", style_on(stderr, STYLE_DIM), time,
                style_off(stderr));
    fputs(view->live ? "\033[K\n" : "\n", stderr);
}

static int terminal_columns(void)
{
    struct winsize size;
    int columns =
        ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 40 ? size.ws_col : 80;
    return MIN(columns, 110);
}

/* Draws all rows over those of the last time. */
static void redraw(View *view)
{
    if (!view->live || view->ended)
        return;
    int columns = terminal_columns();
    if (view->drawn > 0)
        fprintf(stderr, "\033[%uA", view->drawn);
    for (guint i = 0; i < view->rows->len; i++)
        print_row(view, g_ptr_array_index(view->rows, i), columns);
    view->drawn = view->rows->len;
    fflush(stderr);
}

/* A line above the rows that stays. */
static void print_above(View *view, const char *line)
{
    if (view->live && view->drawn > 0) {
        fprintf(stderr, "\033[%uA\033[J", view->drawn);
        view->drawn = 0;
    }
    fprintf(stderr, "%s\n", line);
    redraw(view);
}

static void end_row(View *view, Row *row, RowState state)
{
    row->state = state;
    row->ended = g_get_monotonic_time();
    if (!view->live)
        print_row(view, row, 100);
}

static gpointer run_ticker(gpointer data)
{
    View *view = data;
    g_mutex_lock(&view->lock);
    while (!view->stop) {
        view->tick++;
        redraw(view);
        g_mutex_unlock(&view->lock);
        g_usleep(TICK_US);
        g_mutex_lock(&view->lock);
    }
    g_mutex_unlock(&view->lock);
    return NULL;
}

/* ---- events ---- */

static void summarise(View *view, const char *name, char *value /* taken */)
{
    g_ptr_array_add(view->summary, g_strdup(name));
    g_ptr_array_add(view->summary, value);
}

static void on_run_started(View *view, const json_t *event)
{
    const char *commit = json_get_string(event, "commit");
    g_autofree char *line =
        g_strdup_printf("%s%s%s  %.12s  %s  %s%s%s", style_on(stderr, STYLE_BOLD),
                        json_get_string(event, "project"), style_off(stderr), commit,
                        json_get_string(event, "subject"), style_on(stderr, STYLE_DIM),
                        json_get_string(event, "author"), style_off(stderr));
    print_above(view, line);
    if (json_get_boolean(event, "resumed", false))
        print_above(view, "going on with the run that was interrupted");
}

/* What a stage that has ended is worth saying in a few words. */
static char *describe_end(const char *job, const json_t *event)
{
    const char *why = json_get_string(event, "why");
    if (why == NULL)
        why = json_get_string(event, "failed");
    if (json_is_string(json_object_get(event, "why")) ||
        (why != NULL && json_is_string(json_object_get(event, "failed"))))
        return g_strdup(why);
    if (g_str_equal(job, "tests"))
        return g_strdup_printf("%" G_GINT64_FORMAT " passed, %" G_GINT64_FORMAT " skipped",
                               json_get_integer(event, "passed", 0),
                               json_get_integer(event, "skipped", 0));
    if (g_str_equal(job, "secrets"))
        return g_strdup_printf("%" G_GINT64_FORMAT " found in %" G_GINT64_FORMAT " files",
                               json_get_integer(event, "found", 0),
                               json_get_integer(event, "files", 0));
    if (g_str_equal(job, "build"))
        return g_strdup(json_get_string(event, "digest"));
    if (g_str_equal(job, "scan")) {
        g_autofree char *counts = json_compact(json_object_get(event, "counts"));
        bool none = json_object_size(json_object_get(event, "counts")) == 0;
        const char *uncovered = json_get_string(event, "uncovered");
        return g_strdup_printf("%" G_GINT64_FORMAT " packages, %s%s%s",
                               json_get_integer(event, "packages", 0),
                               none ? "no known vulnerability" : counts,
                               uncovered != NULL && uncovered[0] != '\0' ? "; not covered: " : "",
                               uncovered != NULL ? uncovered : "");
    }
    if (g_str_equal(job, "sign"))
        return g_strdup("provenance and signature by ci");
    if (g_str_equal(job, "push")) {
        g_autoptr(GString) names = g_string_new(NULL);
        size_t i;
        json_t *name;
        json_array_foreach(json_object_get(event, "names"), i, name)
            g_string_append_printf(names, "%s%s", i > 0 ? ", " : "", json_string_value(name));
        return g_strdup(names->str);
    }
    if (g_str_equal(job, "lint"))
        return json_object_size(json_object_get(event, "counts")) == 0
                   ? g_strdup("nothing to say")
                   : json_compact(json_object_get(event, "counts"));
    if (g_str_equal(job, "workflow"))
        return g_strdup(json_get_string(event, "file"));
    return NULL;
}

static void show_log_tail(View *view, Row *row)
{
    for (GList *at = row->log.head; at != NULL; at = at->next) {
        g_autofree char *line = g_strdup_printf("    %s│%s %s", style_on(stderr, STYLE_DIM),
                                                style_off(stderr), (char *) at->data);
        print_above(view, line);
    }
}

static void on_job_ended(View *view, const json_t *event)
{
    const char *job = json_get_string(event, "job"), *result = json_get_string(event, "result");
    Row *row = find_row(view, job, true);
    g_autofree char *text = describe_end(job, event);
    set_text(row, text);
    RowState state = g_strcmp0(result, "passed") == 0    ? ROW_PASSED
                     : g_strcmp0(result, "skipped") == 0 ? ROW_SKIPPED
                                                         : ROW_FAILED;
    end_row(view, row, state);
    if (state == ROW_FAILED)
        show_log_tail(view, row);
}

static void on_log(View *view, const json_t *event)
{
    const char *stage = json_get_string(event, "stage");
    const char *line = json_get_string(event, "line");
    Row *row = find_row(view, stage != NULL ? stage : json_get_string(event, "job"), false);
    if (row == NULL || line == NULL || row->state != ROW_RUNNING)
        return;
    set_text(row, line);
    g_queue_push_tail(&row->log, g_strdup(row->text));
    if (g_queue_get_length(&row->log) > LOG_TAIL)
        g_free(g_queue_pop_head(&row->log));
}

static void on_finding(View *view, const json_t *event)
{
    const char *severity = json_get_string(event, "severity"),
               *mend = json_get_string(event, "mend");
    gint64 place = json_get_integer(event, "line", 0);
    g_autofree char *where =
        place > 0 ? g_strdup_printf(":%" G_GINT64_FORMAT, place) : g_strdup("");
    bool bad = g_strcmp0(severity, "error") == 0 || g_strcmp0(severity, "high") == 0 ||
               g_strcmp0(severity, "critical") == 0;
    g_autofree char *line = g_strdup_printf(
        "    %s%s%s %s%s  %s  %s%s%s", style_on(stderr, bad ? STYLE_RED : STYLE_YELLOW), severity,
        style_off(stderr), json_get_string(event, "path"), where, json_get_string(event, "rule"),
        json_get_string(event, "message"), mend != NULL ? "; " : "", mend != NULL ? mend : "");
    print_above(view, line);
}

static void on_build(View *view, const char *type, const json_t *event)
{
    Row *row = find_row(view, "build", false);
    const char *text = json_get_string(event, "text");
    if (row == NULL || text == NULL || row->state != ROW_RUNNING)
        return;
    if (g_str_equal(type, "build.output")) {
        g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
        for (size_t i = 0; lines[i] != NULL; i++) {
            if (lines[i][0] == '\0')
                continue;
            g_queue_push_tail(&row->log, g_utf8_make_valid(lines[i], -1));
            if (g_queue_get_length(&row->log) > LOG_TAIL)
                g_free(g_queue_pop_head(&row->log));
        }
        return;
    }
    g_autofree char *shown = g_strdup_printf("[%" G_GINT64_FORMAT "/%" G_GINT64_FORMAT "] %s",
                                             json_get_integer(event, "number", 0),
                                             json_get_integer(event, "total", 0), text);
    set_text(row, shown);
}

static void on_deploy(View *view, const json_t *event)
{
    const char *environment = json_get_string(event, "environment"),
               *state = json_get_string(event, "state");
    const char *message = json_get_string(event, "message"), *url = json_get_string(event, "url");
    Row *row = find_row(view, environment, true);
    if (row->ended > 0 && row->state == ROW_WAITING)
        row->started = g_get_monotonic_time();
    row->ended = 0;
    if (g_strcmp0(state, "succeeded") == 0) {
        g_autofree char *text = g_strdup_printf("serves at %s", url);
        set_text(row, text);
        end_row(view, row, ROW_PASSED);
        summarise(view, environment, g_strdup(url));
    } else if (g_strcmp0(state, "failed") == 0 || g_strcmp0(state, "rolled_back") == 0 ||
               g_strcmp0(state, "failed_migration") == 0 ||
               g_strcmp0(state, "rollback_failed") == 0 || g_strcmp0(state, "needs_human") == 0) {
        g_autofree char *text =
            g_strdup_printf("%s: %s", g_strcmp0(state, "rolled_back") == 0 ? "rolled back" : state,
                            message != NULL ? message : "");
        set_text(row, text);
        end_row(view, row, ROW_FAILED);
    } else {
        row->state = ROW_RUNNING;
        set_text(row, state);
    }
}

static void on_deploy_step(View *view, const json_t *event)
{
    Row *row = find_row(view, json_get_string(event, "environment"), true);
    const char *name = json_get_string(event, "name"), *result = json_get_string(event, "result");
    if (row->state != ROW_RUNNING)
        return;
    if (result == NULL)
        set_text(row, name);
    else if (!view->live) {
        const json_t *detail = json_object_get(event, "detail");
        const char *why = json_get_string(detail, "why"),
                   *verdict = json_get_string(detail, "verdict");
        fprintf(stderr, "    %s %s: %s%s%s\n", row->name, name, result,
                why != NULL ? ": " : (verdict != NULL ? ", " : ""),
                why != NULL ? why : (verdict != NULL ? verdict : ""));
    }
}

static void on_gate(View *view, const json_t *event)
{
    const char *verdict = json_get_string(event, "verdict");
    if (g_strcmp0(verdict, "missing") != 0 && g_strcmp0(verdict, "failed") != 0 &&
        g_strcmp0(verdict, "warned") != 0)
        return;
    g_autofree char *line = g_strdup_printf(
        "  %sgate %s%s  %s: %s",
        style_on(stderr, g_str_equal(verdict, "warned") ? STYLE_YELLOW : STYLE_RED),
        json_get_string(event, "gate"), style_off(stderr), verdict, json_get_string(event, "text"));
    print_above(view, line);
}

static void on_approval(View *view, const json_t *event)
{
    Row *row = find_row(view, json_get_string(event, "environment"), true);
    g_autofree char *text =
        g_strdup_printf("waits for a person: %s", json_get_string(event, "text"));
    set_text(row, text);
    end_row(view, row, ROW_WAITING);
    summarise(view, "next", g_strdup(json_get_string(event, "command")));
}

static void on_policy(View *view, const json_t *event)
{
    const char *loosened = json_get_string(event, "loosened");
    gint64 proposed = json_get_integer(event, "proposed", 0),
           force = json_get_integer(event, "in_force", 0);
    if (json_is_string(json_object_get(event, "loosened"))) {
        g_autofree char *line =
            g_strdup_printf("  slipway.yml is looser than policy version %" G_GINT64_FORMAT
                            ", which holds:\n    %s",
                            force, loosened);
        print_above(view, line);
    }
    if (proposed > 0) {
        g_autofree char *line =
            g_strdup_printf("  the default branch proposes policy version %" G_GINT64_FORMAT
                            "; it counts once accepted: slipway policy accept %" G_GINT64_FORMAT
                            " --as NAME --key FILE",
                            proposed, proposed);
        print_above(view, line);
    }
}

static void show(View *view, const char *type, json_t *event)
{
    bool of_stage = json_get_string(event, "stage") == NULL;
    if (g_str_equal(type, "run.started") && of_stage)
        on_run_started(view, event);
    else if (g_str_equal(type, "job.started") && of_stage)
        find_row(view, json_get_string(event, "job"), true);
    else if (g_str_equal(type, "job.ended") && of_stage)
        on_job_ended(view, event);
    else if (g_str_equal(type, "log"))
        on_log(view, event);
    else if (g_str_equal(type, "finding"))
        on_finding(view, event);
    else if (g_str_has_prefix(type, "build."))
        on_build(view, type, event);
    else if (g_str_equal(type, "image.built"))
        summarise(view, "image",
                  g_strdup_printf("%s@%s", json_get_string(event, "image"),
                                  json_get_string(event, "digest")));
    else if (g_str_equal(type, "deploy"))
        on_deploy(view, event);
    else if (g_str_equal(type, "deploy.step"))
        on_deploy_step(view, event);
    else if (g_str_equal(type, "gate"))
        on_gate(view, event);
    else if (g_str_equal(type, "approval.required"))
        on_approval(view, event);
    else if (g_str_equal(type, "policy"))
        on_policy(view, event);
}

static void emit(EventSink *self, json_t *event)
{
    View *view = (View *) self;
    g_mutex_lock(&view->lock);
    if (view->format == VIEW_JSON) {
        json_dumpf(event, stdout, JSON_COMPACT);
        putchar('\n');
        fflush(stdout);
    } else
        show(view, json_get_string(event, "type"), event);
    g_mutex_unlock(&view->lock);
}

/* ---- life ---- */

bool view_format_parse(const char *text, ViewFormat *format, GError **error)
{
    *format = g_strcmp0(text, "json") == 0 ? VIEW_JSON : VIEW_TEXT;
    if (text == NULL || g_str_equal(text, "json") || g_str_equal(text, "text"))
        return true;
    g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                "--format is text or json, not '%s'", text);
    return false;
}

View *view_new(ViewFormat format)
{
    View *view = g_new0(View, 1);
    view->sink.emit = emit;
    view->format = format;
    view->live =
        format == VIEW_TEXT && isatty(STDERR_FILENO) && g_strcmp0(g_getenv("TERM"), "dumb") != 0;
    g_mutex_init(&view->lock);
    view->rows = g_ptr_array_new_with_free_func(row_free);
    view->summary = g_ptr_array_new_with_free_func(g_free);
    if (view->live)
        view->ticker = g_thread_new("view", run_ticker, view);
    return view;
}

EventSink *view_sink(View *view)
{
    return &view->sink;
}

static void stop_ticker(View *view)
{
    if (view->ticker == NULL)
        return;
    g_mutex_lock(&view->lock);
    view->stop = true;
    g_mutex_unlock(&view->lock);
    g_thread_join(view->ticker);
    view->ticker = NULL;
}

void view_finish(View *view)
{
    stop_ticker(view);
    g_mutex_lock(&view->lock);
    redraw(view);
    view->ended = true;
    if (view->format == VIEW_TEXT && view->summary->len > 0) {
        fflush(stderr);
        putchar('\n');
        for (guint i = 0; i + 1 < view->summary->len; i += 2)
            printf("  %-12s %s\n", (char *) g_ptr_array_index(view->summary, i),
                   (char *) g_ptr_array_index(view->summary, i + 1));
        fflush(stdout);
    }
    g_mutex_unlock(&view->lock);
}

void view_free(View *view)
{
    if (view == NULL)
        return;
    stop_ticker(view);
    g_ptr_array_unref(view->rows);
    g_ptr_array_unref(view->summary);
    g_mutex_clear(&view->lock);
    g_free(view);
}
