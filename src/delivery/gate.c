#include "delivery/gate.h"

#include "base/clock.h"
#include "base/error.h"
#include "delivery/approval.h"
#include "delivery/evidence.h"
#include "delivery/policy_store.h"
#include "format/json.h"
#include "identity/identity.h"
#include "model/finding.h"
#include "model/policy.h"
#include "sign/signer.h"

#include <string.h>

#define PREDICATE_SPDX "https://spdx.dev/Document"
#define PREDICATE_PROVENANCE "https://slsa.dev/provenance/v1"

/* What every gate looks at. */
typedef struct {
    Delivery *delivery;
    const Release *release;
    const Deployment *deployment;
    const json_t *policy;      /* effective */
    const json_t *environment; /* of the policy; NULL: it knows none of this name */
    const char *repository;    /* name in the store */
    const char *engine_key;
    GPtrArray *gates;
} Inquiry;

static void gate_free(gpointer data)
{
    Gate *gate = data;
    g_free(gate->name);
    g_free(gate->text);
    g_free(gate);
}

static void G_GNUC_PRINTF(5, 6) add(Inquiry *q, const char *name, GateVerdict verdict,
                                    const json_t *entry, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    Gate *gate = g_new0(Gate, 1);
    gate->name = g_strdup(name);
    gate->verdict = verdict;
    gate->text = g_strdup_vprintf(format, arguments);
    gate->entry = entry != NULL ? json_get_integer(entry, "seq", -1) : -1;
    va_end(arguments);
    g_ptr_array_add(q->gates, gate);
}

static const json_t *detail_of(const json_t *entry)
{
    return json_object_get(entry, "detail");
}

static const char *gates_value(const Inquiry *q, const char *key)
{
    return json_get_string(json_object_get(q->policy, "gates"), key);
}

/* The newest evidence of KIND about the commit, for this project: another project of the same
 * repository has checks of its own. */
static json_t *source_evidence(Inquiry *q, const char *kind, GError **error)
{
    return evidence_latest(q->delivery, kind, q->release->commit, "project", q->release->project,
                           error);
}

/* ---- each gate ---- */

static bool check_policy_environment(Inquiry *q, int64_t version, GError **error)
{
    if (q->environment != NULL)
        add(q, "policy", GATE_PASSED, NULL, "version %" G_GINT64_FORMAT " in force", version);
    else
        add(q, "policy", GATE_MISSING, NULL,
            "environment '%s' is not in the policy in force (version %" G_GINT64_FORMAT
            "); it comes in with `slipway policy accept`",
            q->deployment->environment, version);
    return true;
}

/* Is each address of RECORDED (by role) among those of the release? */
static bool has_people(const Release *release, const json_t *recorded)
{
    const char *role;
    json_t *emails;
    json_object_foreach((json_t *) recorded, role, emails)
    {
        size_t i, j;
        json_t *email, *known;
        const json_t *ours = json_object_get(release->people, role);
        json_array_foreach(emails, i, email)
        {
            bool there = false;
            json_array_foreach(ours, j, known) there = there || json_equal(known, email);
            if (!there)
                return false;
        }
    }
    return true;
}

/* What the record says of the build holds; the row of the release only repeats it. *BUILT: the
 * entry for the release's commit (NULL: none). */
static bool agrees_with_record(const Inquiry *q, json_t **built, GError **error)
{
    g_autoptr(json_t) entries =
        ledger_query(q->delivery->ledger, q->release->digest, "evidence", error);
    bool agrees = true;
    size_t i;
    json_t *entry;
    *built = NULL;
    json_array_foreach(entries, i, entry)
    {
        const json_t *detail = detail_of(entry);
        if (g_strcmp0(json_get_string(entry, "object"), q->release->digest) != 0 ||
            g_strcmp0(json_get_string(detail, "kind"), "build") != 0 ||
            g_strcmp0(json_get_string(detail, "project"), q->release->project) != 0)
            continue;
        agrees =
            agrees && has_people(q->release, json_object_get(detail, "people")) &&
            g_strcmp0(json_get_string(detail, "migrations"), q->release->migrations_digest) == 0;
        if (g_strcmp0(json_get_string(detail, "commit"), q->release->commit) == 0) {
            json_decref(*built);
            *built = json_incref(entry);
        }
    }
    return agrees;
}

