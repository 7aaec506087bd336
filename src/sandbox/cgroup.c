#include "sandbox/cgroup.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define TABLE_LIMIT (4 * 1024 * 1024)
#define PERIOD_US 100000

typedef struct {
    const char *controller, *folder; /* borrowed */
    int version;
} Holder;

struct Cgroup {
    GPtrArray *folders; /* of all groups made, each once */
    Holder holders[3];  /* of the limits that were set */
    size_t holder_count;
    char *memory, *tree; /* borrowed from them: where OOM kills are counted; the version 2 group */
    int memory_version;
    GString *missing;
};

/* -- finding ---------------------------------------------------------------------------------- */

static bool has_word(const char *list, const char *word, const char *separators)
{
    g_auto(GStrv) words = g_strsplit_set(list, separators, -1);
    return g_strv_contains((const char *const *) words, word);
}

/* Where the hierarchy with CONTROLLER (NULL: version 2) is mounted. */
static char *find_mount(const char *controller)
{
    g_autofree char *table = file_read(AT_FDCWD, "/proc/self/mountinfo", TABLE_LIMIT, NULL, NULL);
    g_auto(GStrv) lines = g_strsplit(table != NULL ? table : "", "\n", -1);
    for (size_t i = 0; lines[i] != NULL; i++) {
        char *tail = strstr(lines[i], " - ");
        g_auto(GStrv) head = g_strsplit(lines[i], " ", 6);
        if (tail == NULL || g_strv_length(head) < 6)
            continue;
        g_auto(GStrv) type = g_strsplit(tail + 3, " ", 3);
        if (g_strv_length(type) != 3)
            continue;
        if (controller == NULL
                ? strcmp(type[0], "cgroup2") == 0
                : strcmp(type[0], "cgroup") == 0 && has_word(type[2], controller, ","))
            return g_strdup(head[4]);
    }
    return NULL;
}

/* Our own group in that hierarchy, "/…". */
static char *find_own(const char *controller)
{
    g_autofree char *table = file_read(AT_FDCWD, "/proc/self/cgroup", TABLE_LIMIT, NULL, NULL);
    g_auto(GStrv) lines = g_strsplit(table != NULL ? table : "", "\n", -1);
    for (size_t i = 0; lines[i] != NULL; i++) {
        g_auto(GStrv) fields = g_strsplit(lines[i], ":", 3);
        if (g_strv_length(fields) != 3)
            continue;
        if (controller == NULL ? strcmp(fields[0], "0") == 0 : has_word(fields[1], controller, ","))
            return fields[2][0] == '/' ? g_strdup(fields[2]) : NULL;
    }
    return NULL;
}

static char *find_folder(const char *controller)
{
    g_autofree char *mount = find_mount(controller);
    if (mount == NULL)
        return NULL;
    g_autofree char *own = find_own(controller);
    g_autofree char *folder = g_build_filename(mount, own != NULL ? own + 1 : "", NULL);
    if (g_str_has_suffix(folder, "/"))
        folder[strlen(folder) - 1] = '\0';
    /* Inside a container the path may be one of the machine's that is not mounted here. */
    return g_strdup(access(folder, W_OK) == 0 ? folder : mount);
}

static bool write_value(const char *folder, const char *name, const char *value)
{
    g_autofree char *path = g_build_filename(folder, name, NULL);
    autofd int fd = open(path, O_WRONLY | O_CLOEXEC);
    return fd >= 0 && write(fd, value, strlen(value)) == (ssize_t) strlen(value);
}

static char *read_value(const char *folder, const char *name)
{
    g_autofree char *path = g_build_filename(folder, name, NULL);
    return file_read(AT_FDCWD, path, TABLE_LIMIT, NULL, NULL);
}

/* In a version 2 tree a group with processes cannot hand controllers on, so the groups are made
 * beside ours where ours refuses. */
