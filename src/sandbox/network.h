/* network.h - what a sandbox reaches: the resolver it sees, and slirp4netns for egress without any
 * change to this machine. */
#pragma once

#include "sandbox/sandbox.h"

/* The text of /etc/resolv.conf for NETWORK. */
char *network_resolver_text(SandboxNetwork network);

typedef struct {
    pid_t pid;   /* of slirp4netns; 0: none */
    int exit_fd; /* ours until it is started: its other end is held by the sandbox's init */
} Slirp;

/* Prepares the tie: *HELD is the end that the sandbox's init must hold (and nobody else), so that
 * slirp4netns ends with it however it dies. */
bool slirp_prepare(Slirp *slirp, int *held, GError **error);

/* Starts slirp4netns for the network namespace of PID and waits until egress works. UNAVAILABLE
 * with a mend when there is no such program. */
bool slirp_start(Slirp *slirp, pid_t pid, GError **error);

/* Reaps it; the sandbox has ended. */
void slirp_finish(Slirp *slirp);