static bool check_commit(Inquiry *q, int64_t version, GError **error)
{
    g_autoptr(json_t) built = NULL;
    bool agrees = agrees_with_record(q, &built, error);
    if (built == NULL)
        add(q, "build", GATE_MISSING, NULL,
            "the record does not say that slipway built %s from commit %.12s", q->release->digest,
            q->release->commit);
    else if (!agrees)
        add(q, "build", GATE_FAILED, built,
            "the release is not what the record says of it: the state was changed by hand");
    else if (json_get_boolean(detail_of(built), "dirty", false) &&
             json_is_true(json_object_get(q->environment, "production")))
        add(q, "build", GATE_FAILED, built,
            "built from a tree with uncommitted changes; commit them and ship the commit");
    else
        add(q, "build", GATE_PASSED, built, "from commit %.12s", q->release->commit);
    return true;
}

/* Do the commands that ran equal those that the policy names? */
static bool same_commands(const json_t *policy_commands, const json_t *evidence)
{
    return json_equal((json_t *) policy_commands, json_object_get(detail_of(evidence), "commands"));
}

static bool check_tests(Inquiry *q, int64_t version, GError **error)
{
    const json_t *tests = json_object_get(json_object_get(q->policy, "checks"), "tests");
    const json_t *commands = json_object_get(tests, "command");
    gint64 min = json_get_integer(tests, "min", 0);
    if (json_array_size(commands) == 0) {
        add(q, "tests", GATE_WARNED, NULL, "the policy names no tests");
        return true;
    }
    g_autoptr(json_t) evidence = source_evidence(q, "tests", error);
    if (evidence == NULL) {
        add(q, "tests", GATE_MISSING, NULL, "no tests are on record for commit %.12s",
            q->release->commit);
        return true;
    }
    gint64 passed = json_get_integer(detail_of(evidence), "passed", 0);
    if (!same_commands(commands, evidence))
        add(q, "tests", GATE_FAILED, evidence, "what ran is not what the policy names");
    else if (g_strcmp0(json_get_string(evidence, "result"), "passed") != 0)
        add(q, "tests", GATE_FAILED, evidence, "they failed on commit %.12s", q->release->commit);
    else if (passed < min)
        add(q, "tests", GATE_FAILED, evidence,
            "%" G_GINT64_FORMAT " passed, the policy asks for at least %" G_GINT64_FORMAT, passed,
            min);
    else
        add(q, "tests", GATE_PASSED, evidence, "%" G_GINT64_FORMAT " passed", passed);
    return true;
}

static bool check_coverage(Inquiry *q, int64_t version, GError **error)
{
    const json_t *coverage = json_object_get(json_object_get(q->policy, "checks"), "coverage");
    if (!json_is_object(coverage))
        return true;
    gint64 min = json_get_integer(coverage, "min", 0);
    g_autoptr(json_t) evidence = source_evidence(q, "coverage", error);
    /* Hundredths of a percent, as the record holds no reals. */
    gint64 lines = json_get_integer(detail_of(evidence), "lines", -1);
    if (evidence == NULL || lines < 0)
        add(q, "coverage", GATE_MISSING, evidence, "no report '%s' was read",
            json_get_string(coverage, "report"));
    else if (lines < min * 100)
        add(q, "coverage", GATE_FAILED, evidence,
            "%d.%d %%, the policy asks for %" G_GINT64_FORMAT " %%", (int) (lines / 100),
            (int) (lines % 100 / 10), min);
    else
        add(q, "coverage", GATE_PASSED, evidence, "%d.%d %%", (int) (lines / 100),
            (int) (lines % 100 / 10));
    return true;
}

/* Findings at or above WORST in a table {"error": 2, …} of evidence. */
static gint64 count_from(const json_t *counts, Severity worst)
{
    gint64 total = 0;
    const char *name;
    json_t *number;
    json_object_foreach((json_t *) counts, name, number)
    {
        Severity severity;
        if (severity_parse(name, &severity) && severity >= worst)
            total += json_integer_value(number);
    }
    return total;
}

