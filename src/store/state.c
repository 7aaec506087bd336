#include "store/state.h"

#include "base/error.h"
#include "base/file.h"
#include "store/schema.h"

#include <stdarg.h>
#include <unistd.h>

char *state_default_home(void)
{
    const char *named = g_getenv("SLIPWAY_HOME");
    if (named != NULL && named[0] != '\0')
        return g_canonicalize_filename(named, NULL);
    if (geteuid() == 0)
        return g_strdup("/var/lib/slipway");
    return g_build_filename(g_get_user_data_dir(), "slipway", NULL);
}

static bool apply_schema(Database *database, GError **error)
{
    if (!database_execute(database,
                          "CREATE TABLE IF NOT EXISTS schema_version("
                          "  name TEXT PRIMARY KEY, applied_at INTEGER NOT NULL) STRICT",
                          error))
        return false;

    g_autoptr(Statement) newest = database_prepare(
        database, error, "SELECT name FROM schema_version ORDER BY name DESC LIMIT 1", "");
    if (newest == NULL)
        return false;
    g_autoptr(GHashTable) known = g_hash_table_new(g_str_hash, g_str_equal);
    for (const SchemaStep *step = schema_steps; step->name != NULL; step++)
        g_hash_table_add(known, (gpointer) step->name);
    if (statement_step(newest, NULL) && !g_hash_table_contains(known, statement_text(newest, 0))) {
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID,
                    "state was written by a newer slipway (schema '%s'); use that version",
                    statement_text(newest, 0));
        return false;
    }
    if (!statement_end(newest, error))
        return false;
    g_clear_pointer(&newest, statement_free);

    for (const SchemaStep *step = schema_steps; step->name != NULL; step++) {
        g_autoptr(Statement) applied = database_prepare(
            database, error, "SELECT 1 FROM schema_version WHERE name = ?", "s", step->name);
        if (applied == NULL)
            return false;
        if (statement_step(applied, NULL))
            continue;
        if (!statement_end(applied, error))
            return false;
        g_clear_pointer(&applied, statement_free);
        if (!database_begin(database, error))
            return false;
        /* Another process may have been first while we waited for the lock. */
        if (!database_run(database, error,
                          "INSERT OR IGNORE INTO schema_version VALUES(?, unixepoch())", "s",
                          step->name) ||
            (database_changes(database) == 1 && !database_execute(database, step->sql, error))) {
            g_prefix_error(error, "schema step '%s': ", step->name);
            database_rollback(database);
            return false;
        }
        if (!database_commit(database, error))
            return false;
    }
    return true;
}

State *state_open(const char *home, GError **error)
{
    g_autoptr(State) state = g_new0(State, 1);
    state->home = home != NULL ? g_canonicalize_filename(home, NULL) : state_default_home();
    if (!file_make_folders(state->home, 0700, error))
        return NULL;
    g_autofree char *path = state_path(state, "state.db", NULL);
    state->database = database_open(path, error);
    if (state->database == NULL || !apply_schema(state->database, error))
        return NULL;
    return g_steal_pointer(&state);
}

static char *build_path(const State *state, const char *part, va_list more)
{
    GString *path = g_string_new(state->home);
    for (; part != NULL; part = va_arg(more, const char *))
        g_string_append_printf(path, "/%s", part);
    return g_string_free(path, FALSE);
}

char *state_path(const State *state, const char *part, ...)
{
    va_list more;
    va_start(more, part);
    char *path = build_path(state, part, more);
    va_end(more);
    return path;
}

char *state_folder(const State *state, GError **error, const char *part, ...)
{
    va_list more;
    va_start(more, part);
    g_autofree char *path = build_path(state, part, more);
    va_end(more);
    if (!file_make_folders(path, 0700, error))
        return NULL;
    return g_steal_pointer(&path);
}

void state_close(State *state)
{
    if (state == NULL)
        return;
    database_close(state->database);
    g_free(state->home);
    g_free(state);
}
