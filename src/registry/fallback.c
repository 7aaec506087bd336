#include "registry/fallback.h"

#include "base/error.h"
#include "format/json.h"
#include "oci/image.h"

#include <string.h>

char *fallback_tag(const char *digest)
{
    size_t algorithm = strcspn(digest, ":");
    const char *encoded = digest[algorithm] == ':' ? digest + algorithm + 1 : "";
    char *tag = g_strdup_printf("%.*s-%.64s", (int) MIN(algorithm, 32), digest, encoded);
    for (char *c = tag; *c != '\0'; c++)
        if (!g_ascii_isalnum(*c) && strchr("_.-", *c) == NULL)
            *c = '-';
    return tag;
}

/* The index under TAG, or an empty one where there is none yet. */
static json_t *read_index(RegistryClient *client, const char *tag, GError **error)
{
    g_auto(RemoteManifest) remote = {0};
    g_autoptr(GError) trouble = NULL;
    if (!registry_client_get_manifest(client, tag, &remote, &trouble)) {
        if (g_error_matches(trouble, SLIPWAY_ERROR, SLIPWAY_ERROR_NOT_FOUND))
            return json_pack("{s:i, s:s, s:[]}", "schemaVersion", 2, "mediaType", OCI_INDEX,
                             "manifests");
        g_propagate_error(error, g_steal_pointer(&trouble));
        return NULL;
    }
    g_autoptr(json_t) index = json_parse(tag, remote.bytes, remote.length, error);
    if (index != NULL && json_is_array(json_object_get(index, "manifests")))
        return g_steal_pointer(&index);
    if (index != NULL)
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID,
                    "tag '%s' should list referrers, but is no image index", tag);
    return NULL;
}

static bool lists(const json_t *index, const char *digest)
{
    const json_t *manifests = json_object_get(index, "manifests");
    for (size_t i = 0; i < json_array_size(manifests); i++)
        if (g_strcmp0(json_get_string(json_array_get(manifests, i), "digest"), digest) == 0)
            return true;
    return false;
}

bool fallback_add_referrer(RegistryClient *client, const char *digest, int64_t size,
                           const Manifest *manifest, GError **error)
{
    g_autofree char *tag = fallback_tag(manifest->subject);
    g_autoptr(json_t) index = read_index(client, tag, error);
    if (index == NULL)
        return false;
    if (lists(index, digest))
        return true;
    json_t *descriptor = json_pack("{s:s, s:s, s:I}", "mediaType", manifest->media_type, "digest",
                                   digest, "size", (json_int_t) size);
    if (manifest->artifact_type != NULL)
        json_object_set_new(descriptor, "artifactType", json_string(manifest->artifact_type));
    if (manifest->annotations != NULL)
        json_object_set(descriptor, "annotations", manifest->annotations);
    json_array_append_new(json_object_get(index, "manifests"), descriptor);
    g_autofree char *text = json_compact(index);
    return registry_client_put_manifest(client, tag, OCI_INDEX, text, strlen(text), NULL, error);
}
