#include "delivery/approval.h"

#include "base/clock.h"
#include "base/crash.h"
#include "base/error.h"
#include "delivery/gate.h"
#include "format/json.h"
#include "identity/identity.h"
#include "identity/statement.h"

#include <string.h>

static bool is_one_of(Delivery *delivery, const json_t *emails, const Person *person)
{
    size_t i;
    json_t *email;
    json_array_foreach(emails, i, email)
    {
        g_autoptr(Person) who =
            identity_find_by_email(delivery->state, json_string_value(email), NULL);
        if (who != NULL && g_str_equal(who->name, person->name))
            return true;
    }
    return false;
}

static bool list_has(const json_t *list, const char *text)
{
    size_t i;
    json_t *item;
    json_array_foreach(list, i,
                       item) if (g_strcmp0(json_string_value(item), text) == 0) return true;
    return false;
}

static bool refuse(GError **error, const Person *person, const char *why)
{
    g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_DENIED, "%s may not approve this: %s",
                person->name, why);
    return false;
}

/* May PERSON approve DEPLOYMENT under POLICY? */
static bool may_approve(Delivery *delivery, const Release *release, const Deployment *deployment,
                        const json_t *policy, const Person *person, GError **error)
{
    const json_t *environment =
        json_object_get(json_object_get(policy, "environments"), deployment->environment);
    const json_t *excluded = json_object_get(json_object_get(environment, "approve"), "not");
    g_auto(GStrv) approvers = NULL;
    gate_approvals_needed(policy, deployment, &approvers);

    if (!person_can_approve(person))
        return refuse(error, person,
                      person->external ? "external people do not approve"
                                       : "not enrolled any more, or without a key");
    if (g_strv_length(approvers) > 0 &&
        !g_strv_contains((const char *const *) approvers, person->name)) {
        g_autofree char *names = g_strjoinv(", ", approvers);
        g_autofree char *why = g_strdup_printf("the policy names %s", names);
        return refuse(error, person, why);
    }
    if (list_has(excluded, "author") &&
        is_one_of(delivery, json_object_get(release->people, "author"), person))
        return refuse(error, person, "author, co-author or committer of the change");
    if (list_has(excluded, "requester") &&
        is_one_of(delivery, json_object_get(release->people, "requester"), person))
        return refuse(error, person, "requested the deployment");
    g_autoptr(Person) requester =
        identity_find_by_email(delivery->state, deployment->requested_by, NULL);
    if (list_has(excluded, "requester") && requester != NULL &&
        g_str_equal(requester->name, person->name))
        return refuse(error, person, "requested the deployment");
    return true;
}

/* Does a stored statement still say yes to what DEPLOYMENT now is? */
static bool still_binds(const ApprovalStatement *statement, const Deployment *deployment,
                        const char *config)
{
    return g_str_equal(statement->decision, "approved") &&
           g_str_equal(statement->deployment, deployment->id) &&
           g_str_equal(statement->environment, deployment->environment) &&
           g_str_equal(statement->image, deployment->digest) &&
           g_str_equal(statement->config, config) &&
           g_str_equal(statement->config, deployment->config_digest) &&
           g_str_equal(statement->migrations, deployment->migrations_digest);
}

GPtrArray *approval_valid_names(Delivery *delivery, const Release *release,
                                const Deployment *deployment, const json_t *policy, GError **error)
{
    g_autofree char *config = release_config_digest(release, deployment->environment);
    g_autoptr(Statement) rows =
        database_prepare(delivery->state->database, error,
                         "SELECT person, statement, signature FROM approval WHERE deployment = ? "
                         "AND decision = 'approved' ORDER BY at",
                         "s", deployment->id);
    if (rows == NULL)
        return NULL;
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
    while (config != NULL && statement_step(rows, NULL)) {
        g_autofree char *text = g_strdup(statement_text(rows, 1));
        g_autoptr(Person) person = identity_person(delivery->state, statement_text(rows, 0), NULL);
        g_autoptr(ApprovalStatement) statement = approval_statement_parse(text, strlen(text), NULL);
        if (person != NULL && statement != NULL && g_str_equal(statement->by, person->id) &&
            still_binds(statement, deployment, config) &&
            identity_verify_statement(delivery->state, person, text, strlen(text),
                                      statement_text(rows, 2), NULL, NULL) &&
            may_approve(delivery, release, deployment, policy, person, NULL))
            g_ptr_array_add(names, g_strdup(person->name));
    }
    return statement_end(rows, error) ? g_steal_pointer(&names) : NULL;
}

