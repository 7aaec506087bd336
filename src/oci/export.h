/* export.h - images out of the store: OCI layouts and archives that docker load reads.
 *
 * Every blob leaves as it is stored, so the digest is the same on the other side. */
#pragma once

#include "format/stream.h"
#include "oci/image.h"

typedef enum {
    EXPORT_OCI,    /* an OCI layout as a tar ("oci-archive") */
    EXPORT_DOCKER, /* the same with manifest.json, for docker load ("docker-archive") */
} ExportFormat;

/* Writes manifest or index DIGEST and all it needs into OUT, under NAME ("domain/path:tag"; NULL:
 * none). The bytes depend on the image and the name alone. */
bool image_export(ContentStore *store, const char *digest, const char *name, ExportFormat format,
                  ByteSink *out, GError **error);

/* An OCI layout as a folder; FOLDER is made, and may be a layout already: then the image joins it.
 */
bool image_export_folder(ContentStore *store, const char *digest, const char *name,
                         const char *folder, GError **error);
