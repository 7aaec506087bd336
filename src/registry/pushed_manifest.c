#include "registry/pushed_manifest.h"

#include "base/error.h"
#include "format/json.h"
#include "model/digest.h"
#include "oci/image.h"

#include <string.h>

#define ARTIFACT_MANIFEST "application/vnd.oci.artifact.manifest.v1+json"
#define REFERENCES_LIMIT 20000 /* descriptors of one manifest; 4 MiB hold about so many */

G_GNUC_PRINTF(2, 3)
static bool refuse(GError **error, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    g_autofree char *text = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID, "manifest: %s", text);
    return false;
}

static bool is_digest(const char *text)
{
    g_autoptr(Digest) digest = digest_parse(text, NULL);
    return digest != NULL;
}

static bool is_image(const char *type)
{
    return g_str_equal(type, OCI_MANIFEST) || g_str_equal(type, DOCKER_MANIFEST);
}

static bool is_index(const char *type)
{
    return g_str_equal(type, OCI_INDEX) || g_str_equal(type, DOCKER_MANIFEST_LIST);
}

/* Content that its publisher does not let others hand out: clients fetch it from its URLs. */
static bool is_foreign(const json_t *descriptor)
{
    const char *type = json_get_string(descriptor, "mediaType");
    return type != NULL &&
           (g_str_has_prefix(type, "application/vnd.oci.image.layer.nondistributable.") ||
            g_str_has_prefix(type, "application/vnd.docker.image.rootfs.foreign.diff.tar")) &&
           json_array_size(json_object_get(descriptor, "urls")) > 0;
}

/* Checks DESCRIPTOR, called WHAT in messages, and gives its digest (borrowed). */
static const char *check_descriptor(const json_t *descriptor, const char *what, GError **error)
{
    const char *digest = json_get_string(descriptor, "digest");
    const json_t *size = json_object_get(descriptor, "size");
    if (!json_is_object(descriptor))
        refuse(error, "%s is no descriptor", what);
    else if (json_get_string(descriptor, "mediaType") == NULL)
        refuse(error, "%s has no mediaType", what);
    else if (digest == NULL || !is_digest(digest))
        refuse(error, "%s: invalid digest '%s'", what, digest != NULL ? digest : "");
    else if (!json_is_integer(size) || json_integer_value(size) < 0)
        refuse(error, "%s: size is no number from 0", what);
    else
        return digest;
    return NULL;
}

static bool read_list(const json_t *document, const char *key, GPtrArray *into, GPtrArray *foreign,
                      GError **error)
{
    const json_t *list = json_object_get(document, key);
    if (list == NULL || json_is_null(list))
        return true;
    if (!json_is_array(list))
        return refuse(error, "'%s' is no list", key);
    if (json_array_size(list) > REFERENCES_LIMIT)
        return refuse(error, "'%s' has more than %d entries", key, REFERENCES_LIMIT);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *descriptor = json_array_get(list, i);
        g_autofree char *what = g_strdup_printf("%s[%zu]", key, i);
        const char *digest = check_descriptor(descriptor, what, error);
        if (digest == NULL)
            return false;
        g_ptr_array_add(is_foreign(descriptor) ? foreign : into, g_strdup(digest));
    }
    return true;
}

static bool read_config(const json_t *document, PushedManifest *manifest, GError **error)
{
    const json_t *config = json_object_get(document, "config");
    const char *digest = check_descriptor(config, "config", error);
    if (digest == NULL)
        return false;
    manifest->has_config = true;
    g_ptr_array_add(manifest->blobs, g_strdup(digest));
    if (manifest->artifact_type == NULL)
        manifest->artifact_type = g_strdup(json_get_string(config, "mediaType"));
    return true;
}

