/* release.h - an image that was built from a commit, with the settings and people it came with.
 *
 * All that a deployment needs is here or in the ledger: no workflow file, run folder or repository
 * is asked again. */
#pragma once

#include "delivery/delivery.h"
#include "model/project.h"

typedef struct {
    char *project, *digest, *commit, *version; /* version NULL: the commit has no vX.Y.Z tag */
    char *settings_digest, *migrations_digest; /* migrations "" when there are none */
    char *run;
    json_t *people; /* {"author":[emails], "requester":[emails]} */
    Project *settings;
} Release;

void release_free(Release *release);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Release, release_free)

/* Records what a run built. The same digest again keeps the first commit that gave it, and joins
 * the people. Inside the caller's transaction where there is one. */
bool release_record(Delivery *delivery, const char *project, const char *digest, const char *commit,
                    const char *version, const json_t *settings, const char *migrations_digest,
                    const json_t *people, const char *run, GError **error);

/* NOT_FOUND names the mend: only what `slipway ship` built can be deployed. */
Release *release_find(Delivery *delivery, const char *project, const char *digest, GError **error);

/* The digest that configures ENVIRONMENT of RELEASE: what an approval binds beside the image. */
char *release_config_digest(const Release *release, const char *environment);
