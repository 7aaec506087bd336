/* rollouts.h - carries approved deployments to their end, inside the supervisor.
 *
 * Every phase may be run again after a crash: what it did is found in its steps, in the units'
 * labels and in the proxy's persisted route, and not done twice. */
#pragma once

#include "container/supervisor.h"

typedef struct Rollouts Rollouts;

Rollouts *rollouts_new(const char *home, UnitManager *units);

/* The supervisor's operation "deploy" {"id"}: begins, or goes on with, a deployment. */
SupervisorOperation rollouts_operation(Rollouts *rollouts);

/* Goes on with all that was under way when the last supervisor ended; for supervisor_serve. */
void rollouts_resume(void *rollouts);
