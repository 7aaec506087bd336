/* status.c - what runs where (status), what was built (releases), what was tried (history). */
#include "base/clock.h"
#include "cli/commands.h"
#include "cli/environment.h"
#include "cli/output.h"
#include "delivery/decide.h"
#include "format/json.h"
#include "net/http_probe.h"

#include <stdio.h>
#include <string.h>

typedef struct {
    char *project, *format;
    int limit;
    bool json;
} Options;

static void options_clear(Options *options)
{
    g_free(options->project);
    g_free(options->format);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Options, options_clear)

static bool parse(const Command *command, Options *o, int *argc, char ***argv, GError **error)
{
    o->limit = 20;
    const GOptionEntry entries[] = {
        {"project", 0, 0, G_OPTION_ARG_STRING, &o->project, "only this project", "NAME"},
        OUTPUT_FORMAT_ROW(o->format),
        {"limit", 'n', 0, G_OPTION_ARG_INT, &o->limit, "at most so many lines", "N"},
        {0},
    };
    if (!command_parse(command, entries, argc, argv, error))
        return false;
    if (*argc > 2)
        command_usage_error(error, "one environment at most");
    else
        return output_parse_format(o->format, &o->json, error);
    return false;
}

/* Who let DEPLOYMENT through: the approvers, else who asked for it. */
static char *find_by(Delivery *delivery, const Deployment *deployment)
{
    g_autoptr(Statement) rows = database_prepare(
        delivery->state->database, NULL,
        "SELECT person FROM approval WHERE deployment = ? AND decision = 'approved' ORDER BY at",
        "s", deployment->id);
    g_autoptr(GString) names = g_string_new(NULL);
    while (rows != NULL && statement_step(rows, NULL))
        g_string_append_printf(names, "%s%s", names->len > 0 ? ", " : "", statement_text(rows, 0));
    return g_strdup(names->len > 0 ? names->str : deployment->requested_by);
}

/* The health path through the proxy, as a client sees it. */
static const char *ask_health(const EnvironmentSettings *settings)
{
    const char *host = g_str_equal(settings->address, "0.0.0.0") ? "127.0.0.1" : settings->address;
    HttpProbe probe = {.path = settings->health_path != NULL ? settings->health_path : "/",
                       .timeout_ms = 2000};
    g_auto(HttpProbeAnswer) answer = {0};
    if (!http_probe(host, settings->port, &probe, &answer, NULL))
        return "down";
    return answer.status < 500 ? "healthy" : "unhealthy";
}

static json_t *describe(Delivery *delivery, const char *project, const char *environment,
                        GError **error)
{
    g_autoptr(Deployment) serving = environment_serving(delivery, project, environment, error);
    if (serving == NULL)
        return json_pack("{s:s, s:s, s:n, s:n, s:n, s:n, s:s, s:n}", "project", project,
                         "environment", environment, "digest", "release", "since", "by", "health",
                         "nothing serves", "url");
    g_autoptr(Release) release = release_find(delivery, project, serving->digest, error);
    if (release == NULL)
        return NULL;
    g_autofree char *since = clock_format_seconds(serving->updated_at / 1000000000);
    g_autofree char *by = find_by(delivery, serving);
    g_autofree char *url = decide_url(release, environment);
    const EnvironmentSettings *settings = project_environment(release->settings, environment);
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "project", project,
                     "environment", environment, "digest", serving->digest, "release",
                     release->version != NULL ? release->version : release->commit, "commit",
                     release->commit, "deployment", serving->id, "since", since, "by", by, "health",
                     settings != NULL ? ask_health(settings) : "unknown", "url", url);
}

static int run_status(int argc, char **argv, GError **error)
{
    g_auto(Options) o = {0};
    if (!parse(&command_status, &o, &argc, &argv, error))
        return EXIT_STATUS_USAGE;
    g_autoptr(Delivery) delivery = delivery_open(NULL, NULL, error);
    g_autoptr(json_t) environments =
        delivery != NULL ? environment_list(delivery, o.project, error) : NULL;
    if (environments == NULL)
        return EXIT_STATUS_NO;
    g_autoptr(json_t) rows = json_array();
    size_t i;
    json_t *e;
    json_array_foreach(environments, i, e)
    {
        const char *name = json_get_string(e, "environment");
        if (argc == 2 && !g_str_equal(argv[1], name))
            continue;
        json_t *row = describe(delivery, json_get_string(e, "project"), name, error);
        if (row == NULL)
            return EXIT_STATUS_NO;
        json_array_append_new(rows, row);
    }
    if (o.json) {
        output_json(rows);
        return EXIT_STATUS_DONE;
    }
    if (json_array_size(rows) == 0)
        printf("nothing was deployed yet\n");
    else
        printf("%-14s %-12s %-10s %-14s %-20s %-22s %-9s %s\n", "PROJECT", "ENVIRONMENT", "RELEASE",
               "DIGEST", "SINCE", "BY", "HEALTH", "URL");
    json_array_foreach(rows, i, e)
    {
        const char *digest = json_get_string(e, "digest"), *release = json_get_string(e, "release");
        const char *since = json_get_string(e, "since"), *by = json_get_string(e, "by"),
                   *url = json_get_string(e, "url");
        printf("%-14s %-12s %-10.10s %-14.14s %-20s %-22s %-9s %s\n", json_get_string(e, "project"),
               json_get_string(e, "environment"), release != NULL ? release : "-",
               digest != NULL ? digest + strlen("sha256:") : "-", since != NULL ? since : "-",
               by != NULL ? by : "-", json_get_string(e, "health"), url != NULL ? url : "-");
    }
    return EXIT_STATUS_DONE;
}

