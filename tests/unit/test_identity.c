#include "base/error.h"
#include "base/file.h"
#include "crypto/cosign_key.h"
#include "crypto/sshsig.h"
#include "identity/identity.h"
#include "identity/statement.h"

#include <fcntl.h>
#include <string.h>

typedef struct {
    char *home;
    State *state;
    PrivateKey *ana_key, *bo_key;
    char *ana_pub, *bo_pub;
} Fixture;

static char *public_line(const PrivateKey *key)
{
    g_autoptr(PublicKey) public_key = private_key_public(key);
    return public_key_format_ssh(public_key);
}

static void set_up(Fixture *f, const void *data)
{
    g_autoptr(GError) error = NULL;
    f->home = file_make_temporary_folder(g_get_tmp_dir(), "slipway-identity", &error);
    f->state = state_open(f->home, &error);
    g_assert_no_error(error);
    f->ana_key = private_key_generate(KEY_ED25519, &error);
    f->bo_key = private_key_generate(KEY_ECDSA_P256, &error);
    f->ana_pub = public_line(f->ana_key);
    f->bo_pub = public_line(f->bo_key);
}

static void tear_down(Fixture *f, const void *data)
{
    state_close(f->state);
    private_key_free(f->ana_key);
    private_key_free(f->bo_key);
    file_remove_tree(AT_FDCWD, f->home, NULL);
    g_free(f->home);
    g_free(f->ana_pub);
    g_free(f->bo_pub);
}

static bool add(Fixture *f, const char *name, const char *email, const char *key, GError **error)
{
    const char *emails[] = {email, NULL}, *keys[] = {key, NULL}, *roles[] = {"releaser", NULL};
    PersonChange change = {.name = name,
                           .emails = emails,
                           .keys = key != NULL ? keys : NULL,
                           .roles = key != NULL ? roles : NULL,
                           .external = key == NULL};
    return identity_add(f->state, &change, NULL, error);
}

static void test_enrol(Fixture *f, const void *data)
{
    g_autoptr(GError) error = NULL;
    g_assert_true(add(f, "ana", "Ana@Example.org", f->ana_pub, &error));
    g_assert_no_error(error);
    g_assert_true(add(f, "dee", "dee@example.org", NULL, &error));
    g_assert_no_error(error);

    g_autoptr(Person) ana = identity_find_by_email(f->state, "ANA@example.ORG", &error);
    g_assert_no_error(error);
    g_assert_cmpstr(ana->id, ==, "person:ana");
    g_assert_true(person_can_approve(ana));
    g_assert_true(person_has_role(ana, "releaser"));
    g_assert_false(person_has_role(ana, "owner"));
    g_autoptr(Person) dee = identity_person(f->state, "dee", &error);
    g_assert_false(person_can_approve(dee));
    g_autoptr(Person) none = identity_find_by_email(f->state, "eve@example.org", &error);
    g_assert_null(none);
    g_assert_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_NOT_FOUND);
    g_clear_error(&error);

    /* A second address for the same person. */
    g_assert_true(add(f, "ana", "ana@work.example", f->ana_pub, &error));
    g_autoptr(Person) again = identity_find_by_email(f->state, "ana@work.example", &error);
    g_assert_cmpstr(again->name, ==, "ana");
    g_assert_cmpuint(again->keys->len, ==, 1);
    g_autoptr(GPtrArray) people = identity_people(f->state, false, &error);
    g_assert_cmpuint(people->len, ==, 2);
}

