#include "identity/secret.h"

#include "base/clock.h"
#include "base/error.h"
#include "identity/master_key.h"

#include <sodium.h>
#include <string.h>

#define NAME_LIMIT 128

void secret_free(Secret *secret)
{
    if (secret == NULL)
        return;
    sodium_free(secret->value); /* wipes */
    g_free(secret);
}

void secret_name_free(SecretName *name)
{
    if (name == NULL)
        return;
    g_free(name->project);
    g_free(name->environment);
    g_free(name->name);
    g_free(name);
}

static bool is_part(const char *text)
{
    size_t length = strlen(text);
    return length > 0 && length <= NAME_LIMIT && !g_str_equal(text, ".") &&
           !g_str_equal(text, "..") &&
           text[strspn(text, G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS "._-")] == '\0';
}

static bool check_name(const char *project, const char *environment, const char *name,
                       GError **error)
{
    if (is_part(project) && (environment[0] == '\0' || is_part(environment)) && is_part(name))
        return true;
    g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID,
                "secret '%s/%s/%s': expected PROJECT/ENVIRONMENT/NAME or PROJECT/NAME, each of "
                "letters, digits, '.', '_', '-'",
                project, environment, name);
    return false;
}

SecretName *secret_name_parse(const char *text, GError **error)
{
    g_auto(GStrv) parts = g_strsplit(text, "/", 4);
    guint count = g_strv_length(parts);
    if (count != 2 && count != 3) {
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID,
                    "secret '%s': expected PROJECT/ENVIRONMENT/NAME, or PROJECT/NAME for all "
                    "environments",
                    text);
        return NULL;
    }
    const char *environment = count == 3 ? parts[1] : "";
    if (count == 3 && environment[0] == '\0')
        environment = "/"; /* refused below: an empty part is not "all environments" */
    if (!check_name(parts[0], environment, parts[count - 1], error))
        return NULL;
    SecretName *name = g_new0(SecretName, 1);
    name->project = g_strdup(parts[0]);
    name->environment = g_strdup(environment);
    name->name = g_strdup(parts[count - 1]);
    return name;
}

/* What a sealed value is bound to. */
static char *binding(const char *project, const char *environment, const char *name,
                     int64_t version)
{
    return g_strdup_printf("v1|%s|%s|%s|%" G_GINT64_FORMAT, project, environment, name, version);
}

/* The newest version's number, 0 for none, -1 on error. */
static int64_t newest_version(Database *database, const char *project, const char *environment,
                              const char *name, GError **error)
{
    g_autoptr(Statement) row = database_prepare(
        database, error,
        "SELECT version FROM secret WHERE project = ? AND environment = ? AND name = ?", "sss",
        project, environment, name);
    if (row == NULL)
        return -1;
    g_autoptr(GError) trouble = NULL;
    if (statement_step(row, &trouble))
        return statement_integer(row, 0);
    if (trouble == NULL)
        return 0;
    g_propagate_error(error, g_steal_pointer(&trouble));
    return -1;
}

static int64_t set(State *state, const char *project, const char *environment, const char *name,
                   const void *value, size_t length, GError **error)
{
    int64_t version = newest_version(state->database, project, environment, name, error) + 1;
    if (version < 1)
        return -1;
    SealKey data_key;
    if (!data_key_ensure(state, project, &data_key, error))
        return -1;
    g_autofree char *bound = binding(project, environment, name, version);
    g_autofree char *sealed = seal(&data_key, bound, value, length);
    sodium_memzero(&data_key, sizeof data_key);
    if (!database_run(state->database, error,
                      "INSERT OR REPLACE INTO secret(project, environment, name, version, sealed, "
                      "set_at) VALUES(?, ?, ?, ?, ?, ?)",
                      "sssisi", project, environment, name, version, sealed,
                      clock_now_ns() / INT64_C(1000000000)))
        return -1;
    return version;
}

int64_t secret_set(State *state, const char *project, const char *environment, const char *name,
                   const void *value, size_t length, GError **error)
{
    if (!check_name(project, environment, name, error))
        return -1;
    if (length > SECRET_LIMIT) {
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID,
                    "secret '%s': larger than %d bytes", name, SECRET_LIMIT);
        return -1;
    }
    if (!database_begin(state->database, error))
        return -1;
    int64_t version = set(state, project, environment, name, value, length, error);
    if (version < 0) {
        database_rollback(state->database);
        return -1;
    }
    return database_commit(state->database, error) ? version : -1;
}

/* NULL without error: no such row. */
static Secret *get_exactly(State *state, const char *project, const char *environment,
                           const char *name, GError **error)
{
    g_autoptr(Statement) row =
        database_prepare(state->database, error,
                         "SELECT s.sealed, s.version, k.wrapped FROM secret s "
                         "JOIN secret_data_key k ON k.project = s.project "
                         "WHERE s.project = ? AND s.environment = ? AND s.name = ?",
                         "sss", project, environment, name);
    if (row == NULL)
        return NULL;
    g_autoptr(GError) trouble = NULL;
    if (!statement_step(row, &trouble)) {
        if (trouble != NULL)
            g_propagate_error(error, g_steal_pointer(&trouble));
        return NULL;
    }
    SealKey data_key;
    if (!data_key_open(state, project, statement_text(row, 2), &data_key, error))
        return NULL;
    g_autofree char *bound = binding(project, environment, name, statement_integer(row, 1));
    Secret *secret = g_new0(Secret, 1);
    secret->value = unseal(&data_key, bound, statement_text(row, 0), &secret->length);
    sodium_memzero(&data_key, sizeof data_key);
    if (secret->value != NULL)
        return secret;
    g_free(secret);
    g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_DENIED,
                "secret '%s' of '%s' does not open: it was altered or moved here from elsewhere; "
                "set it again",
                name, project);
    return NULL;
}

Secret *secret_get(State *state, const char *project, const char *environment, const char *name,
                   GError **error)
{
    if (!check_name(project, environment, name, error))
        return NULL;
    g_autoptr(GError) trouble = NULL;
    Secret *secret = get_exactly(state, project, environment, name, &trouble);
    if (secret == NULL && trouble == NULL && environment[0] != '\0')
        secret = get_exactly(state, project, "", name, &trouble);
    if (secret != NULL)
        return secret;
    if (trouble != NULL)
        g_propagate_error(error, g_steal_pointer(&trouble));
    else
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_NOT_FOUND,
                    "secret '%s' is not set; set it with `slipway secret set %s/%s/%s`", name,
                    project, environment, name);
    return NULL;
}

static void free_name(gpointer name)
{
    secret_name_free(name);
}

GPtrArray *secret_list(State *state, const char *project, GError **error)
{
    g_autoptr(Statement) rows =
        database_prepare(state->database, error,
                         "SELECT project, environment, name, version, set_at FROM secret "
                         "WHERE project = coalesce(?, project) ORDER BY project, environment, name",
                         "s", project);
    if (rows == NULL)
        return NULL;
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(free_name);
    while (statement_step(rows, NULL)) {
        SecretName *name = g_new(SecretName, 1);
        *name = (SecretName){
            .project = g_strdup(statement_text(rows, 0)),
            .environment = g_strdup(statement_text(rows, 1)),
            .name = g_strdup(statement_text(rows, 2)),
            .version = statement_integer(rows, 3),
            .set_at = statement_integer(rows, 4),
        };
        g_ptr_array_add(names, name);
    }
    return statement_end(rows, error) ? g_steal_pointer(&names) : NULL;
}
