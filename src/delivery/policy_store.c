#include "delivery/policy_store.h"

#include "base/clock.h"
#include "base/error.h"
#include "crypto/hash.h"
#include "format/json.h"
#include "identity/identity.h"

#include <string.h>

void policy_free(Policy *policy)
{
    if (policy == NULL)
        return;
    g_free(policy->project);
    g_free(policy->digest);
    g_free(policy->source_commit);
    g_free(policy->status);
    json_decref(policy->document);
    g_free(policy);
}

#define POLICY_COLUMNS                                                                             \
    "project, version, document, digest, source_commit, status, (SELECT count(*) FROM "            \
    "policy_acceptance a WHERE a.project = p.project AND a.version = p.version)"

static Policy *read_row(Statement *row, GError **error)
{
    g_autoptr(Policy) policy = g_new0(Policy, 1);
    policy->project = g_strdup(statement_text(row, 0));
    policy->version = statement_integer(row, 1);
    size_t length;
    const char *text = statement_blob(row, 2, &length);
    policy->document = json_parse("policy", text, length, error);
    if (policy->document == NULL)
        return NULL;
    policy->digest = g_strdup(statement_text(row, 3));
    policy->source_commit = g_strdup(statement_text(row, 4));
    policy->status = g_strdup(statement_text(row, 5));
    policy->accepted = (int) statement_integer(row, 6);
    return g_steal_pointer(&policy);
}

static Policy *read_one(Statement *statement /* taken */, GError **error)
{
    g_autoptr(Statement) owned = statement;
    if (statement == NULL || !statement_step(statement, error))
        return NULL;
    return read_row(statement, error);
}

/* The newest entry of ACTION about PROJECT with RESULT; NULL: none. */
static json_t *newest_entry(Delivery *delivery, const char *project, const char *action,
                            const char *result, GError **error)
{
    g_autoptr(json_t) entries = ledger_query(delivery->ledger, project, action, error);
    for (size_t i = json_array_size(entries); i-- > 0;) {
        json_t *entry = json_array_get(entries, i);
        if (g_strcmp0(json_get_string(entry, "object"), project) == 0 &&
            g_strcmp0(json_get_string(entry, "result"), result) == 0)
            return json_incref(entry);
    }
    return NULL;
}

/* A row can be edited, the record cannot: what is in force is what the record says came into
 * force. */
static bool agrees_with_record(Delivery *delivery, const Policy *policy, GError **error)
{
    g_autofree char *text = json_canonical(policy->document, error);
    if (text == NULL)
        return false;
    g_autofree char *digest = hash_digest(HASH_SHA256, text, strlen(text));
    g_autoptr(GError) failure = NULL;
    g_autoptr(json_t) entry =
        newest_entry(delivery, policy->project, "policy.accepted", "in_force", &failure);
    if (entry == NULL && failure == NULL)
        entry = newest_entry(delivery, policy->project, "policy.bootstrap", "in_force", &failure);
    if (failure != NULL) {
        g_propagate_error(error, g_steal_pointer(&failure));
        return false;
    }
    const json_t *detail = json_object_get(entry, "detail");
    if (g_strcmp0(json_get_string(detail, "policy"), digest) == 0 &&
        json_get_integer(detail, "version", -1) == policy->version)
        return true;
    g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_DENIED,
                "the policy of '%s' (version %" G_GINT64_FORMAT
                ") is not the one that the record says is in force: the state was changed by hand; "
                "`slipway audit log %s` shows what came into force",
                policy->project, policy->version, policy->project);
    return false;
}

Policy *policy_in_force(Delivery *delivery, const char *project, GError **error)
{
    g_autoptr(Policy) policy =
        read_one(database_prepare(delivery->state->database, error,
                                  "SELECT " POLICY_COLUMNS
                                  " FROM policy p WHERE project = ? AND status = 'in_force'",
                                  "s", project),
                 error);
    if (policy == NULL || !agrees_with_record(delivery, policy, error))
        return NULL;
    return g_steal_pointer(&policy);
}

Policy *policy_version(Delivery *delivery, const char *project, int64_t version, GError **error)
{
    g_autoptr(GError) failure = NULL;
    Policy *policy = read_one(database_prepare(delivery->state->database, &failure,
                                               "SELECT " POLICY_COLUMNS
                                               " FROM policy p WHERE project = ? AND version = ?",
                                               "si", project, version),
                              &failure);
    if (policy == NULL && failure == NULL)
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_NOT_FOUND,
                    "project '%s' has no policy version %" G_GINT64_FORMAT, project, version);
    else if (failure != NULL)
        g_propagate_error(error, g_steal_pointer(&failure));
    return policy;
}

