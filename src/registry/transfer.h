/* transfer.h - whole images between this machine's content store and registries: everything below a
 * manifest or index, byte for byte, so that the digest stays the same.
 *
 * Content that is where it should be already is not moved again. */
#pragma once

#include "model/reference.h"
#include "registry/client.h"

typedef struct {
    RegistryClientOptions client;
    bool all_platforms; /* of an index; else the entry for this machine only is fetched */
    /* Told of each blob and manifest that was moved (or was there: MOVED false); may be NULL. */
    void (*report)(const char *digest, int64_t size, bool moved, void *data);
    void *report_data;
} TransferOptions;

/* Fetches what REFERENCE means at its registry into STORE and gives the digest; no name is set.
 * Only for a while it is safe from collection: name or pin it. */
char *transfer_pull(ContentStore *store, const Reference *reference, const TransferOptions *options,
                    GError **error);

/* Sends DIGEST (a manifest or index in STORE) and all it needs to TARGET's registry, under its tag
 * ("latest" where it has none), or by digest only where it has a digest. */
bool transfer_push(ContentStore *store, const char *digest, const Reference *target,
                   const TransferOptions *options, GError **error);
