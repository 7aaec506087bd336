/* process.h - running a helper program (git, mmdebstrap, ssh-keygen) to its end.
 *
 * Not for untrusted steps: those run in sandbox/. */
#pragma once

#include <glib.h>
#include <stdbool.h>

typedef struct {
    const char *const *argv;        /* argv[0] is looked up in PATH */
    const char *const *environment; /* NULL: ours, without G_* and SLIPWAY_CRASH_* switches */
    const char *folder;             /* NULL: ours */
    const char *input;              /* text for stdin; NULL: /dev/null */
    gssize input_length;            /* -1: INPUT is text */
    bool merge_stderr;              /* stderr into the output */
    bool inherit_stderr;            /* stderr goes where ours goes */
    int stdout_fd;                  /* > 0: the output goes there and is not kept */
} ProcessSpec;

typedef struct {
    int status; /* exit code, or 128 + signal */
    char *output;
    size_t output_length;
    char *errors; /* what it said on stderr, at most 64 KiB */
} ProcessResult;

/* Runs SPEC and waits. False only when it could not be started (NOT_FOUND when there is no such
 * program); a non-zero status is not an error. The child dies with us. */
bool process_run(const ProcessSpec *spec, ProcessResult *result, GError **error);

/* process_run, and a non-zero status is an error too: UNAVAILABLE, with the program's own words. */
bool process_run_checked(const ProcessSpec *spec, ProcessResult *result, GError **error);

void process_result_clear(ProcessResult *result);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(ProcessResult, process_result_clear)
