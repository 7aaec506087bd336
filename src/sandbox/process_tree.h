/* process_tree.h - the inside of a Sandbox, for the files of this room. */
#pragma once

#include "sandbox/cgroup.h"
#include "sandbox/child.h"
#include "sandbox/namespaces.h"
#include "sandbox/network.h"
#include "sandbox/plan.h"

struct Sandbox {
    Plan *plan;
    pid_t pid;
    int pidfd;
    int control; /* the parent's end: its closing ends a sandbox that dies with us */
    Namespaces namespaces;
    Cgroup *cgroup;
    Slirp slirp;
    GMutex lock; /* of what follows: several threads may wait */
    bool ended;
    int status;
    bool out_of_memory;
};

/* Clones a child with FLAGS (CLONE_NEW…); all signals are blocked in it. 0 in the child; in the
 * parent its pid, with *PIDFD. No SIGCHLD is sent for it and no waitpid of others reaps it. */
pid_t process_clone(uint64_t flags, int *pidfd);

/* Waits for the end of PIDFD at most TIMEOUT_MS (-1: for ever), any number of threads at once.
 * false without error: the time ran out. */
bool process_await(int pidfd, int timeout_ms, GError **error);

/* Waits for the end of PIDFD and reaps it, once: *STATUS is its exit code or 128 + signal. */
bool process_reap(int pidfd, int *status, GError **error);

/* Reads a Failure until FD closes. true: there was none. */
bool process_read_failure(int fd, GError **error);

/* Lets the child of CONTROL pass its next waiting point. */
void process_release(int control);
