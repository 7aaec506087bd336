#include "base/clock.h"
#include "base/file.h"
#include "cli/commands.h"
#include "cli/output.h"
#include "cli/record.h"
#include "crypto/key.h"
#include "identity/identity.h"

#include <fcntl.h>
#include <stdio.h>

#define KEY_FILE_LIMIT (64 * 1024)

static json_t *texts(char **list)
{
    json_t *array = json_array();
    for (char **text = list; text != NULL && *text != NULL; text++)
        json_array_append_new(array, json_string(*text));
    return array;
}

/* The fingerprints of the keys in force. */
static json_t *fingerprints(const Person *person)
{
    json_t *array = json_array();
    for (guint i = 0; i < person->keys->len; i++) {
        const PersonKey *key = person->keys->pdata[i];
        if (key->removed_at == 0)
            json_array_append_new(array, json_string(key->fingerprint));
    }
    return array;
}

/* Personal data stays out of the record: it names the person and the keys, not the addresses. */
static json_t *describe(const Person *person)
{
    return json_pack("{s:o, s:o, s:b}", "keys", fingerprints(person), "roles", texts(person->roles),
                     "external", person->external);
}

/* Reads the files whose names KEYS holds; a private key must not stay in memory either. */
static char **read_keys(char **paths, GError **error)
{
    g_autoptr(GStrvBuilder) keys = g_strv_builder_new();
    for (char **path = paths; path != NULL && *path != NULL; path++) {
        g_autoptr(SecretText) text = file_read(AT_FDCWD, *path, KEY_FILE_LIMIT, NULL, error);
        g_autoptr(PublicKey) key = text != NULL ? public_key_parse(*path, text, error) : NULL;
        if (key == NULL)
            return NULL;
        g_autofree char *line = public_key_format_ssh(key);
        g_strv_builder_add(keys, line);
    }
    return g_strv_builder_end(keys);
}

/* The change and its entry in the record, together or not at all. */
static bool add(State *state, const PersonChange *change, bool *created, GError **error)
{
    /* Before the transaction, which would otherwise wait for the making of the engine's keys. */
    g_autoptr(Ledger) ledger = record_open(state, error);
    if (ledger == NULL || !database_begin(state->database, error))
        return false;
    g_autoptr(Person) person = identity_add(state, change, created, error)
                                   ? identity_person(state, change->name, error)
                                   : NULL;
    if (person != NULL && record_append(state, "user.added", person->id,
                                        *created ? "enrolled" : "changed", describe(person), error))
        return database_commit(state->database, error);
    database_rollback(state->database);
    return false;
}

static int run_add(int argc, char **argv, GError **error)
{
    g_auto(GStrv) emails = NULL, key_files = NULL, roles = NULL;
    gboolean external = FALSE;
    const GOptionEntry entries[] = {
        {"email", 0, 0, G_OPTION_ARG_STRING_ARRAY, &emails, "address in commits (repeatable)", "E"},
        {"key", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &key_files,
         "public key, OpenSSH or PEM (repeatable)", "FILE.pub"},
        {"role", 0, 0, G_OPTION_ARG_STRING_ARRAY, &roles, "role in policies (repeatable)", "ROLE"},
        {"external", 0, 0, G_OPTION_ARG_NONE, &external, "known as an author, never approves",
         NULL},
        {0},
    };
    if (!command_parse(&command_user_add, entries, &argc, &argv, error))
        return EXIT_STATUS_USAGE;
    if (argc != 2)
        return command_usage_error(error, "expected one NAME");
    g_auto(GStrv) keys = read_keys(key_files, error);
    g_autoptr(State) state = keys != NULL ? state_open(NULL, error) : NULL;
    if (state == NULL)
        return EXIT_STATUS_NO;
    PersonChange change = {.name = argv[1],
                           .emails = (const char *const *) emails,
                           .roles = (const char *const *) roles,
                           .keys = (const char *const *) keys,
                           .external = external};
    bool created = false;
    if (!add(state, &change, &created, error))
        return EXIT_STATUS_NO;
    fprintf(stderr, "%s: %s\n", argv[1], created ? "enrolled" : "changed");
    return EXIT_STATUS_DONE;
}