/* The type by header, else by the document, else by its shape. They must not contradict. */
static char *decide_type(const json_t *document, const char *content_type, GError **error)
{
    g_autofree char *header = NULL;
    if (content_type != NULL)
        header = g_strstrip(g_strndup(content_type, strcspn(content_type, ";")));
    if (header != NULL && header[0] == '\0')
        g_clear_pointer(&header, g_free);

    const json_t *own = json_object_get(document, "mediaType");
    if (own != NULL && !json_is_string(own)) {
        refuse(error, "mediaType is no text");
        return NULL;
    }
    const char *type = json_string_value(own);
    if (header != NULL && type != NULL && !g_str_equal(type, header)) {
        refuse(error, "mediaType '%s' is not the Content-Type '%s'", type, header);
        return NULL;
    }
    if (header != NULL)
        return g_steal_pointer(&header);
    if (type != NULL)
        return g_strdup(type);
    if (json_object_get(document, "manifests") != NULL)
        return g_strdup(OCI_INDEX);
    if (json_object_get(document, "config") != NULL)
        return g_strdup(OCI_MANIFEST);
    refuse(error, "neither Content-Type nor mediaType says what it is");
    return NULL;
}

static bool check_shape(const json_t *document, const char *type, GError **error)
{
    bool as_index = json_object_get(document, "manifests") != NULL;
    bool as_image =
        json_object_get(document, "layers") != NULL || json_object_get(document, "config") != NULL;
    if (g_str_has_prefix(type, "application/vnd.docker.distribution.manifest.v1+"))
        return refuse(error, "schema 1 is not accepted; push schema 2 or OCI");
    if (as_index && as_image)
        return refuse(error, "it has both manifests and layers or config");
    if ((as_index && is_image(type)) || (as_image && is_index(type)))
        return refuse(error, "its content is not that of type '%s'", type);
    if ((is_image(type) || is_index(type)) && json_get_integer(document, "schemaVersion", 0) != 2)
        return refuse(error, "schemaVersion is not 2");
    return true;
}

static bool read_references(const json_t *document, PushedManifest *manifest, GError **error)
{
    const json_t *subject = json_object_get(document, "subject");
    if (subject != NULL && !json_is_null(subject)) {
        const char *digest = check_descriptor(subject, "subject", error);
        if (digest == NULL)
            return false;
        manifest->subject = g_strdup(digest);
    }
    if (manifest->is_index)
        return read_list(document, "manifests", manifest->manifests, manifest->foreign, error);
    if (g_str_equal(manifest->media_type, ARTIFACT_MANIFEST))
        return read_list(document, "blobs", manifest->blobs, manifest->foreign, error);
    if (!is_image(manifest->media_type))
        return true;
    return read_config(document, manifest, error) &&
           read_list(document, "layers", manifest->blobs, manifest->foreign, error);
}

PushedManifest *pushed_manifest_parse(const char *bytes, size_t length, const char *content_type,
                                      GError **error)
{
    g_autoptr(json_t) document = json_parse("manifest", bytes, length, error);
    if (document == NULL)
        return NULL;
    if (!json_is_object(document)) {
        refuse(error, "it is no JSON object");
        return NULL;
    }
    g_autoptr(PushedManifest) manifest = g_new0(PushedManifest, 1);
    manifest->blobs = g_ptr_array_new_with_free_func(g_free);
    manifest->manifests = g_ptr_array_new_with_free_func(g_free);
    manifest->foreign = g_ptr_array_new_with_free_func(g_free);
    manifest->media_type = decide_type(document, content_type, error);
    if (manifest->media_type == NULL || !check_shape(document, manifest->media_type, error))
        return NULL;

    manifest->is_index = is_index(manifest->media_type);
    const char *artifact_type = json_get_string(document, "artifactType");
    if (artifact_type != NULL && artifact_type[0] != '\0')
        manifest->artifact_type = g_strdup(artifact_type);
    json_t *annotations = json_object_get(document, "annotations");
    if (json_is_object(annotations))
        manifest->annotations = json_incref(annotations);
    if (!read_references(document, manifest, error))
        return NULL;
    return g_steal_pointer(&manifest);
}

void pushed_manifest_free(PushedManifest *manifest)
{
    if (manifest == NULL)
        return;
    g_free(manifest->media_type);
    g_free(manifest->artifact_type);
    g_free(manifest->subject);
    json_decref(manifest->annotations);
    g_ptr_array_unref(manifest->blobs);
    g_ptr_array_unref(manifest->manifests);
    g_ptr_array_unref(manifest->foreign);
    g_free(manifest);
}
