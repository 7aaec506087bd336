/* rollout_private.h - one deployment on its way, as the files of the rollout share it. */
#pragma once

#include "delivery/local_target.h"

#define ROLLOUT_SHARE_WHOLE 10000
#define ROLLOUT_ROUTE_BACK 900 /* the switch back is the last of a fence */
#define ROLLOUT_DRAIN_MS 30000
#define ROLLOUT_PERIOD_MS 200 /* between two looks */

typedef struct {
    Delivery *delivery;
    Deployment *deployment;
    Release *release;
    const EnvironmentSettings *settings;
    LocalPlan *plan;
    Deployment *previous;      /* what served before; NULL: nothing */
    Release *previous_release; /* its settings are what previous_plan reads */
    LocalPlan *previous_plan;
    json_t *figures; /* what the last analysis saw */
} Rollout;

/* rollout_step.c: what all phases use. */

/* One side effect with its intent and outcome on record; RUN may add to the outcome's detail. What
 * is done already is not run again. */
bool rollout_do_step(Rollout *r, const char *name, bool (*run)(Rollout *, json_t *, GError **),
                     GError **error);
/* The deployment's end: its state, the entry of the record and SQL on the environment's row (with
 * SERVING, project and name as its parameters) in one transaction. */
bool rollout_record_end(Rollout *r, const char *state, const char *message, const char *sql,
                        const char *serving, GError **error);
/* The number of the INDEXth route of this deployment; higher than any of an earlier fence. */
int64_t rollout_route_number(const Rollout *r, int index);
/* SHARE of the traffic to the new generation, the rest to the one before; nothing when the proxy
 * has this route already. */
bool rollout_set_route(Rollout *r, int64_t number, int share, GError **error);

/* rollout_prepare.c: the phases in which no traffic has moved. */
bool rollout_take_lock(Rollout *r, GError **error);
bool rollout_verify(Rollout *r, GError **error);
bool rollout_migrate(Rollout *r, GError **error);
bool rollout_start(Rollout *r, GError **error);
bool rollout_probe(Rollout *r, GError **error);
bool rollout_ready_proxy(Rollout *r, GError **error);

/* rollout_switch.c: the phases that move traffic and watch it. */
bool rollout_canary(Rollout *r, GError **error);
bool rollout_bake(Rollout *r, GError **error);
bool rollout_drain(Rollout *r, GError **error);

/* rollout_exit.c: the ways out. Each ends the deployment. */
bool rollout_succeed(Rollout *r, GError **error);
/* Before the switch: the new units go, traffic never moved. */
bool rollout_abort(Rollout *r, const char *final_state, const char *why, GError **error);
/* At or after the switch: route first, then units. */
bool rollout_roll_back(Rollout *r, const char *why, GError **error);
/* Leaves all as it is, for a person to look at. */
bool rollout_need_human(Rollout *r, const char *state, const char *why, GError **error);

/* rollout.c: carries deployment ID on from wherever it stands to its end. Blocks. */
void rollout_carry_on(const char *home, UnitManager *units, const char *id);
