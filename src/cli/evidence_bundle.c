#include "cli/evidence_bundle.h"

#include "base/error.h"
#include "cli/record.h"
#include "crypto/base64.h"
#include "format/json.h"
#include "oci/manifest.h"
#include "sign/bundle.h"
#include "sign/referrer.h"
#include "sign/signer.h"
#include "sign/simple_signing.h"

#include <string.h>

/* --- making -------------------------------------------------------------------------------- */

static json_t *encode_blob(ContentStore *store, const char *digest, GError **error)
{
    size_t length;
    g_autofree char *bytes = content_read(store, digest, REFERRER_BLOB_LIMIT, &length, error);
    if (bytes == NULL)
        return NULL;
    g_autofree char *text = base64_encode(bytes, length);
    return json_string(text);
}

static const char *form_of(const ReferredLayer *layer)
{
    if (g_str_has_prefix(layer->media_type, BUNDLE_MEDIA_TYPE_PREFIX))
        return "bundle";
    if (g_str_equal(layer->media_type, DSSE_MEDIA_TYPE))
        return "envelope";
    return g_str_equal(layer->media_type, SIMPLE_SIGNING_MEDIA_TYPE) ? "payload" : NULL;
}

static bool add_statements(ContentStore *store, const GPtrArray *layers, json_t *statements,
                           GError **error)
{
    for (guint i = 0; i < layers->len; i++) {
        const ReferredLayer *layer = layers->pdata[i];
        const char *form = form_of(layer);
        if (form == NULL)
            continue;
        json_t *blob = encode_blob(store, layer->digest, error);
        if (blob == NULL)
            return false;
        json_t *statement = json_pack("{s:s, s:o}", "form", form, "blob", blob);
        const char *signature = json_get_string(layer->annotations, SIMPLE_SIGNING_ANNOTATION);
        if (signature != NULL && signature[0] != '\0')
            json_object_set_new(statement, "signature", json_string(signature));
        json_array_append_new(statements, statement);
    }
    return true;
}

static json_t *collect_statements(ContentStore *store, const ImageTarget *target, GError **error)
{
    g_autoptr(GPtrArray) referrers =
        referrer_layers(store, target->repository, target->digest, error);
    g_autoptr(GPtrArray) signatures =
        referrers != NULL
            ? cosign_tag_layers(store, target->repository, target->digest, "sig", error)
            : NULL;
    g_autoptr(GPtrArray) attestations =
        signatures != NULL
            ? cosign_tag_layers(store, target->repository, target->digest, "att", error)
            : NULL;
    g_autoptr(json_t) statements = json_array();
    if (attestations == NULL || !add_statements(store, referrers, statements, error) ||
        !add_statements(store, signatures, statements, error) ||
        !add_statements(store, attestations, statements, error))
        return NULL;
    return g_steal_pointer(&statements);
}

/* The proofs of all entries about the image and its commit. */
static json_t *collect_record(State *state, const char *digest, GError **error)
{
    g_autoptr(Ledger) ledger = record_open(state, error);
    g_autoptr(json_t) entries = ledger != NULL ? record_query(ledger, digest, NULL, error) : NULL;
    return entries != NULL ? ledger_proofs(ledger, entries, error) : NULL;
}

/* The digest of the image's config; NULL without error for an index, which has none. */
static bool find_config(ContentStore *store, const char *digest, char **config, GError **error)
{
    size_t length;
    g_autofree char *text = content_read(store, digest, CONTENT_DOCUMENT_LIMIT, &length, error);
    g_autoptr(Manifest) manifest =
        text != NULL ? manifest_parse(digest, text, length, error) : NULL;
    if (manifest == NULL)
        return false;
    *config = manifest->config != NULL ? g_strdup(manifest->config->digest) : NULL;
    return true;
}

