/* actions.h - the table of well-known actions answered here. */
#pragma once

#include "pipeline/action.h"

/* NULL-terminated. */
extern const Action *const actions_table[];
