#include "crypto/dsse.h"

#include "base/error.h"
#include "crypto/base64.h"

#include <string.h>

#define SIGNATURES_LIMIT 32

uint8_t *dsse_pae(const char *type, const void *body, size_t length, size_t *out_length)
{
    g_autofree char *head = g_strdup_printf("DSSEv1 %zu %s %zu ", strlen(type), type, length);
    size_t head_length = strlen(head);
    uint8_t *pae = g_malloc(head_length + length + 1);
    memcpy(pae, head, head_length);
    if (length > 0)
        memcpy(pae + head_length, body, length);
    *out_length = head_length + length;
    return pae;
}

void dsse_envelope_free(DsseEnvelope *envelope)
{
    if (envelope == NULL)
        return;
    g_free(envelope->payload_type);
    g_free(envelope->payload);
    g_ptr_array_unref(envelope->signatures);
    g_free(envelope);
}

json_t *dsse_sign(const char *type, const void *payload, size_t length, const PrivateKey *key,
                  GError **error)
{
    size_t pae_length, signature_length;
    g_autofree uint8_t *pae = dsse_pae(type, payload, length, &pae_length);
    g_autofree uint8_t *signature =
        private_key_sign(key, pae, pae_length, &signature_length, error);
    if (signature == NULL)
        return NULL;
    g_autofree char *payload_text = base64_encode(payload, length);
    g_autofree char *signature_text = base64_encode(signature, signature_length);
    return json_pack("{s:s, s:s, s:[{s:s}]}", "payload", payload_text, "payloadType", type,
                     "signatures", "sig", signature_text);
}

static DsseEnvelope *invalid(const char *why, GError **error)
{
    g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID, "DSSE envelope: %s", why);
    return NULL;
}

DsseEnvelope *dsse_parse(const json_t *root, GError **error)
{
    const char *payload = json_string_value(json_object_get(root, "payload"));
    const char *type = json_string_value(json_object_get(root, "payloadType"));
    const json_t *signatures = json_object_get(root, "signatures");
    if (payload == NULL || type == NULL)
        return invalid("expected 'payload' and 'payloadType'", error);
    size_t count = json_array_size(signatures);
    if (count == 0 || count > SIGNATURES_LIMIT)
        return invalid("expected 1 to 32 signatures", error);

    g_autoptr(DsseEnvelope) envelope = g_new(DsseEnvelope, 1);
    *envelope = (DsseEnvelope){
        .payload_type = g_strdup(type),
        .signatures = g_ptr_array_new_with_free_func((GDestroyNotify) g_bytes_unref),
    };
    envelope->payload = (char *) base64_decode(payload, -1, &envelope->length, NULL);
    if (envelope->payload == NULL)
        return invalid("'payload' is no base64", error);
    for (size_t i = 0; i < count; i++) {
        const char *text = json_string_value(json_object_get(json_array_get(signatures, i), "sig"));
        size_t length;
        uint8_t *bytes = text != NULL ? base64_decode(text, -1, &length, NULL) : NULL;
        if (bytes == NULL)
            return invalid("a signature is no base64", error);
        g_ptr_array_add(envelope->signatures, g_bytes_new_take(bytes, length));
    }
    return g_steal_pointer(&envelope);
}

bool dsse_verify(const DsseEnvelope *envelope, const PublicKey *key)
{
    size_t pae_length;
    g_autofree uint8_t *pae =
        dsse_pae(envelope->payload_type, envelope->payload, envelope->length, &pae_length);
    for (guint i = 0; i < envelope->signatures->len; i++) {
        size_t length;
        const uint8_t *signature = g_bytes_get_data(envelope->signatures->pdata[i], &length);
        if (public_key_verify(key, pae, pae_length, signature, length))
            return true;
    }
    return false;
}
