#include "store/database.h"

#include "base/error.h"

#include <sqlite3.h>
#include <stdarg.h>

#define IDLE_LIMIT 64

struct Database {
    sqlite3 *handle;
    int depth;        /* of open transactions */
    GHashTable *idle; /* SQL -> sqlite3_stmt that nobody uses; compiling one costs as much as ten
                       * simple queries */
};

struct Statement {
    Database *database;
    sqlite3_stmt *handle;
    GError *failure; /* of the last step */
};

static bool fail(Database *database, const char *what, GError **error)
{
    int code = sqlite3_errcode(database->handle);
    bool outside = code == SQLITE_BUSY || code == SQLITE_FULL || code == SQLITE_IOERR ||
                   code == SQLITE_CANTOPEN || code == SQLITE_READONLY;
    g_set_error(error, SLIPWAY_ERROR, outside ? SLIPWAY_ERROR_UNAVAILABLE : SLIPWAY_ERROR_INTERNAL,
                "database: %s: %s", what, sqlite3_errmsg(database->handle));
    return false;
}

static void finalize(gpointer handle)
{
    sqlite3_finalize(handle);
}

Database *database_open(const char *path, GError **error)
{
    g_autoptr(Database) database = g_new0(Database, 1);
    database->idle = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, finalize);
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
    if (sqlite3_open_v2(path, &database->handle, flags, NULL) != SQLITE_OK) {
        fail(database, path, error);
        return NULL;
    }
    sqlite3_busy_timeout(database->handle, 10000);
    sqlite3_extended_result_codes(database->handle, 0);
    if (!database_execute(
            database, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;",
            error)) {
        g_prefix_error(error, "'%s': ", path);
        return NULL;
    }
    return g_steal_pointer(&database);
}

void database_close(Database *database)
{
    if (database == NULL)
        return;
    g_hash_table_unref(database->idle);
    sqlite3_close_v2(database->handle);
    g_free(database);
}

bool database_execute(Database *database, const char *sql, GError **error)
{
    if (sqlite3_exec(database->handle, sql, NULL, NULL, NULL) == SQLITE_OK)
        return true;
    return fail(database, sql, error);
}

static Statement *prepare(Database *database, GError **error, const char *sql, const char *types,
                          va_list arguments)
{
    g_autoptr(Statement) statement = g_new0(Statement, 1);
    statement->database = database;
    gpointer idle = NULL;
    if (g_hash_table_steal_extended(database->idle, sql, NULL, &idle)) {
        statement->handle = idle;
    } else if (sqlite3_prepare_v2(database->handle, sql, -1, &statement->handle, NULL) !=
               SQLITE_OK) {
        fail(database, sql, error);
        return NULL;
    }
    for (int i = 0; types[i] != '\0'; i++) {
        switch (types[i]) {
        case 's':
            sqlite3_bind_text(statement->handle, i + 1, va_arg(arguments, const char *), -1,
                              SQLITE_TRANSIENT);
            break;
        case 'i':
            sqlite3_bind_int64(statement->handle, i + 1, va_arg(arguments, int64_t));
            break;
        case 'b': {
            const void *bytes = va_arg(arguments, const void *);
            size_t length = va_arg(arguments, size_t);
            sqlite3_bind_blob64(statement->handle, i + 1, bytes, length, SQLITE_TRANSIENT);
            break;
        }
        case 'n':
            break;
        default:
            g_assert_not_reached();
        }
    }
    return g_steal_pointer(&statement);
}

Statement *database_prepare(Database *database, GError **error, const char *sql, const char *types,
                            ...)
{
    va_list arguments;
    va_start(arguments, types);
    Statement *statement = prepare(database, error, sql, types, arguments);
    va_end(arguments);
    return statement;
}

bool statement_step(Statement *statement, GError **error)
{
    g_clear_error(&statement->failure);
    switch (sqlite3_step(statement->handle)) {
    case SQLITE_ROW:
        return true;
    case SQLITE_DONE:
        return false;
    default:
        fail(statement->database, sqlite3_sql(statement->handle), &statement->failure);
        return statement_end(statement, error);
    }
}

bool statement_end(const Statement *statement, GError **error)
{
    if (statement->failure == NULL)
        return true;
    g_propagate_error(error, g_error_copy(statement->failure));
    return false;
}

const char *statement_text(Statement *statement, int column)
{
    return (const char *) sqlite3_column_text(statement->handle, column);
}

int64_t statement_integer(Statement *statement, int column)
{
    return sqlite3_column_int64(statement->handle, column);
}

const void *statement_blob(Statement *statement, int column, size_t *length)
{
    const void *bytes = sqlite3_column_blob(statement->handle, column);
    *length = (size_t) sqlite3_column_bytes(statement->handle, column);
    return bytes;
}

bool statement_is_null(Statement *statement, int column)
{
    return sqlite3_column_type(statement->handle, column) == SQLITE_NULL;
}

/* Keeps HANDLE (taken; may be NULL) for the next one who asks for the same SQL. Its text is the
 * key, which lives as long as it. */
static void keep_idle(Database *database, sqlite3_stmt *handle)
{
    const char *sql = sqlite3_sql(handle);
    if (sql == NULL || g_hash_table_size(database->idle) >= IDLE_LIMIT ||
        g_hash_table_contains(database->idle, sql)) {
        sqlite3_finalize(handle);
        return;
    }
    sqlite3_reset(handle);
    sqlite3_clear_bindings(handle);
    g_hash_table_insert(database->idle, (gpointer) sql, handle);
}

void statement_free(Statement *statement)
{
    if (statement == NULL)
        return;
    keep_idle(statement->database, statement->handle);
    g_clear_error(&statement->failure);
    g_free(statement);
}

bool database_run(Database *database, GError **error, const char *sql, const char *types, ...)
{
    va_list arguments;
    va_start(arguments, types);
    g_autoptr(Statement) statement = prepare(database, error, sql, types, arguments);
    va_end(arguments);
    if (statement == NULL)
        return false;

    while (statement_step(statement, NULL))
        continue;
    return statement_end(statement, error);
}

char *database_read_text(Database *database, GError **error, const char *sql, const char *types,
                         ...)
{
    va_list arguments;
    va_start(arguments, types);
    g_autoptr(Statement) row = prepare(database, error, sql, types, arguments);
    va_end(arguments);
    return row != NULL && statement_step(row, error) ? g_strdup(statement_text(row, 0)) : NULL;
}

int64_t database_changes(Database *database)
{
    return sqlite3_changes64(database->handle);
}

bool database_begin(Database *database, GError **error)
{
    g_autofree char *sql = database->depth == 0
                               ? g_strdup("BEGIN IMMEDIATE")
                               : g_strdup_printf("SAVEPOINT level_%d", database->depth);
    if (!database_execute(database, sql, error))
        return false;
    database->depth++;
    return true;
}

bool database_commit(Database *database, GError **error)
{
    g_assert(database->depth > 0);
    g_autofree char *sql = database->depth == 1
                               ? g_strdup("COMMIT")
                               : g_strdup_printf("RELEASE level_%d", database->depth - 1);
    if (!database_execute(database, sql, error)) {
        database_rollback(database);
        return false;
    }
    database->depth--;
    return true;
}

void database_rollback(Database *database)
{
    g_assert(database->depth > 0);
    database->depth--;
    g_autofree char *sql = database->depth == 0
                               ? g_strdup("ROLLBACK")
                               : g_strdup_printf("ROLLBACK TO level_%d; RELEASE level_%d",
                                                 database->depth, database->depth);
    database_execute(database, sql, NULL);
}
