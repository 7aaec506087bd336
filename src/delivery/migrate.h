/* migrate.h - schema changes before new code, once.
 *
 * `sql`: numbered files applied to a SQLite database on a volume, each in one transaction together
 * with its row in slipway_migrations, so that a repeat after a crash applies nothing twice. The
 * others are the tool's own command inside the new image; where it has a status command that is
 * asked first. */
#pragma once

#include "delivery/local_target.h"

/* Digest over names and contents of the image's migrations; "" when SETTINGS has none. */
char *migrate_digest(ContentStore *store, const char *image_digest, const Project *project,
                     GError **error);

/* Applies what is pending. *APPLIED: how many files or -1 where the tool does not say. */
bool migrate_apply(Delivery *delivery, const LocalPlan *plan, int *applied, char **output,
                   GError **error);

/* The part that runs inside the sandbox (slipway migrate-sql): applies the .sql files of FOLDER to
 * DATABASE in order of their names. INVALID when an applied file has changed since. */
bool migrate_sql_files(const char *database, const char *folder, int *applied, GError **error);
