/* proxy_front PORT BACKEND: keeps a proxy of ours on PORT before BACKEND (a port on loopback), for
 * bench/proxy.sh; says its process's id, and ends it when stdin ends. SLIPWAY_PROGRAM starts it,
 * under SLIPWAY_HOME. */
#include "container/proxy.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static bool keep(UnitManager *manager, const char *port, const char *backend, GError **error)
{
    g_autofree char *address = g_strdup_printf("127.0.0.1:%s", port);
    const ProxyBackend backends[] = {{"g1", "@127.0.0.1", atoi(backend), 10000}};
    if (!proxy_ensure(manager, "bench", address, error) ||
        !proxy_set_route(manager, "bench", 1, backends, G_N_ELEMENTS(backends), 1000, error))
        return false;
    g_autoptr(GPtrArray) proxies = proxy_list(manager, error);
    if (proxies == NULL)
        return false;
    printf("%d\n", ((ProxyState *) g_ptr_array_index(proxies, 0))->pid);
    fflush(stdout);
    while (getchar() != EOF)
        continue;
    return proxy_stop(manager, "bench", error);
}

int main(int argc, char **argv)
{
    const char *home = g_getenv("SLIPWAY_HOME"), *program = g_getenv("SLIPWAY_PROGRAM");
    if (argc != 3 || home == NULL || program == NULL) {
        fprintf(stderr,
                "usage: SLIPWAY_HOME=FOLDER SLIPWAY_PROGRAM=FILE proxy_front PORT BACKEND\n");
        return 2;
    }
    g_autoptr(GError) error = NULL;
    UnitManager *manager = unit_manager_open_folder(home, &error);
    if (manager != NULL) {
        unit_manager_set_program(manager, program);
        if (keep(manager, argv[1], argv[2], &error)) {
            unit_manager_free(manager);
            return 0;
        }
    }
    fprintf(stderr, "proxy_front: %s\n", error->message);
    return 1;
}
