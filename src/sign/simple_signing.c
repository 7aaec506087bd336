#include "sign/simple_signing.h"

#include "base/error.h"
#include "crypto/base64.h"
#include "format/json.h"

#define TYPE "cosign container image signature"

char *simple_signing_format(const char *repository, const char *digest, const json_t *annotations)
{
    json_t *optional = annotations != NULL ? json_deep_copy(annotations) : json_null();
    g_autoptr(json_t) payload = json_pack(
        "{s:{s:{s:s}, s:{s:s}, s:s}, s:o}", "critical", "identity", "docker-reference", repository,
        "image", "docker-manifest-digest", digest, "type", TYPE, "optional", optional);
    return json_compact(payload);
}

static json_t *fail(SlipwayErrorCode code, const char *why, GError **error)
{
    g_set_error_literal(error, SLIPWAY_ERROR, (gint) code, why);
    return NULL;
}

json_t *simple_signing_verify(const char *payload, size_t length, const char *signature,
                              const PublicKey *key, const char *digest, GError **error)
{
    size_t signature_length = 0;
    g_autofree uint8_t *bytes =
        signature != NULL ? base64_decode(signature, -1, &signature_length, NULL) : NULL;
    if (bytes == NULL || signature_length == 0)
        return fail(SLIPWAY_ERROR_INVALID, "its signature is missing or no base64", error);
    if (!public_key_verify(key, payload, length, bytes, signature_length))
        return fail(SLIPWAY_ERROR_DENIED, "it is not signed by this key", error);
    g_autoptr(json_t) root = json_parse("payload", payload, length, error);
    if (root == NULL)
        return NULL;
    const json_t *critical = json_object_get(root, "critical");
    const char *type = json_get_string(critical, "type");
    const char *named =
        json_get_string(json_object_get(critical, "image"), "docker-manifest-digest");
    if (type == NULL || !g_str_equal(type, TYPE) || named == NULL)
        return fail(SLIPWAY_ERROR_INVALID, "its payload is not cosign's", error);
    if (!g_str_equal(named, digest))
        return fail(SLIPWAY_ERROR_DENIED, "it is about another image", error);
    return g_steal_pointer(&root);
}
