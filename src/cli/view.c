#include "cli/view.h"

#include "base/error.h"
#include "cli/style.h"
#include "format/json.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define TICK_US (120 * 1000)
#define LOG_TAIL 12
#define NAME_WIDTH 12
#define TIME_WIDTH 10
#define PLAIN_COLUMNS 80
#define WIDEST 120

typedef enum {
    ROW_PENDING,
    ROW_RUNNING,
    ROW_PASSED,
    ROW_FAILED,
    ROW_SKIPPED,
    ROW_WAITING
} RowState;

/* One line of the picture: a stage of the run, or an environment. */
typedef struct {
    char *name, *text;
    char *step; /* "[2/5] " of a build; may be NULL */
    RowState state;
    gint64 started, ended; /* monotonic us */
    gint64 step_started;   /* of what TEXT tells, for an environment; 0: not timed */
    GQueue log;            /* char *, the last lines of output */
} Row;

struct View {
    EventSink sink; /* first: the sink is the view */
    ViewFormat format;
    bool live;
    GMutex lock;
    GPtrArray *rows;    /* Row * */
    GPtrArray *summary; /* char *, name and value in turn */
    GHashTable *said;   /* char *, lines of gates, each told once */
    char *folder;       /* of the run: its logs */
    gint64 started;
    guint drawn; /* lines on the screen that are ours */
    guint tick;
    GThread *ticker;
    bool stop, ended;
};

static volatile sig_atomic_t handed_over; /* the supervisor carries out a deployment */

static void row_free(gpointer data)
{
    Row *row = data;
    g_free(row->name);
    g_free(row->text);
    g_free(row->step);
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
    row->state = ROW_RUNNING;
    row->started = g_get_monotonic_time();
    g_queue_init(&row->log);
    g_ptr_array_add(view->rows, row);
    return row;
}

/* TEXT without what a terminal would obey: output of steps and words of commits are anybody's. */
static char *clean(const char *text)
{
    g_autofree char *valid = g_utf8_make_valid(text != NULL ? text : "", -1);
    GString *out = g_string_new(NULL);
    for (const char *at = valid; *at != '\0'; at = g_utf8_next_char(at)) {
        gunichar c = g_utf8_get_char(at);
        if (c == '\033' && at[1] == '[') { /* a colour or a movement, whole */
            size_t length = strspn(at + 2, "0123456789;?");
            at += 1 + length + (at[2 + length] >= '@' && at[2 + length] <= '~');
        } else
            g_string_append_unichar(out, g_unichar_iscntrl(c) ? ' ' : c);
    }
    return g_string_free(out, FALSE);
}

/* Blanks of TEXT in one: what stood on several lines fits on one. */
static char *squeeze(const char *text)
{
    g_autofree char *plain = clean(text);
    g_auto(GStrv) words = g_strsplit(plain, " ", -1);
    g_autoptr(GString) out = g_string_new(NULL);
    for (size_t i = 0; words[i] != NULL; i++)
        if (words[i][0] != '\0')
            g_string_append_printf(out, "%s%s", out->len > 0 ? " " : "", words[i]);
    return g_strdup(out->str);
}

static void set_text(Row *row, const char *text)
{
    if (text == NULL)
        return;
    g_free(row->text);
    row->text = squeeze(text);
}

static void add_log(Row *row, const char *line)
{
    g_queue_push_tail(&row->log, clean(line));
    if (g_queue_get_length(&row->log) > LOG_TAIL)
        g_free(g_queue_pop_head(&row->log));
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
    case ROW_PENDING:
        return "·";
    case ROW_RUNNING:
        break;
    }
    return view->live ? spinner[view->tick % G_N_ELEMENTS(spinner)] : "→";
}

static StyleColour colour_of(const Row *row)
{
    static const StyleColour colours[] = {
        [ROW_PENDING] = STYLE_DIM, [ROW_RUNNING] = STYLE_CYAN, [ROW_PASSED] = STYLE_GREEN,
        [ROW_FAILED] = STYLE_RED,  [ROW_SKIPPED] = STYLE_DIM,  [ROW_WAITING] = STYLE_YELLOW};
    return colours[row->state];
}

static char *format_duration(gint64 us)
{
    double seconds = (double) us / 1e6;
    if (seconds < 0.05)
        return g_strdup("");
    if (seconds < 60)
        return g_strdup_printf("%.1f s", seconds);
    return g_strdup_printf("%d m %02d s", (int) seconds / 60, (int) seconds % 60);
}

static char *format_time(const Row *row)
{
    if (row->state == ROW_PENDING || row->state == ROW_WAITING)
        return g_strdup("");
    gint64 until = row->ended > 0 ? row->ended : g_get_monotonic_time();
    return format_duration(until - row->started);
}

