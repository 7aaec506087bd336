/* plan.h - a SandboxSpec decided down to plain memory, so that the child needs nothing but system
 * calls.
 *
 * Everything here is made by the parent before the clone and only read by the child (which has its
 * own copy of the memory, and fills in the fd fields of that copy). */
#pragma once

#include "sandbox/sandbox.h"

#include <linux/filter.h>

/* What runs, as whom: the main process of a sandbox, or a command run beside it. */
typedef struct {
    char **argv;
    char **candidates; /* the paths to try, from PATH; argv[0] alone when it holds a slash */
    char **environment;
    char *folder;
    uid_t uid;
    gid_t gid;
    gid_t *groups;
    size_t group_count;
    bool set_groups; /* false where the user namespace forbids setgroups */
    uint64_t capabilities;
    bool no_new_privileges;
    const struct sock_fprog *filter; /* NULL: none; lives as long as the program */
    int stdio[3];
} Program;

typedef enum {
    PLAN_MOUNT_BIND,
    PLAN_MOUNT_FILE, /* a small file with CONTENT that lives in memory */
    PLAN_MOUNT_TMPFS,
    PLAN_MOUNT_OVERLAY,
} PlanMountKind;

typedef struct {
    PlanMountKind kind;
    char *source;
    char *content;
    char *target;
    char *options; /* tmpfs */
    bool folder;   /* the target is a folder, not a file */
    bool read_only, no_exec, no_suid;
    int fd; /* child: the detached tree, or the lower folder of an overlay */
} PlanMount;

/* One top folder of a HOST root. */
typedef struct {
    char *path;    /* "/usr" */
    char **hidden; /* names below it, relative, that are whited out; may be NULL */
    int fd;        /* child */
} PlanHostFolder;

typedef struct {
    char *path; /* "/bin" */
    char *link; /* where it points; NULL: a folder of MODE */
    mode_t mode;
} PlanHostEntry;

typedef struct {
    bool user_namespace;
    bool user_xattrs; /* overlays keep their marks in user.*: trusted.* is not ours */
    bool own_network;
    bool single_id;       /* the user namespace maps one id only: no setgroups */
    bool wait_for_parent; /* the parent says when cgroups and network are ready */
    bool die_with_parent;
    int held;    /* a descriptor that closes when the sandbox ends; -1: none */
    char *title; /* this process's command line, which the child wipes: pid 1 shows it inside */
    size_t title_length;
    const char *stage; /* an existing folder that the child may cover with its own tmpfs */
    char *hostname;

    char **layers; /* topmost first; NULL with HOST */
    char *upper, *work;
    bool read_only;
    bool keep_work;       /* no `volatile`: WORK must be mountable again */
    GArray *host_folders; /* PlanHostFolder; NULL: not a HOST root */
    GArray *host_entries; /* PlanHostEntry */

    GArray *mounts; /* PlanMount, in order */
    Program program;
} Plan;

/* Decides SPEC. Errors are the caller's: a relative target, a missing source, an id that cannot be
 * mapped. */
Plan *plan_new(const SandboxSpec *spec, GError **error);
void plan_free(Plan *plan);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Plan, plan_free)

/* A program like ORIGINAL that runs ARGV instead; stdio unset. */
void program_init_copy(Program *program, const Program *original, const char *const *argv);
void program_clear(Program *program);

/* Adds a memory file at TARGET, read-only for the sandbox unless WRITABLE. */
/* Adds what shows the limits of a sandbox inside: the folder of a control group of VERSION, for
 * programs that size themselves by it. */
void plan_add_group(Plan *plan, const char *controller, int version, const char *folder);
/* Adds SOURCE (file or folder) read-only at TARGET. */
/* Fills in the folders and entries of a HOST root. */
void plan_add_host_root(Plan *plan);
