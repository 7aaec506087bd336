#include "delivery/deployment.h"

#include "base/clock.h"
#include "base/crash.h"
#include "base/error.h"
#include "crypto/hash.h"
#include "format/json.h"

#include <string.h>

#define DEPLOYMENT_COLUMNS                                                                         \
    "id, project, environment, digest, config_digest, migrations_digest, reason, of, run, "        \
    "requested_by, state, message, previous, fence, created_at, updated_at"

static const char *const final_states[] = {
    "succeeded", "failed",          "rolled_back", "blocked",          "rejected", "superseded",
    "expired",   "rollback_failed", "needs_human", "failed_migration", NULL};
static const char *const waiting_states[] = {"requested", "waiting", NULL};

void deployment_free(Deployment *deployment)
{
    if (deployment == NULL)
        return;
    g_free(deployment->id);
    g_free(deployment->project);
    g_free(deployment->environment);
    g_free(deployment->digest);
    g_free(deployment->config_digest);
    g_free(deployment->migrations_digest);
    g_free(deployment->reason);
    g_free(deployment->of);
    g_free(deployment->run);
    g_free(deployment->requested_by);
    g_free(deployment->state);
    g_free(deployment->message);
    g_free(deployment->previous);
    g_free(deployment);
}

static Deployment *read_row(Statement *row)
{
    Deployment *d = g_new0(Deployment, 1);
    char **texts[] = {&d->id,
                      &d->project,
                      &d->environment,
                      &d->digest,
                      &d->config_digest,
                      &d->migrations_digest,
                      &d->reason,
                      &d->of,
                      &d->run,
                      &d->requested_by,
                      &d->state,
                      &d->message,
                      &d->previous};
    for (size_t i = 0; i < G_N_ELEMENTS(texts); i++)
        *texts[i] = g_strdup(statement_text(row, (int) i));
    d->fence = statement_integer(row, 13);
    d->created_at = statement_integer(row, 14);
    d->updated_at = statement_integer(row, 15);
    return d;
}

bool deployment_is_final(const Deployment *deployment)
{
    return g_strv_contains(final_states, deployment->state);
}

bool deployment_is_active(const Deployment *deployment)
{
    return !deployment_is_final(deployment) && !g_strv_contains(waiting_states, deployment->state);
}

/* Ids sort by time: 9 digits of base-36 milliseconds, then 5 random ones. */
static char *new_id(void)
{
    static const char digits[] = "0123456789abcdefghijklmnopqrstuvwxyz";
    guint64 ms = (guint64) (clock_now_ns() / 1000000);
    char id[15];
    for (int i = 8; i >= 0; i--, ms /= 36)
        id[i] = digits[ms % 36];
    for (int i = 9; i < 14; i++)
        id[i] = digits[g_random_int_range(0, 36)];
    id[14] = '\0';
    return g_strdup(id);
}

GPtrArray *deployment_list(Delivery *delivery, const char *project, const char *environment,
                           const char *state, int limit, GError **error)
{
    g_autoptr(Statement) rows = database_prepare(
        delivery->state->database, error,
        "SELECT " DEPLOYMENT_COLUMNS " FROM deployment WHERE (?1 IS NULL OR project = ?1) AND "
        "(?2 IS NULL OR environment = ?2) AND (?3 IS NULL OR state = ?3) "
        "ORDER BY created_at DESC LIMIT ?4",
        "sssi", project, environment, state, (int64_t) limit);
    if (rows == NULL)
        return NULL;
    g_autoptr(GPtrArray) list = g_ptr_array_new_with_free_func((GDestroyNotify) deployment_free);
    while (statement_step(rows, NULL))
        g_ptr_array_add(list, read_row(rows));
    return statement_end(rows, error) ? g_steal_pointer(&list) : NULL;
}

Deployment *deployment_find(Delivery *delivery, const char *id, GError **error)
{
    bool usable = strlen(id) >= 4 && id[strspn(id, "0123456789abcdefghijklmnopqrstuvwxyz")] == '\0';
    g_autofree char *pattern = g_strdup_printf("%s*", usable ? id : "-");
    g_autoptr(Statement) rows = database_prepare(
        delivery->state->database, error,
        "SELECT " DEPLOYMENT_COLUMNS " FROM deployment WHERE id GLOB ? LIMIT 2", "s", pattern);
    if (rows == NULL)
        return NULL;
    g_autoptr(Deployment) found = statement_step(rows, NULL) ? read_row(rows) : NULL;
    if (!statement_end(rows, error))
        return NULL;
    if (found == NULL) {
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_NOT_FOUND,
                    "no deployment '%s'; `slipway history` lists them", id);
        return NULL;
    }
    if (statement_step(rows, NULL)) {
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID,
                    "'%s' begins more than one deployment's id; give more of it", id);
        return NULL;
    }
    return g_steal_pointer(&found);
}