static int character_width(gunichar c)
{
    return g_unichar_iszerowidth(c) ? 0 : (g_unichar_iswide(c) ? 2 : 1);
}

/* Columns that TEXT takes on a terminal. */
static int text_width(const char *text)
{
    int width = 0;
    for (; *text != '\0'; text = g_utf8_next_char(text))
        width += character_width(g_utf8_get_char(text));
    return width;
}

/* TEXT cut to WIDTH columns. */
static char *fit(const char *text, int width)
{
    if (width < 1)
        return g_strdup("");
    if (text_width(text) <= width)
        return g_strdup(text);
    int used = 0;
    const char *at = text;
    for (; *at != '\0'; at = g_utf8_next_char(at)) {
        int next = character_width(g_utf8_get_char(at));
        if (used + next > width - 1)
            break;
        used += next;
    }
    g_autofree char *cut = g_strndup(text, (gsize) (at - text));
    return g_strconcat(cut, "…", NULL);
}

/* What ROW tells now: for a step that lasts, for how long already. */
static char *row_text(const Row *row)
{
    const char *text = row->text != NULL ? row->text : "";
    gint64 lasts = (g_get_monotonic_time() - row->step_started) / G_USEC_PER_SEC;
    if (row->state == ROW_RUNNING && row->step_started > 0 && lasts > 0)
        return g_strdup_printf("%s, %d s", text, (int) lasts);
    return g_strdup(text);
}

/* Appends ROW as one line. On a terminal it is cut to COLUMNS, elsewhere it is whole. */
static void append_row(GString *out, const View *view, const Row *row, int columns)
{
    g_autofree char *time = format_time(row), *whole = row_text(row);
    int room = columns - (2 + 2 + NAME_WIDTH + 1) - (time[0] != '\0' ? TIME_WIDTH : 0);
    g_autofree char *text = view->live ? fit(whole, room - 1) : g_strdup(whole);
    StyleColour of_name = row->state == ROW_RUNNING   ? STYLE_BOLD
                          : row->state == ROW_PENDING ? STYLE_DIM
                                                      : STYLE_NONE;
    g_string_append_printf(out, "  %s%s%s %s%-*s%s", style_on(stderr, colour_of(row)),
                           symbol(view, row), style_off(stderr), style_on(stderr, of_name),
                           text[0] != '\0' || time[0] != '\0' ? NAME_WIDTH : 0, row->name,
                           style_off(stderr));
    if (text[0] != '\0' || time[0] != '\0')
        g_string_append_printf(out, " %s", text);
    if (time[0] != '\0')
        g_string_append_printf(out, "%*s%s%*s%s", MAX(room - text_width(text), 1), "",
                               style_on(stderr, STYLE_DIM), TIME_WIDTH, time, style_off(stderr));
    g_string_append(out, view->live ? "\033[K\n" : "\n");
}

static int terminal_columns(void)
{
    struct winsize size;
    int columns = ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col
                                                                                  : PLAIN_COLUMNS;
    return CLAMP(columns, 32, WIDEST);
}

/* In one write: a picture that comes in pieces flickers. */
static void put(const GString *text)
{
    fwrite(text->str, 1, text->len, stderr);
    fflush(stderr);
}

/* Draws all rows over those of the last time. */
static void redraw(View *view)
{
    if (!view->live || view->ended)
        return;
    int columns = terminal_columns();
    g_autoptr(GString) out = g_string_new(NULL);
    if (view->drawn > 0)
        g_string_append_printf(out, "\033[%uA", view->drawn);
    for (guint i = 0; i < view->rows->len; i++)
        append_row(out, view, g_ptr_array_index(view->rows, i), columns);
    view->drawn = view->rows->len;
    put(out);
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
    if (view->live)
        return;
    g_autoptr(GString) out = g_string_new(NULL);
    append_row(out, view, row, PLAIN_COLUMNS);
    put(out);
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
    g_ptr_array_add(view->summary, g_strdup(name != NULL ? name : ""));
    g_ptr_array_add(view->summary, value);
}

/* The stages and environments that are to come, in the order of the path. */
static void add_pending(View *view, const json_t *names)
{
    size_t i;
    json_t *name;
    json_array_foreach(names, i, name) find_row(view, json_string_value(name), true)->state =
        ROW_PENDING;
}

