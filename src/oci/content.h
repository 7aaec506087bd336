/* content.h - the one content store: blobs by digest in an OCI image layout under the state.
 *
 * A blob appears whole or not at all (temporary file, fsync, rename); what is there has been
 * verified against its digest when it was written. The names of images are not in the layout's
 * index.json but in the state's tables (schema/020_oci.sql).
 *
 * A store belongs to one thread, as its State's database does. */
#pragma once

#include "model/digest.h"
#include "store/state.h"

#include <stdint.h>

/* No blob younger than this is collected: time to put, then to name what was put. */
#define CONTENT_GRACE_SECONDS 3600

/* Largest manifest, index or config that is read. */
#define CONTENT_DOCUMENT_LIMIT ((size_t) 4 * 1024 * 1024)

typedef struct ContentStore ContentStore;

/* Opens (and makes) the store of STATE, which must outlive it. */
ContentStore *content_store_open(State *state, GError **error);
void content_store_free(ContentStore *store);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ContentStore, content_store_free)

/* The state STORE belongs to; borrowed. */
State *content_state(const ContentStore *store);

bool content_has(const ContentStore *store, const char *digest, int64_t *size);
/* content_has, and the blob stays for CONTENT_GRACE_SECONDS from now, named or not. */
bool content_keep(const ContentStore *store, const char *digest, int64_t *size);
/* NULL where DIGEST is none. */
char *content_path(const ContentStore *store, const char *digest);
/* NOT_FOUND when there is no such blob. */
int content_open(const ContentStore *store, const char *digest, GError **error);
/* The whole blob, at most LIMIT bytes, NUL after it. INVALID when its bytes are no longer those of
 * the digest. */
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

/* Makes the file PATH (on the store's file system, as those in content_ingest_folder are; fsynced
 * here) the blob DIGEST, which the caller has verified. PATH is gone afterwards. */
bool content_adopt(ContentStore *store, const char *path, const char *digest, GError **error);
/* Where files that are to become blobs may be made; borrowed. What is older than a day is swept. */
const char *content_ingest_folder(const ContentStore *store);

/* Removes the blob DIGEST if MAY (asked while no put can run) still says so and it is older than
 * the grace. *REMOVED says whether it went. */
bool content_collect(ContentStore *store, const char *digest,
                     bool (*may)(const char *digest, void *data, GError **error), void *data,
                     bool *removed, GError **error);
/* Calls EACH for every blob, in no order, until it answers false. */
bool content_each(const ContentStore *store,
                  bool (*each)(const char *digest, int64_t size, int64_t kept_at, void *data),
                  void *data, GError **error);
