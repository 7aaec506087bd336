#include "oci/manifest.h"

#include "base/error.h"
#include "format/json.h"
#include "model/digest.h"
#include "oci/image.h"

#include <string.h>
#include <sys/utsname.h>

#define DOCKER_MANIFEST "application/vnd.docker.distribution.manifest.v2+json"
#define DOCKER_INDEX "application/vnd.docker.distribution.manifest.list.v2+json"
#define DOCKER_LAYER "application/vnd.docker.image.rootfs.diff.tar"
#define DOCKER_FOREIGN "application/vnd.docker.image.rootfs.foreign.diff.tar"
#define OCI_NONDISTRIBUTABLE "application/vnd.oci.image.layer.nondistributable."

static void descriptor_free(Descriptor *descriptor)
{
    if (descriptor == NULL)
        return;
    g_free(descriptor->media_type);
    g_free(descriptor->digest);
    g_free(descriptor->os);
    g_free(descriptor->architecture);
    g_free(descriptor);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Descriptor, descriptor_free)

static bool fail(const char *name, const char *why, GError **error)
{
    g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID, "manifest '%s': %s", name, why);
    return false;
}

static Descriptor *parse_descriptor(const char *name, const json_t *value, GError **error)
{
    const char *digest = json_get_string(value, "digest");
    gint64 size = json_get_integer(value, "size", -1);
    if (digest == NULL || size < 0) {
        fail(name, "a descriptor lacks its digest or size", error);
        return NULL;
    }
    g_autoptr(Digest) parsed = digest_parse(digest, error);
    if (parsed == NULL) {
        g_prefix_error(error, "manifest '%s': ", name);
        return NULL;
    }
    const json_t *platform = json_object_get(value, "platform");
    Descriptor *descriptor = g_new(Descriptor, 1);
    *descriptor = (Descriptor){
        .media_type = g_strdup(json_get_string(value, "mediaType")),
        .digest = g_strdup(digest),
        .size = size,
        .os = g_strdup(json_get_string(platform, "os")),
        .architecture = g_strdup(json_get_string(platform, "architecture")),
    };
    if (descriptor->media_type == NULL)
        descriptor->media_type = g_strdup("application/octet-stream");
    return descriptor;
}

static GPtrArray *parse_descriptors(const char *name, const json_t *list, GError **error)
{
    g_autoptr(GPtrArray) descriptors =
        g_ptr_array_new_with_free_func((GDestroyNotify) descriptor_free);
    size_t index;
    json_t *value;
    json_array_foreach(list, index, value)
    {
        Descriptor *descriptor = parse_descriptor(name, value, error);
        if (descriptor == NULL)
            return NULL;
        g_ptr_array_add(descriptors, descriptor);
    }
    return g_steal_pointer(&descriptors);
}

static bool fill(Manifest *manifest, const char *name, const json_t *root, GError **error)
{
    const json_t *config = json_object_get(root, "config");
    const json_t *children = json_object_get(root, "manifests");
    const json_t *subject = json_object_get(root, "subject");
    const char *media_type = json_get_string(root, "mediaType");
    const char *artifact_type = json_get_string(root, "artifactType");

    if (json_get_integer(root, "schemaVersion", 2) != 2)
        return fail(name, "only schema version 2 is read", error);
    if (children != NULL && (config != NULL || json_object_get(root, "layers") != NULL))
        return fail(name, "it is both an index and a manifest", error);
    if (children == NULL && config == NULL)
        return fail(name, "it has neither 'config' nor 'manifests'", error);

    manifest->is_index = children != NULL;
    bool says_index =
        g_strcmp0(media_type, OCI_INDEX) == 0 || g_strcmp0(media_type, DOCKER_INDEX) == 0;
    bool says_manifest =
        g_strcmp0(media_type, OCI_MANIFEST) == 0 || g_strcmp0(media_type, DOCKER_MANIFEST) == 0;
    if (manifest->is_index ? says_manifest : says_index)
        return fail(name, "its mediaType does not fit its form", error);
    if (media_type == NULL)
        media_type = manifest->is_index ? OCI_INDEX : OCI_MANIFEST;
    manifest->media_type = g_strdup(media_type);
    manifest->children = parse_descriptors(name, children, error);
    manifest->layers = manifest->children != NULL
                           ? parse_descriptors(name, json_object_get(root, "layers"), error)
                           : NULL;
    if (manifest->layers == NULL)
        return false;
    if (config != NULL && (manifest->config = parse_descriptor(name, config, error)) == NULL)
        return false;
    if (json_is_object(subject)) {
        g_autoptr(Descriptor) to = parse_descriptor(name, subject, error);
        if (to == NULL)
            return false;
        manifest->subject = g_strdup(to->digest);
    }
    if (artifact_type == NULL && manifest->config != NULL)
        artifact_type = manifest->config->media_type;
    manifest->artifact_type = g_strdup(artifact_type);
    manifest->annotations = json_incref(json_object_get(root, "annotations"));
    return true;
}

Manifest *manifest_parse(const char *name, const char *text, size_t length, GError **error)
{
    g_autoptr(json_t) root = json_parse(name, text, length, error);
    if (root == NULL)
        return NULL;
    g_autoptr(Manifest) manifest = g_new0(Manifest, 1);
    if (!json_is_object(root)) {
        fail(name, "it is no JSON object", error);
        return NULL;
    }
    return fill(manifest, name, root, error) ? g_steal_pointer(&manifest) : NULL;
}

void manifest_free(Manifest *manifest)
{
    if (manifest == NULL)
        return;
    g_free(manifest->media_type);
    descriptor_free(manifest->config);
    g_clear_pointer(&manifest->layers, g_ptr_array_unref);
    g_clear_pointer(&manifest->children, g_ptr_array_unref);
    g_free(manifest->subject);
    g_free(manifest->artifact_type);
    json_decref(manifest->annotations);
    g_free(manifest);
}

bool manifest_is_foreign_layer(const char *media_type)
{
    return g_str_has_prefix(media_type, OCI_NONDISTRIBUTABLE) ||
           g_str_has_prefix(media_type, DOCKER_FOREIGN);
}

const char *manifest_oci_layer_type(const char *media_type)
{
    if (!g_str_has_prefix(media_type, DOCKER_LAYER))
        return media_type;
    const char *suffix = media_type + strlen(DOCKER_LAYER);
    if (g_str_equal(suffix, ".gzip"))
        return OCI_LAYER_GZIP;
    if (g_str_equal(suffix, ".zstd"))
        return OCI_LAYER_ZSTD;
    return *suffix == '\0' ? OCI_LAYER_TAR : media_type;
}

const char *manifest_architecture(void)
{
    static const struct {
        const char *machine, *name;
    } names[] = {
        {"x86_64", "amd64"},    {"aarch64", "arm64"},   {"armv7l", "arm"},  {"i686", "386"},
        {"ppc64le", "ppc64le"}, {"riscv64", "riscv64"}, {"s390x", "s390x"},
    };
    struct utsname name;
    if (uname(&name) == 0)
        for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
            if (strcmp(names[i].machine, name.machine) == 0)
                return names[i].name;
    return "unknown";
}