GPtrArray *policy_list(Delivery *delivery, const char *project, GError **error)
{
    g_autoptr(Statement) rows = database_prepare(
        delivery->state->database, error,
        "SELECT " POLICY_COLUMNS " FROM policy p WHERE project = ? ORDER BY version", "s", project);
    if (rows == NULL)
        return NULL;
    g_autoptr(GPtrArray) list = g_ptr_array_new_with_free_func((GDestroyNotify) policy_free);
    while (statement_step(rows, error)) {
        Policy *policy = read_row(rows, error);
        if (policy == NULL)
            return NULL;
        g_ptr_array_add(list, policy);
    }
    return g_steal_pointer(&list);
}

/* Inserts a version and its record, inside the caller's transaction. */
static bool insert_version(Delivery *delivery, const char *project, int64_t version,
                           const json_t *document, const char *commit, const char *status,
                           const char *action, GError **error)
{
    g_autofree char *text = json_canonical(document, error);
    if (text == NULL)
        return false;
    g_autofree char *digest = hash_digest(HASH_SHA256, text, strlen(text));
    if (!database_run(delivery->state->database, error,
                      "INSERT INTO policy VALUES(?, ?, ?, ?, ?, ?, ?)", "sissssi", project, version,
                      text, digest, commit, status, clock_now_ns()))
        return false;
    g_autoptr(json_t) detail =
        json_pack("{s:s, s:I, s:s, s:s, s:O}", "project", project, "version", (json_int_t) version,
                  "policy", digest, "commit", commit, "document", document);
    LedgerEntry entry = {
        .actor = "engine", .action = action, .object = project, .result = status, .detail = detail};
    return ledger_append(delivery->ledger, &entry, error) >= 0;
}

bool policy_bootstrap(Delivery *delivery, const char *project, const json_t *document,
                      const char *commit, GError **error)
{
    Database *database = delivery->state->database;
    if (!database_begin(database, error))
        return false;
    g_autoptr(GError) failure = NULL;
    g_autoptr(Policy) present = policy_in_force(delivery, project, &failure);
    if (failure != NULL) {
        database_rollback(database);
        g_propagate_error(error, g_steal_pointer(&failure));
        return false;
    }
    if (present == NULL && !insert_version(delivery, project, 1, document, commit, "in_force",
                                           "policy.bootstrap", error)) {
        database_rollback(database);
        return false;
    }
    return database_commit(database, error);
}

static bool same_document(const Policy *policy, const char *digest)
{
    return g_str_equal(policy->digest, digest);
}

/* What stands on the default branch is no proposal when it is in force or already proposed. */
static bool propose_in_transaction(Delivery *delivery, const char *project, const json_t *document,
                                   const char *commit, int64_t *version, GError **error)
{
    g_autofree char *text = json_canonical(document, error);
    if (text == NULL)
        return false;
    g_autofree char *digest = hash_digest(HASH_SHA256, text, strlen(text));
    g_autoptr(GPtrArray) all = policy_list(delivery, project, error);
    if (all == NULL)
        return false;
    int64_t newest = 0;
    *version = 0;
    for (guint i = 0; i < all->len; i++) {
        const Policy *policy = g_ptr_array_index(all, i);
        newest = MAX(newest, policy->version);
        if (g_str_equal(policy->status, "in_force") && same_document(policy, digest))
            return true;
        if (g_str_equal(policy->status, "proposed") && same_document(policy, digest)) {
            *version = policy->version;
            return true;
        }
    }
    if (!database_run(delivery->state->database, error,
                      "UPDATE policy SET status = 'past' WHERE project = ? AND status = 'proposed'",
                      "s", project))
        return false;
    *version = newest + 1;
    return insert_version(delivery, project, *version, document, commit, "proposed",
                          "policy.proposed", error);
}

int64_t policy_propose(Delivery *delivery, const char *project, const json_t *document,
                       const char *commit, GError **error)
{
    int64_t version;
    Database *database = delivery->state->database;
    if (!database_begin(database, error))
        return -1;
    if (!propose_in_transaction(delivery, project, document, commit, &version, error)) {
        database_rollback(database);
        return -1;
    }
    return database_commit(database, error) ? version : -1;
}

