#include "cli/commands.h"
#include "container/proxy_process.h"

/* The descriptors that proxy_ensure hands over. */
#define LISTENER_FD 3
#define READY_FD 4

static int run(int argc, char **argv, GError **error)
{
    if (!command_parse(&command_proxy, NULL, &argc, &argv, error))
        return EXIT_STATUS_USAGE;
    if (argc != 2)
        return command_usage_error(error, "expected the proxy's folder");
    return proxy_process_run(argv[1], LISTENER_FD, READY_FD, error) ? EXIT_STATUS_DONE
                                                                    : EXIT_STATUS_NO;
}

const Command command_proxy = {
    .name = "proxy",
    .group = "internal",
    .operands = "FOLDER",
    .summary = "the process of one published port (started by the supervisor)",
    .run = run,
};
