/* migrate_sql.c - the inner half of `migrate: {tool: sql}`: runs inside a sandbox that has the
 * volumes and nothing else. */
#include "cli/commands.h"
#include "delivery/migrate.h"

#include <stdio.h>

static int run(int argc, char **argv, GError **error)
{
    if (!command_parse(&command_migrate_sql, NULL, &argc, &argv, error))
        return EXIT_STATUS_USAGE;
    if (argc != 3)
        return command_usage_error(error, "expected a database and a folder of .sql files");
    int applied;
    if (!migrate_sql_files(argv[1], argv[2], &applied, error))
        return EXIT_STATUS_NO;
    printf("%d applied\n", applied);
    return EXIT_STATUS_DONE;
}

const Command command_migrate_sql = {
    .name = "migrate-sql",
    .group = "internal",
    .operands = "DATABASE DIR",
    .summary = "apply numbered .sql files to a SQLite database, each once",
    .run = run,
};
