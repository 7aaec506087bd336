/* Signing in the store: both forms, both judged, and what is altered or foreign is refused. */
#include "base/error.h"
#include "base/file.h"
#include "crypto/base64.h"
#include "crypto/cosign_key.h"
#include "format/json.h"
#include "sign/bundle.h"
#include "sign/predicate.h"
#include "sign/referrer.h"
#include "sign/signer.h"
#include "sign/simple_signing.h"
#include "sign/verification.h"

#include <fcntl.h>
#include <string.h>

#define REPOSITORY "registry.local/orders"

typedef struct {
    char *home, *digest, *other, *public_key;
    State *state;
    ContentStore *store;
} Fixture;

static char *make_image(ContentStore *store, const char *author)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Image) image = image_new();
    json_object_set_new(image->config, "author", json_string(author));
    g_assert_true(image_store(store, image, &error));
    g_assert_no_error(error);
    return g_strdup(image->manifest_digest);
}

static void set_up(Fixture *f, const void *data)
{
    g_autoptr(GError) error = NULL;
    f->home = file_make_temporary_folder(g_get_tmp_dir(), "slipway-sign", &error);
    f->state = state_open(f->home, &error);
    f->store = content_store_open(f->state, &error);
    g_assert_no_error(error);
    f->digest = make_image(f->store, "ana");
    f->other = make_image(f->store, "bo");
    f->public_key = signer_public_key(f->state, &error);
    g_assert_no_error(error);
}

static void tear_down(Fixture *f, const void *data)
{
    content_store_free(f->store);
    state_close(f->state);
    file_remove_tree(AT_FDCWD, f->home, NULL);
    g_free(f->home);
    g_free(f->digest);
    g_free(f->other);
    g_free(f->public_key);
}

static bool verify(Fixture *f, const char *digest, GError **error)
{
    return signer_verify_image(f->store, REPOSITORY, digest, f->public_key, error);
}

static guint count(Fixture *f)
{
    g_autoptr(PublicKey) key = public_key_parse("key", f->public_key, NULL);
    g_autoptr(GPtrArray) all = verification_run(f->store, REPOSITORY, f->digest, key, NULL);
    return all->len;
}

static const struct {
    const char *label;
    SignatureForms forms;
    guint candidates;
} forms[] = {
    {"bundle", SIGNATURE_BUNDLE, 1},
    {"tag", SIGNATURE_TAG, 1},
    {"both", SIGNATURE_BUNDLE | SIGNATURE_TAG, 2},
};

static void test_sign(Fixture *f, const void *data)
{
    size_t i = GPOINTER_TO_SIZE(data);
    g_autoptr(GError) error = NULL;
    g_assert_false(verify(f, f->digest, &error));
    g_assert_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_DENIED);
    g_clear_error(&error);
    SignatureSpec spec = {.forms = forms[i].forms};
    for (int times = 0; times < 2; times++) { /* the second adds nothing */
        g_assert_true(
            signer_sign_image_as(f->store, f->state, REPOSITORY, f->digest, &spec, &error));
        g_assert_no_error(error);
        g_assert_cmpuint(count(f), ==, forms[i].candidates);
    }
    g_assert_true(verify(f, f->digest, &error));
    g_assert_no_error(error);
    g_assert_false(verify(f, f->other, &error));
    g_assert_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_DENIED);
    g_clear_error(&error);
    g_assert_false(signer_verify_image(f->store, "registry.local/elsewhere", f->digest,
                                       f->public_key, &error));
    g_assert_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_DENIED);
    g_clear_error(&error);

    g_autoptr(PrivateKey) stranger = private_key_generate(KEY_ECDSA_P256, NULL);
    g_autoptr(PublicKey) stranger_public = private_key_public(stranger);
    g_autofree char *pem = public_key_format_pem(stranger_public);
    g_assert_false(signer_verify_image(f->store, REPOSITORY, f->digest, pem, &error));
    g_assert_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_DENIED);
    g_assert_nonnull(strstr(error->message, "it is not signed by this key"));
}

/* Two signers: the second keeps the first's layer. */
static void test_two_signers(Fixture *f, const void *data)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(PrivateKey) bo = private_key_generate(KEY_ED25519, &error);
    g_autofree char *path = g_build_filename(f->home, "bo.key", NULL);
    g_autofree char *sealed = cosign_key_seal(bo, "parole", COSIGN_COST_LOW, &error);
    g_assert_true(file_write_atomic(AT_FDCWD, path, sealed, -1, 0600, &error));
    g_setenv("COSIGN_PASSWORD", "parole", TRUE);
    g_assert_true(signer_sign_image(f->store, f->state, REPOSITORY, f->digest, NULL, &error));
    g_assert_true(signer_sign_image(f->store, f->state, REPOSITORY, f->digest, path, &error));
    g_assert_no_error(error);
    g_unsetenv("COSIGN_PASSWORD");
    g_autoptr(PublicKey) bo_public = private_key_public(bo);
    g_autofree char *pem = public_key_format_pem(bo_public);
    g_assert_true(verify(f, f->digest, &error));
    g_assert_true(signer_verify_image(f->store, REPOSITORY, f->digest, pem, &error));
    g_assert_no_error(error);
    g_assert_cmpuint(count(f), ==, 4);
}

