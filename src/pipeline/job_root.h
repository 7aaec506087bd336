/* job_root.h - the fresh root of one job: a sandbox that stays for the job's length, in which one
 * command after the other runs.
 *
 * A small shell loop inside waits for the name of a script and runs it; so processes that a step
 * leaves behind live on until the job ends, and a step costs one fork and one exec. */
#pragma once

#include "oci/content.h"
#include "sandbox/sandbox.h"

#include <jansson.h>

#define JOB_ROOT_GRACE_INT_MS 7500  /* after SIGINT comes SIGTERM */
#define JOB_ROOT_GRACE_TERM_MS 2500 /* after SIGTERM the tree is killed */

typedef struct {
    ContentStore *store; /* needed for an image */
    const char *image;   /* reference; NULL: the host's root */
    const char *scratch; /* an empty folder of this machine for the root's own files */
    const SandboxMount *mounts;
    size_t mount_count;
    const char *hostname;
    const char *const *extra_hosts;
    SandboxNetwork network;
    SandboxLimits limits;
} JobRootSpec;

typedef struct JobRoot JobRoot;

JobRoot *job_root_start(const JobRootSpec *spec, GError **error);
/* Ends all that still runs in it. */
void job_root_free(JobRoot *root);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(JobRoot, job_root_free)

/* "host", or the digest of the image. */
const char *job_root_name(const JobRoot *root);
/* The image's config ("config" of its document), borrowed; NULL for the host. */
const json_t *job_root_config(const JobRoot *root);
/* A folder of this machine that is /run/slipway inside, read-only; borrowed. */
const char *job_root_folder(const JobRoot *root);
#define JOB_ROOT_FOLDER "/run/slipway"
/* true: PROGRAM is found in the root's PATH. */
bool job_root_has(JobRoot *root, const char *program);

typedef struct {
    const char *const *argv;
    const char *const *environment; /* "K=V"; all there is */
    const char *folder;             /* inside */
    int timeout_ms;                 /* 0: none */
    const volatile int *cancelled;  /* may be NULL */
    void (*output)(void *user, const char *bytes, size_t length);
    void *user;
} JobRootCommand;

typedef struct {
    int status; /* exit code, or 128 + signal */
    bool timed_out, cancelled, out_of_memory;
} JobRootResult;

/* Runs COMMAND and hands on its output until it ends. false with UNAVAILABLE when the root itself
 * has gone. */
bool job_root_run(JobRoot *root, const JobRootCommand *command, JobRootResult *result,
                  GError **error);
