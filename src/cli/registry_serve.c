#include "cli/commands.h"
#include "registry/server.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>

/* Waits for a signal that asks for the end. */
static void wait_for_end(void)
{
    sigset_t ends;
    int received = 0;
    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGINT);
    while (sigwait(&ends, &received) != 0)
        continue;
}

/* The signals that end us must reach sigwait and no thread of the server. */
static void block_ends(void)
{
    sigset_t ends;
    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGINT);
    pthread_sigmask(SIG_BLOCK, &ends, NULL);
}

static int run(int argc, char **argv, GError **error)
{
    g_autofree char *address = NULL;
    int threads = 0;
    const GOptionEntry entries[] = {
        {"listen", 'l', 0, G_OPTION_ARG_STRING, &address,
         "where to listen (default 127.0.0.1:5000; port 0 takes any free one)", "ADDRESS:PORT"},
        {"threads", 0, 0, G_OPTION_ARG_INT, &threads, "threads that answer requests", "N"},
        {0},
    };
    if (!command_parse(&command_registry_serve, entries, &argc, &argv, error))
        return EXIT_STATUS_USAGE;
    if (argc > 1)
        return command_usage_error(error, "unexpected operand '%s'", argv[1]);
    if (threads < 0 || threads > 256)
        return command_usage_error(error, "--threads is from 1 to 256");

    block_ends();
    RegistryOptions options = {
        .address = address != NULL ? address : "127.0.0.1:5000",
        .threads = (unsigned) threads,
    };
    Registry *registry = registry_start(&options, error);
    if (registry == NULL)
        return EXIT_STATUS_NO;
    printf("listening on %s\n", registry_url(registry));
    fflush(stdout);
    wait_for_end();
    registry_stop(registry);
    return EXIT_STATUS_DONE;
}

const Command command_registry_serve = {
    .name = "registry serve",
    .group = "service",
    .operands = "",
    .summary = "serve the images of registry.local to any client over HTTP",
    .run = run,
};
