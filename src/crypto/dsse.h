/* dsse.h - DSSE: an envelope that signs bytes together with what they are. */
#pragma once

#include "crypto/key.h"

#include <jansson.h>

#define DSSE_IN_TOTO "application/vnd.in-toto+json"
#define DSSE_MEDIA_TYPE "application/vnd.dsse.envelope.v1+json"

/* "DSSEv1 SP len(type) SP type SP len(body) SP body": what is signed. Free with g_free. */
uint8_t *dsse_pae(const char *type, const void *body, size_t length, size_t *out_length);

typedef struct {
    char *payload_type;
    char *payload; /* LENGTH bytes and a NUL */
    size_t length;
    GPtrArray *signatures; /* GBytes *, at least one */
} DsseEnvelope;

void dsse_envelope_free(DsseEnvelope *envelope);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(DsseEnvelope, dsse_envelope_free)

/* The envelope as JSON, payload and payloadType and one signature by KEY. */
json_t *dsse_sign(const char *type, const void *payload, size_t length, const PrivateKey *key,
                  GError **error);

/* Reads ENVELOPE (borrowed). INVALID when it is none. */
DsseEnvelope *dsse_parse(const json_t *envelope, GError **error);

/* One of the signatures is KEY's. */
bool dsse_verify(const DsseEnvelope *envelope, const PublicKey *key);
