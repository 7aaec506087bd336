/* local_target.h - a deployment as units of this machine: what runs, where, with which volumes.
 *
 * Pure preparation and calls on container/; the order of things is rollout.c's. */
#pragma once

#include "container/proxy.h"
#include "delivery/deployment.h"
#include "oci/image.h"

/* Everything a unit of DEPLOYMENT needs, resolved from its image and settings. */
typedef struct {
    const Deployment *deployment;
    const EnvironmentSettings *settings;
    Image *image;
    char **layers, **argv, **environment;
    char *folder;
    uid_t uid;
    gid_t gid;
    int port;           /* inside the unit */
    char **health_argv; /* HEALTHCHECK of the image as an argument list; NULL: none */
    json_t *labels, *secrets;
    SandboxMount *mounts;
    size_t mount_count;
    GPtrArray *owned; /* strings behind the mounts */
} LocalPlan;

/* Unpacks the layers, makes the volumes' folders (owned by the image's user when new), fetches the
 * secrets. INVALID for an image that names no command or port, NOT_FOUND for a missing secret. */
LocalPlan *local_plan_new(Delivery *delivery, const Release *release, const Deployment *deployment,
                          GError **error);
void local_plan_free(LocalPlan *plan);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(LocalPlan, local_plan_free)

/* "orders-production-ID-1" */
char *local_unit_id(const Deployment *deployment, int ordinal);
/* "orders-production" */
char *local_proxy_name(const Deployment *deployment);
/* "127.0.0.1:8080" */
char *local_proxy_address(const EnvironmentSettings *settings);

bool local_start(Delivery *delivery, const LocalPlan *plan, GError **error);
/* Stops and removes all units of deployment ID. */
bool local_stop(Delivery *delivery, const char *deployment, GError **error);
/* true: all replicas of DEPLOYMENT run. */
bool local_is_running(Delivery *delivery, const Deployment *deployment, int replicas);

/* Runs ARGV to its end in the plan's root, volumes and secrets, not as a unit. */
bool local_run_once(Delivery *delivery, const LocalPlan *plan, const char *name,
                    const char *const *argv, int timeout_ms, char **output, int *status,
                    GError **error);