static int run_history(int argc, char **argv, GError **error)
{
    g_auto(Options) o = {0};
    if (!parse(&command_history, &o, &argc, &argv, error))
        return EXIT_STATUS_USAGE;
    g_autoptr(Delivery) delivery = delivery_open(NULL, NULL, error);
    g_autoptr(GPtrArray) list =
        delivery != NULL
            ? deployment_list(delivery, o.project, argc == 2 ? argv[1] : NULL, NULL, o.limit, error)
            : NULL;
    if (list == NULL)
        return EXIT_STATUS_NO;
    g_autoptr(json_t) rows = json_array();
    for (guint i = 0; i < list->len; i++) {
        const Deployment *d = g_ptr_array_index(list, i);
        g_autofree char *at = clock_format_seconds(d->created_at / 1000000000);
        g_autofree char *by = find_by(delivery, d);
        json_array_append_new(
            rows, json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s?, s:s?}", "id", d->id,
                            "project", d->project, "environment", d->environment, "digest",
                            d->digest, "state", d->state, "reason", d->reason, "at", at, "by", by,
                            "run", d->run, "message", d->message));
    }
    if (o.json) {
        output_json(rows);
        return EXIT_STATUS_DONE;
    }
    size_t i;
    json_t *row;
    printf("%-15s %-12s %-14s %-13s %-20s %-18s %s\n", "ID", "ENVIRONMENT", "DIGEST", "STATE", "AT",
           "BY", "WHY");
    json_array_foreach(rows, i, row)
    {
        const char *message = json_get_string(row, "message");
        g_auto(GStrv) lines = g_strsplit(message != NULL ? message : "", "\n", 2);
        printf("%-15s %-12s %-14.14s %-13s %-20s %-18s %s\n", json_get_string(row, "id"),
               json_get_string(row, "environment"),
               json_get_string(row, "digest") + strlen("sha256:"), json_get_string(row, "state"),
               json_get_string(row, "at"), json_get_string(row, "by"),
               lines[0] != NULL ? lines[0] : "");
    }
    return EXIT_STATUS_DONE;
}

static int run_releases(int argc, char **argv, GError **error)
{
    g_auto(Options) o = {0};
    if (!parse(&command_releases, &o, &argc, &argv, error))
        return EXIT_STATUS_USAGE;
    g_autoptr(Delivery) delivery = delivery_open(NULL, NULL, error);
    g_autoptr(Statement) found =
        delivery != NULL
            ? database_prepare(
                  delivery->state->database, error,
                  "SELECT project, digest, commit_id, version, created_at, run FROM release "
                  "WHERE ?1 IS NULL OR project = ?1 ORDER BY created_at DESC LIMIT ?2",
                  "si", o.project, (int64_t) o.limit)
            : NULL;
    if (found == NULL)
        return EXIT_STATUS_NO;
    g_autoptr(json_t) rows = json_array();
    while (statement_step(found, NULL)) {
        g_autofree char *at = clock_format_seconds(statement_integer(found, 4) / 1000000000);
        json_array_append_new(
            rows, json_pack("{s:s, s:s, s:s, s:s?, s:s, s:s}", "project", statement_text(found, 0),
                            "digest", statement_text(found, 1), "commit", statement_text(found, 2),
                            "version", statement_text(found, 3), "at", at, "run",
                            statement_text(found, 5)));
    }
    if (!statement_end(found, error))
        return EXIT_STATUS_NO;
    if (o.json) {
        output_json(rows);
        return EXIT_STATUS_DONE;
    }
    size_t i;
    json_t *row;
    printf("%-14s %-10s %-14s %-72s %s\n", "PROJECT", "VERSION", "COMMIT", "DIGEST", "AT");
    json_array_foreach(rows, i, row)
    {
        const char *version = json_get_string(row, "version");
        printf("%-14s %-10s %-14.12s %-72s %s\n", json_get_string(row, "project"),
               version != NULL ? version : "-", json_get_string(row, "commit"),
               json_get_string(row, "digest"), json_get_string(row, "at"));
    }
    return EXIT_STATUS_DONE;
}

const Command command_status = {
    .name = "status",
    .group = "environment",
    .operands = "[ENVIRONMENT]",
    .summary = "show what serves where, since when, let through by whom",
    .run = run_status,
};

const Command command_history = {
    .name = "history",
    .group = "environment",
    .operands = "[ENVIRONMENT]",
    .summary = "list deployments, newest first",
    .run = run_history,
};

const Command command_releases = {
    .name = "releases",
    .group = "environment",
    .summary = "list images that were built from commits, newest first",
    .run = run_releases,
};