static void test_shared(Fixture *f, const void *data)
{
    g_autoptr(GError) error = NULL;
    g_assert_true(add(f, "ana", "ana@example.org", f->ana_pub, &error));
    g_assert_false(add(f, "bo", "ANA@example.org", f->bo_pub, &error));
    g_assert_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_DENIED);
    g_clear_error(&error);
    /* The same key as PEM is the same key. */
    g_autoptr(PublicKey) key = private_key_public(f->ana_key);
    g_autofree char *pem = public_key_format_pem(key);
    g_assert_false(add(f, "bo", "bo@example.org", pem, &error));
    g_assert_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_DENIED);
    g_clear_error(&error);
    g_autoptr(Person) bo = identity_person(f->state, "bo", NULL); /* nothing half-done */
    g_assert_null(bo);

    /* Nor may they when the first has left. */
    g_assert_true(identity_remove(f->state, "ana", NULL, &error));
    g_assert_false(add(f, "bo", "ana@example.org", f->bo_pub, &error));
    g_assert_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_DENIED);
    g_clear_error(&error);
    g_assert_false(add(f, "ana", "other@example.org", f->bo_pub, &error));
    g_assert_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_DENIED);
    g_clear_error(&error);
    g_assert_true(add(f, "ana", "ana@example.org", f->bo_pub, &error));
    g_autoptr(Person) back = identity_person(f->state, "ana", &error);
    g_assert_true(person_can_approve(back));
}

static const struct {
    const char *label, *name, *email;
    bool with_key;
} bad[] = {
    {"capital", "Ana", "ana@example.org", true},
    {"empty-name", "", "ana@example.org", true},
    {"slash", "a/b", "ana@example.org", true},
    {"no-at", "ana", "ana.example.org", true},
    {"two-at", "ana", "a@b@c", true},
    {"blank", "ana", "ana @example.org", true},
    {"angle", "ana", "<ana@example.org>", true},
};

static void test_bad(Fixture *f, const void *data)
{
    size_t i = GPOINTER_TO_SIZE(data);
    g_autoptr(GError) error = NULL;
    g_assert_false(add(f, bad[i].name, bad[i].email, f->ana_pub, &error));
    g_assert_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID);
}

static void test_private_key(Fixture *f, const void *data)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(SecretText) pem = private_key_format_pem(f->ana_key);
    g_assert_false(add(f, "ana", "ana@example.org", pem, &error));
    g_assert_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID);
    g_assert_nonnull(strstr(error->message, "private key"));
}

#define STATEMENT "{\"type\":\"x\"}"

static bool verify(Fixture *f, const char *name, const char *text, const char *signature,
                   GError **error)
{
    g_autoptr(Person) person = identity_person(f->state, name, error);
    return person != NULL &&
           identity_verify_statement(f->state, person, text, strlen(text), signature, NULL, error);
}

static void test_statement(Fixture *f, const void *data)
{
    g_autoptr(GError) error = NULL;
    g_assert_true(add(f, "ana", "ana@example.org", f->ana_pub, &error));
    g_assert_true(add(f, "bo", "bo@example.org", f->bo_pub, &error));
    g_autofree char *path = g_build_filename(f->home, "ana.pem", NULL);
    g_autoptr(SecretText) pem = private_key_format_pem(f->ana_key);
    g_assert_true(file_write_atomic(AT_FDCWD, path, pem, -1, 0600, &error));
    g_autofree char *signature = statement_sign(path, STATEMENT, &error);
    g_assert_no_error(error);

    g_assert_true(verify(f, "ana", STATEMENT, signature, &error));
    g_assert_no_error(error);
    g_assert_false(verify(f, "bo", STATEMENT, signature, &error));
    g_assert_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_DENIED);
    g_clear_error(&error);
    g_assert_false(verify(f, "ana", "{\"type\":\"y\"}", signature, &error));
    g_assert_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_DENIED);
    g_clear_error(&error);
    g_assert_false(verify(f, "ana", STATEMENT, "no signature", &error));
    g_assert_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID);
    g_clear_error(&error);
    g_autofree char *elsewhere =
        sshsig_sign(f->ana_key, "file", STATEMENT, strlen(STATEMENT), NULL);
    g_assert_false(verify(f, "ana", STATEMENT, elsewhere, &error));
    g_assert_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_DENIED);
    g_clear_error(&error);

    /* A person read before the removal does not help. */
    g_autoptr(Person) before = identity_person(f->state, "ana", &error);
    PersonKey *key = before->keys->pdata[0];
    g_assert_true(identity_remove(f->state, "ana", key->fingerprint, &error));
    g_assert_false(identity_verify_statement(f->state, before, STATEMENT, strlen(STATEMENT),
                                             signature, NULL, &error));
    g_assert_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_DENIED);
    g_clear_error(&error);
    g_assert_false(identity_remove(f->state, "ana", key->fingerprint, &error));
    g_assert_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_NOT_FOUND);
}

