/* user_namespace.h - becoming root inside where we are not root outside. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <sys/types.h>

/* We may not mount by ourselves: a sandbox needs a user namespace. */
bool user_namespace_is_needed(void);

/* We are in the namespace that the machine started with, not in one of a container. */
bool user_namespace_is_initial(void);

/* A namespace that was made without privilege has no other groups to set. */
bool user_namespace_may_set_groups(void);

/* newuidmap and entries in /etc/subuid and /etc/subgid let us map a range of ids. */
bool user_namespace_has_range(void);

/* Maps the ids of the new user namespace of PID: with a range, 0 is us and 1… are the range; else
 * UID and GID inside are us and nobody else exists. */
bool user_namespace_map(pid_t pid, uid_t uid, gid_t gid, GError **error);
