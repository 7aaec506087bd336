/* run_mount.h - the text of RUN --mount=: what is asked for, before anything is looked up. */
#pragma once

#include "dockerfile/dockerfile.h"
#include "dockerfile/expand.h"

#include <stdint.h>
#include <sys/types.h>

typedef enum {
    RUN_MOUNT_BIND,
    RUN_MOUNT_CACHE,
    RUN_MOUNT_TMPFS,
    RUN_MOUNT_SECRET,
    RUN_MOUNT_SSH
} RunMountKind;

typedef struct {
    RunMountKind kind;
    char *id, *from, *source, *target, *variable; /* NULL: not given */
    char *sharing;                                /* "shared", "private", "locked" */
    bool read_only, required, mode_set;
    mode_t mode;
    uid_t uid;
    gid_t gid;
    uint64_t size; /* tmpfs */
} RunMount;

/* Parses TEXT, the flag's value; values are expanded in SCOPE. INVALID says what is wrong. */
RunMount *run_mount_parse(const char *text, const ExpandScope *scope, GError **error);
void run_mount_free(RunMount *mount);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(RunMount, run_mount_free)
