/* context.h - the contexts of a run as expression values, and the variables made of them. */
#pragma once

#include "expr/value.h"
#include "model/pipeline.h"
#include "pipeline/run.h"

/* The github context of SPEC as it is before a job is known. */
ExprValue *context_github(const PipelineRunSpec *spec, const char *run_id, const char *workflow);

/* The inputs context of a dispatched or called pipeline: given values typed by DECLARED (mapping
 * of inputs; may be NULL), with defaults. INVALID for a missing required one or a wrong value. */
ExprValue *context_inputs(const PipelineValue *declared, const ExprValue *given, GError **error);

/* Adds to ENVIRONMENT (name → value, owned) the GITHUB_ variables of GITHUB. */
void context_github_environment(const ExprValue *github, GHashTable *environment);

/* An object whose values are all text; JSON may be NULL. CASE_MATTERS as for `env`. */
ExprValue *context_texts(const json_t *json, bool case_matters);