static bool check_lint(Inquiry *q, int64_t version, GError **error)
{
    const char *level = gates_value(q, "lint");
    Severity worst;
    if (level == NULL || !severity_parse(level, &worst))
        return true;
    g_autoptr(json_t) evidence = source_evidence(q, "lint", error);
    gint64 count = count_from(json_object_get(detail_of(evidence), "counts"), worst);
    if (evidence == NULL)
        add(q, "lint", GATE_MISSING, NULL, "commit %.12s was not linted", q->release->commit);
    else if (count > 0 || g_strcmp0(json_get_string(evidence, "result"), "failed") == 0)
        add(q, "lint", GATE_FAILED, evidence,
            "%" G_GINT64_FORMAT " findings of level %s or worse%s", count, level,
            count == 0 ? "; a lint command failed" : "");
    else
        add(q, "lint", GATE_PASSED, evidence, "none of level %s", level);
    return true;
}

static bool check_secrets(Inquiry *q, int64_t version, GError **error)
{
    if (g_strcmp0(gates_value(q, "secrets"), "off") == 0)
        return true;
    g_autoptr(json_t) evidence = source_evidence(q, "secrets", error);
    gint64 found = json_get_integer(detail_of(evidence), "found", -1);
    if (evidence == NULL || found < 0)
        add(q, "secrets", GATE_MISSING, NULL, "commit %.12s was not scanned for secrets",
            q->release->commit);
    else if (found > 0)
        add(q, "secrets", GATE_FAILED, evidence, "%" G_GINT64_FORMAT " found", found);
    else
        add(q, "secrets", GATE_PASSED, evidence, "none found");
    return true;
}

/* The repository's own workflow counts when it ran; that it was deleted takes nothing away from
 * the gates above, which are the engine's own. */
static bool check_workflow(Inquiry *q, int64_t version, GError **error)
{
    g_autoptr(json_t) evidence = source_evidence(q, "workflow", error);
    if (evidence == NULL)
        return true;
    bool passed = g_strcmp0(json_get_string(evidence, "result"), "passed") == 0;
    add(q, "workflow", passed ? GATE_PASSED : GATE_FAILED, evidence, "%s: %s",
        json_get_string(detail_of(evidence), "file"), passed ? "passed" : "failed");
    return true;
}

static bool check_vulnerabilities(Inquiry *q, int64_t version, GError **error)
{
    const json_t *gate = json_object_get(json_object_get(q->policy, "gates"), "vulnerabilities");
    const json_t *advisories = json_object_get(q->policy, "advisories");
    GateVerdict refuse =
        g_strcmp0(json_get_string(gate, "mode"), "warn") == 0 ? GATE_WARNED : GATE_FAILED;
    Severity worst = SEVERITY_HIGH;
    severity_parse(json_get_string(gate, "fail-on"), &worst);

    g_autoptr(json_t) evidence =
        evidence_latest(q->delivery, "vulnerabilities", q->release->digest, NULL, NULL, error);
    const json_t *detail = detail_of(evidence);
    if (evidence == NULL) {
        add(q, "vulnerabilities", GATE_MISSING, NULL, "the image was not scanned");
        return true;
    }
    int64_t max_age = 0;
    clock_parse_duration(json_get_string(advisories, "max-age"), &max_age, NULL);
    int64_t age = clock_now_ns() / 1000000 - json_get_integer(detail, "database_time", 0) * 1000;
    gint64 count = count_from(json_object_get(detail, "counts"), worst);
    gint64 unknown = json_get_integer(json_object_get(detail, "counts"), "unknown", 0);
    bool covered = json_get_boolean(detail, "covered", false);
    const char *uncovered = json_get_string(detail, "uncovered");

    if (count > 0)
        add(q, "vulnerabilities", refuse, evidence,
            "%" G_GINT64_FORMAT " of severity %s or worse: %s", count, severity_name(worst),
            json_get_string(detail, "worst"));
    else if (!covered && g_strcmp0(json_get_string(advisories, "uncovered"), "allow") != 0)
        add(q, "vulnerabilities", GATE_FAILED, evidence,
            "not covered: %s; import advisories, or say `advisories: {uncovered: allow}` in the "
            "policy",
            uncovered != NULL ? uncovered : "no advisories");
    else if (covered && age > max_age)
        add(q, "vulnerabilities", GATE_FAILED, evidence,
            "the advisories are older than %s; `slipway advisories update` or import newer ones",
            json_get_string(advisories, "max-age"));
    else if (!covered)
        add(q, "vulnerabilities", GATE_WARNED, evidence, "none known; not covered: %s",
            uncovered != NULL ? uncovered : "no advisories");
    else if (unknown > 0)
        add(q, "vulnerabilities", GATE_WARNED, evidence,
            "none of severity %s or worse; %" G_GINT64_FORMAT " of unknown severity",
            severity_name(worst), unknown);
    else
        add(q, "vulnerabilities", GATE_PASSED, evidence, "none of severity %s or worse",
            severity_name(worst));
    return true;
}

