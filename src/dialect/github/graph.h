/* graph.h - the `needs` of a pipeline: every name known, no circle. Private. */
#pragma once

#include "dialect/github/reader.h"

/* Where each `needs` entry stands: job → PipelineValue (text or list), borrowed. */
void graph_check(Reader *reader, const Pipeline *pipeline, GHashTable *needs_values);