static char *find_version_2(const char *controller)
{
    g_autofree char *own = find_folder(NULL);
    g_autofree char *enable = g_strdup_printf("+%s", controller);
    for (int up = 0; own != NULL && up < 2; up++) {
        g_autofree char *offered = read_value(own, "cgroup.controllers");
        if (offered == NULL || !has_word(g_strchomp(offered), controller, " "))
            return NULL;
        g_autofree char *handed = read_value(own, "cgroup.subtree_control");
        if ((handed != NULL && has_word(g_strchomp(handed), controller, " ")) ||
            write_value(own, "cgroup.subtree_control", enable))
            return g_steal_pointer(&own);
        char *parent = g_path_get_dirname(own);
        g_free(own);
        own = parent;
    }
    return NULL;
}

char *cgroup_find(const char *controller, int *version)
{
    *version = 2;
    if (controller == NULL)
        return find_folder(NULL);
    char *folder = find_version_2(controller);
    if (folder == NULL) {
        *version = 1;
        folder = find_folder(controller);
    }
    return folder;
}

/* -- making ----------------------------------------------------------------------------------- */

/* Removes empty groups of processes that were killed. */
static void sweep(const char *folder)
{
    GDir *dir = g_dir_open(folder, 0, NULL);
    const char *name;
    while (dir != NULL && (name = g_dir_read_name(dir)) != NULL) {
        if (!g_str_has_prefix(name, "slipway-"))
            continue;
        pid_t pid = (pid_t) strtol(name + strlen("slipway-"), NULL, 10);
        if (pid <= 0 || kill(pid, 0) == 0 || errno != ESRCH)
            continue;
        g_autofree char *path = g_build_filename(folder, name, NULL);
        rmdir(path);
    }
    if (dir != NULL)
        g_dir_close(dir);
}

static void sweep_once(const char *folder)
{
    static GMutex lock;
    static GHashTable *swept;
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&lock);
    if (swept == NULL)
        swept = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    if (g_hash_table_add(swept, g_strdup(folder)))
        sweep(folder);
}

/* The folder of our group below PARENT, made where it is not there yet. Borrowed. */
static char *make_group(Cgroup *cgroup, const char *parent, const char *name)
{
    sweep_once(parent);
    g_autofree char *path = g_build_filename(parent, name, NULL);
    guint at;
    if (g_ptr_array_find_with_equal_func(cgroup->folders, path, g_str_equal, &at))
        return g_ptr_array_index(cgroup->folders, at);
    if (mkdir(path, 0755) < 0)
        return NULL;
    char *kept = g_steal_pointer(&path);
    g_ptr_array_add(cgroup->folders, kept);
    return kept;
}

static bool limit_memory(Cgroup *cgroup, const char *folder, int version,
                         const SandboxLimits *limits)
{
    char value[32];
    g_snprintf(value, sizeof value, "%" G_GUINT64_FORMAT, limits->memory);
    if (version == 2) {
        write_value(folder, "memory.swap.max", "0");
        return write_value(folder, "memory.max", value);
    }
    if (!write_value(folder, "memory.limit_in_bytes", value))
        return false;
    if (!write_value(folder, "memory.memsw.limit_in_bytes", value))
        write_value(folder, "memory.swappiness", "0");
    return true;
}

static bool limit_cpu(Cgroup *cgroup, const char *folder, int version, const SandboxLimits *limits)
{
    char value[64];
    long quota = lround(limits->cpus * PERIOD_US);
    if (quota < 1000) /* the kernel's least */
        quota = 1000;
    if (version == 2) {
        g_snprintf(value, sizeof value, "%ld %d", quota, PERIOD_US);
        return write_value(folder, "cpu.max", value);
    }
    g_snprintf(value, sizeof value, "%ld", quota);
    return write_value(folder, "cpu.cfs_period_us", G_STRINGIFY(PERIOD_US)) &&
           write_value(folder, "cpu.cfs_quota_us", value);
}

static bool limit_pids(Cgroup *cgroup, const char *folder, int version, const SandboxLimits *limits)
{
    char value[32];
    /* One more than asked: our init counts too. */
    g_snprintf(value, sizeof value, "%" G_GUINT64_FORMAT, limits->pids + 1);
    return write_value(folder, "pids.max", value);
}

