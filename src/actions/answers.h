/* answers.h - the rows of the table; each is a file of its own. Private. */
#pragma once

#include "pipeline/action.h"

extern const Action action_checkout;
extern const Action action_setup_go, action_setup_java, action_setup_node, action_setup_python;