int policy_people_needed(Delivery *delivery, GError **error)
{
    g_autoptr(GPtrArray) people = identity_people(delivery->state, false, error);
    if (people == NULL)
        return -1;
    int able = 0;
    for (guint i = 0; i < people->len; i++)
        able += person_can_approve(g_ptr_array_index(people, i));
    return able == 1 ? 1 : 2;
}

static char *acceptance_statement(Delivery *delivery, const Policy *policy, const Person *person,
                                  GError **error)
{
    g_autofree char *time = clock_format_seconds(clock_now_ns() / 1000000000);
    g_autofree char *checkpoint = ledger_checkpoint(delivery->ledger, error);
    if (checkpoint == NULL)
        return NULL;
    g_autoptr(json_t) statement =
        json_pack("{s:s, s:s, s:I, s:s, s:s, s:s, s:s}", "type", "slipway/policy/v1", "project",
                  policy->project, "version", (json_int_t) policy->version, "policy",
                  policy->digest, "by", person->id, "time", time, "checkpoint", checkpoint);
    return json_canonical(statement, error);
}

static bool record_acceptance(Delivery *delivery, const Policy *policy, const Person *person,
                              const char *statement, const char *signature, int needed,
                              bool *in_force, GError **error)
{
    Database *database = delivery->state->database;
    if (!database_run(database, error, "INSERT INTO policy_acceptance VALUES(?, ?, ?, ?, ?)",
                      "sisss", policy->project, policy->version, person->name, statement,
                      signature))
        return false;
    *in_force = policy->accepted + 1 >= needed;
    g_autoptr(json_t) detail =
        json_pack("{s:I, s:s, s:i, s:i, s:s, s:s}", "version", (json_int_t) policy->version,
                  "policy", policy->digest, "accepted", policy->accepted + 1, "needed", needed,
                  "statement", statement, "signature", signature);
    LedgerEntry entry = {.actor = person->id,
                         .action = "policy.accepted",
                         .object = policy->project,
                         .result = *in_force ? "in_force" : "accepted",
                         .detail = detail};
    if (ledger_append(delivery->ledger, &entry, error) < 0)
        return false;
    if (!*in_force)
        return true;
    return database_run(
               database, error,
               "UPDATE policy SET status = 'past' WHERE project = ? AND status = 'in_force'", "s",
               policy->project) &&
           database_run(database, error,
                        "UPDATE policy SET status = 'in_force' WHERE project = ? AND version = ?",
                        "si", policy->project, policy->version);
}

bool policy_accept(Delivery *delivery, const char *project, int64_t version, const char *name,
                   const char *key_path, bool *in_force, GError **error)
{
    g_autoptr(Policy) policy = policy_version(delivery, project, version, error);
    g_autoptr(Person) person =
        policy != NULL ? identity_person(delivery->state, name, error) : NULL;
    if (person == NULL)
        return false;
    if (!g_str_equal(policy->status, "proposed")) {
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_DENIED,
                    "policy version %" G_GINT64_FORMAT " is %s, not proposed", version,
                    g_str_equal(policy->status, "past") ? "past" : "in force already");
        return false;
    }
    g_autoptr(Statement) before = database_prepare(
        delivery->state->database, error,
        "SELECT 1 FROM policy_acceptance WHERE project = ? AND version = ? AND person = ?", "sis",
        project, version, person->name);
    if (before == NULL)
        return false;
    if (statement_step(before, NULL)) {
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_DENIED,
                    "%s has accepted version %" G_GINT64_FORMAT
                    " already; another person is needed",
                    name, version);
        return false;
    }
    if (!statement_end(before, error))
        return false;
    g_clear_pointer(&before, statement_free);
    int needed = policy_people_needed(delivery, error);
    g_autofree char *statement =
        needed > 0 ? acceptance_statement(delivery, policy, person, error) : NULL;
    g_autofree char *signature =
        statement != NULL ? statement_sign(key_path, statement, error) : NULL;
    if (signature == NULL || !identity_verify_statement(delivery->state, person, statement,
                                                        strlen(statement), signature, NULL, error))
        return false;

    Database *database = delivery->state->database;
    if (!database_begin(database, error))
        return false;
    if (!record_acceptance(delivery, policy, person, statement, signature, needed, in_force,
                           error)) {
        database_rollback(database);
        return false;
    }
    return database_commit(database, error);
}