static void apply(Cgroup *cgroup, const char *name, const char *controller,
                  bool (*limit)(Cgroup *, const char *, int, const SandboxLimits *),
                  const SandboxLimits *limits)
{
    int version;
    g_autofree char *parent = cgroup_find(controller, &version);
    char *folder = parent != NULL ? make_group(cgroup, parent, name) : NULL;
    if (folder == NULL || !limit(cgroup, folder, version, limits)) {
        g_string_append_printf(cgroup->missing, "%s%s", cgroup->missing->len > 0 ? ", " : "",
                               controller);
        return;
    }
    cgroup->holders[cgroup->holder_count++] =
        (Holder){.controller = controller, .folder = folder, .version = version};
    if (strcmp(controller, "memory") == 0) {
        cgroup->memory = folder;
        cgroup->memory_version = version;
    }
    if (version == 2)
        cgroup->tree = folder;
}

Cgroup *cgroup_new(const SandboxLimits *limits, bool killable)
{
    static int counter;
    if (limits->cpus <= 0 && limits->memory == 0 && limits->pids == 0 && !killable)
        return NULL;
    char name[64];
    g_snprintf(name, sizeof name, "slipway-%d-%d", (int) getpid(), g_atomic_int_add(&counter, 1));
    Cgroup *cgroup = g_new0(Cgroup, 1);
    cgroup->folders = g_ptr_array_new_with_free_func(g_free);
    cgroup->missing = g_string_new(NULL);
    if (limits->memory > 0)
        apply(cgroup, name, "memory", limit_memory, limits);
    if (limits->cpus > 0)
        apply(cgroup, name, "cpu", limit_cpu, limits);
    if (limits->pids > 0)
        apply(cgroup, name, "pids", limit_pids, limits);
    if (killable && cgroup->tree == NULL) {
        int version;
        g_autofree char *parent = cgroup_find(NULL, &version);
        if (parent != NULL)
            cgroup->tree = make_group(cgroup, parent, name);
    }
    return cgroup;
}

/* -- using ------------------------------------------------------------------------------------ */

bool cgroup_attach(const Cgroup *cgroup, pid_t pid, GError **error)
{
    char value[16];
    g_snprintf(value, sizeof value, "%d", (int) pid);
    for (guint i = 0; cgroup != NULL && i < cgroup->folders->len; i++) {
        const char *folder = g_ptr_array_index(cgroup->folders, i);
        if (!write_value(folder, "cgroup.procs", value))
            return error_set_errno(error, errno, "join control group", folder);
    }
    return true;
}

bool cgroup_was_out_of_memory(const Cgroup *cgroup)
{
    if (cgroup == NULL || cgroup->memory == NULL)
        return false;
    g_autofree char *text = read_value(
        cgroup->memory, cgroup->memory_version == 2 ? "memory.events" : "memory.oom_control");
    g_auto(GStrv) lines = g_strsplit(text != NULL ? text : "", "\n", -1);
    for (size_t i = 0; lines[i] != NULL; i++)
        if (g_str_has_prefix(lines[i], "oom_kill "))
            return strtoull(lines[i] + strlen("oom_kill "), NULL, 10) > 0;
    return false;
}

const char *cgroup_missing(const Cgroup *cgroup)
{
    return cgroup != NULL && cgroup->missing->len > 0 ? cgroup->missing->str : NULL;
}

void cgroup_describe(const Cgroup *cgroup,
                     void (*tell)(void *self, const char *controller, int version,
                                  const char *folder),
                     void *self)
{
    for (size_t i = 0; cgroup != NULL && i < cgroup->holder_count; i++) {
        const Holder *holder = &cgroup->holders[i];
        /* All of version 2 share one folder. */
        if (holder->version == 1 || i == 0)
            tell(self, holder->controller, holder->version, holder->folder);
    }
}

void cgroup_kill(const Cgroup *cgroup)
{
    if (cgroup != NULL && cgroup->tree != NULL)
        write_value(cgroup->tree, "cgroup.kill", "1");
}

void cgroup_free(Cgroup *cgroup)
{
    if (cgroup == NULL)
        return;
    for (guint i = 0; i < cgroup->folders->len; i++)
        rmdir(g_ptr_array_index(cgroup->folders, i));
    g_ptr_array_unref(cgroup->folders);
    g_string_free(cgroup->missing, TRUE);
    g_free(cgroup);
}
