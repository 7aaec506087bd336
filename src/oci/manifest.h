/* manifest.h - manifests and indexes, OCI's and Docker's, as what they refer to. */
#pragma once

#include <glib.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct {
    char *media_type, *digest;
    int64_t size;
    char *os, *architecture; /* of an index's entry; NULL: not said */
} Descriptor;

typedef struct {
    char *media_type; /* as stated, else told from its form */
    bool is_index;
    Descriptor *config;  /* NULL in an index */
    GPtrArray *layers;   /* Descriptor *; of an index: none */
    GPtrArray *children; /* Descriptor *; of an index its manifests */
    char *subject;       /* digest or NULL */
    char *artifact_type; /* its artifactType, else its config's media type; NULL for an index
                          * without */
    json_t *annotations; /* object or NULL */
} Manifest;

/* Parses LENGTH bytes; NAME is for messages. INVALID for schema 1, for a document that is both
 * manifest and index (CVE-2021-41190), and for malformed descriptors. */
Manifest *manifest_parse(const char *name, const char *text, size_t length, GError **error);
void manifest_free(Manifest *manifest);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Manifest, manifest_free)

/* Layers that may not be distributed: never required to be there. */
bool manifest_is_foreign_layer(const char *media_type);
/* OCI's name for a Docker layer type; others as they are. */
const char *manifest_oci_layer_type(const char *media_type);
/* GOARCH of this machine: "amd64". */
const char *manifest_architecture(void);
