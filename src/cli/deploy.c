#include "base/error.h"
#include "cli/commands.h"
#include "cli/environment.h"
#include "cli/view.h"
#include "delivery/decide.h"
#include "oci/image.h"
#include "ship/source.h"

#include <unistd.h>

/* Who asks, as ship finds it: the git identity of where we stand, else the account. */
static char *find_requester(void)
{
    g_autoptr(Source) source = source_open(".", true, NULL);
    return source != NULL ? g_strdup(source->requester)
                          : g_strdup_printf("local:%s", g_get_user_name());
}

/* The digest that is meant: REF, or what serves in the environment before ENVIRONMENT. */
static char *find_digest(Delivery *delivery, const char *project, const char *environment,
                         const char *reference, GError **error)
{
    if (reference != NULL)
        return image_resolve(delivery->store, reference, error);
    g_autoptr(GPtrArray) recent = deployment_list(delivery, project, NULL, NULL, 1, error);
    if (recent == NULL)
        return NULL;
    if (recent->len == 0) {
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_NOT_FOUND,
                    "nothing of '%s' was deployed yet; name an image", project);
        return NULL;
    }
    const Deployment *newest = g_ptr_array_index(recent, 0);
    g_autoptr(Release) release = release_find(delivery, project, newest->digest, error);
    const EnvironmentSettings *settings =
        release != NULL ? project_environment(release->settings, environment) : NULL;
    if (release == NULL)
        return NULL;
    if (settings == NULL || settings->after == NULL) {
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID,
                    settings == NULL ? "no environment '%s'"
                                     : "'%s' comes after no other environment; name the image",
                    environment);
        return NULL;
    }
    g_autoptr(Deployment) serving = environment_serving(delivery, project, settings->after, error);
    if (serving == NULL && error != NULL && *error == NULL)
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_DENIED,
                    "nothing serves in '%s'; deploy there first", settings->after);
    return serving != NULL ? g_strdup(serving->digest) : NULL;
}

static ExitStatus deploy(Delivery *delivery, const Release *release, const char *environment,
                         View *view, GError **error)
{
    g_autofree char *requester = find_requester();
    DeploymentRequest request = {
        .environment = environment, .requested_by = requester, .reason = "deploy"};
    g_autoptr(Deployment) deployment = deployment_request(delivery, release, &request, error);
    if (deployment == NULL)
        return EXIT_STATUS_NO;
    return decide_and_carry_out(delivery, deployment, view_sink(view), error);
}

static int run(int argc, char **argv, GError **error)
{
    g_autofree char *project_name = NULL, *format_text = NULL;
    const GOptionEntry entries[] = {
        {"project", 0, 0, G_OPTION_ARG_STRING, &project_name, "which project", "NAME"},
        {"format", 0, 0, G_OPTION_ARG_STRING, &format_text, "text, or json: the event stream",
         "text|json"},
        {0},
    };
    ViewFormat format;
    if (!command_parse(&command_deploy, entries, &argc, &argv, error) ||
        !view_format_parse(format_text, &format, error))
        return EXIT_STATUS_USAGE;
    if (argc < 2 || argc > 3)
        return command_usage_error(error, "expected an environment and perhaps an image");

    g_autoptr(Delivery) delivery = delivery_open(NULL, NULL, error);
    g_autofree char *project =
        delivery != NULL ? environment_project(delivery, project_name, error) : NULL;
    g_autofree char *digest =
        project != NULL ? find_digest(delivery, project, argv[1], argc == 3 ? argv[2] : NULL, error)
                        : NULL;
    if (digest == NULL)
        return EXIT_STATUS_NO;
    fprintf(stderr, "%s  %s\n", project, digest);
    g_autoptr(Release) release = release_find(delivery, project, digest, error);
    if (release == NULL)
        return EXIT_STATUS_NO;
    g_autoptr(View) view = view_new(format);
    int status = deploy(delivery, release, argv[1], view, error);
    view_finish(view);
    return status;
}

const Command command_deploy = {
    .name = "deploy",
    .group = "environment",
    .operands = "ENVIRONMENT [IMAGE]",
    .summary = "run an image in an environment, if its gates let it",
    .run = run,
};
