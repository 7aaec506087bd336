#include "container/usage.h"

#include "base/file.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The number of the pid namespace of process PID; 0 when it is not told. */
static ino_t read_namespace(const char *pid)
{
    g_autofree char *path = g_strdup_printf("/proc/%s/ns/pid", pid);
    struct stat st;
    return stat(path, &st) == 0 ? st.st_ino : 0;
}

/* Fields 14, 15 (ticks) and 24 (pages) of /proc/PID/stat. */
static void add_process(Usage *usage, const char *pid)
{
    g_autofree char *path = g_strdup_printf("/proc/%s/stat", pid);
    g_autofree char *text = file_read(AT_FDCWD, path, 8192, NULL, NULL);
    const char *rest = text != NULL ? strrchr(text, ')') : NULL;
    if (rest == NULL)
        return;
    g_auto(GStrv) fields = g_strsplit(rest + 2, " ", 23); /* fields[0] is field 3 */
    if (g_strv_length(fields) < 22)
        return;
    int64_t ticks = g_ascii_strtoll(fields[11], NULL, 10) + g_ascii_strtoll(fields[12], NULL, 10);
    usage->cpu_us += ticks * G_USEC_PER_SEC / sysconf(_SC_CLK_TCK);
    usage->memory += g_ascii_strtoll(fields[21], NULL, 10) * sysconf(_SC_PAGESIZE);
    usage->processes++;
}

void usage_read(Usage *usages, size_t count)
{
    g_autofree ino_t *namespaces = g_new0(ino_t, count + 1);
    for (size_t i = 0; i < count; i++) {
        usages[i] = (Usage){.pid = usages[i].pid};
        g_autofree char *pid = g_strdup_printf("%d", (int) usages[i].pid);
        namespaces[i] = usages[i].pid > 0 ? read_namespace(pid) : 0;
    }
    g_autoptr(GDir) dir = g_dir_open("/proc", 0, NULL);
    const char *pid;
    while (dir != NULL && (pid = g_dir_read_name(dir)) != NULL) {
        ino_t number = g_ascii_isdigit(pid[0]) ? read_namespace(pid) : 0;
        for (size_t i = 0; number != 0 && i < count; i++)
            if (namespaces[i] == number)
                add_process(&usages[i], pid);
    }
}
