/* cgroup.h - limits, and ending a whole tree at once, by control groups of version 1 or 2.
 *
 * What this machine does not offer is left out: cgroup_missing says what. */
#pragma once

#include "sandbox/sandbox.h"

typedef struct Cgroup Cgroup;

/* Groups for LIMITS, and with KILLABLE one in the version 2 tree for cgroup.kill. NULL where
 * there is nothing to make. */
Cgroup *cgroup_new(const SandboxLimits *limits, bool killable);

/* Puts PID into all groups. */
bool cgroup_attach(const Cgroup *cgroup, pid_t pid, GError **error);

bool cgroup_was_out_of_memory(const Cgroup *cgroup);

/* Which of the limits asked for could not be set: "memory, pids"; NULL: all hold. */
const char *cgroup_missing(const Cgroup *cgroup);

/* Calls TELL for each controller that holds a limit, with its group's folder. */
void cgroup_describe(const Cgroup *cgroup,
                     void (*tell)(void *self, const char *controller, int version,
                                  const char *folder),
                     void *self);

/* SIGKILL to all in it, where the kernel can do that at once. */
void cgroup_kill(const Cgroup *cgroup);

/* Removes the groups, which must be empty. */
void cgroup_free(Cgroup *cgroup);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Cgroup, cgroup_free)

/* Where CONTROLLER ("memory", "cpu", "pids") of this process can have child groups: the folder, or
 * NULL. *VERSION is 1 or 2. CONTROLLER NULL: the version 2 tree itself. */
char *cgroup_find(const char *controller, int *version);
