#include "base/error.h"
#include "identity/identity.h"

#include <string.h>

static void person_key_free(gpointer data)
{
    PersonKey *key = data;
    g_free(key->fingerprint);
    g_free(key->kind);
    g_free(key->text);
    g_free(key);
}

void person_free(Person *person)
{
    if (person == NULL)
        return;
    g_free(person->name);
    g_free(person->id);
    g_strfreev(person->emails);
    g_strfreev(person->roles);
    g_clear_pointer(&person->keys, g_ptr_array_unref);
    g_free(person);
}

bool person_is_active(const Person *person)
{
    return person->removed_at == 0;
}

bool person_has_role(const Person *person, const char *role)
{
    return g_strv_contains((const char *const *) person->roles, role);
}

bool person_can_approve(const Person *person)
{
    if (!person_is_active(person) || person->external)
        return false;
    for (guint i = 0; i < person->keys->len; i++)
        if (((const PersonKey *) person->keys->pdata[i])->removed_at == 0)
            return true;
    return false;
}

/* The one text column of SQL's rows for NAME. */
static char **read_texts(Database *database, const char *sql, const char *name, GError **error)
{
    g_autoptr(Statement) rows = database_prepare(database, error, sql, "s", name);
    if (rows == NULL)
        return NULL;
    g_autoptr(GStrvBuilder) texts = g_strv_builder_new();
    while (statement_step(rows, NULL))
        g_strv_builder_add(texts, statement_text(rows, 0));
    return statement_end(rows, error) ? g_strv_builder_end(texts) : NULL;
}

static GPtrArray *read_keys(Database *database, const char *name, GError **error)
{
    g_autoptr(Statement) rows =
        database_prepare(database, error,
                         "SELECT fingerprint, kind, text, added_at, coalesce(removed_at, 0) "
                         "FROM person_key WHERE person = ? ORDER BY added_at, fingerprint",
                         "s", name);
    if (rows == NULL)
        return NULL;
    g_autoptr(GPtrArray) keys = g_ptr_array_new_with_free_func(person_key_free);
    while (statement_step(rows, NULL)) {
        PersonKey *key = g_new(PersonKey, 1);
        *key = (PersonKey){
            .fingerprint = g_strdup(statement_text(rows, 0)),
            .kind = g_strdup(statement_text(rows, 1)),
            .text = g_strdup(statement_text(rows, 2)),
            .added_at = statement_integer(rows, 3),
            .removed_at = statement_integer(rows, 4),
        };
        g_ptr_array_add(keys, key);
    }
    return statement_end(rows, error) ? g_steal_pointer(&keys) : NULL;
}

/* The person of SQL's first row (name, external, enrolled_at, removed_at); NULL without error when
 * there is no row. */
static Person *read_person(Database *database, const char *sql, const char *value, GError **error)
{
    g_autoptr(Statement) row = database_prepare(database, error, sql, "s", value);
    if (row == NULL)
        return NULL;
    g_autoptr(GError) trouble = NULL;
    if (!statement_step(row, &trouble)) {
        if (trouble != NULL)
            g_propagate_error(error, g_steal_pointer(&trouble));
        return NULL;
    }
    g_autoptr(Person) person = g_new0(Person, 1);
    person->name = g_strdup(statement_text(row, 0));
    person->id = g_strconcat("person:", person->name, NULL);
    person->external = statement_integer(row, 1) != 0;
    person->enrolled_at = statement_integer(row, 2);
    person->removed_at = statement_is_null(row, 3) ? 0 : statement_integer(row, 3);
    person->emails =
        read_texts(database, "SELECT email FROM person_email WHERE person = ? ORDER BY email",
                   person->name, error);
    person->roles =
        person->emails == NULL
            ? NULL
            : read_texts(database, "SELECT role FROM person_role WHERE person = ? ORDER BY role",
                         person->name, error);
    person->keys = person->roles == NULL ? NULL : read_keys(database, person->name, error);
    return person->keys != NULL ? g_steal_pointer(&person) : NULL;
}

#define PERSON "SELECT p.name, p.external, p.enrolled_at, p.removed_at FROM person p "

/* Ends a search: what was found, the error, or NOT_FOUND in the words of FORMAT. */
static Person *found_or(Person *person, GError *trouble, GError **error, const char *format, ...)
    G_GNUC_PRINTF(4, 5);

static Person *found_or(Person *person, GError *trouble, GError **error, const char *format, ...)
{
    if (person != NULL)
        return person;
    if (trouble != NULL) {
        g_propagate_error(error, trouble);
        return NULL;
    }
    va_list arguments;
    va_start(arguments, format);
    g_autofree char *text = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    g_set_error_literal(error, SLIPWAY_ERROR, SLIPWAY_ERROR_NOT_FOUND, text);
    return NULL;
}

Person *identity_person(State *state, const char *name, GError **error)
{
    GError *trouble = NULL;
    Person *person = read_person(state->database, PERSON "WHERE p.name = ?", name, &trouble);
    return found_or(person, trouble, error,
                    "nobody is enrolled as '%s'; `slipway user list` shows who is, "
                    "`slipway user add NAME --email E --key FILE.pub` enrols",
                    name);
}

Person *identity_find_by_email(State *state, const char *email, GError **error)
{
    g_autofree char *lower =
        g_utf8_validate(email, -1, NULL) ? g_utf8_strdown(email, -1) : g_ascii_strdown(email, -1);
    GError *trouble = NULL;
    Person *person = read_person(
        state->database, PERSON "JOIN person_email e ON e.person = p.name WHERE e.email = ?", lower,
        &trouble);
    return found_or(person, trouble, error,
                    "nobody is enrolled with the address '%s'; enrol them with `slipway user add "
                    "NAME --email %s --key FILE.pub`, or with `--external` for somebody who never "
                    "approves",
                    lower, lower);
}

static void free_person(gpointer person)
{
    person_free(person);
}

GPtrArray *identity_people(State *state, bool removed_too, GError **error)
{
    g_auto(GStrv) names =
        read_texts(state->database,
                   "SELECT name FROM person WHERE removed_at IS NULL OR ? = 'removed' "
                   "ORDER BY name",
                   removed_too ? "removed" : "", error);
    if (names == NULL)
        return NULL;
    g_autoptr(GPtrArray) people = g_ptr_array_new_with_free_func(free_person);
    for (char **name = names; *name != NULL; name++) {
        Person *person = identity_person(state, *name, error);
        if (person == NULL)
            return NULL;
        g_ptr_array_add(people, person);
    }
    return g_steal_pointer(&people);
}
