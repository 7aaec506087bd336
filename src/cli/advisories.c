#include "base/clock.h"
#include "base/exit_status.h"
#include "cli/commands.h"
#include "cli/output.h"
#include "scan/advisory.h"
#include "store/state.h"

#include <jansson.h>
#include <stdio.h>

static int run_import(int argc, char **argv, GError **error)
{
    if (!command_parse(&command_advisories_import, NULL, &argc, &argv, error))
        return EXIT_STATUS_USAGE;
    if (argc < 2)
        return command_usage_error(error, "a FILE or DIR of advisories is needed");
    g_autofree char *home = state_default_home();
    if (!advisory_import(home, (const char *const *) argv + 1, error))
        return EXIT_STATUS_NO;
    g_autoptr(AdvisoryDatabase) database = advisory_database_open(home, error);
    if (database == NULL)
        return EXIT_STATUS_NO;
    printf("%zu advisories\n", advisory_database_count(database));
    return EXIT_STATUS_DONE;
}

static void print_time(const char *label, int64_t seconds)
{
    g_autofree char *text = seconds > 0 ? clock_format_seconds(seconds) : g_strdup("unknown");
    printf("%s%s", label, text);
}

static void print_text(const AdvisoryDatabase *database)
{
    g_autoptr(GPtrArray) sources = advisory_database_sources(database);
    int64_t age = clock_now_ns() / 1000000000 - advisory_database_built(database);
    printf("%zu advisories, ", advisory_database_count(database));
    print_time("built ", advisory_database_built(database));
    printf(" (%" G_GINT64_FORMAT " days ago)\n", age / 86400);
    for (guint i = 0; i < sources->len; i++) {
        const AdvisorySource *source = g_ptr_array_index(sources, i);
        printf("  %-28s %7zu records, %zu passed by, ", source->name, source->records,
               source->skipped);
        print_time("newest ", source->newest);
        putchar('\n');
    }
    g_auto(GStrv) ecosystems = advisory_database_ecosystems(database);
    g_autofree char *list = g_strjoinv(", ", ecosystems);
    printf("covers: %s\n", list);
}

static void print_json(const AdvisoryDatabase *database)
{
    g_autoptr(GPtrArray) sources = advisory_database_sources(database);
    json_t *list = json_array(), *names = json_array();
    for (guint i = 0; i < sources->len; i++) {
        const AdvisorySource *source = g_ptr_array_index(sources, i);
        json_array_append_new(list, json_pack("{s:s, s:I, s:I, s:I, s:I}", "name", source->name,
                                              "records", (json_int_t) source->records, "skipped",
                                              (json_int_t) source->skipped, "newest",
                                              (json_int_t) source->newest, "imported",
                                              (json_int_t) source->imported));
    }
    g_auto(GStrv) ecosystems = advisory_database_ecosystems(database);
    for (char **name = ecosystems; *name != NULL; name++)
        json_array_append_new(names, json_string(*name));
    g_autoptr(json_t) status = json_pack(
        "{s:I, s:I, s:o, s:o}", "records", (json_int_t) advisory_database_count(database), "built",
        (json_int_t) advisory_database_built(database), "sources", list, "ecosystems", names);
    output_json(status);
}

static int run_status(int argc, char **argv, GError **error)
{
    g_autofree char *format = NULL;
    const GOptionEntry entries[] = {OUTPUT_FORMAT_ROW(format), {0}};
    bool as_json;
    if (!command_parse(&command_advisories_status, entries, &argc, &argv, error) ||
        !output_parse_format(format, &as_json, error))
        return EXIT_STATUS_USAGE;
    if (argc > 1)
        return command_usage_error(error, "no operand is taken");
    g_autofree char *home = state_default_home();
    g_autoptr(AdvisoryDatabase) database = advisory_database_open(home, error);
    if (database == NULL)
        return EXIT_STATUS_NO;
    if (as_json)
        print_json(database);
    else
        print_text(database);
    return EXIT_STATUS_DONE;
}

const Command command_advisories_import = {
    .name = "advisories import",
    .group = "check",
    .operands = "FILE|DIR…",
    .summary = "take in OSV records: JSON or JSON lines, plain or compressed",
    .run = run_import,
};

const Command command_advisories_status = {
    .name = "advisories status",
    .group = "check",
    .summary = "show what the advisories are, how old, and what they cover",
    .run = run_status,
};