bool deployment_reload(Delivery *delivery, Deployment *deployment, GError **error)
{
    Deployment *fresh = deployment_find(delivery, deployment->id, error);
    if (fresh == NULL)
        return false;
    Deployment old = *deployment;
    *deployment = *fresh;
    *fresh = old;
    deployment_free(fresh);
    return true;
}

bool deployment_move(Delivery *delivery, Deployment *deployment, const char *state,
                     const char *message, const LedgerEntry *entry, GError **error)
{
    Database *database = delivery->state->database;
    if (!database_begin(database, error))
        return false;
    if (!database_run(database, error,
                      "UPDATE deployment SET state = ?, message = ?, updated_at = ? WHERE id = ?",
                      "ssis", state, message, clock_now_ns(), deployment->id) ||
        (entry != NULL && ledger_append(delivery->ledger, entry, error) < 0)) {
        database_rollback(database);
        return false;
    }
    if (!database_commit(database, error))
        return false;
    g_free(deployment->state);
    deployment->state = g_strdup(state);
    g_free(deployment->message);
    deployment->message = g_strdup(message);
    g_autofree char *boundary = g_strdup_printf("deploy.state.%s", state);
    crash_boundary(boundary);
    return true;
}

/* The attempt that is to be carried on rather than repeated: not final, same digest and settings.
 */
static Deployment *find_open(Delivery *delivery, const Release *release, const char *config,
                             const DeploymentRequest *request, GError **error)
{
    g_autoptr(GPtrArray) recent =
        deployment_list(delivery, release->project, request->environment, NULL, 50, error);
    for (guint i = 0; recent != NULL && i < recent->len; i++) {
        Deployment *d = g_ptr_array_index(recent, i);
        if (!deployment_is_final(d) && g_str_equal(d->digest, release->digest) &&
            g_str_equal(d->config_digest, config) && g_str_equal(d->reason, request->reason))
            return g_ptr_array_steal_index(recent, i);
    }
    return NULL;
}

static bool supersede_waiting(Delivery *delivery, const char *project, const char *environment,
                              const char *successor, GError **error)
{
    g_autoptr(GPtrArray) recent = deployment_list(delivery, project, environment, NULL, 50, error);
    if (recent == NULL)
        return false;
    for (guint i = 0; i < recent->len; i++) {
        Deployment *d = g_ptr_array_index(recent, i);
        if (!g_strv_contains(waiting_states, d->state) || g_str_equal(d->id, successor))
            continue;
        g_autofree char *message = g_strdup_printf("superseded by %s", successor);
        g_autoptr(json_t) detail = json_pack("{s:s, s:s, s:s}", "deployment", d->id, "environment",
                                             environment, "by", successor);
        LedgerEntry entry = {.actor = "engine",
                             .action = "deploy",
                             .object = d->digest,
                             .result = "superseded",
                             .detail = detail};
        if (!deployment_move(delivery, d, "superseded", message, &entry, error))
            return false;
    }
    return true;
}

static bool insert(Delivery *delivery, const Release *release, const DeploymentRequest *request,
                   const char *config, const char *id, GError **error)
{
    /* One open attempt a digest, configuration and environment; ended ones free the key. */
    g_autofree char *material =
        g_strjoin("\x1f", release->project, request->environment, release->digest, config,
                  request->run != NULL ? request->run : "", id, NULL);
    g_autofree char *key = hash_hex(HASH_SHA256, material, strlen(material));
    int64_t now = clock_now_ns();
    Database *database = delivery->state->database;
    if (!database_run(database, error,
                      "INSERT OR IGNORE INTO environment(project, name) VALUES(?, ?)", "ss",
                      release->project, request->environment) ||
        !database_run(
            database, error,
            "INSERT INTO deployment(id, project, environment, digest, config_digest, "
            "migrations_digest, idempotency_key, reason, of, run, requested_by, state, "
            "created_at, updated_at) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'requested', ?, ?)",
            "sssssssssssii", id, release->project, request->environment, release->digest, config,
            release->migrations_digest, key, request->reason, request->of, request->run,
            request->requested_by, now, now))
        return false;
    g_autoptr(json_t) detail =
        json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "deployment", id, "environment",
                  request->environment, "project", release->project, "config", config, "migrations",
                  release->migrations_digest, "reason", request->reason);
    g_autofree char *actor = g_strdup_printf("requester:%s", request->requested_by);
    LedgerEntry entry = {.actor = actor,
                         .action = "deploy",
                         .object = release->digest,
                         .result = "requested",
                         .detail = detail};
    return ledger_append(delivery->ledger, &entry, error) >= 0;
}

