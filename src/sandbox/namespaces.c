#include "sandbox/namespaces.h"

#include "base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

static const char *const names[NAMESPACE_COUNT] = {"user", "net", "uts", "ipc", "pid", "mnt"};

bool namespaces_open(Namespaces *namespaces, pid_t pid, bool user, bool network, GError **error)
{
    *namespaces = NAMESPACES_NONE;
    for (int i = 0; i < NAMESPACE_COUNT; i++) {
        if ((i == 0 && !user) || (i == 1 && !network))
            continue;
        char path[64];
        g_snprintf(path, sizeof path, "/proc/%d/ns/%s", (int) pid, names[i]);
        namespaces->fds[i] = open(path, O_RDONLY | O_CLOEXEC);
        if (namespaces->fds[i] < 0) {
            error_set_errno(error, errno, "open namespace", path);
            namespaces_close(namespaces);
            return false;
        }
    }
    return true;
}

static int enter(const Namespaces *namespaces, int count)
{
    for (int i = 0; i < count; i++)
        if (namespaces->fds[i] >= 0 && setns(namespaces->fds[i], 0) < 0)
            return -1;
    return 0;
}

int namespaces_enter(const Namespaces *namespaces)
{
    return enter(namespaces, NAMESPACE_COUNT);
}

int namespaces_enter_network(const Namespaces *namespaces)
{
    return enter(namespaces, 2);
}

void namespaces_close(Namespaces *namespaces)
{
    for (int i = 0; i < NAMESPACE_COUNT; i++)
        if (namespaces->fds[i] >= 0)
            close(namespaces->fds[i]);
    *namespaces = NAMESPACES_NONE;
}
