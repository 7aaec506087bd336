#include "cli/commands.h"
#include "container/supervisor.h"
#include "delivery/rollouts.h"

static int stop(bool units, GError **error)
{
    g_autofree char *home = state_default_home();
    return supervisor_stop(home, units, error) ? EXIT_STATUS_DONE : EXIT_STATUS_NO;
}

static int serve(bool background, GError **error)
{
    g_autoptr(State) state = state_open(NULL, error);
    if (state == NULL)
        return EXIT_STATUS_NO;
    g_autoptr(UnitManager) units = unit_manager_open(state, error);
    if (units == NULL)
        return EXIT_STATUS_NO;
    /* Lives as long as the process: rollouts may still run when serving ends. */
    Rollouts *rollouts = rollouts_new(state->home, units);
    SupervisorOperation operation = rollouts_operation(rollouts);
    bool ok = background
                  ? supervisor_serve(state, units, &operation, 1, rollouts_resume, rollouts, error)
                  : supervisor_serve_always(state, units, &operation, 1, rollouts_resume, rollouts,
                                            error);
    return ok ? EXIT_STATUS_DONE : EXIT_STATUS_NO;
}

static int run(int argc, char **argv, GError **error)
{
    gboolean stopping = FALSE, units = FALSE, background = FALSE;
    const GOptionEntry entries[] = {
        {"stop", 0, 0, G_OPTION_ARG_NONE, &stopping, "end the supervisor; its units live on", NULL},
        {"units", 0, 0, G_OPTION_ARG_NONE, &units, "with --stop: end all units and proxies too",
         NULL},
        {"background", 0, G_OPTION_FLAG_HIDDEN, G_OPTION_ARG_NONE, &background,
         "end when nothing lives and nothing is asked", NULL},
        {0},
    };
    if (!command_parse(&command_supervise, entries, &argc, &argv, error))
        return EXIT_STATUS_USAGE;
    if (argc != 1)
        return command_usage_error(error, "unexpected operand '%s'", argv[1]);
    if (units && !stopping)
        return command_usage_error(error, "--units goes with --stop");
    return stopping ? stop(units, error) : serve(background, error);
}

const Command command_supervise = {
    .name = "supervise",
    .group = "service",
    .operands = "[--stop [--units]]",
    .summary = "keep units and proxies of the state folder (started on demand)",
    .run = run,
};