static void test_attest(Fixture *f, const void *data)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *manifest =
        signer_attest(f->store, f->state, REPOSITORY, f->digest, PREDICATE_SLSA_V1,
                      json_pack("{s:{}, s:{}}", "buildDefinition", "runDetails"), NULL, &error);
    g_assert_no_error(error);
    g_autofree char *again =
        signer_attest(f->store, f->state, REPOSITORY, f->digest, PREDICATE_SLSA_V1,
                      json_pack("{s:{}, s:{}}", "runDetails", "buildDefinition"), NULL, &error);
    g_assert_cmpstr(again, ==, manifest);

    /* What is only attested is not signed. */
    g_assert_false(verify(f, f->digest, &error));
    g_assert_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_DENIED);
    g_clear_error(&error);
    g_autoptr(json_t) predicate = signer_find_attestation(f->store, REPOSITORY, f->digest,
                                                          PREDICATE_SLSA_V1, f->public_key, &error);
    g_assert_no_error(error);
    g_assert_nonnull(json_object_get(predicate, "buildDefinition"));
    g_autoptr(json_t) none = signer_find_attestation(f->store, REPOSITORY, f->digest,
                                                     PREDICATE_CUSTOM, f->public_key, &error);
    g_assert_null(none);
    g_assert_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_NOT_FOUND);
    g_clear_error(&error);
    g_autoptr(json_t) other = signer_find_attestation(f->store, REPOSITORY, f->other,
                                                      PREDICATE_SLSA_V1, f->public_key, &error);
    g_assert_null(other);
    g_assert_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_NOT_FOUND);
}

static void put_bundle(Fixture *f, const char *text)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(json_t) annotations = json_object();
    ReferrerSpec spec = {.artifact_type = BUNDLE_MEDIA_TYPE,
                         .blob = text,
                         .length = strlen(text),
                         .annotations = annotations};
    g_autofree char *written = referrer_write(f->store, REPOSITORY, f->digest, &spec, &error);
    g_assert_no_error(error);
    g_assert_nonnull(written);
}

/* A bundle of the signature of another image under this one, and other things anyone may push. */
static void test_foreign(Fixture *f, const void *data)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(PrivateKey) key = private_key_generate(KEY_ECDSA_P256, NULL);
    g_autoptr(PublicKey) public_key = private_key_public(key);
    g_free(f->public_key);
    f->public_key = public_key_format_pem(public_key);
    g_autoptr(json_t) nothing = json_object();
    g_autofree char *about_other =
        intoto_statement_format(NULL, f->other, NULL, COSIGN_SIGN_TYPE, nothing);
    g_autofree char *bundle = bundle_sign(about_other, key, &error);
    put_bundle(f, bundle);
    put_bundle(f, "not json");
    put_bundle(f, "{}");
    put_bundle(f, "{\"mediaType\":\"" BUNDLE_MEDIA_TYPE "\"}");
    put_bundle(f, "{\"mediaType\":\"" BUNDLE_MEDIA_TYPE
                  "\",\"verificationMaterial\":{\"certificate\":{\"rawBytes\":\"AA==\"}}}");
    put_bundle(f,
               "{\"mediaType\":\"" BUNDLE_MEDIA_TYPE
               "\",\"verificationMaterial\":{\"publicKey\":{}},\"dsseEnvelope\":{\"payload\":1}}");
    g_assert_false(verify(f, f->digest, &error));
    g_assert_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_DENIED);
    g_assert_nonnull(strstr(error->message, "it is about another image"));
    g_assert_nonnull(strstr(error->message, "it was made with a certificate, not with a key"));
    g_clear_error(&error);
    g_assert_cmpuint(count(f), ==, 6);

    /* None of them hides a good one. */
    g_autofree char *good =
        intoto_statement_format(NULL, f->digest, NULL, COSIGN_SIGN_TYPE, nothing);
    g_autofree char *good_bundle = bundle_sign(good, key, &error);
    put_bundle(f, good_bundle);
    g_assert_true(verify(f, f->digest, &error));
    g_assert_no_error(error);
}

