/* policy_store.h - which policy is in force for a project, and how the next one becomes it.
 *
 * Version 1 is adopted from the default branch at the first ship (recorded as bootstrap). A later
 * one is proposed when it stands on the default branch, and comes into force when as many people
 * have accepted it as the version in force asks. */
#pragma once

#include "delivery/delivery.h"
#include "identity/statement.h"

typedef struct {
    char *project;
    int64_t version;
    char *digest, *source_commit, *status;
    json_t *document;
    int accepted; /* people */
} Policy;

void policy_free(Policy *policy);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Policy, policy_free)

/* NULL without error: none yet. */
Policy *policy_in_force(Delivery *delivery, const char *project, GError **error);
Policy *policy_version(Delivery *delivery, const char *project, int64_t version, GError **error);
/* Policy *, oldest first. */
GPtrArray *policy_list(Delivery *delivery, const char *project, GError **error);

/* Adopts DOCUMENT as version 1 when there is none. */
bool policy_bootstrap(Delivery *delivery, const char *project, const json_t *document,
                      const char *commit, GError **error);

/* Proposes DOCUMENT, found on the default branch at COMMIT, as the next version unless it equals
 * what is in force or already proposed (an older proposal becomes past). Gives the proposed
 * version, 0 when nothing is to be proposed, -1 on error. */
int64_t policy_propose(Delivery *delivery, const char *project, const json_t *document,
                       const char *commit, GError **error);

/* How many people must accept the next version: two, or one while one person alone is enrolled. */
int policy_people_needed(Delivery *delivery, GError **error);

/* PERSON accepts VERSION with the key in KEY_PATH. *IN_FORCE: it is the policy now. DENIED for who
 * may not, twice the same person included. */
bool policy_accept(Delivery *delivery, const char *project, int64_t version, const char *person,
                   const char *key_path, bool *in_force, GError **error);