static void on_run_started(View *view, const json_t *event)
{
    const char *commit = json_get_string(event, "commit"), *dirty = strstr(commit, "-dirty");
    g_autofree char *subject = clean(json_get_string(event, "subject"));
    g_autofree char *author = clean(json_get_string(event, "author"));
    g_autofree char *line =
        g_strdup_printf("%s%s%s  %.12s%s  %s  %s%s%s", style_on(stderr, STYLE_BOLD),
                        json_get_string(event, "project"), style_off(stderr), commit,
                        dirty != NULL ? " with uncommitted changes" : "", subject,
                        style_on(stderr, STYLE_DIM), author, style_off(stderr));
    print_above(view, line);
    if (json_get_boolean(event, "resumed", false))
        print_above(view, "going on with the run that was interrupted");
    view->folder = g_strdup(json_get_string(event, "folder"));
    add_pending(view, json_object_get(event, "stages"));
    add_pending(view, json_object_get(event, "environments"));
}

static void on_job_started(View *view, const json_t *event)
{
    Row *row = find_row(view, json_get_string(event, "job"), true);
    row->state = ROW_RUNNING;
    row->started = g_get_monotonic_time();
    if (!view->live)
        fprintf(stderr, "  → %s\n", row->name);
}

/* A name with the id of a commit as its tag, which is long, cut as commits are. */
static void append_short_name(GString *names, const char *name)
{
    const char *tag = strrchr(name, ':');
    size_t length = tag != NULL && strspn(tag + 1, "0123456789abcdef") >= 40
                        ? (size_t) (tag + 1 - name) + 12
                        : strlen(name);
    g_string_append_printf(names, "%s%.*s", names->len > 0 ? ", " : "", (int) length, name);
}

/* "1 error, 2 warning" of {"error": 1, "warning": 2}. */
static char *counts_text(const json_t *counts)
{
    g_autoptr(GString) text = g_string_new(NULL);
    const char *name;
    json_t *number;
    json_object_foreach((json_t *) counts, name, number) g_string_append_printf(
        text, "%s%d %s", text->len > 0 ? ", " : "", (int) json_integer_value(number), name);
    return g_strdup(text->str);
}

static const char *tag_of(const char *name)
{
    const char *tag = strrchr(name, ':');
    return tag != NULL ? tag + 1 : name;
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
        return g_strndup(json_get_string(event, "digest"), strlen("sha256:") + 12);
    if (g_str_equal(job, "scan")) {
        g_autofree char *counts = counts_text(json_object_get(event, "counts"));
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
        json_array_foreach(json_object_get(event, "names"), i, name) append_short_name(
            names, i == 0 ? json_string_value(name) : tag_of(json_string_value(name)));
        return g_strdup(names->str);
    }
    if (g_str_equal(job, "lint"))
        return json_object_size(json_object_get(event, "counts")) == 0
                   ? g_strdup("nothing to say")
                   : counts_text(json_object_get(event, "counts"));
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
    if (row->state == ROW_PENDING) /* it had passed in an earlier try */
        row->started = g_get_monotonic_time();
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
    add_log(row, line);
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
    g_autofree char *text = g_strdup_printf(
        "%s%s  %s  %s%s%s", json_get_string(event, "path"), where, json_get_string(event, "rule"),
        json_get_string(event, "message"), mend != NULL ? "; " : "", mend != NULL ? mend : "");
    g_autofree char *plain = clean(text);
    g_autofree char *line =
        g_strdup_printf("    %s%-8s%s %s", style_on(stderr, bad ? STYLE_RED : STYLE_YELLOW),
                        severity, style_off(stderr), plain);
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
            add_log(row, lines[i]);
            g_autofree char *now = g_strconcat(row->step != NULL ? row->step : "", lines[i], NULL);
            set_text(row, now);
        }
        return;
    }
    g_free(row->step);
    row->step =
        g_strdup_printf("[%" G_GINT64_FORMAT "/%" G_GINT64_FORMAT "] ",
                        json_get_integer(event, "number", 0), json_get_integer(event, "total", 0));
    g_autofree char *shown = g_strconcat(row->step, text, NULL);
    set_text(row, shown);
    if (!view->live)
        fprintf(stderr, "    %s\n", row->text);
}

static void on_deploy(View *view, const json_t *event)
{
    const char *environment = json_get_string(event, "environment"),
               *state = json_get_string(event, "state");
    const char *message = json_get_string(event, "message"), *url = json_get_string(event, "url");
    Row *row = find_row(view, environment, true);
    bool begins = row->state != ROW_RUNNING;
    handed_over = 0;
    if (begins && row->state != ROW_FAILED)
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
        handed_over = 1;
        if (begins)
            set_text(row, g_strcmp0(state, "locking") == 0 ? "waits for its turn" : "");
    }
}

