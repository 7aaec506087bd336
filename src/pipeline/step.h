/* step.h - one command line in a fresh root, with a folder mounted and its output masked.
 *
 * For checks that no pipeline file describes (`test:` of slipway.yml). */
#pragma once

#include "base/event.h"
#include "oci/content.h"
#include "sandbox/sandbox.h"
#include "store/state.h"

typedef struct {
    State *state;
    ContentStore *store; /* NULL: only the host's root */
    const char *image;   /* reference; NULL: the host's root */
    const char
        *command; /* a shell line: `bash -e -o pipefail`, or `sh -e` where there is no bash */
    const char
        *workspace; /* folder of this machine, read-write at /workspace, its working folder */
    const char *const
        *environment;         /* "K=V" on top of a clean one (PATH HOME LANG CI); may be NULL */
    const char *const *masks; /* values that never leave in clear; may be NULL */
    SandboxNetwork network;
    SandboxLimits limits;
    int timeout_ms; /* 0: none */

    EventSink *sink; /* gets {"type":"log","job","step","line"}; may be NULL */
    const char *job, *step;
    const char *log_path;          /* the whole masked output; may be NULL */
    const volatile int *cancelled; /* may be NULL */
} PipelineCommandSpec;

typedef struct {
    int status; /* exit code, or 128 + signal; 124 when the time ran out */
    bool timed_out, cancelled, out_of_memory;
    int64_t started_at, ended_at; /* ns since 1970 */
    char *root;                   /* "host" or the image's digest */
    char *tail;                   /* the last 16 KiB of the masked output */
} PipelineCommandResult;

/* Runs SPEC and waits. false only when it could not be started; a non-zero status is a result. */
bool pipeline_command_run(const PipelineCommandSpec *spec, PipelineCommandResult *result,
                          GError **error);

void pipeline_command_result_clear(PipelineCommandResult *result);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(PipelineCommandResult, pipeline_command_result_clear)
