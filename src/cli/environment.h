/* environment.h - what the commands about environments share: which project is meant. */
#pragma once

#include "delivery/deployment.h"

/* PROJECT when given; else that of slipway.yml in this folder's repository when the state knows
 * it; else the only project of the state. For the caller to free; INVALID asks for --project. */
char *environment_project(Delivery *delivery, const char *project, GError **error);
