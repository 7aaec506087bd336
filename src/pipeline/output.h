/* output.h - what a step writes: bytes to masked lines, to a log file, to events.
 *
 * A line is handed to the command reader first; what it takes is no output. */
#pragma once

#include "base/event.h"
#include "pipeline/mask.h"

#include <stdbool.h>

typedef struct Output Output;

typedef struct {
    Mask *mask;                   /* borrowed */
    EventSink *sink;              /* may be NULL */
    const char *run, *job, *step; /* names in the events; copied */
    int log_fd;                   /* -1: none; borrowed */
    /* Sees each raw line before it is masked; true: it was a command, or stays hidden. */
    bool (*command)(void *user, const char *line);
    void *user;
} OutputSpec;

Output *output_new(const OutputSpec *spec);
/* Writes what is left of an unfinished line, and frees. */
void output_free(Output *output);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Output, output_free)

void output_feed(Output *output, const char *bytes, size_t length);
/* One line of our own, masked, no command. */
void output_line(Output *output, const char *line);
/* Writes an unfinished line now. */
void output_flush(Output *output);
/* The last 16 KiB of what was written, masked; to free. */
char *output_tail(const Output *output);
