/* approve.c - a named person's yes or no; after the last yes that was needed the path goes on here,
 * in the foreground. */
#include "cli/commands.h"
#include "cli/view.h"
#include "delivery/approval.h"
#include "delivery/decide.h"
#include "ship/ship.h"

#include <stdio.h>

typedef struct {
    char *person, *key, *comment, *format;
} Options;

static void options_clear(Options *options)
{
    g_free(options->person);
    g_free(options->key);
    g_free(options->comment);
    g_free(options->format);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Options, options_clear)

static ExitStatus carry_on(Delivery *delivery, const char *id, View *view, GError **error)
{
    g_autoptr(Deployment) deployment = deployment_find(delivery, id, error);
    g_autoptr(Release) release =
        deployment != NULL ? release_find(delivery, deployment->project, deployment->digest, error)
                           : NULL;
    if (release == NULL)
        return EXIT_STATUS_INTERNAL;
    if (deployment->run != NULL) {
        ExitStatus status = ship_environments(delivery, release, deployment->run,
                                              deployment->requested_by, view_sink(view), error);
        return ship_end_run(delivery, deployment->run, status, view_sink(view), error)
                   ? status
                   : EXIT_STATUS_INTERNAL;
    }
    g_autoptr(GPtrArray) gates = NULL;
    if (!decide(delivery, deployment, &gates, error))
        return EXIT_STATUS_INTERNAL;
    if (!deployment_is_active(deployment)) {
        g_autofree char *missing = gate_missing_text(gates);
        fprintf(stderr, "%s\n", missing);
        return decide_status(deployment);
    }
    return decide_carry_out(delivery, deployment, view_sink(view), error);
}

static int answer(const Command *command, int argc, char **argv, bool reject, GError **error)
{
    g_auto(Options) o = {0};
    const GOptionEntry entries[] = {
        {"as", 0, 0, G_OPTION_ARG_STRING, &o.person,
         "who answers, as enrolled with `slipway user add`", "NAME"},
        {"key", 0, 0, G_OPTION_ARG_FILENAME, &o.key,
         "that person's private key, or a .pub whose half ssh-agent holds", "FILE"},
        {"comment", 0, 0, G_OPTION_ARG_STRING, &o.comment, "goes into the record", "TEXT"},
        {"format", 0, 0, G_OPTION_ARG_STRING, &o.format, "text, or json: the event stream",
         "text|json"},
        {0},
    };
    ViewFormat format;
    if (!command_parse(command, entries, &argc, &argv, error) ||
        !view_format_parse(o.format, &format, error))
        return EXIT_STATUS_USAGE;
    if (argc != 2 || o.person == NULL || o.key == NULL)
        return command_usage_error(error, "expected: ID --as NAME --key FILE");

    g_autoptr(Delivery) delivery = delivery_open(NULL, NULL, error);
    ApprovalRequest request = {.deployment = argv[1],
                               .person = o.person,
                               .key_path = o.key,
                               .comment = o.comment,
                               .reject = reject};
    bool enough;
    if (delivery == NULL || !approval_give(delivery, &request, &enough, error))
        return EXIT_STATUS_NO;
    fprintf(stderr, "%s by %s\n", reject ? "rejected" : "approved", o.person);
    if (reject)
        return EXIT_STATUS_DONE;
    if (!enough) {
        fprintf(stderr, "another person is needed\n");
        return EXIT_STATUS_PERSON;
    }
    g_autoptr(View) view = view_new(format);
    int status = carry_on(delivery, argv[1], view, error);
    view_finish(view);
    return status;
}

static int run_approve(int argc, char **argv, GError **error)
{
    return answer(&command_approve, argc, argv, false, error);
}

static int run_reject(int argc, char **argv, GError **error)
{
    return answer(&command_reject, argc, argv, true, error);
}

const Command command_approve = {
    .name = "approve",
    .group = "path",
    .operands = "ID --as NAME --key FILE",
    .summary = "say yes to a deployment that waits for a person, and carry it on",
    .run = run_approve,
};

const Command command_reject = {
    .name = "reject",
    .group = "path",
    .operands = "ID --as NAME --key FILE",
    .summary = "say no to a deployment that waits for a person",
    .run = run_reject,
};
