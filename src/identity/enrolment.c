#include "base/clock.h"
#include "base/error.h"
#include "crypto/key.h"
#include "identity/identity.h"

#include <string.h>

#define NAME_LIMIT 64
#define EMAIL_LIMIT 254
#define NANOSECONDS INT64_C(1000000000)

static bool fail(GError **error, SlipwayErrorCode code, const char *format, ...)
    G_GNUC_PRINTF(3, 4);

static bool fail(GError **error, SlipwayErrorCode code, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    g_autofree char *text = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    g_set_error_literal(error, SLIPWAY_ERROR, (gint) code, text);
    return false;
}

/* Lower case only: "Ana" and "ana" must not be two people. */
static bool check_name(const char *what, const char *name, GError **error)
{
    size_t length = strlen(name);
    if (length > 0 && length <= NAME_LIMIT && g_ascii_isalnum(name[0]) &&
        name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789._-")] == '\0')
        return true;
    return fail(error, SLIPWAY_ERROR_INVALID,
                "%s '%s': expected 1 to 64 of a-z, 0-9, '.', '_', '-', a letter or digit first",
                what, name);
}

/* In the form that is compared; NULL with INVALID. What a mail server would say is not asked. */
static char *normal_email(const char *email, GError **error)
{
    const char *at = strchr(email, '@');
    bool ok = at != NULL && at != email && at[1] != '\0' && strchr(at + 1, '@') == NULL &&
              strlen(email) <= EMAIL_LIMIT && g_utf8_validate(email, -1, NULL);
    for (const char *c = email; ok && *c != '\0'; c++)
        ok = (unsigned char) *c > ' ' && strchr("<>\",;", *c) == NULL && *c != 0x7f;
    if (ok)
        return g_utf8_strdown(email, -1);
    g_autofree char *shown = g_utf8_make_valid(email, -1);
    fail(error, SLIPWAY_ERROR_INVALID, "'%s' is no e-mail address; expected name@domain", shown);
    return NULL;
}

/* Whose the value is, by SQL; "" for nobody, NULL on error. */
static char *owner_of(Database *database, const char *sql, const char *value, GError **error)
{
    g_autoptr(GError) trouble = NULL;
    char *owner = database_read_text(database, &trouble, sql, "s", value);
    if (trouble != NULL)
        g_propagate_error(error, g_steal_pointer(&trouble));
    else if (owner == NULL)
        owner = g_strdup("");
    return owner;
}

/* NAME may take VALUE: it is nobody's (*FREE) or theirs already. */
static bool may_take(Database *database, const char *sql, const char *what, const char *value,
                     const char *name, bool *is_free, GError **error)
{
    g_autofree char *owner = owner_of(database, sql, value, error);
    if (owner == NULL)
        return false;
    *is_free = owner[0] == '\0';
    if (*is_free || g_str_equal(owner, name))
        return true;
    return fail(error, SLIPWAY_ERROR_DENIED,
                "the %s %s belongs to '%s' already; two people cannot share it", what, value,
                owner);
}

static bool add_email(Database *database, const char *name, const char *email, GError **error)
{
    g_autofree char *normal = normal_email(email, error);
    bool is_free;
    if (normal == NULL || !may_take(database, "SELECT person FROM person_email WHERE email = ?",
                                    "address", normal, name, &is_free, error))
        return false;
    return !is_free ||
           database_run(database, error, "INSERT INTO person_email(email, person) VALUES(?, ?)",
                        "ss", normal, name);
}

static bool add_key(Database *database, const char *name, const char *text, int64_t now,
                    GError **error)
{
    g_autoptr(PublicKey) key = public_key_parse("key", text, error);
    if (key == NULL)
        return false;
    g_autofree char *fingerprint = public_key_fingerprint(key);
    g_autofree char *line = public_key_format_ssh(key);
    bool is_free;
    if (!may_take(database, "SELECT person FROM person_key WHERE fingerprint = ?", "key",
                  fingerprint, name, &is_free, error))
        return false;
    if (!is_free) /* their own, perhaps removed: it is in force again */
        return database_run(database, error,
                            "UPDATE person_key SET removed_at = NULL WHERE fingerprint = ?", "s",
                            fingerprint);
    return database_run(database, error,
                        "INSERT INTO person_key(fingerprint, person, kind, text, added_at) "
                        "VALUES(?, ?, ?, ?, ?)",
                        "ssssi", fingerprint, name, key_kind_name(public_key_kind(key)), line, now);
}

static bool add_parts(Database *database, const PersonChange *change, int64_t now, GError **error)
{
    for (const char *const *email = change->emails; email != NULL && *email != NULL; email++)
        if (!add_email(database, change->name, *email, error))
            return false;
    for (const char *const *role = change->roles; role != NULL && *role != NULL; role++)
        if (!check_name("role", *role, error) ||
            !database_run(database, error,
                          "INSERT OR IGNORE INTO person_role(person, role) VALUES(?, ?)", "ss",
                          change->name, *role))
            return false;
    for (const char *const *key = change->keys; key != NULL && *key != NULL; key++)
        if (!add_key(database, change->name, *key, now, error))
            return false;
    return true;
}

static bool is_empty(const char *const *list)
{
    return list == NULL || list[0] == NULL;
}

static bool enrol(Database *database, const PersonChange *change, int64_t now, GError **error)
{
    if (is_empty(change->emails))
        return fail(error, SLIPWAY_ERROR_INVALID,
                    "'%s' needs an --email: by it commits are known to be theirs", change->name);
    if (!change->external && is_empty(change->keys))
        return fail(error, SLIPWAY_ERROR_INVALID,
                    "'%s' needs a --key FILE.pub, or --external for somebody who never approves",
                    change->name);
    return database_run(database, error,
                        "INSERT INTO person(name, external, enrolled_at) VALUES(?, ?, ?)", "sii",
                        change->name, (int64_t) change->external, now) &&
           add_parts(database, change, now, error);
}

/* A name that was somebody's stays theirs: who comes back shows it by an address of old. */
static bool bring_back(Database *database, const Person *person, const PersonChange *change,
                       GError **error)
{
    for (const char *const *email = change->emails; email != NULL && *email != NULL; email++) {
        g_autofree char *normal = normal_email(*email, error);
        if (normal == NULL)
            return false;
        if (g_strv_contains((const char *const *) person->emails, normal))
            return database_run(database, error,
                                "UPDATE person SET removed_at = NULL WHERE name = ?", "s",
                                person->name);
    }
    g_autofree char *when = clock_format_seconds(person->removed_at);
    return fail(error, SLIPWAY_ERROR_DENIED,
                "'%s' was somebody's name until %s; choose another, or give one of their addresses "
                "to bring them back",
                person->name, when);
}

static bool apply(State *state, const PersonChange *change, bool *created, GError **error)
{
    int64_t now = clock_now_ns() / NANOSECONDS;
    g_autoptr(GError) missing = NULL;
    g_autoptr(Person) person = identity_person(state, change->name, &missing);
    if (person == NULL) {
        if (!g_error_matches(missing, SLIPWAY_ERROR, SLIPWAY_ERROR_NOT_FOUND)) {
            g_propagate_error(error, g_steal_pointer(&missing));
            return false;
        }
        *created = true;
        return enrol(state->database, change, now, error);
    }
    *created = false;
    if (person->external && !is_empty(change->keys))
        return fail(error, SLIPWAY_ERROR_INVALID,
                    "'%s' is external and cannot have a key; enrol them under another name with "
                    "another address",
                    person->name);
    if (!person->external && change->external)
        return fail(error, SLIPWAY_ERROR_INVALID, "'%s' is enrolled; remove them first",
                    person->name);
    if (!person_is_active(person) && !bring_back(state->database, person, change, error))
        return false;
    return add_parts(state->database, change, now, error);
}

bool identity_add(State *state, const PersonChange *change, bool *created, GError **error)
{
    bool is_new = false;
    if (!check_name("name", change->name, error))
        return false;
    if (change->external && !is_empty(change->keys))
        return fail(error, SLIPWAY_ERROR_INVALID,
                    "--external and --key exclude each other: who is external never approves");
    if (!database_begin(state->database, error))
        return false;
    if (!apply(state, change, &is_new, error)) {
        database_rollback(state->database);
        return false;
    }
    if (created != NULL)
        *created = is_new;
    return database_commit(state->database, error);
}

static bool remove_key(State *state, const Person *person, const char *fingerprint, int64_t now,
                       GError **error)
{
    if (!database_run(state->database, error,
                      "UPDATE person_key SET removed_at = ? WHERE person = ? AND fingerprint = ? "
                      "AND removed_at IS NULL",
                      "iss", now, person->name, fingerprint))
        return false;
    if (database_changes(state->database) == 1)
        return true;
    return fail(error, SLIPWAY_ERROR_NOT_FOUND,
                "'%s' has no key %s in force; `slipway user list` shows them", person->name,
                fingerprint);
}

static bool remove_person(State *state, const Person *person, int64_t now, GError **error)
{
    if (!person_is_active(person)) {
        g_autofree char *when = clock_format_seconds(person->removed_at);
        return fail(error, SLIPWAY_ERROR_NOT_FOUND, "'%s' was removed on %s already", person->name,
                    when);
    }
    return database_run(state->database, error, "UPDATE person SET removed_at = ? WHERE name = ?",
                        "is", now, person->name) &&
           database_run(state->database, error,
                        "UPDATE person_key SET removed_at = ? WHERE person = ? AND removed_at IS "
                        "NULL",
                        "is", now, person->name) &&
           database_run(state->database, error, "DELETE FROM person_role WHERE person = ?", "s",
                        person->name);
}

bool identity_remove(State *state, const char *name, const char *fingerprint, GError **error)
{
    int64_t now = clock_now_ns() / NANOSECONDS;
    if (!database_begin(state->database, error))
        return false;
    g_autoptr(Person) person = identity_person(state, name, error);
    bool ok =
        person != NULL && (fingerprint != NULL ? remove_key(state, person, fingerprint, now, error)
                                               : remove_person(state, person, now, error));
    if (ok)
        return database_commit(state->database, error);
    database_rollback(state->database);
    return false;
}