static bool check_attestation(Inquiry *q, const char *name, const char *gate, const char *type,
                              GError **error)
{
    if (g_strcmp0(gates_value(q, gate), "required") != 0)
        return true;
    g_autoptr(GError) why = NULL;
    g_autoptr(json_t) predicate = signer_find_attestation(
        q->delivery->store, q->repository, q->release->digest, type, q->engine_key, &why);
    if (predicate == NULL)
        add(q, name, GATE_MISSING, NULL, "%s", why != NULL ? why->message : "none attached");
    else
        add(q, name, GATE_PASSED, NULL, "attached and signed by ci");
    return true;
}

static bool check_sbom(Inquiry *q, int64_t version, GError **error)
{
    return check_attestation(q, "sbom", "sbom", PREDICATE_SPDX, error);
}

static bool check_provenance(Inquiry *q, int64_t version, GError **error)
{
    return check_attestation(q, "provenance", "provenance", PREDICATE_PROVENANCE, error);
}

static bool check_signature(Inquiry *q, int64_t version, GError **error)
{
    const json_t *signers = json_object_get(json_object_get(q->policy, "gates"), "signed-by");
    size_t i;
    json_t *signer;
    json_array_foreach(signers, i, signer)
    {
        const char *name = json_string_value(signer);
        if (g_strcmp0(name, "ci") != 0) {
            add(q, "signature", GATE_MISSING, NULL, "no key is known for signer '%s'", name);
            continue;
        }
        g_autoptr(GError) why = NULL;
        if (signer_verify_image(q->delivery->store, q->repository, q->release->digest,
                                q->engine_key, &why))
            add(q, "signature", GATE_PASSED, NULL, "by ci");
        else
            add(q, "signature", GATE_MISSING, NULL, "%s", why->message);
    }
    return true;
}

/* What comes before must have run this very digest, with its smoke tests passed. */
static bool check_after(Inquiry *q, int64_t version, GError **error)
{
    const char *after = json_get_string(q->environment, "after");
    if (after == NULL)
        return true;
    g_autoptr(json_t) entries =
        ledger_query(q->delivery->ledger, q->release->digest, "deploy", error);
    if (entries == NULL)
        return false;
    json_t *success = NULL;
    for (size_t i = json_array_size(entries); i-- > 0 && success == NULL;) {
        json_t *entry = json_array_get(entries, i);
        if (g_strcmp0(json_get_string(detail_of(entry), "environment"), after) == 0 &&
            g_strcmp0(json_get_string(detail_of(entry), "project"), q->release->project) == 0 &&
            g_strcmp0(json_get_string(entry, "object"), q->release->digest) == 0 &&
            g_strcmp0(json_get_string(entry, "result"), "succeeded") == 0)
            success = entry;
    }
    if (success == NULL) {
        add(q, after, GATE_MISSING, NULL,
            "this digest has not run in %s; `slipway deploy %s %.19s`", after, after,
            q->release->digest);
        return true;
    }
    g_autoptr(json_t) smoke =
        evidence_latest(q->delivery, "smoke", q->release->digest, "environment", after, error);
    const json_t *wanted = json_object_get(
        json_object_get(json_object_get(q->policy, "environments"), after), "smoke");
    if (json_array_size(wanted) > 0 &&
        (smoke == NULL || g_strcmp0(json_get_string(smoke, "result"), "passed") != 0))
        add(q, after, smoke == NULL ? GATE_MISSING : GATE_FAILED, smoke,
            "no passed smoke test is on record in %s", after);
    else
        add(q, after, GATE_PASSED, success, "served there, %d smoke tests passed",
            (int) json_get_integer(detail_of(smoke), "passed", 0));
    return true;
}

