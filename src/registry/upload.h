/* upload.h - sessions in which a blob arrives piece by piece, and goes on after a cut connection
 * or a killed server.
 *
 * The bytes of a session are a file in the content store's ingest folder; its length is the
 * session's size, and its name is made from repository and id, so that an id is worth nothing in
 * another repository. What is kept in memory is only the running hash; where that is lost, the file
 * is hashed again. A session is used by one request at a time. */
#pragma once

#include "crypto/hash.h"
#include "oci/content.h"

typedef struct UploadTable UploadTable;
typedef struct Upload Upload; /* a session in the hands of one request */

UploadTable *upload_table_new(void);
void upload_table_free(UploadTable *table);

/* Starts a session and takes it. */
Upload *upload_start(UploadTable *table, ContentStore *store, const char *repository,
                     HashAlgorithm algorithm, GError **error);

/* Takes session ID of REPOSITORY. NOT_FOUND where there is none, UNAVAILABLE while another request
 * has it. */
Upload *upload_take(UploadTable *table, ContentStore *store, const char *repository, const char *id,
                    GError **error);

const char *upload_id(const Upload *upload);
int64_t upload_size(const Upload *upload);

/* Appends. On error (a full disk) the session keeps what it had. */
bool upload_append(Upload *upload, const void *bytes, size_t length, GError **error);

/* Goes back to SIZE, not larger than the present one. */
bool upload_truncate(Upload *upload, int64_t size, GError **error);

/* Makes what arrived the blob DIGEST. INVALID when it is not that; the session is gone then, too.
 */
bool upload_finish(Upload *upload, ContentStore *store, const char *digest, GError **error);

/* Drops the session and its bytes. */
void upload_cancel(Upload *upload);

/* Gives the session back for the next request (after finish or cancel: only frees). */
void upload_release(Upload *upload);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Upload, upload_release)
