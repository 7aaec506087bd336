#include "cli/commands.h"
#include "cli/unit_names.h"
#include "container/log_reader.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FOLLOW_US 200000
#define PART 65536

/* One unit's log, at the place where the last look ended. */
typedef struct {
    char *path;
    const char *label; /* before each line; NULL: one unit only */
    int fd;
    ino_t inode;
    GString *rest; /* of a line that is not whole yet */
} Tail;

static bool with_times;

static void print_line(const char *label, const char *line, size_t length)
{
    g_auto(LogRecord) record = {0};
    if (!log_reader_parse(line, length, &record))
        return;
    if (label != NULL)
        printf("%s | ", label);
    if (with_times)
        printf("%s ", record.time);
    fputs(record.text, stdout);
    if (label != NULL && !g_str_has_suffix(record.text, "\n"))
        putchar('\n');
}

static void print_part(Tail *tail, const char *bytes, size_t length)
{
    g_string_append_len(tail->rest, bytes, (gssize) length);
    const char *end;
    while ((end = memchr(tail->rest->str, '\n', tail->rest->len)) != NULL) {
        size_t line = (size_t) (end - tail->rest->str);
        print_line(tail->label, tail->rest->str, line);
        g_string_erase(tail->rest, 0, (gssize) line + 1);
    }
}

static void read_on(Tail *tail)
{
    char bytes[PART];
    ssize_t n;
    while (tail->fd >= 0 && (n = read(tail->fd, bytes, sizeof bytes)) > 0)
        print_part(tail, bytes, (size_t) n);
}

/* The rest of the old file first, when the log was rotated since. */
static void look(Tail *tail)
{
    read_on(tail);
    struct stat st;
    if (stat(tail->path, &st) < 0 || st.st_ino == tail->inode)
        return;
    read_on(tail);
    if (tail->fd >= 0)
        close(tail->fd);
    tail->fd = open(tail->path, O_RDONLY | O_CLOEXEC);
    tail->inode = st.st_ino;
    read_on(tail);
}

static void tail_free(gpointer data)
{
    Tail *tail = data;
    if (tail->fd >= 0)
        close(tail->fd);
    g_free(tail->path);
    g_string_free(tail->rest, TRUE);
    g_free(tail);
}

/* Prints what is there and remembers where it ended. */
static Tail *print_unit(UnitManager *manager, const Unit *unit, bool labelled, int last,
                        GError **error)
{
    Tail *tail = g_new0(Tail, 1);
    tail->path = unit_log_path(manager, unit->id);
    tail->label = labelled ? unit->id : NULL;
    tail->rest = g_string_new(NULL);
    tail->fd = open(tail->path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    if (tail->fd >= 0 && fstat(tail->fd, &st) == 0) {
        tail->inode = st.st_ino;
        lseek(tail->fd, 0, SEEK_END);
    }
    g_autofree char *folder = g_path_get_dirname(tail->path);
    g_autoptr(GPtrArray) lines = log_reader_lines(folder, last, error);
    for (guint i = 0; lines != NULL && i < lines->len; i++) {
        const char *line = g_ptr_array_index(lines, i);
        print_line(tail->label, line, strlen(line));
    }
    if (lines != NULL)
        return tail;
    tail_free(tail);
    return NULL;
}

static void follow(const GPtrArray *tails)
{
    for (;;) {
        for (guint i = 0; i < tails->len; i++)
            look(g_ptr_array_index(tails, i));
        if (fflush(stdout) != 0)
            return; /* the reader has gone */
        g_usleep(FOLLOW_US);
    }
}

static int run(int argc, char **argv, GError **error)
{
    gboolean following = FALSE, times = FALSE;
    gint last = -1;
    const GOptionEntry entries[] = {
        {"follow", 'f', 0, G_OPTION_ARG_NONE, &following, "go on with what comes", NULL},
        {"tail", 'n', 0, G_OPTION_ARG_INT, &last, "only the last N lines of each unit", "N"},
        {"timestamps", 't', 0, G_OPTION_ARG_NONE, &times, "with the time of each line", NULL},
        {0},
    };
    if (!command_parse(&command_logs, entries, &argc, &argv, error))
        return EXIT_STATUS_USAGE;
    if (argc != 2)
        return command_usage_error(error, "expected one environment or unit");
    with_times = times;
    g_autoptr(UnitManager) manager = unit_names_open(error);
    g_autoptr(GPtrArray) units = manager != NULL ? unit_names_find(manager, argv[1], error) : NULL;
    if (units == NULL)
        return EXIT_STATUS_NO;
    g_autoptr(GPtrArray) tails = g_ptr_array_new_with_free_func(tail_free);
    for (guint i = 0; i < units->len; i++) {
        Tail *tail = print_unit(manager, g_ptr_array_index(units, i), units->len > 1, last, error);
        if (tail == NULL)
            return EXIT_STATUS_NO;
        g_ptr_array_add(tails, tail);
    }
    if (following)
        follow(tails);
    return EXIT_STATUS_DONE;
}

const Command command_logs = {
    .name = "logs",
    .group = "environment",
    .operands = "[-f] [--tail N] ENV|UNIT",
    .summary = "show what units wrote",
    .run = run,
};
