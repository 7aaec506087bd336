/* plan.h - what a run would do, without doing it. */
#pragma once

#include "pipeline/run.h"

/* The resolved graph of SPEC's file, every need taken to succeed:
 *   {file, name, event, runs, reason, jobs: [{id, name, needs, condition, runs, reason,
 *    rows: [{name, matrix}], steps: [{id, name, condition, runs, reason}]}]}
 * `runs` is null for what only the run itself can tell; `rows` is null likewise. NULL with INVALID
 * (all findings) when the file is malformed. Needs no state. */
json_t *pipeline_plan(const PipelineRunSpec *spec, GError **error);
