/* sandbox_start ROOT TIMES COMMAND…: starts and ends COMMAND over ROOT that many times, for
 * bench/sandbox.sh. */
#include "sandbox/sandbox.h"

#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    if (argc < 4) {
        fprintf(stderr, "usage: sandbox_start ROOT TIMES COMMAND…\n");
        return 2;
    }
    const char *const layers[] = {argv[1], NULL};
    const SandboxSpec spec = {
        .root = {.layers = layers},
        .argv = (const char *const *) argv + 3,
        .network = SANDBOX_NETWORK_NONE,
        .capabilities = SANDBOX_CAPABILITIES_DEFAULT,
        .stdin_fd = -1,
        .stdout_fd = 1,
        .stderr_fd = 2,
    };
    for (long left = strtol(argv[2], NULL, 10); left > 0; left--) {
        g_autoptr(GError) error = NULL;
        int status = 0;
        if (!sandbox_run(&spec, &status, &error) || status != 0) {
            fprintf(stderr, "sandbox_start: %s\n",
                    error != NULL ? error->message : "the command failed");
            return 1;
        }
    }
    return 0;
}
