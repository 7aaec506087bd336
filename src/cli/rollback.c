#include "base/error.h"
#include "cli/commands.h"
#include "cli/environment.h"
#include "cli/view.h"
#include "delivery/decide.h"

#include <stdio.h>

/* The deployment whose image comes back: ID, else the newest success before the one that serves. */
static Deployment *find_target(Delivery *delivery, const Deployment *serving, const char *id,
                               GError **error)
{
    if (id != NULL)
        return deployment_find(delivery, id, error);
    g_autoptr(GPtrArray) list =
        deployment_list(delivery, serving->project, serving->environment, "succeeded", 100, error);
    for (guint i = 0; list != NULL && i < list->len; i++) {
        const Deployment *d = g_ptr_array_index(list, i);
        if (d->created_at < serving->created_at && !g_str_equal(d->digest, serving->digest))
            return g_ptr_array_steal_index(list, i);
    }
    if (list != NULL)
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_NOT_FOUND,
                    "'%s' has no earlier success to go back to", serving->environment);
    return NULL;
}

static ExitStatus roll_back(Delivery *delivery, const char *project, const char *environment,
                            const char *to, View *view, GError **error)
{
    g_autoptr(Deployment) serving = environment_serving(delivery, project, environment, error);
    if (serving == NULL) {
        if (error != NULL && *error == NULL)
            g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_NOT_FOUND, "nothing serves in '%s'",
                        environment);
        return EXIT_STATUS_NO;
    }
    g_autoptr(Deployment) target = find_target(delivery, serving, to, error);
    g_autoptr(Release) release =
        target != NULL ? release_find(delivery, project, target->digest, error) : NULL;
    if (release == NULL)
        return EXIT_STATUS_NO;
    g_autofree char *requester = g_strdup_printf("local:%s", g_get_user_name());
    DeploymentRequest request = {.environment = environment,
                                 .requested_by = requester,
                                 .reason = "rollback",
                                 .of = serving->id};
    g_autoptr(Deployment) deployment = deployment_request(delivery, release, &request, error);
    g_autoptr(GPtrArray) gates = NULL;
    if (deployment == NULL ||
        (!deployment_is_active(deployment) && !decide(delivery, deployment, &gates, error)))
        return EXIT_STATUS_NO;
    if (g_str_equal(deployment->state, "waiting"))
        decide_announce_approval(deployment, gates, view_sink(view));
    else if (g_str_equal(deployment->state, "blocked"))
        fprintf(stderr, "%s\n", deployment->message);
    if (!deployment_is_active(deployment))
        return decide_status(deployment);
    return decide_carry_out(delivery, deployment, view_sink(view), error);
}

static int run(int argc, char **argv, GError **error)
{
    g_autofree char *project_name = NULL, *to = NULL, *format_text = NULL;
    const GOptionEntry entries[] = {
        {"to", 0, 0, G_OPTION_ARG_STRING, &to, "the deployment whose image comes back", "ID"},
        {"project", 0, 0, G_OPTION_ARG_STRING, &project_name, "which project", "NAME"},
        {"format", 0, 0, G_OPTION_ARG_STRING, &format_text, "text, or json: the event stream",
         "text|json"},
        {0},
    };
    ViewFormat format;
    if (!command_parse(&command_rollback, entries, &argc, &argv, error) ||
        !view_format_parse(format_text, &format, error))
        return EXIT_STATUS_USAGE;
    if (argc != 2)
        return command_usage_error(error, "expected an environment");
    g_autoptr(Delivery) delivery = delivery_open(NULL, NULL, error);
    g_autofree char *project =
        delivery != NULL ? environment_project(delivery, project_name, error) : NULL;
    if (project == NULL)
        return EXIT_STATUS_NO;
    g_autoptr(View) view = view_new(format);
    int status = roll_back(delivery, project, argv[1], to, view, error);
    view_finish(view);
    return status;
}

const Command command_rollback = {
    .name = "rollback",
    .group = "environment",
    .operands = "ENVIRONMENT [--to ID]",
    .summary = "bring an earlier image back",
    .run = run,
};
