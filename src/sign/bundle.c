#include "sign/bundle.h"

#include "base/error.h"
#include "format/json.h"

#include <string.h>

char *intoto_statement_format(const char *name, const char *digest, const json_t *annotations,
                              const char *predicate_type, json_t *predicate)
{
    const char *colon = strchr(digest, ':');
    g_autofree char *algorithm = g_strndup(digest, (gsize) (colon - digest));
    json_t *subject = json_object();
    if (name != NULL)
        json_object_set_new(subject, "name", json_string(name));
    json_object_set_new(subject, "digest", json_pack("{s:s}", algorithm, colon + 1));
    if (annotations != NULL)
        json_object_set_new(subject, "annotations", json_deep_copy(annotations));
    g_autoptr(json_t) statement =
        json_pack("{s:s, s:[o], s:s, s:O}", "_type", STATEMENT_TYPE, "subject", subject,
                  "predicateType", predicate_type, "predicate", predicate);
    return json_compact(statement);
}

char *bundle_sign(const char *statement, const PrivateKey *key, GError **error)
{
    g_autoptr(json_t) envelope = dsse_sign(DSSE_IN_TOTO, statement, strlen(statement), key, error);
    if (envelope == NULL)
        return NULL;
    g_autoptr(PublicKey) public_key = private_key_public(key);
    g_autofree char *hint = public_key_hint(public_key);
    g_autoptr(json_t) bundle =
        json_pack("{s:s, s:{s:{s:s}}, s:O}", "mediaType", BUNDLE_MEDIA_TYPE, "verificationMaterial",
                  "publicKey", "hint", hint, "dsseEnvelope", envelope);
    return json_compact(bundle);
}

void verified_statement_free(VerifiedStatement *statement)
{
    if (statement == NULL)
        return;
    g_free(statement->predicate_type);
    json_decref(statement->statement);
    g_free(statement);
}

static void *fail(SlipwayErrorCode code, const char *why, GError **error)
{
    g_set_error_literal(error, SLIPWAY_ERROR, (gint) code, why);
    return NULL;
}

static bool has_subject(const json_t *statement, const char *digest)
{
    const char *colon = strchr(digest, ':');
    g_autofree char *algorithm = g_strndup(digest, (gsize) (colon - digest));
    size_t index;
    json_t *subject;
    json_array_foreach(json_object_get(statement, "subject"), index, subject)
    {
        const char *hex = json_get_string(json_object_get(subject, "digest"), algorithm);
        if (hex != NULL && g_str_equal(hex, colon + 1))
            return true;
    }
    return false;
}

static VerifiedStatement *read_statement(const DsseEnvelope *envelope, const char *digest,
                                         GError **error)
{
    g_autoptr(json_t) root =
        json_parse("in-toto statement", envelope->payload, envelope->length, error);
    if (root == NULL)
        return NULL;
    const char *type = json_get_string(root, "_type");
    const char *predicate_type = json_get_string(root, "predicateType");
    if (type == NULL ||
        (!g_str_equal(type, STATEMENT_TYPE) && !g_str_equal(type, STATEMENT_TYPE_OLD)) ||
        predicate_type == NULL)
        return fail(SLIPWAY_ERROR_INVALID, "its payload is no in-toto statement", error);
    if (digest != NULL && !has_subject(root, digest))
        return fail(SLIPWAY_ERROR_DENIED, "it is about another image", error);
    VerifiedStatement *statement = g_new(VerifiedStatement, 1);
    *statement = (VerifiedStatement){g_strdup(predicate_type), json_incref(root)};
    return statement;
}

static VerifiedStatement *verify_envelope(const json_t *json, const PublicKey *key,
                                          const char *digest, GError **error)
{
    g_autoptr(DsseEnvelope) envelope = dsse_parse(json, error);
    if (envelope == NULL)
        return NULL;
    if (!g_str_equal(envelope->payload_type, DSSE_IN_TOTO))
        return fail(SLIPWAY_ERROR_INVALID, "its payload type is not " DSSE_IN_TOTO, error);
    if (!dsse_verify(envelope, key))
        return fail(SLIPWAY_ERROR_DENIED, "it is not signed by this key", error);
    return read_statement(envelope, digest, error);
}

VerifiedStatement *envelope_verify(const char *text, size_t length, const PublicKey *key,
                                   const char *digest, GError **error)
{
    g_autoptr(json_t) root = json_parse("envelope", text, length, error);
    return root != NULL ? verify_envelope(root, key, digest, error) : NULL;
}

VerifiedStatement *bundle_verify(const char *text, size_t length, const PublicKey *key,
                                 const char *digest, GError **error)
{
    g_autoptr(json_t) root = json_parse("bundle", text, length, error);
    if (root == NULL)
        return NULL;
    const char *media_type = json_get_string(root, "mediaType");
    if (media_type == NULL || !g_str_has_prefix(media_type, BUNDLE_MEDIA_TYPE_PREFIX))
        return fail(SLIPWAY_ERROR_INVALID, "it is no Sigstore bundle", error);
    const json_t *material = json_object_get(root, "verificationMaterial");
    if (json_object_get(material, "publicKey") == NULL)
        return fail(SLIPWAY_ERROR_DENIED, "it was made with a certificate, not with a key", error);
    const json_t *envelope = json_object_get(root, "dsseEnvelope");
    if (envelope == NULL)
        return fail(SLIPWAY_ERROR_INVALID, "it holds no DSSE envelope", error);
    if (json_array_size(json_object_get(envelope, "signatures")) != 1)
        return fail(SLIPWAY_ERROR_INVALID, "a bundle has exactly one signature", error);
    return verify_envelope(envelope, key, digest, error);
}
