#include "sign/verification.h"

#include "base/error.h"
#include "format/json.h"
#include "sign/bundle.h"
#include "sign/referrer.h"
#include "sign/simple_signing.h"

#include <string.h>

static void candidate_free(gpointer data)
{
    Candidate *candidate = data;
    g_free(candidate->manifest);
    g_free(candidate->predicate_type);
    g_free(candidate->reason);
    json_decref(candidate->document);
    g_free(candidate);
}

static Candidate *add(GPtrArray *candidates, const ReferredLayer *layer, CandidateRole role,
                      const char *form)
{
    Candidate *candidate = g_new0(Candidate, 1);
    candidate->role = role;
    candidate->form = form;
    candidate->manifest = g_strdup(layer->manifest);
    g_ptr_array_add(candidates, candidate);
    return candidate;
}

/* Takes over what a verifier gave. */
static void settle(Candidate *candidate, VerifiedStatement *statement, const GError *why)
{
    if (statement == NULL) {
        candidate->reason = g_strdup(why->message);
        return;
    }
    candidate->predicate_type = g_strdup(statement->predicate_type);
    candidate->document = json_incref(statement->statement);
    /* Only this type says "signed"; the others say something about the image. */
    candidate->role = g_str_equal(statement->predicate_type, COSIGN_SIGN_TYPE)
                          ? CANDIDATE_SIGNATURE
                          : CANDIDATE_ATTESTATION;
}

typedef struct {
    ContentStore *store;
    const char *digest;
    const PublicKey *key;
    GPtrArray *candidates;
} Run;

static void judge_bundle(const Run *run, const ReferredLayer *layer)
{
    Candidate *candidate = add(run->candidates, layer, CANDIDATE_SIGNATURE, "bundle");
    g_autoptr(GError) why = NULL;
    size_t length;
    g_autofree char *text =
        content_read(run->store, layer->digest, REFERRER_BLOB_LIMIT, &length, &why);
    g_autoptr(VerifiedStatement) statement =
        text != NULL ? bundle_verify(text, length, run->key, run->digest, &why) : NULL;
    settle(candidate, statement, why);
}

static void judge_envelope(const Run *run, const ReferredLayer *layer)
{
    Candidate *candidate = add(run->candidates, layer, CANDIDATE_ATTESTATION, "tag");
    g_autoptr(GError) why = NULL;
    size_t length;
    g_autofree char *text =
        content_read(run->store, layer->digest, REFERRER_BLOB_LIMIT, &length, &why);
    g_autoptr(VerifiedStatement) statement =
        text != NULL ? envelope_verify(text, length, run->key, run->digest, &why) : NULL;
    settle(candidate, statement, why);
    candidate->role = CANDIDATE_ATTESTATION; /* an .att tag never says "signed" */
}

static void judge_payload(const Run *run, const ReferredLayer *layer)
{
    Candidate *candidate = add(run->candidates, layer, CANDIDATE_SIGNATURE, "tag");
    g_autoptr(GError) why = NULL;
    size_t length;
    g_autofree char *payload =
        content_read(run->store, layer->digest, CONTENT_DOCUMENT_LIMIT, &length, &why);
    if (payload != NULL)
        candidate->document = simple_signing_verify(
            payload, length, json_get_string(layer->annotations, SIMPLE_SIGNING_ANNOTATION),
            run->key, run->digest, &why);
    if (candidate->document == NULL)
        candidate->reason = g_strdup(why->message);
}

static bool judge_tag(const Run *run, const char *repository, const char *suffix,
                      const char *media_type, void (*judge)(const Run *, const ReferredLayer *),
                      GError **error)
{
    g_autoptr(GPtrArray) layers =
        cosign_tag_layers(run->store, repository, run->digest, suffix, error);
    if (layers == NULL)
        return false;
    for (guint i = layers->len; i > 0; i--) {
        const ReferredLayer *layer = layers->pdata[i - 1];
        if (g_str_equal(layer->media_type, media_type))
            judge(run, layer);
    }
    return true;
}

GPtrArray *verification_run(ContentStore *store, const char *repository, const char *digest,
                            const PublicKey *key, GError **error)
{
    g_autoptr(GPtrArray) candidates = g_ptr_array_new_with_free_func(candidate_free);
    Run run = {store, digest, key, candidates};
    g_autoptr(GPtrArray) layers = referrer_layers(store, repository, digest, error);
    if (layers == NULL)
        return NULL;
    for (guint i = 0; i < layers->len; i++) {
        const ReferredLayer *layer = layers->pdata[i];
        if (g_str_has_prefix(layer->media_type, BUNDLE_MEDIA_TYPE_PREFIX))
            judge_bundle(&run, layer);
    }
    if (!judge_tag(&run, repository, "sig", SIMPLE_SIGNING_MEDIA_TYPE, judge_payload, error) ||
        !judge_tag(&run, repository, "att", DSSE_MEDIA_TYPE, judge_envelope, error))
        return NULL;
    return g_steal_pointer(&candidates);
}

const json_t *candidate_annotations(const Candidate *candidate)
{
    const json_t *said;
    if (candidate->predicate_type == NULL)
        said = json_object_get(candidate->document, "optional");
    else
        said = json_object_get(json_array_get(json_object_get(candidate->document, "subject"), 0),
                               "annotations");
    return json_is_object(said) ? said : NULL;
}

const Candidate *verification_find_signature(const GPtrArray *candidates)
{
    for (guint i = 0; i < candidates->len; i++) {
        const Candidate *candidate = candidates->pdata[i];
        if (candidate->reason == NULL && candidate->role == CANDIDATE_SIGNATURE)
            return candidate;
    }
    return NULL;
}

const Candidate *verification_find_attestation(const GPtrArray *candidates,
                                               const char *predicate_type)
{
    for (guint i = 0; i < candidates->len; i++) {
        const Candidate *candidate = candidates->pdata[i];
        if (candidate->reason == NULL && candidate->role == CANDIDATE_ATTESTATION &&
            g_str_equal(candidate->predicate_type, predicate_type))
            return candidate;
    }
    return NULL;
}

char *verification_explain(const GPtrArray *candidates)
{
    GString *lines = g_string_new(NULL);
    for (guint i = 0; i < candidates->len; i++) {
        const Candidate *candidate = candidates->pdata[i];
        if (candidate->reason != NULL)
            g_string_append_printf(lines, "%s (%s): %s\n", candidate->manifest, candidate->form,
                                   candidate->reason);
    }
    return g_string_free(lines, FALSE);
}
