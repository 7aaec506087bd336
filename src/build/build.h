/* build.h - a Dockerfile and a context become an image in the content store.
 *
 * Knows no command line and no run: progress leaves through an EventSink, the outcome is an Image.
 *
 * Events: "build.step" {stage, number, total, text, state: started|cached|done|failed,
 * milliseconds}; "build.output" {number, text} for what a step writes; "build.miss" {number, text,
 * because} with the input that changed, when EXPLAIN; "build.warning" {line, text}. */
#pragma once

#include "base/event.h"
#include "oci/image.h"

typedef struct {
    const char *name;
    const char *value; /* NULL: the caller's environment variable of that name, if it has one */
} BuildArgument;

/* A value that steps see through RUN --mount=type=secret,id=ID only. Exactly one of the three. */
typedef struct {
    const char *id;
    const char *path;     /* read when the build starts; at most 1 MiB */
    const char *variable; /* of the caller's environment */
    const char *value;
} BuildSecret;

typedef struct {
    const char *context;    /* folder */
    const char *dockerfile; /* path as from the caller's folder; NULL: CONTEXT/Dockerfile */
    const char *target;     /* stage name or number; NULL: the last */
    const char *platform;   /* "linux/amd64"; NULL: this machine's */
    const BuildArgument *args;
    size_t arg_count;
    const BuildArgument *labels; /* set on the image after the Dockerfile's own */
    size_t label_count;
    const BuildSecret *secrets;
    size_t secret_count;
    const char *const *tags;   /* NULL-terminated; may be NULL. Set when all else is done */
    int64_t source_date_epoch; /* seconds: times in the image are this at most; -1: keep, and
                                * `created` is now */
    bool no_cache;
    bool explain;
    bool host_network;   /* RUN --network=host is granted */
    bool insecure;       /* RUN --security=insecure is granted */
    int step_timeout_ms; /* 0: no limit */
    EventSink *events;   /* may be NULL */
} BuildSpec;

/* Builds SPEC; the image is stored and tagged. INVALID: "Dockerfile:LINE[:COLUMN]: …" for what is
 * wrong with the file or a failing step (with its last lines of output); NOT_FOUND for a base,
 * source or secret that is not there; UNAVAILABLE where no sandbox can be made. Secret values are
 * in no error, event, key or layer. */
Image *build_run(ContentStore *store, const BuildSpec *spec, GError **error);

/* Writes the files of IMAGE, all layers laid over one another, into FOLDER, which is made. */
bool build_write_tree(ContentStore *store, const Image *image, const char *folder, GError **error);