Deployment *deployment_request(Delivery *delivery, const Release *release,
                               const DeploymentRequest *request, GError **error)
{
    g_autofree char *config = release_config_digest(release, request->environment);
    if (config == NULL) {
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_NOT_FOUND,
                    "'%s' has no environment '%s' in the settings of this release",
                    release->project, request->environment);
        return NULL;
    }
    Database *database = delivery->state->database;
    if (!database_begin(database, error))
        return NULL;
    g_autoptr(GError) failure = NULL;
    g_autoptr(Deployment) open = find_open(delivery, release, config, request, &failure);
    g_autofree char *id = open != NULL ? g_strdup(open->id) : new_id();
    if (failure != NULL ||
        (open == NULL && !insert(delivery, release, request, config, id, &failure)) ||
        !supersede_waiting(delivery, release->project, request->environment, id, &failure)) {
        database_rollback(database);
        g_propagate_error(error, g_steal_pointer(&failure));
        return NULL;
    }
    if (!database_commit(database, error))
        return NULL;
    return deployment_find(delivery, id, error);
}

bool deployment_step_begin(Delivery *delivery, const Deployment *deployment, const char *name,
                           bool *done, int64_t *started, GError **error)
{
    Database *database = delivery->state->database;
    int64_t now = clock_now_ns();
    if (!database_run(database, error,
                      "INSERT OR IGNORE INTO deployment_step(deployment, name, started_at) "
                      "VALUES(?, ?, ?)",
                      "ssi", deployment->id, name, now))
        return false;
    g_autoptr(Statement) row = database_prepare(
        database, error,
        "SELECT result, started_at FROM deployment_step WHERE deployment = ? AND name = ?", "ss",
        deployment->id, name);
    if (row == NULL || !statement_step(row, error))
        return false;
    *done = g_strcmp0(statement_text(row, 0), "done") == 0;
    if (started != NULL)
        *started = statement_integer(row, 1);
    if (!*done) {
        g_autofree char *boundary = g_strdup_printf("deploy.%s.intent", name);
        crash_boundary(boundary);
    }
    return true;
}

bool deployment_step_end(Delivery *delivery, const Deployment *deployment, const char *name,
                         const char *result, const json_t *detail, GError **error)
{
    g_autofree char *text = detail != NULL ? json_compact(detail) : NULL;
    if (!database_run(delivery->state->database, error,
                      "UPDATE deployment_step SET ended_at = ?, result = ?, detail = ? "
                      "WHERE deployment = ? AND name = ?",
                      "issss", clock_now_ns(), result, text, deployment->id, name))
        return false;
    g_autofree char *boundary = g_strdup_printf("deploy.%s.done", name);
    crash_boundary(boundary);
    return true;
}

json_t *deployment_steps(Delivery *delivery, const char *id, GError **error)
{
    g_autoptr(Statement) rows = database_prepare(delivery->state->database, error,
                                                 "SELECT name, started_at, ended_at, result, "
                                                 "detail FROM deployment_step WHERE deployment = ? "
                                                 "ORDER BY started_at, rowid",
                                                 "s", id);
    if (rows == NULL)
        return NULL;
    g_autoptr(json_t) steps = json_array();
    while (statement_step(rows, NULL)) {
        size_t length;
        const char *detail = statement_blob(rows, 4, &length);
        json_t *parsed = detail != NULL ? json_parse("detail", detail, length, NULL) : NULL;
        json_array_append_new(steps, json_pack("{s:s, s:I, s:I, s:s?, s:o?}", "name",
                                               statement_text(rows, 0), "started",
                                               (json_int_t) statement_integer(rows, 1), "ended",
                                               (json_int_t) statement_integer(rows, 2), "result",
                                               statement_text(rows, 3), "detail", parsed));
    }
    return statement_end(rows, error) ? g_steal_pointer(&steps) : NULL;
}

Deployment *environment_serving(Delivery *delivery, const char *project, const char *environment,
                                GError **error)
{
    g_autoptr(Statement) row =
        database_prepare(delivery->state->database, error,
                         "SELECT " DEPLOYMENT_COLUMNS " FROM deployment WHERE id = "
                         "(SELECT serving FROM environment WHERE project = ? AND name = ?)",
                         "ss", project, environment);
    return row != NULL && statement_step(row, error) ? read_row(row) : NULL;
}

json_t *environment_list(Delivery *delivery, const char *project, GError **error)
{
    g_autoptr(Statement) rows = database_prepare(delivery->state->database, error,
                                                 "SELECT project, name, serving, last_good FROM "
                                                 "environment WHERE ?1 IS NULL OR project = ?1 "
                                                 "ORDER BY project, name",
                                                 "s", project);
    if (rows == NULL)
        return NULL;
    g_autoptr(json_t) list = json_array();
    while (statement_step(rows, NULL))
        json_array_append_new(
            list, json_pack("{s:s, s:s, s:s?, s:s?}", "project", statement_text(rows, 0),
                            "environment", statement_text(rows, 1), "serving",
                            statement_text(rows, 2), "last_good", statement_text(rows, 3)));
    return statement_end(rows, error) ? g_steal_pointer(&list) : NULL;
}
