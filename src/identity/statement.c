#include "identity/statement.h"

#include "base/clock.h"
#include "base/error.h"
#include "crypto/sshsig.h"
#include "format/json.h"
#include "identity/identity.h"

#include <string.h>

#define STATEMENT_LIMIT (64 * 1024)

static const struct {
    const char *name;
    size_t offset;
    bool may_be_empty;
} fields[] = {
    {"deployment", offsetof(ApprovalStatement, deployment), false},
    {"environment", offsetof(ApprovalStatement, environment), false},
    {"image", offsetof(ApprovalStatement, image), false},
    {"config", offsetof(ApprovalStatement, config), false},
    {"migrations", offsetof(ApprovalStatement, migrations), true},
    {"decision", offsetof(ApprovalStatement, decision), false},
    {"by", offsetof(ApprovalStatement, by), false},
    {"time", offsetof(ApprovalStatement, time), false},
    {"comment", offsetof(ApprovalStatement, comment), true},
    {"checkpoint", offsetof(ApprovalStatement, checkpoint), false},
};

static char **field(const ApprovalStatement *statement, size_t i)
{
    return (char **) (void *) ((char *) statement + fields[i].offset);
}

static bool invalid(const char *why, GError **error)
{
    g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID, "approval statement: %s", why);
    return false;
}

static bool check(const ApprovalStatement *statement, GError **error)
{
    for (size_t i = 0; i < G_N_ELEMENTS(fields); i++) {
        const char *text = *field(statement, i);
        if (text == NULL || (text[0] == '\0' && !fields[i].may_be_empty)) {
            g_autofree char *why = g_strdup_printf("'%s' is missing", fields[i].name);
            return invalid(why, error);
        }
    }
    if (!g_str_equal(statement->decision, "approved") &&
        !g_str_equal(statement->decision, "rejected"))
        return invalid("'decision' must be 'approved' or 'rejected'", error);
    int64_t seconds;
    if (!clock_parse(statement->time, &seconds, NULL))
        return invalid("'time' must be RFC 3339", error);
    return true;
}

char *approval_statement_format(const ApprovalStatement *statement, GError **error)
{
    if (!check(statement, error))
        return NULL;
    g_autoptr(json_t) root = json_pack("{s:s}", "type", APPROVAL_TYPE);
    for (size_t i = 0; i < G_N_ELEMENTS(fields); i++) {
        if (json_object_set_new(root, fields[i].name, json_string(*field(statement, i))) == 0)
            continue;
        invalid("its texts must be UTF-8", error);
        return NULL;
    }
    return json_canonical(root, error);
}

ApprovalStatement *approval_statement_parse(const char *text, size_t length, GError **error)
{
    if (length > STATEMENT_LIMIT) {
        invalid("larger than 64 KiB", error);
        return NULL;
    }
    g_autoptr(json_t) root = json_parse("approval statement", text, length, error);
    if (root == NULL)
        return NULL;
    const char *type = json_get_string(root, "type");
    if (type == NULL || !g_str_equal(type, APPROVAL_TYPE)) {
        invalid("its type is not '" APPROVAL_TYPE "'", error);
        return NULL;
    }
    g_autoptr(ApprovalStatement) statement = g_new0(ApprovalStatement, 1);
    for (size_t i = 0; i < G_N_ELEMENTS(fields); i++)
        *field(statement, i) = g_strdup(json_get_string(root, fields[i].name));
    if (!check(statement, error))
        return NULL;
    /* One spelling and no further fields: what is signed is what is read. */
    g_autofree char *again = approval_statement_format(statement, error);
    if (again == NULL)
        return NULL;
    if (strlen(again) != length || memcmp(again, text, length) != 0) {
        invalid("it is not in canonical form, or has further fields", error);
        return NULL;
    }
    return g_steal_pointer(&statement);
}

void approval_statement_free(ApprovalStatement *statement)
{
    if (statement == NULL)
        return;
    for (size_t i = 0; i < G_N_ELEMENTS(fields); i++)
        g_free(*field(statement, i));
    g_free(statement);
}

char *statement_sign(const char *key_path, const char *statement, GError **error)
{
    return sshsig_sign_with_file(key_path, STATEMENT_NAMESPACE, statement, strlen(statement),
                                 error);
}

static bool denied(GError **error, const char *format, ...) G_GNUC_PRINTF(2, 3);

static bool denied(GError **error, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    g_autofree char *text = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    g_set_error_literal(error, SLIPWAY_ERROR, SLIPWAY_ERROR_DENIED, text);
    return false;
}

static const PersonKey *find_key(const Person *person, const char *fingerprint)
{
    for (guint i = 0; i < person->keys->len; i++) {
        const PersonKey *key = person->keys->pdata[i];
        if (g_str_equal(key->fingerprint, fingerprint))
            return key;
    }
    return NULL;
}

bool identity_verify_statement(State *state, const Person *known, const void *statement,
                               size_t length, const char *signature, char **fingerprint,
                               GError **error)
{
    /* Read anew: KNOWN may have been removed since the caller looked. */
    g_autoptr(Person) person = identity_person(state, known->name, error);
    g_autoptr(PublicKey) claimed = person != NULL ? sshsig_key(signature, error) : NULL;
    if (claimed == NULL)
        return false;
    if (!person_is_active(person))
        return denied(error, "'%s' is no longer enrolled", person->name);
    if (person->external)
        return denied(error, "'%s' is external and never approves", person->name);
    g_autofree char *print = public_key_fingerprint(claimed);
    const PersonKey *key = find_key(person, print);
    if (key == NULL)
        return denied(error, "the signature is by the key %s, which is not one of '%s'", print,
                      person->name);
    if (key->removed_at != 0)
        return denied(error, "the key %s of '%s' was removed", print, person->name);
    g_autoptr(PublicKey) enrolled = public_key_parse(key->fingerprint, key->text, error);
    if (enrolled == NULL ||
        !sshsig_verify(enrolled, STATEMENT_NAMESPACE, statement, length, signature, error))
        return false;
    if (fingerprint != NULL)
        *fingerprint = g_steal_pointer(&print);
    return true;
}
