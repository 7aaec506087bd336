#include "sign/signer.h"

#include "base/error.h"
#include "format/json.h"
#include "sign/bundle.h"
#include "sign/engine_key.h"
#include "sign/referrer.h"
#include "sign/simple_signing.h"
#include "sign/verification.h"

#include "crypto/base64.h"

#include <string.h>

/* The key to sign with: *OWNED when it came from a file. */
static const PrivateKey *choose_key(State *state, const char *path, PrivateKey **owned,
                                    GError **error)
{
    if (path == NULL)
        return engine_key(state, error);
    *owned = private_key_read_file(path, NULL, error);
    return *owned;
}

/* A run that was killed and comes again must not pile up signatures: what is verified by the same
 * key and says the same is not made again. */
static bool is_signed(const GPtrArray *candidates, const char *form, const json_t *annotations)
{
    g_autoptr(json_t) none = json_object();
    for (guint i = 0; i < candidates->len; i++) {
        const Candidate *candidate = candidates->pdata[i];
        const json_t *said = candidate_annotations(candidate);
        if (candidate->reason == NULL && candidate->role == CANDIDATE_SIGNATURE &&
            g_str_equal(candidate->form, form) &&
            json_equal(said != NULL ? said : none, annotations != NULL ? annotations : none))
            return true;
    }
    return false;
}

static char *write_bundle(ContentStore *store, const char *repository, const char *digest,
                          const char *predicate_type, const char *bundle, GError **error)
{
    g_autoptr(json_t) annotations =
        json_pack("{s:s, s:s}", "dev.sigstore.bundle.content", "dsse-envelope",
                  "dev.sigstore.bundle.predicateType", predicate_type);
    ReferrerSpec spec = {.artifact_type = BUNDLE_MEDIA_TYPE,
                         .blob = bundle,
                         .length = strlen(bundle),
                         .annotations = annotations};
    return referrer_write(store, repository, digest, &spec, error);
}

static bool sign_bundle(ContentStore *store, const char *repository, const char *digest,
                        const PrivateKey *key, const json_t *annotations, GError **error)
{
    g_autoptr(json_t) nothing = json_object();
    g_autofree char *statement =
        intoto_statement_format(NULL, digest, annotations, COSIGN_SIGN_TYPE, nothing);
    g_autofree char *bundle = bundle_sign(statement, key, error);
    g_autofree char *written =
        bundle != NULL ? write_bundle(store, repository, digest, COSIGN_SIGN_TYPE, bundle, error)
                       : NULL;
    return written != NULL;
}

static bool sign_tag(ContentStore *store, const char *repository, const char *digest,
                     const PrivateKey *key, const json_t *annotations, GError **error)
{
    g_autofree char *payload = simple_signing_format(repository, digest, annotations);
    size_t length;
    g_autofree uint8_t *signature = private_key_sign(key, payload, strlen(payload), &length, error);
    if (signature == NULL)
        return false;
    g_autofree char *encoded = base64_encode(signature, length);
    g_autoptr(json_t) of_layer = json_pack("{s:s}", SIMPLE_SIGNING_ANNOTATION, encoded);
    ReferrerSpec layer = {.artifact_type = SIMPLE_SIGNING_MEDIA_TYPE,
                          .blob = payload,
                          .length = strlen(payload),
                          .annotations = of_layer};
    return cosign_tag_append(store, repository, digest, "sig", &layer, error);
}

bool signer_sign_image_as(ContentStore *store, State *state, const char *repository,
                          const char *digest, const SignatureSpec *spec, GError **error)
{
    g_autoptr(PrivateKey) owned = NULL;
    const PrivateKey *key = choose_key(state, spec->key_path, &owned, error);
    if (key == NULL)
        return false;
    g_autoptr(PublicKey) public_key = private_key_public(key);
    g_autoptr(GPtrArray) present = verification_run(store, repository, digest, public_key, error);
    if (present == NULL)
        return false;
    unsigned forms = spec->forms != 0 ? spec->forms : SIGNATURE_BUNDLE | SIGNATURE_TAG;
    const json_t *annotations = spec->annotations;
    /* The image itself must be visible where its signatures are. */
    return image_link(store, repository, digest, error) &&
           ((forms & SIGNATURE_BUNDLE) == 0 || is_signed(present, "bundle", annotations) ||
            sign_bundle(store, repository, digest, key, annotations, error)) &&
           ((forms & SIGNATURE_TAG) == 0 || is_signed(present, "tag", annotations) ||
            sign_tag(store, repository, digest, key, annotations, error));
}

