#include "cli/commands.h"
#include "cli/environment.h"
#include "cli/output.h"
#include "delivery/policy_store.h"

#include <stdio.h>

static int run_show(int argc, char **argv, GError **error)
{
    g_autofree char *project_name = NULL, *format = NULL;
    gint64 version = 0;
    const GOptionEntry entries[] = {
        {"project", 0, 0, G_OPTION_ARG_STRING, &project_name, "which project", "NAME"},
        {"version", 0, 0, G_OPTION_ARG_INT64, &version, "another than the one in force", "N"},
        OUTPUT_FORMAT_ROW(format),
        {0},
    };
    bool as_json;
    if (!command_parse(&command_policy_show, entries, &argc, &argv, error) ||
        !output_parse_format(format, &as_json, error))
        return EXIT_STATUS_USAGE;
    g_autoptr(Delivery) delivery = delivery_open(NULL, NULL, error);
    g_autofree char *project =
        delivery != NULL ? environment_project(delivery, project_name, error) : NULL;
    g_autoptr(GPtrArray) all = project != NULL ? policy_list(delivery, project, error) : NULL;
    if (all == NULL)
        return EXIT_STATUS_NO;
    g_autoptr(Policy) shown = version > 0 ? policy_version(delivery, project, version, error)
                                          : policy_in_force(delivery, project, error);
    if (shown == NULL)
        return EXIT_STATUS_NO;
    int needed = policy_people_needed(delivery, error);
    for (guint i = 0; i < all->len && !as_json; i++) {
        const Policy *policy = g_ptr_array_index(all, i);
        fprintf(stderr, "version %" G_GINT64_FORMAT "  %-9s  from %.12s", policy->version,
                policy->status, policy->source_commit);
        if (g_str_equal(policy->status, "proposed"))
            fprintf(stderr, "  accepted by %d of %d", policy->accepted, needed);
        fputc('\n', stderr);
    }
    json_dumpf(shown->document, stdout, JSON_INDENT(2) | JSON_SORT_KEYS);
    putchar('\n');
    return EXIT_STATUS_DONE;
}

static int run_accept(int argc, char **argv, GError **error)
{
    g_autofree char *project_name = NULL, *person = NULL, *key = NULL;
    const GOptionEntry entries[] = {
        {"project", 0, 0, G_OPTION_ARG_STRING, &project_name, "which project", "NAME"},
        {"as", 0, 0, G_OPTION_ARG_STRING, &person, "who accepts", "NAME"},
        {"key", 0, 0, G_OPTION_ARG_FILENAME, &key, "that person's private key", "FILE"},
        {0},
    };
    if (!command_parse(&command_policy_accept, entries, &argc, &argv, error))
        return EXIT_STATUS_USAGE;
    char *end = NULL;
    gint64 version = argc == 2 ? g_ascii_strtoll(argv[1], &end, 10) : 0;
    if (argc != 2 || *end != '\0' || person == NULL || key == NULL)
        return command_usage_error(error, "expected: VERSION --as NAME --key FILE");
    g_autoptr(Delivery) delivery = delivery_open(NULL, NULL, error);
    g_autofree char *project =
        delivery != NULL ? environment_project(delivery, project_name, error) : NULL;
    bool in_force = false;
    if (project == NULL ||
        !policy_accept(delivery, project, version, person, key, &in_force, error))
        return EXIT_STATUS_NO;
    printf("version %" G_GINT64_FORMAT " %s\n", version,
           in_force ? "is in force" : "accepted; another person is needed");
    return in_force ? EXIT_STATUS_DONE : EXIT_STATUS_PERSON;
}

const Command command_policy_show = {
    .name = "policy show",
    .group = "trust",
    .summary = "show the policy in force, and which versions there are",
    .run = run_show,
};

const Command command_policy_accept = {
    .name = "policy accept",
    .group = "trust",
    .operands = "VERSION --as NAME --key FILE",
    .summary = "accept a proposed policy; it counts when enough people have",
    .run = run_accept,
};