json_t *evidence_bundle_make(ContentStore *store, const ImageTarget *target, GError **error)
{
    State *state = content_state(store);
    g_autofree char *config = NULL;
    if (!find_config(store, target->digest, &config, error))
        return NULL;
    g_autoptr(json_t) manifest = encode_blob(store, target->digest, error);
    g_autoptr(json_t) config_bytes = NULL;
    if (manifest != NULL)
        config_bytes = config != NULL ? encode_blob(store, config, error) : json_null();
    g_autoptr(json_t) statements =
        config_bytes != NULL ? collect_statements(store, target, error) : NULL;
    g_autoptr(json_t) record =
        statements != NULL ? collect_record(state, target->digest, error) : NULL;
    g_autofree char *image_key = record != NULL ? signer_public_key(state, error) : NULL;
    g_autofree char *ledger_key = image_key != NULL ? signer_note_key(state, error) : NULL;
    if (ledger_key == NULL)
        return NULL;
    return json_pack("{s:s, s:s, s:s, s:O, s:O, s:O, s:O, s:{s:s, s:s}}", "type",
                     EVIDENCE_BUNDLE_TYPE, "repository", target->repository, "digest",
                     target->digest, "manifest", manifest, "config", config_bytes, "statements",
                     statements, "record", record, "keys", "image", image_key, "ledger",
                     ledger_key);
}

/* --- verifying ----------------------------------------------------------------------------- */

static bool deny(GError **error, const char *format, ...) G_GNUC_PRINTF(2, 3);

static bool deny(GError **error, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    g_autofree char *text = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_DENIED, "evidence bundle: %s", text);
    return false;
}

/* The bytes behind MEMBER; NULL with INVALID. */
static char *decode_member(const json_t *object, const char *member, size_t *length, GError **error)
{
    const char *text = json_get_string(object, member);
    char *bytes = text != NULL ? (char *) base64_decode(text, -1, length, NULL) : NULL;
    if (bytes == NULL)
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID,
                    "evidence bundle: '%s' is missing or no base64", member);
    return bytes;
}

static bool check_image(const json_t *bundle, const char *digest, GError **error)
{
    size_t length, config_length;
    g_autofree char *manifest_bytes = decode_member(bundle, "manifest", &length, error);
    if (manifest_bytes == NULL)
        return false;
    g_autofree char *real = hash_digest(HASH_SHA256, manifest_bytes, length);
    if (!g_str_equal(real, digest))
        return deny(error, "its manifest is '%s', not '%s'", real, digest);
    g_autoptr(Manifest) manifest = manifest_parse("manifest", manifest_bytes, length, error);
    if (manifest == NULL || manifest->config == NULL)
        return manifest != NULL;
    g_autofree char *config = decode_member(bundle, "config", &config_length, error);
    if (config == NULL)
        return false;
    g_autofree char *config_digest = hash_digest(HASH_SHA256, config, config_length);
    return g_str_equal(config_digest, manifest->config->digest) ||
           deny(error, "its config is not the manifest's");
}

/* What the statements came to. */
typedef struct {
    int signatures;
    json_t *attestations, *rejected;
} Judged;

static void judge(const json_t *statement, const PublicKey *key, const char *digest, Judged *judged)
{
    g_autoptr(GError) why = NULL;
    const char *form = json_get_string(statement, "form");
    size_t length;
    g_autofree char *blob = decode_member(statement, "blob", &length, &why);
    g_autoptr(VerifiedStatement) verified = NULL;
    g_autoptr(json_t) payload = NULL;
    if (blob != NULL && g_strcmp0(form, "bundle") == 0)
        verified = bundle_verify(blob, length, key, digest, &why);
    else if (blob != NULL && g_strcmp0(form, "envelope") == 0)
        verified = envelope_verify(blob, length, key, digest, &why);
    else if (blob != NULL)
        payload = simple_signing_verify(blob, length, json_get_string(statement, "signature"), key,
                                        digest, &why);
    if (verified == NULL && payload == NULL) {
        json_array_append_new(judged->rejected, json_string(why->message));
        return;
    }
    bool is_signature =
        payload != NULL ||
        (g_str_equal(form, "bundle") && g_str_equal(verified->predicate_type, COSIGN_SIGN_TYPE));
    if (is_signature)
        judged->signatures++;
    else
        json_array_append_new(judged->attestations, json_string(verified->predicate_type));
}