/* Everyone who had a hand in the change must be somebody: else "not the author" means nothing. */
static bool check_people(Inquiry *q, int64_t version, GError **error)
{
    const json_t *excluded = json_object_get(json_object_get(q->environment, "approve"), "not");
    size_t i;
    json_t *email;
    if (json_array_size(excluded) == 0)
        return true;
    json_array_foreach(json_object_get(q->release->people, "author"), i, email)
    {
        const char *text = json_string_value(email);
        g_autoptr(Person) person = identity_find_by_email(q->delivery->state, text, NULL);
        if (person != NULL)
            continue;
        add(q, "people", GATE_MISSING, NULL,
            "author '%s' is nobody here: `slipway user add NAME --email %s --key FILE.pub`, or "
            "--external",
            text, text);
        return true;
    }
    add(q, "people", GATE_PASSED, NULL, "all authors are known");
    return true;
}

static bool check_approvals(Inquiry *q, int64_t version, GError **error)
{
    g_auto(GStrv) approvers = NULL;
    int needed = gate_approvals_needed(q->policy, q->deployment, &approvers);
    if (needed == 0)
        return true;
    g_autoptr(GPtrArray) given =
        approval_valid_names(q->delivery, q->release, q->deployment, q->policy, error);
    if (given == NULL)
        return false;
    g_ptr_array_add(given, NULL);
    g_autofree char *names = g_strjoinv(", ", (char **) given->pdata);
    int count = (int) given->len - 1;
    g_autofree char *who =
        g_strv_length(approvers) > 0
            ? g_strjoinv(", ", approvers)
            : g_strdup(json_array_size(
                           json_object_get(json_object_get(q->environment, "approve"), "not")) > 0
                           ? "any enrolled person who is neither author nor requester"
                           : "any enrolled person");
    if (count >= needed)
        add(q, "approval", GATE_PASSED, NULL, "by %s", names);
    else
        add(q, "approval", GATE_WAITING, NULL, "%d of %d; may be given by %s", count, needed, who);
    return true;
}

/* ---- all of them ---- */

typedef bool (*GateCheck)(Inquiry *q, int64_t version, GError **error);

static const struct {
    GateGroup group;
    GateCheck check;
} checks[] = {
    {GATE_OF_ENVIRONMENT, check_policy_environment},
    {GATE_OF_ENVIRONMENT, check_commit},
    {GATE_OF_SOURCE, check_lint},
    {GATE_OF_SOURCE, check_tests},
    {GATE_OF_SOURCE, check_coverage},
    {GATE_OF_SOURCE, check_secrets},
    {GATE_OF_SOURCE, check_workflow},
    {GATE_OF_IMAGE, check_sbom},
    {GATE_OF_IMAGE, check_vulnerabilities},
    {GATE_OF_IMAGE, check_provenance},
    {GATE_OF_IMAGE, check_signature},
    {GATE_OF_ENVIRONMENT, check_after},
    {GATE_OF_ENVIRONMENT, check_people},
    {GATE_OF_ENVIRONMENT, check_approvals},
};

json_t *gate_policy(Delivery *delivery, const Release *release, int64_t *version, GError **error)
{
    g_autoptr(GError) failure = NULL;
    g_autoptr(Policy) policy = policy_in_force(delivery, release->project, &failure);
    if (policy == NULL) {
        if (failure != NULL)
            g_propagate_error(error, g_steal_pointer(&failure));
        else
            g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_DENIED,
                        "project '%s' has no policy; the first `slipway ship` adopts it",
                        release->project);
        return NULL;
    }
    *version = policy->version;
    g_autoptr(json_t) own = policy_extract(release->settings->json);
    return policy_tighten(policy->document, own);
}