static json_t *person_json(const Person *person)
{
    g_autofree char *enrolled = clock_format_seconds(person->enrolled_at);
    json_t *keys = json_array();
    for (guint i = 0; i < person->keys->len; i++) {
        const PersonKey *key = person->keys->pdata[i];
        json_array_append_new(keys, json_pack("{s:s, s:s, s:s, s:b}", "fingerprint",
                                              key->fingerprint, "kind", key->kind, "key", key->text,
                                              "removed", key->removed_at != 0));
    }
    json_t *object = json_pack("{s:s, s:o, s:o, s:o, s:b, s:s}", "name", person->name, "emails",
                               texts(person->emails), "roles", texts(person->roles), "keys", keys,
                               "external", person->external, "enrolled", enrolled);
    if (!person_is_active(person)) {
        g_autofree char *removed = clock_format_seconds(person->removed_at);
        json_object_set_new(object, "removed", json_string(removed));
    }
    return object;
}

static void print_people(const GPtrArray *people)
{
    printf("%-16s %-32s %-20s %s\n", "NAME", "EMAIL", "ROLES", "KEYS");
    for (guint i = 0; i < people->len; i++) {
        const Person *person = people->pdata[i];
        g_autofree char *emails = g_strjoinv(",", person->emails);
        g_autofree char *roles = g_strjoinv(",", person->roles);
        g_autoptr(json_t) prints = fingerprints(person);
        const char *first = json_string_value(json_array_get(prints, 0));
        const char *otherwise = !person_is_active(person) ? "(removed)"
                                : person->external        ? "(external)"
                                                          : "(no key)";
        printf("%-16s %-32s %-20s %s\n", person->name, emails, roles[0] != '\0' ? roles : "-",
               first != NULL ? first : otherwise);
        for (size_t k = 1; k < json_array_size(prints); k++)
            printf("%-70s %s\n", "", json_string_value(json_array_get(prints, k)));
    }
}

static int run_list(int argc, char **argv, GError **error)
{
    g_autofree char *format = NULL;
    gboolean all = FALSE;
    const GOptionEntry entries[] = {
        {"all", 0, 0, G_OPTION_ARG_NONE, &all, "removed people too", NULL},
        OUTPUT_FORMAT_ROW(format),
        {0},
    };
    bool as_json;
    if (!command_parse(&command_user_list, entries, &argc, &argv, error) ||
        !output_parse_format(format, &as_json, error))
        return EXIT_STATUS_USAGE;
    g_autoptr(State) state = state_open(NULL, error);
    g_autoptr(GPtrArray) people = state != NULL ? identity_people(state, all, error) : NULL;
    if (people == NULL)
        return EXIT_STATUS_NO;
    if (!as_json) {
        print_people(people);
        return EXIT_STATUS_DONE;
    }
    g_autoptr(json_t) array = json_array();
    for (guint i = 0; i < people->len; i++)
        json_array_append_new(array, person_json(people->pdata[i]));
    output_json_line(array);
    return EXIT_STATUS_DONE;
}

static bool take_away(State *state, const char *name, const char *fingerprint, GError **error)
{
    g_autoptr(Ledger) ledger = record_open(state, error);
    if (ledger == NULL || !database_begin(state->database, error))
        return false;
    g_autoptr(Person) person = identity_remove(state, name, fingerprint, error)
                                   ? identity_person(state, name, error)
                                   : NULL;
    if (person != NULL &&
        record_append(state, "user.removed", person->id,
                      fingerprint != NULL ? "key removed" : "removed",
                      fingerprint != NULL ? json_pack("{s:s}", "key", fingerprint) : NULL, error))
        return database_commit(state->database, error);
    database_rollback(state->database);
    return false;
}

static int run_remove(int argc, char **argv, GError **error)
{
    g_autofree char *fingerprint = NULL;
    const GOptionEntry entries[] = {
        {"key", 0, 0, G_OPTION_ARG_STRING, &fingerprint, "only this key of theirs", "SHA256:…"},
        {0},
    };
    if (!command_parse(&command_user_remove, entries, &argc, &argv, error))
        return EXIT_STATUS_USAGE;
    if (argc != 2)
        return command_usage_error(error, "expected one NAME");
    g_autoptr(State) state = state_open(NULL, error);
    if (state == NULL || !take_away(state, argv[1], fingerprint, error))
        return EXIT_STATUS_NO;
    fprintf(stderr, "%s: %s\n", argv[1], fingerprint != NULL ? "key removed" : "removed");
    return EXIT_STATUS_DONE;
}

const Command command_user_add = {
    .name = "user add",
    .group = "trust",
    .operands = "NAME",
    .summary = "enrol a person with e-mail and public key, or add to one",
    .run = run_add,
};

const Command command_user_list = {
    .name = "user list",
    .group = "trust",
    .summary = "list who is enrolled, with which keys and roles",
    .run = run_list,
};

const Command command_user_remove = {
    .name = "user remove",
    .group = "trust",
    .operands = "NAME",
    .summary = "end a person's enrolment, or one key of theirs",
    .run = run_remove,
};
