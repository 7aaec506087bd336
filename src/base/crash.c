#include "base/crash.h"

#include <fcntl.h>
#include <glib.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void log_passing(const char *path, const char *name)
{
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return;
    dprintf(fd, "%s\n", name);
    close(fd);
}

void crash_boundary(const char *name)
{
    static gsize once;
    static const char *log_path, *target;
    static char target_name[128];
    static gint countdown;

    if (g_once_init_enter(&once)) {
        log_path = g_getenv("SLIPWAY_CRASH_LOG");
        target = g_getenv("SLIPWAY_CRASH_AT");
        if (target != NULL) {
            g_strlcpy(target_name, target, sizeof target_name);
            char *colon = strrchr(target_name, ':');
            countdown = 1;
            if (colon != NULL && g_ascii_isdigit(colon[1])) {
                countdown = atoi(colon + 1);
                *colon = '\0';
            }
        }
        g_once_init_leave(&once, 1);
    }
    if (log_path != NULL)
        log_passing(log_path, name);
    if (target != NULL && strcmp(name, target_name) == 0 && g_atomic_int_dec_and_test(&countdown))
        kill(getpid(), SIGKILL);
}