bool signer_sign_image(ContentStore *store, State *state, const char *repository,
                       const char *digest, const char *key_path, GError **error)
{
    SignatureSpec spec = {.key_path = key_path};
    return signer_sign_image_as(store, state, repository, digest, &spec, error);
}

static void deny(const GPtrArray *candidates, const char *what, const char *digest, GError **error)
{
    g_autofree char *explained = g_strchomp(verification_explain(candidates));
    g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_DENIED, "'%s' has no %s by this key%s%s",
                digest, what, explained[0] != '\0' ? ":\n" : "; it carries no candidate",
                explained);
}

bool signer_verify_image(ContentStore *store, const char *repository, const char *digest,
                         const char *public_key, GError **error)
{
    g_autoptr(PublicKey) key = public_key_parse("public key", public_key, error);
    g_autoptr(GPtrArray) candidates =
        key != NULL ? verification_run(store, repository, digest, key, error) : NULL;
    if (candidates == NULL)
        return false;
    if (verification_find_signature(candidates) != NULL)
        return true;
    deny(candidates, "signature", digest, error);
    return false;
}

/* The manifest of a verified attestation that says exactly STATEMENT; NULL for none. */
static char *find_same(const GPtrArray *candidates, const char *statement)
{
    g_autoptr(json_t) wanted = json_parse("statement", statement, strlen(statement), NULL);
    for (guint i = 0; i < candidates->len; i++) {
        const Candidate *candidate = candidates->pdata[i];
        if (candidate->reason == NULL && g_str_equal(candidate->form, "bundle") &&
            json_equal(candidate->document, wanted))
            return g_strdup(candidate->manifest);
    }
    return NULL;
}

char *signer_attest(ContentStore *store, State *state, const char *repository, const char *digest,
                    const char *predicate_type, json_t *predicate, const char *key_path,
                    GError **error)
{
    g_autoptr(json_t) taken = predicate;
    g_autoptr(PrivateKey) owned = NULL;
    const PrivateKey *key = choose_key(state, key_path, &owned, error);
    if (key == NULL)
        return NULL;
    g_autoptr(PublicKey) public_key = private_key_public(key);
    g_autoptr(GPtrArray) present = verification_run(store, repository, digest, public_key, error);
    if (present == NULL || !image_link(store, repository, digest, error))
        return NULL;
    g_autofree char *statement =
        intoto_statement_format(repository, digest, NULL, predicate_type, taken);
    char *same = find_same(present, statement);
    if (same != NULL)
        return same;
    g_autofree char *bundle = bundle_sign(statement, key, error);
    return bundle != NULL ? write_bundle(store, repository, digest, predicate_type, bundle, error)
                          : NULL;
}

json_t *signer_find_attestation(ContentStore *store, const char *repository, const char *digest,
                                const char *predicate_type, const char *public_key, GError **error)
{
    g_autoptr(PublicKey) key = public_key_parse("public key", public_key, error);
    g_autoptr(GPtrArray) candidates =
        key != NULL ? verification_run(store, repository, digest, key, error) : NULL;
    if (candidates == NULL)
        return NULL;
    const Candidate *found = verification_find_attestation(candidates, predicate_type);
    if (found != NULL)
        return json_incref(json_object_get(found->document, "predicate"));
    g_autofree char *explained = g_strchomp(verification_explain(candidates));
    g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_NOT_FOUND,
                "'%s' has no attestation of type '%s' by this key%s%s", digest, predicate_type,
                explained[0] != '\0' ? ":\n" : "", explained);
    return NULL;
}