/* What the step NAME of a deployment does, in a person's words. */
static char *step_words(const char *name)
{
    static const struct {
        const char *name, *words;
    } table[] = {
        {"migrate", "migrates the database"},
        {"start", "starts the new release"},
        {"healthy", "waits until it is healthy"},
        {"smoke", "smoke tests"},
        {"proxy", "opens its port"},
        {"smoke.proxy", "smoke tests through the proxy"},
        {"drain", "lets the old release finish its requests"},
        {"abort", "clears the new release away"},
        {"rollback", "gives traffic back to the old release"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(table); i++)
        if (g_str_equal(name, table[i].name))
            return g_strdup(table[i].words);
    if (g_str_has_prefix(name, "switch."))
        return g_strdup_printf("gives it %s %% of traffic", name + strlen("switch."));
    if (g_str_has_prefix(name, "watch."))
        return g_strdup_printf("watches it at %s %% of traffic", name + strlen("watch."));
    return g_strdup(name);
}

static void on_deploy_step(View *view, const json_t *event)
{
    Row *row = find_row(view, json_get_string(event, "environment"), true);
    const char *name = json_get_string(event, "name"), *result = json_get_string(event, "result");
    if (row->state == ROW_PENDING) {
        row->state = ROW_RUNNING;
        row->started = g_get_monotonic_time();
    }
    if (row->state != ROW_RUNNING)
        return;
    if (result == NULL) {
        g_autofree char *words = step_words(name);
        set_text(row, words);
        row->step_started = g_get_monotonic_time();
    } else if (!view->live) {
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
    if (g_hash_table_add(view->said, g_strdup(line)))
        print_above(view, line);
}

static void on_approval(View *view, const json_t *event)
{
    Row *row = find_row(view, json_get_string(event, "environment"), true);
    g_autofree char *text =
        g_strdup_printf("waits for a person: %s", json_get_string(event, "text"));
    set_text(row, text);
    end_row(view, row, ROW_WAITING);
    summarise(view, row->name, g_strdup(row->text));
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

/* The digest gets a line of its own: it is what people copy, and fits on 80 columns that way. */
static void on_image_built(View *view, const json_t *event)
{
    g_autoptr(GString) name = g_string_new(NULL);
    g_autofree char *tagged =
        g_strdup_printf("%s:%s", json_get_string(event, "image"), json_get_string(event, "commit"));
    append_short_name(name, tagged);
    summarise(view, "image", g_strdup(name->str));
    summarise(view, NULL, g_strdup(json_get_string(event, "digest")));
}

static void show(View *view, const char *type, json_t *event)
{
    bool of_stage = json_get_string(event, "stage") == NULL;
    if (g_str_equal(type, "run.started") && of_stage)
        on_run_started(view, event);
    else if (g_str_equal(type, "job.started") && of_stage)
        on_job_started(view, event);
    else if (g_str_equal(type, "job.ended") && of_stage)
        on_job_ended(view, event);
    else if (g_str_equal(type, "log"))
        on_log(view, event);
    else if (g_str_equal(type, "finding"))
        on_finding(view, event);
    else if (g_str_has_prefix(type, "build."))
        on_build(view, type, event);
    else if (g_str_equal(type, "image.built"))
        on_image_built(view, event);
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

/* ---- ctrl-C ---- */

/* Says what becomes of what was begun, and ends as the signal would. */
static void on_interrupt(int number)
{
    static const char deploying[] =
        "\ninterrupted; the deployment goes on without this command: slipway status\n";
    static const char before[] = "\ninterrupted; the same command goes on from here\n";
    const char *text = handed_over ? deploying : before;
    ssize_t written = write(STDERR_FILENO, text, strlen(text));
    (void) written;
    signal(number, SIG_DFL);
    raise(number);
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
    view->said = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    view->started = g_get_monotonic_time();
    if (format == VIEW_TEXT)
        signal(SIGINT, on_interrupt);
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
    signal(SIGINT, SIG_DFL);
    g_mutex_lock(&view->lock);
    redraw(view);
    view->ended = true;
    for (guint i = 0; i < view->rows->len && view->folder != NULL; i++)
        if (((Row *) g_ptr_array_index(view->rows, i))->state == ROW_FAILED) {
            summarise(view, "logs", g_steal_pointer(&view->folder));
            break;
        }
    if (view->summary->len > 0)
        summarise(view, "took", format_duration(g_get_monotonic_time() - view->started));
    if (view->format == VIEW_TEXT && view->summary->len > 0) {
        fflush(stderr);
        putchar('\n');
        for (guint i = 0; i + 1 < view->summary->len; i += 2) {
            const char *name = g_ptr_array_index(view->summary, i);
            printf("  %-*s%s%s\n", name[0] != '\0' ? NAME_WIDTH : 0, name,
                   name[0] != '\0' ? " " : "",
                   (const char *) g_ptr_array_index(view->summary, i + 1));
        }
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
    g_hash_table_unref(view->said);
    g_free(view->folder);
    g_mutex_clear(&view->lock);
    g_free(view);
}
