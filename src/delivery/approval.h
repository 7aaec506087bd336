/* approval.h - a named person's signed yes or no to one deployment.
 *
 * The statement binds deployment, image, configuration and migrations; it counts only while all
 * three are what they were. */
#pragma once

#include "delivery/deployment.h"

typedef struct {
    const char *deployment; /* id */
    const char *person;
    const char *key_path;
    const char *comment; /* may be NULL */
    bool reject;
} ApprovalRequest;

/* Signs with the person's key, verifies, stores and records it. DENIED with the reason for who may
 * not (author, requester, not named, key not enrolled, a second time); INVALID when the deployment
 * does not wait. A rejection ends the deployment. *ENOUGH: all that were needed are there. */
bool approval_give(Delivery *delivery, const ApprovalRequest *request, bool *enough,
                   GError **error);

/* Names (char *, owned) of the distinct people whose stored approvals still verify and may count.
 */
GPtrArray *approval_valid_names(Delivery *delivery, const Release *release,
                                const Deployment *deployment, const json_t *policy, GError **error);
