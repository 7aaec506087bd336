/* names.h - which contexts and functions an expression may use at which place of a workflow. */
#pragma once

#include "expr/expression.h"

typedef enum {
    PLACE_NONE, /* no expression at all */
    PLACE_RUN_NAME,
    PLACE_ROOT_ENV,
    PLACE_JOB_IF,
    PLACE_STRATEGY,
    PLACE_JOB,
    PLACE_JOB_ENV,
    PLACE_DEFAULTS,
    PLACE_CREDENTIALS,
    PLACE_CONTAINER_ENV,
    PLACE_OUTPUT,
    PLACE_ENVIRONMENT_URL,
    PLACE_STEP,
    PLACE_STEP_IF,
    PLACE_CALL_OUTPUT,
    PLACE_ACTION_STEP, /* of a composite action */
    PLACE_ACTION_STEP_IF,
    PLACE_ACTION_OUTPUT,
    PLACE_ACTION_INPUT, /* default of an action's input */
    PLACE_COUNT,
} WorkflowPlace;

/* What names mean at PLACE. The functions can be parsed, not called. */
const ExprNames *workflow_names(WorkflowPlace place);

/* success failure cancelled always, NULL-terminated: a condition that calls none of them is meant
 * as success() && (condition). */
extern const char *const workflow_status_functions[];
