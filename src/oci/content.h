/* content.h - the one content store: blobs by digest in an OCI image layout under the state.
 *
 * A blob appears whole or not at all (temporary file, fsync, rename); what is there has been
 * verified against its digest when it was written. */
#pragma once

#include "model/digest.h"
#include "store/state.h"

#include <stdint.h>

typedef struct ContentStore ContentStore;

/* Opens (and makes) the store of STATE, which must outlive it. */
ContentStore *content_store_open(State *state, GError **error);
void content_store_free(ContentStore *store);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ContentStore, content_store_free)

bool content_has(const ContentStore *store, const char *digest, int64_t *size);
char *content_path(const ContentStore *store, const char *digest);
int content_open(const ContentStore *store, const char *digest, GError **error);
/* The whole blob, at most LIMIT bytes, NUL after it. */
char *content_read(const ContentStore *store, const char *digest, size_t limit, size_t *length,
                   GError **error);
/* Stores BYTES and gives their sha256 digest. */
char *content_put(ContentStore *store, const void *bytes, size_t length, GError **error);

/* A blob that arrives piece by piece. Commit with the digest that is expected (NULL: sha256,
 * whatever it is) or free to drop it. */
typedef struct ContentWriter ContentWriter;
ContentWriter *content_writer_new(ContentStore *store, GError **error);
bool content_writer_append(ContentWriter *writer, const void *bytes, size_t length, GError **error);
int64_t content_writer_size(const ContentWriter *writer);
/* The digest, for the caller to free; INVALID when it is not EXPECTED. Frees nothing else. */
char *content_writer_commit(ContentWriter *writer, const char *expected, GError **error);
void content_writer_free(ContentWriter *writer);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ContentWriter, content_writer_free)