/* DEPLOYMENT NULL: only gates that need none are among GROUPS. */
static GPtrArray *evaluate(Delivery *delivery, const Release *release, const Deployment *deployment,
                           int groups, GError **error)
{
    int64_t version;
    g_autoptr(json_t) policy = gate_policy(delivery, release, &version, error);
    g_autofree char *engine_key = policy != NULL ? signer_public_key(delivery->state, error) : NULL;
    if (engine_key == NULL)
        return NULL;
    g_autoptr(GPtrArray) gates = g_ptr_array_new_with_free_func(gate_free);
    Inquiry inquiry = {
        .delivery = delivery,
        .release = release,
        .deployment = deployment,
        .policy = policy,
        .repository = release->settings->image,
        .engine_key = engine_key,
        .gates = gates,
    };
    if (deployment != NULL)
        inquiry.environment =
            json_object_get(json_object_get(policy, "environments"), deployment->environment);
    for (size_t i = 0; i < G_N_ELEMENTS(checks); i++) {
        g_autoptr(GError) failure = NULL;
        if ((checks[i].group & groups) == 0)
            continue;
        if (!checks[i].check(&inquiry, version, &failure) || failure != NULL) {
            g_propagate_error(error, g_steal_pointer(&failure));
            return NULL;
        }
    }
    return g_steal_pointer(&gates);
}

GPtrArray *gate_evaluate(Delivery *delivery, const Release *release, const Deployment *deployment,
                         GError **error)
{
    return evaluate(delivery, release, deployment,
                    GATE_OF_SOURCE | GATE_OF_IMAGE | GATE_OF_ENVIRONMENT, error);
}

GPtrArray *gate_evaluate_group(Delivery *delivery, const Release *release, GateGroup group,
                               GError **error)
{
    return evaluate(delivery, release, NULL, group & ~GATE_OF_ENVIRONMENT, error);
}

int gate_approvals_needed(const json_t *policy, const Deployment *deployment, char ***approvers)
{
    const json_t *environment =
        json_object_get(json_object_get(policy, "environments"), deployment->environment);
    const json_t *approve = json_object_get(environment, "approve");
    const json_t *by = json_object_get(approve, "by");
    int count = (int) json_get_integer(approve, "count", 0);
    if (g_str_equal(deployment->reason, "rollback")) {
        by = json_object_get(json_object_get(environment, "rollback"), "approve");
        count = json_array_size(by) > 0 ? 1 : 0;
    }
    GPtrArray *names = g_ptr_array_new();
    size_t i;
    json_t *name;
    json_array_foreach(by, i, name) g_ptr_array_add(names, g_strdup(json_string_value(name)));
    g_ptr_array_add(names, NULL);
    *approvers = (char **) g_ptr_array_free(names, FALSE);
    return count;
}

const char *gate_verdict_name(GateVerdict verdict)
{
    static const char *const names[] = {"passed", "warned", "missing", "failed", "waiting"};
    return names[verdict];
}

void gate_summary(const GPtrArray *gates, bool *blocked, bool *waiting)
{
    *blocked = *waiting = false;
    for (guint i = 0; i < gates->len; i++) {
        const Gate *gate = g_ptr_array_index(gates, i);
        *blocked = *blocked || gate->verdict == GATE_MISSING || gate->verdict == GATE_FAILED;
        *waiting = *waiting || gate->verdict == GATE_WAITING;
    }
}

char *gate_missing_text(const GPtrArray *gates)
{
    GString *text = g_string_new(NULL);
    for (guint i = 0; i < gates->len; i++) {
        const Gate *gate = g_ptr_array_index(gates, i);
        if (gate->verdict == GATE_MISSING || gate->verdict == GATE_FAILED)
            g_string_append_printf(text, "%s%s %s: %s", text->len > 0 ? "\n" : "",
                                   gate_verdict_name(gate->verdict), gate->name, gate->text);
    }
    return g_string_free(text, FALSE);
}
