/* events.h - the events there are, their types and the filters each takes. Private. */
#pragma once

#include "dialect/github/reader.h"

/* Reads `on` into PIPELINE's triggers and inputs. Takes ON. */
void events_read(Reader *reader, Pipeline *pipeline, PipelineValue *on);
