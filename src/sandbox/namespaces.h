/* namespaces.h - entering the namespaces of a running sandbox from outside. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <sys/types.h>

#define NAMESPACE_COUNT 6

/* Descriptors of user, network, uts, ipc, pid and mount namespace, in the order in which they must
 * be entered; -1: the sandbox shares ours. */
typedef struct {
    int fds[NAMESPACE_COUNT];
} Namespaces;

#define NAMESPACES_NONE ((Namespaces){{-1, -1, -1, -1, -1, -1}})

bool namespaces_open(Namespaces *namespaces, pid_t pid, bool user, bool network, GError **error);

/* Enters all of them; children made afterwards are in the pid namespace. Async-signal-safe.
 * Returns 0, or -1 with errno. */
int namespaces_enter(const Namespaces *namespaces);

/* Only what a socket needs. */
int namespaces_enter_network(const Namespaces *namespaces);

void namespaces_close(Namespaces *namespaces);