/* The commits that entries about image DIGEST name. */
static GHashTable *commits_of(const json_t *entries, const char *digest)
{
    GHashTable *commits = g_hash_table_new(g_str_hash, g_str_equal);
    size_t index;
    json_t *entry;
    json_array_foreach(entries, index, entry)
    {
        const char *commit = json_get_string(json_object_get(entry, "detail"), "commit");
        if (commit != NULL && g_strcmp0(json_get_string(entry, "object"), digest) == 0)
            g_hash_table_add(commits, (gpointer) commit);
    }
    return commits;
}

/* A true entry about another image proves nothing about this one. */
static bool are_about(const json_t *entries, const char *digest, GError **error)
{
    g_autoptr(GHashTable) commits = commits_of(entries, digest);
    size_t index;
    json_t *entry;
    json_array_foreach(entries, index, entry)
    {
        const char *object = json_get_string(entry, "object");
        g_autofree char *text = json_compact(entry);
        if (strstr(text, digest) == NULL &&
            (object == NULL || !g_hash_table_contains(commits, object)))
            return deny(error, "entry %" G_GINT64_FORMAT " is not about this image",
                        json_get_integer(entry, "seq", -1));
    }
    return true;
}

/* Every proof must hold: a wrong one is not left out, it is said. */
static json_t *check_record(const json_t *record, const char *digest, const char *ledger_key,
                            GError **error)
{
    g_autoptr(json_t) entries = json_array();
    size_t index;
    json_t *proof;
    json_array_foreach(record, index, proof)
    {
        json_t *entry = ledger_check_proof(proof, ledger_key, error);
        if (entry == NULL) {
            g_prefix_error(error, "evidence bundle: entry %" G_GINT64_FORMAT ": ",
                           json_get_integer(proof, "seq", -1));
            return NULL;
        }
        json_array_append_new(entries, entry);
    }
    return are_about(entries, digest, error) ? g_steal_pointer(&entries) : NULL;
}

static json_t *verify_with(const json_t *bundle, const char *digest, const PublicKey *key,
                           const char *ledger_key, GError **error)
{
    if (!check_image(bundle, digest, error))
        return NULL;
    g_autoptr(json_t) attestations = json_array();
    g_autoptr(json_t) rejected = json_array();
    Judged judged = {0, attestations, rejected};
    size_t index;
    json_t *statement;
    json_array_foreach(json_object_get(bundle, "statements"), index, statement)
        judge(statement, key, digest, &judged);
    if (judged.signatures == 0) {
        deny(error, "no signature of '%s' is by this key", digest);
        return NULL;
    }
    json_t *entries = check_record(json_object_get(bundle, "record"), digest, ledger_key, error);
    if (entries == NULL)
        return NULL;
    const char *repository = json_get_string(bundle, "repository");
    return json_pack("{s:s, s:s, s:i, s:O, s:o, s:O}", "digest", digest, "repository",
                     repository != NULL ? repository : "", "signatures", judged.signatures,
                     "attestations", attestations, "entries", entries, "rejected", rejected);
}

json_t *evidence_bundle_verify(const json_t *bundle, const PublicKey *image_key,
                               const char *ledger_key, GError **error)
{
    const char *type = json_get_string(bundle, "type");
    const char *digest = json_get_string(bundle, "digest");
    const json_t *keys = json_object_get(bundle, "keys");
    const char *own_image_key = json_get_string(keys, "image");
    const char *own_ledger_key = json_get_string(keys, "ledger");
    if (type == NULL || !g_str_equal(type, EVIDENCE_BUNDLE_TYPE) || digest == NULL ||
        !g_str_has_prefix(digest, "sha256:") || own_image_key == NULL || own_ledger_key == NULL) {
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID,
                    "no evidence bundle of type '" EVIDENCE_BUNDLE_TYPE "'");
        return NULL;
    }
    g_autoptr(PublicKey) own = NULL;
    if (image_key == NULL) {
        own = public_key_parse("keys.image", own_image_key, error);
        if (own == NULL)
            return NULL;
    }
    return verify_with(bundle, digest, image_key != NULL ? image_key : own,
                       ledger_key != NULL ? ledger_key : own_ledger_key, error);
}