/* No byte of a bundle's payload or signature can change. */
static void test_altered(void)
{
    g_autoptr(PrivateKey) key = private_key_generate(KEY_ECDSA_P256, NULL);
    g_autoptr(PublicKey) public_key = private_key_public(key);
    const char *digest = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    g_autoptr(json_t) nothing = json_object();
    g_autofree char *statement =
        intoto_statement_format("n", digest, NULL, COSIGN_SIGN_TYPE, nothing);
    g_autofree char *bundle = bundle_sign(statement, key, NULL);
    const char *from = strstr(bundle, "dsseEnvelope");
    size_t accepted = 0, tried = 0;
    for (size_t i = (size_t) (from - bundle); i < strlen(bundle); i++, tried++) {
        char before = bundle[i];
        bundle[i] = before == 'A' ? 'B' : 'A';
        g_autoptr(VerifiedStatement) verified =
            bundle_verify(bundle, strlen(bundle), public_key, digest, NULL);
        accepted += verified != NULL;
        bundle[i] = before;
    }
    g_assert_cmpuint(tried, >, 400);
    g_assert_cmpuint(accepted, ==, 0);
    g_autoptr(VerifiedStatement) good =
        bundle_verify(bundle, strlen(bundle), public_key, digest, NULL);
    g_assert_nonnull(good);
}

static const struct {
    const char *label, *payload, *message; /* NULL: accepted */
} payloads[] = {
    {"cosign",
     "{\"critical\":{\"identity\":{\"docker-reference\":\"x\"},\"image\":{"
     "\"docker-manifest-digest\":\"sha256:1\"},\"type\":\"cosign container image signature\"},"
     "\"optional\":null}",
     NULL},
    {"other-order",
     "{ \"optional\": {\"a\":\"b\"}, \"more\": 1, \"critical\":{\"type\":\"cosign container "
     "image signature\",\"image\":{\"docker-manifest-digest\":\"sha256:1\"}}}",
     NULL},
    {"other-digest",
     "{\"critical\":{\"image\":{\"docker-manifest-digest\":\"sha256:2\"},\"type\":"
     "\"cosign container image signature\"}}",
     "it is about another image"},
    {"other-type",
     "{\"critical\":{\"image\":{\"docker-manifest-digest\":\"sha256:1\"},\"type\":"
     "\"atomic container signature\"}}",
     "its payload is not cosign's"},
    {"no-json", "x", "payload:1:1: invalid token near 'x'"},
};

static void test_payload(const void *data)
{
    size_t i = GPOINTER_TO_SIZE(data);
    g_autoptr(GError) error = NULL;
    g_autoptr(PrivateKey) key = private_key_generate(KEY_ECDSA_P256, NULL);
    g_autoptr(PublicKey) public_key = private_key_public(key);
    const char *payload = payloads[i].payload;
    size_t length;
    g_autofree uint8_t *signature = private_key_sign(key, payload, strlen(payload), &length, NULL);
    g_autofree char *encoded = base64_encode(signature, length);
    g_autoptr(json_t) verified =
        simple_signing_verify(payload, strlen(payload), encoded, public_key, "sha256:1", &error);
    g_assert_cmpstr(error != NULL ? error->message : NULL, ==, payloads[i].message);
    g_autoptr(json_t) unsigned_one =
        simple_signing_verify(payload, strlen(payload), NULL, public_key, "sha256:1", NULL);
    g_assert_null(unsigned_one);
}

/* A lost private key is not replaced behind one's back. */
static void test_lost_key(Fixture *f, const void *data)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *key = state_path(f->state, "keys", "ledger.key", NULL);
    g_autofree char *before = signer_note_key(f->state, &error);
    g_assert_cmpint(unlink(key), ==, 0);
    g_autofree char *after = signer_note_key(f->state, &error);
    g_assert_null(after);
    g_assert_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_DENIED);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_set_nonfatal_assertions();
    for (size_t i = 0; i < G_N_ELEMENTS(forms); i++) {
        g_autofree char *path = g_strdup_printf("/signer/sign/%s", forms[i].label);
        g_test_add(path, Fixture, GSIZE_TO_POINTER(i), set_up, test_sign, tear_down);
    }
    g_test_add("/signer/two-signers", Fixture, NULL, set_up, test_two_signers, tear_down);
    g_test_add("/signer/attest", Fixture, NULL, set_up, test_attest, tear_down);
    g_test_add("/signer/foreign", Fixture, NULL, set_up, test_foreign, tear_down);
    g_test_add("/signer/lost-key", Fixture, NULL, set_up, test_lost_key, tear_down);
    g_test_add_func("/bundle/altered", test_altered);
    for (size_t i = 0; i < G_N_ELEMENTS(payloads); i++) {
        g_autofree char *path = g_strdup_printf("/payload/%s", payloads[i].label);
        g_test_add_data_func(path, GSIZE_TO_POINTER(i), test_payload);
    }
    return g_test_run();
}