static char *make_statement(Delivery *delivery, const Deployment *deployment, const Person *person,
                            const ApprovalRequest *request, GError **error)
{
    g_autofree char *checkpoint = ledger_checkpoint(delivery->ledger, error);
    if (checkpoint == NULL)
        return NULL;
    g_autofree char *time = clock_format_seconds(clock_now_ns() / 1000000000);
    ApprovalStatement statement = {
        .deployment = deployment->id,
        .environment = deployment->environment,
        .image = deployment->digest,
        .config = deployment->config_digest,
        .migrations = deployment->migrations_digest,
        .decision = (char *) (request->reject ? "rejected" : "approved"),
        .by = person->id,
        .time = time,
        .comment = (char *) (request->comment != NULL ? request->comment : ""),
        .checkpoint = checkpoint,
    };
    return approval_statement_format(&statement, error);
}

static bool store(Delivery *delivery, Deployment *deployment, const Person *person,
                  const ApprovalRequest *request, const char *text, const char *signature,
                  const char *fingerprint, GError **error)
{
    const char *decision = request->reject ? "rejected" : "approved";
    if (!database_run(delivery->state->database, error,
                      "INSERT INTO approval VALUES(?, ?, ?, ?, ?, ?)", "sssssi", deployment->id,
                      person->name, decision, text, signature, clock_now_ns()))
        return false;
    g_autoptr(json_t) detail =
        json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "deployment", deployment->id,
                  "environment", deployment->environment, "project", deployment->project, "config",
                  deployment->config_digest, "migrations", deployment->migrations_digest, "key",
                  fingerprint, "statement", text, "signature", signature);
    LedgerEntry entry = {.actor = person->id,
                         .action = "approve",
                         .object = deployment->digest,
                         .result = decision,
                         .detail = detail};
    if (!request->reject)
        return ledger_append(delivery->ledger, &entry, error) >= 0;
    g_autofree char *message =
        g_strdup_printf("rejected by %s%s%s", person->name, request->comment != NULL ? ": " : "",
                        request->comment != NULL ? request->comment : "");
    return deployment_move(delivery, deployment, "rejected", message, &entry, error);
}

static bool given_before(Delivery *delivery, const Deployment *deployment, const Person *person)
{
    g_autoptr(Statement) row =
        database_prepare(delivery->state->database, NULL,
                         "SELECT 1 FROM approval WHERE deployment = ? AND person = ?", "ss",
                         deployment->id, person->name);
    return row != NULL && statement_step(row, NULL);
}

bool approval_give(Delivery *delivery, const ApprovalRequest *request, bool *enough, GError **error)
{
    *enough = false;
    g_autoptr(Deployment) deployment = deployment_find(delivery, request->deployment, error);
    if (deployment == NULL)
        return false;
    if (!g_str_equal(deployment->state, "waiting")) {
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID,
                    "deployment %s does not wait for a person: it is %s%s%s", deployment->id,
                    deployment->state, deployment->message != NULL ? ", " : "",
                    deployment->message != NULL ? deployment->message : "");
        return false;
    }
    g_autoptr(Release) release =
        release_find(delivery, deployment->project, deployment->digest, error);
    g_autoptr(Person) person =
        release != NULL ? identity_person(delivery->state, request->person, error) : NULL;
    if (person == NULL)
        return false;
    int64_t version;
    g_autoptr(json_t) policy = gate_policy(delivery, release, &version, error);
    if (policy == NULL || !may_approve(delivery, release, deployment, policy, person, error))
        return false;
    g_auto(GStrv) approvers = NULL;
    int needed = gate_approvals_needed(policy, deployment, &approvers);
    if (given_before(delivery, deployment, person)) {
        /* A yes that was killed before it could be carried out is carried out now. */
        g_autoptr(GPtrArray) before =
            approval_valid_names(delivery, release, deployment, policy, error);
        if (before == NULL)
            return false;
        *enough = !request->reject && (int) before->len >= needed;
        if (*enough)
            return true;
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_DENIED,
                    "%s has answered for deployment %s already; another person is needed",
                    person->name, deployment->id);
        return false;
    }
    g_autofree char *text = make_statement(delivery, deployment, person, request, error);
    g_autofree char *signature =
        text != NULL ? statement_sign(request->key_path, text, error) : NULL;
    g_autofree char *fingerprint = NULL;
    if (signature == NULL || !identity_verify_statement(delivery->state, person, text, strlen(text),
                                                        signature, &fingerprint, error))
        return false;

    Database *database = delivery->state->database;
    if (!database_begin(database, error))
        return false;
    if (!store(delivery, deployment, person, request, text, signature, fingerprint, error)) {
        database_rollback(database);
        return false;
    }
    if (!database_commit(database, error))
        return false;
    crash_boundary("approve.recorded");
    g_autoptr(GPtrArray) names = approval_valid_names(delivery, release, deployment, policy, error);
    if (names == NULL)
        return false;
    *enough = !request->reject && (int) names->len >= needed;
    return true;
}