static void test_cosign_key(Fixture *f, const void *data)
{
    g_autoptr(GError) error = NULL;
    g_assert_true(add(f, "bo", "bo@example.org", f->bo_pub, &error));
    g_autofree char *path = g_build_filename(f->home, "cosign.key", NULL);
    g_autofree char *pem = cosign_key_seal(f->bo_key, "parole", COSIGN_COST_LOW, &error);
    g_assert_true(file_write_atomic(AT_FDCWD, path, pem, -1, 0600, &error));
    g_setenv("COSIGN_PASSWORD", "parole", TRUE);
    g_autofree char *signature = statement_sign(path, STATEMENT, &error);
    g_assert_no_error(error);
    g_assert_true(verify(f, "bo", STATEMENT, signature, &error));
    g_assert_no_error(error);
    g_setenv("COSIGN_PASSWORD", "wrong", TRUE);
    g_autofree char *none = statement_sign(path, STATEMENT, &error);
    g_assert_null(none);
    g_assert_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_DENIED);
    g_unsetenv("COSIGN_PASSWORD");
}

#define FIELDS                                                                                     \
    "\"by\":\"person:ana\",\"checkpoint\":\"c\",\"comment\":\"\",\"config\":\"sha256:2\","         \
    "\"decision\":\"approved\",\"deployment\":\"d-1\",\"environment\":\"production\","             \
    "\"image\":\"sha256:1\",\"migrations\":\"\",\"time\":\"2026-11-21T09:00:00Z\","                \
    "\"type\":\"slipway/approval/v1\""

static const struct {
    const char *label, *text, *message; /* NULL: it parses */
} statements[] = {
    {"good", "{" FIELDS "}", NULL},
    {"blank", "{ " FIELDS "}",
     "approval statement: it is not in canonical form, or has further fields"},
    {"further", "{\"and\":\"x\"," FIELDS "}",
     "approval statement: it is not in canonical form, or has further fields"},
    {"type", "{\"type\":\"slipway/other/v1\"}",
     "approval statement: its type is not 'slipway/approval/v1'"},
    {"missing", "{\"type\":\"slipway/approval/v1\"}",
     "approval statement: 'deployment' is missing"},
    {"twice", "{\"by\":\"person:bo\"," FIELDS "}",
     "approval statement:1:22: duplicate object key near '\"by\"'"},
};

static void test_parse(Fixture *f, const void *data)
{
    size_t i = GPOINTER_TO_SIZE(data);
    g_autoptr(GError) error = NULL;
    g_autoptr(ApprovalStatement) statement =
        approval_statement_parse(statements[i].text, strlen(statements[i].text), &error);
    if (statement == NULL) {
        g_assert_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID);
        g_assert_cmpstr(error->message, ==, statements[i].message);
        return;
    }
    g_assert_null(statements[i].message);
    g_autofree char *again = approval_statement_format(statement, &error);
    g_assert_cmpstr(again, ==, statements[i].text);
}

#define ADD(path, function) g_test_add(path, Fixture, NULL, set_up, function, tear_down)

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_set_nonfatal_assertions();
    ADD("/identity/enrol", test_enrol);
    ADD("/identity/shared", test_shared);
    ADD("/identity/private-key", test_private_key);
    ADD("/identity/statement", test_statement);
    ADD("/identity/cosign-key", test_cosign_key);
    for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autofree char *path = g_strdup_printf("/identity/bad/%s", bad[i].label);
        g_test_add(path, Fixture, GSIZE_TO_POINTER(i), set_up, test_bad, tear_down);
    }
    for (size_t i = 0; i < G_N_ELEMENTS(statements); i++) {
        g_autofree char *path = g_strdup_printf("/statement/%s", statements[i].label);
        g_test_add(path, Fixture, GSIZE_TO_POINTER(i), set_up, test_parse, tear_down);
    }
    return g_test_run();
}
