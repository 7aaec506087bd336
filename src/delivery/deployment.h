/* deployment.h - one digest on its way into one environment, as rows.
 *
 *   requested → waiting → approved → locking → verifying → migrating → starting → probing
 *     → switching → canary → baking → draining → succeeded
 *   before the switch a failure leads to aborting → failed; at or after it to
 *   rolling_back → rolled_back. Final as well: blocked, rejected, superseded, expired,
 *   rollback_failed, needs_human.
 *
 * Intent is a row of deployment_step before a side effect, outcome its result after it; a state
 * and the entry of the record that belongs to it change in one transaction. */
#pragma once

#include "delivery/release.h"

typedef struct {
    char *id, *project, *environment;
    char *digest, *config_digest, *migrations_digest;
    char *reason, *of, *run, *requested_by, *state, *message, *previous;
    int64_t fence, created_at, updated_at;
} Deployment;

void deployment_free(Deployment *deployment);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Deployment, deployment_free)

typedef struct {
    const char *environment;
    const char *run;          /* may be NULL */
    const char *requested_by; /* e-mail or "local:USER" */
    const char *reason;       /* "deploy" or "rollback" */
    const char *of;           /* rollback: the deployment taken back */
} DeploymentRequest;

/* The deployment of RELEASE that REQUEST asks for: a new one in state requested, or the one that
 * waits or is under way already for the same digest and configuration (idempotent). An older one
 * that waits in the same environment becomes superseded. */
Deployment *deployment_request(Delivery *delivery, const Release *release,
                               const DeploymentRequest *request, GError **error);

/* By id or a unique prefix of ≥ 4 characters. */
Deployment *deployment_find(Delivery *delivery, const char *id, GError **error);
/* Deployment *, newest first; any of the three may be NULL. */
GPtrArray *deployment_list(Delivery *delivery, const char *project, const char *environment,
                           const char *state, int limit, GError **error);
bool deployment_reload(Delivery *delivery, Deployment *deployment, GError **error);

bool deployment_is_final(const Deployment *deployment);
/* Approved or under way: the supervisor must carry it on. */
bool deployment_is_active(const Deployment *deployment);

/* Moves to STATE with MESSAGE (may be NULL), and records ENTRY (may be NULL) in the ledger with it.
 */
bool deployment_move(Delivery *delivery, Deployment *deployment, const char *state,
                     const char *message, const LedgerEntry *entry, GError **error);

/* Records the intent of step NAME. *DONE: it is done already and must not be repeated. *STARTED
 * (may be NULL): when it was first begun, ns since 1970. A crash boundary "deploy.NAME.intent"
 * follows it. */
bool deployment_step_begin(Delivery *delivery, const Deployment *deployment, const char *name,
                           bool *done, int64_t *started, GError **error);
/* Its outcome. DETAIL (borrowed, may be NULL). Boundary "deploy.NAME.done". */
bool deployment_step_end(Delivery *delivery, const Deployment *deployment, const char *name,
                         const char *result, const json_t *detail, GError **error);
/* The steps as JSON [{name,started,ended,result,detail}], oldest first. */
json_t *deployment_steps(Delivery *delivery, const char *id, GError **error);

/* What serves in an environment: NULL without error when nothing does. */
Deployment *environment_serving(Delivery *delivery, const char *project, const char *environment,
                                GError **error);
/* The environments of PROJECT (NULL: all) as rows {project,environment,serving,last_good}. */
json_t *environment_list(Delivery *delivery, const char *project, GError **error);
