#include "base/clock.h"
#include "base/file.h"
#include "cli/commands.h"
#include "cli/output.h"
#include "cli/record.h"
#include "identity/secret.h"

#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <unistd.h>

static bool store(State *state, const SecretName *name, const char *value, size_t length,
                  GError **error)
{
    g_autoptr(Ledger) ledger = record_open(state, error);
    if (ledger == NULL || !database_begin(state->database, error))
        return false;
    g_autofree char *object =
        g_strdup_printf("secret:%s/%s/%s", name->project, name->environment, name->name);
    int64_t version =
        secret_set(state, name->project, name->environment, name->name, value, length, error);
    if (version > 0 && record_append(state, "secret.set", object, "done",
                                     json_pack("{s:I}", "version", (json_int_t) version), error))
        return database_commit(state->database, error);
    database_rollback(state->database);
    return false;
}

/* The value from FILE or stdin; a last line feed, as editors and echo leave it, is not part. */
static char *read_value(const char *file, bool raw, size_t *length, GError **error)
{
    char *value = file != NULL ? file_read(AT_FDCWD, file, SECRET_LIMIT + 1, length, error)
                               : file_read_fd(STDIN_FILENO, SECRET_LIMIT + 1, length, error);
    if (value != NULL && !raw && *length > 0 && value[*length - 1] == '\n')
        value[--*length] = '\0';
    return value;
}

static int run_set(int argc, char **argv, GError **error)
{
    g_autofree char *file = NULL;
    gboolean raw = FALSE;
    const GOptionEntry entries[] = {
        {"file", 0, 0, G_OPTION_ARG_FILENAME, &file, "read the value from FILE (default: stdin)",
         "FILE"},
        {"raw", 0, 0, G_OPTION_ARG_NONE, &raw, "keep a line feed at the end", NULL},
        {0},
    };
    if (!command_parse(&command_secret_set, entries, &argc, &argv, error))
        return EXIT_STATUS_USAGE;
    if (argc == 3)
        return command_usage_error(error, "the value is read from stdin or --file, never from the "
                                          "command line, where others can see it");
    if (argc != 2)
        return command_usage_error(error, "expected PROJECT/ENVIRONMENT/NAME");
    g_autoptr(SecretName) name = secret_name_parse(argv[1], error);
    if (name == NULL)
        return EXIT_STATUS_NO;
    if (file == NULL && isatty(STDIN_FILENO))
        fprintf(stderr, "value of %s, then Ctrl-D: ", argv[1]);
    size_t length = 0;
    char *value = read_value(file, raw, &length, error);
    if (value == NULL)
        return EXIT_STATUS_NO;
    g_autoptr(State) state = state_open(NULL, error);
    bool ok = state != NULL && store(state, name, value, length, error);
    sodium_memzero(value, length);
    g_free(value);
    return ok ? EXIT_STATUS_DONE : EXIT_STATUS_NO;
}

static int run_list(int argc, char **argv, GError **error)
{
    g_autofree char *format = NULL;
    const GOptionEntry entries[] = {
        OUTPUT_FORMAT_ROW(format),
        {0},
    };
    bool as_json;
    if (!command_parse(&command_secret_list, entries, &argc, &argv, error) ||
        !output_parse_format(format, &as_json, error))
        return EXIT_STATUS_USAGE;
    if (argc > 2)
        return command_usage_error(error, "expected at most one PROJECT");
    g_autoptr(State) state = state_open(NULL, error);
    g_autoptr(GPtrArray) names = state != NULL ? secret_list(state, argv[1], error) : NULL;
    if (names == NULL)
        return EXIT_STATUS_NO;
    g_autoptr(json_t) array = json_array();
    for (guint i = 0; i < names->len; i++) {
        const SecretName *name = names->pdata[i];
        g_autofree char *when = clock_format_seconds(name->set_at);
        if (as_json)
            json_array_append_new(array,
                                  json_pack("{s:s, s:s, s:s, s:I, s:s}", "project", name->project,
                                            "environment", name->environment, "name", name->name,
                                            "version", (json_int_t) name->version, "set", when));
        else
            printf("%s%s%s/%s\tversion %" G_GINT64_FORMAT "\t%s\n", name->project,
                   name->environment[0] != '\0' ? "/" : "", name->environment, name->name,
                   name->version, when);
    }
    if (as_json)
        output_json_line(array);
    return EXIT_STATUS_DONE;
}

static int run_rotate(int argc, char **argv, GError **error)
{
    if (!command_parse(&command_secret_rotate, NULL, &argc, &argv, error))
        return EXIT_STATUS_USAGE;
    if (argc > 1)
        return command_usage_error(error, "unexpected '%s'", argv[1]);
    g_autoptr(State) state = state_open(NULL, error);
    int64_t count = state != NULL ? secret_rotate_master(state, error) : -1;
    if (count < 0 || !record_append(state, "secret.rotated", "secret:master", "done",
                                    json_pack("{s:I}", "projects", (json_int_t) count), error))
        return EXIT_STATUS_NO;
    fprintf(stderr, "new master key; the keys of %" G_GINT64_FORMAT " projects are wrapped again\n",
            count);
    return EXIT_STATUS_DONE;
}

const Command command_secret_set = {
    .name = "secret set",
    .group = "environment",
    .operands = "PROJECT/ENVIRONMENT/NAME < VALUE",
    .summary = "set a secret from stdin or --file",
    .run = run_set,
};

const Command command_secret_list = {
    .name = "secret list",
    .group = "environment",
    .operands = "[PROJECT]",
    .summary = "list names and versions of the secrets, never values",
    .run = run_list,
};

const Command command_secret_rotate = {
    .name = "secret rotate",
    .group = "environment",
    .summary = "seal the secrets under a new master key",
    .run = run_rotate,
};
