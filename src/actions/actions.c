#include "actions/actions.h"

#include "actions/answers.h"

const Action *const actions_table[] = {
    &action_checkout,   &action_setup_go,     &action_setup_java,
    &action_setup_node, &action_setup_python, NULL,
};
