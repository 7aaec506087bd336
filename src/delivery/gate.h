/* gate.h - may this digest run in this environment? Decided from the record, the store and the
 * policy in force alone; no workflow file, run folder or word of a step is asked. */
#pragma once

#include "delivery/deployment.h"

typedef enum { GATE_PASSED, GATE_WARNED, GATE_MISSING, GATE_FAILED, GATE_WAITING } GateVerdict;

typedef struct {
    char *name; /* "tests", "signature", "approval" … */
    GateVerdict verdict;
    char *text;    /* what was found, or what is missing and how it comes to be */
    int64_t entry; /* number of the entry of the record that says so; -1: none */
} Gate;

/* The gates of DEPLOYMENT in order, Gate *; the array owns them. */
GPtrArray *gate_evaluate(Delivery *delivery, const Release *release, const Deployment *deployment,
                         GError **error);

/* The gates that look at the source alone (lint, tests, coverage, secrets, workflow), or at the
 * image alone (SBOM, vulnerabilities, provenance, signature), before there is a deployment.
 * RELEASE needs project, commit, settings and, for an image, digest. */
typedef enum { GATE_OF_SOURCE = 1, GATE_OF_IMAGE = 2, GATE_OF_ENVIRONMENT = 4 } GateGroup;
GPtrArray *gate_evaluate_group(Delivery *delivery, const Release *release, GateGroup group,
                               GError **error);

const char *gate_verdict_name(GateVerdict verdict);

/* Whether a gate is missing or failed (*BLOCKED), or only people are waited for (*WAITING). */
void gate_summary(const GPtrArray *gates, bool *blocked, bool *waiting);

/* "tests: …\nsignature: …" of those that are missing or failed. */
char *gate_missing_text(const GPtrArray *gates);

/* The policy that holds for RELEASE: the one in force, tightened by the release's own settings.
 * *VERSION: of the one in force. DENIED when the project has none. */
json_t *gate_policy(Delivery *delivery, const Release *release, int64_t *version, GError **error);

/* How many approvals DEPLOYMENT needs, and the names that may give them (NULL-terminated; empty:
 * any person). A rollback asks those of rollback.approve. */
int gate_approvals_needed(const json_t *policy, const Deployment *deployment, char ***approvers);
