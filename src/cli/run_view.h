/* run_view.h - the events of a pipeline's run as text for a person, or as JSON lines. */
#pragma once

#include "base/event.h"

#include <stdbool.h>
#include <stdio.h>

typedef struct RunView RunView;

/* COLOUR: with escape sequences. */
RunView *run_view_new(FILE *out, bool json, bool colour);
EventSink *run_view_sink(RunView *view);
void run_view_free(RunView *view);
