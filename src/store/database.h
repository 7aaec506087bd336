/* database.h - one SQLite connection, with bounded waiting and errors in our domain.
 *
 * The only file that includes <sqlite3.h> is database.c's twin in this room; other rooms write SQL
 * through these calls. A Database belongs to one thread; open one a thread. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct Database Database;
typedef struct Statement Statement;

/* Opens (and makes) the database at PATH: WAL, synchronous=FULL, foreign keys, 10 s busy wait. */
Database *database_open(const char *path, GError **error);
void database_close(Database *database);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Database, database_close)

/* Runs statements that give no rows. */
bool database_execute(Database *database, const char *sql, GError **error);

/* Prepares SQL and binds its `?` in order after TYPES, a letter each:
 *   s  const char * (NULL binds NULL)    i  int64_t    b  const void *, size_t    n  (nothing)
 * Text and bytes are copied. NULL on error. */
Statement *database_prepare(Database *database, GError **error, const char *sql, const char *types,
                            ...);

/* true: a row is there. false without error: no more rows. Who walks rows with a NULL ERROR asks
 * statement_end afterwards. */
bool statement_step(Statement *statement, GError **error);
/* Whether the rows came to their end; false with the error that cut them short. */
bool statement_end(const Statement *statement, GError **error);
/* Columns of the present row, from 0; text and blob live until the next step. */
const char *statement_text(Statement *statement, int column);
int64_t statement_integer(Statement *statement, int column);
const void *statement_blob(Statement *statement, int column, size_t *length);
bool statement_is_null(Statement *statement, int column);
void statement_free(Statement *statement);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Statement, statement_free)

/* prepare + step to the end, for INSERT, UPDATE and DELETE. */
bool database_run(Database *database, GError **error, const char *sql, const char *types, ...);

/* The first column of the first row, for the caller to free; NULL without error when there is no
 * row. */
char *database_read_text(Database *database, GError **error, const char *sql, const char *types,
                         ...);

/* Rows changed by the last statement. */
int64_t database_changes(Database *database);

/* A write transaction (BEGIN IMMEDIATE). They nest: an inner pair is a savepoint. */
bool database_begin(Database *database, GError **error);
bool database_commit(Database *database, GError **error);
void database_rollback(Database *database);
