#include "oci/image.h"

#include "base/error.h"
#include "format/json.h"
#include "oci/layer.h"
#include "oci/manifest.h"

#include <string.h>

/* An index may name an index; more than this nobody means. */
#define INDEX_DEPTH 4

void image_layer_free(ImageLayer *layer)
{
    if (layer == NULL)
        return;
    g_free(layer->media_type);
    g_free(layer->digest);
    g_free(layer->diff_id);
    g_free(layer);
}

Image *image_new(void)
{
    Image *image = g_new0(Image, 1);
    image->layers = g_ptr_array_new_with_free_func((GDestroyNotify) image_layer_free);
    image->config = json_pack("{s:s, s:s, s:{}}", "architecture", manifest_architecture(), "os",
                              "linux", "config");
    return image;
}

void image_add_layer(Image *image, const ImageLayer *layer)
{
    ImageLayer *copy = g_new(ImageLayer, 1);
    *copy = (ImageLayer){
        .media_type = g_strdup(layer->media_type),
        .digest = g_strdup(layer->digest),
        .size = layer->size,
        .diff_id = g_strdup(layer->diff_id),
    };
    g_ptr_array_add(image->layers, copy);
}

Image *image_copy(const Image *image)
{
    Image *copy = g_new0(Image, 1);
    copy->manifest_digest = g_strdup(image->manifest_digest);
    copy->config_digest = g_strdup(image->config_digest);
    copy->config = json_deep_copy(image->config);
    copy->annotations = image->annotations != NULL ? json_deep_copy(image->annotations) : NULL;
    copy->layers = g_ptr_array_new_with_free_func((GDestroyNotify) image_layer_free);
    for (guint i = 0; i < image->layers->len; i++)
        image_add_layer(copy, g_ptr_array_index(image->layers, i));
    return copy;
}

void image_free(Image *image)
{
    if (image == NULL)
        return;
    g_free(image->manifest_digest);
    g_free(image->config_digest);
    json_decref(image->config);
    json_decref(image->annotations);
    g_ptr_array_unref(image->layers);
    g_free(image);
}

static bool is_ours(const Descriptor *entry)
{
    return g_strcmp0(entry->os, "linux") == 0 &&
           g_strcmp0(entry->architecture, manifest_architecture()) == 0;
}

/* The entry of INDEX for this machine that is here. One without a platform is for all. */
static const Descriptor *choose(const ContentStore *store, const Manifest *index)
{
    const Descriptor *any = NULL;
    for (guint i = 0; i < index->children->len; i++) {
        const Descriptor *entry = g_ptr_array_index(index->children, i);
        if (!content_has(store, entry->digest, NULL))
            continue;
        if (is_ours(entry))
            return entry;
        if (entry->os == NULL && entry->architecture == NULL && any == NULL)
            any = entry;
    }
    return any;
}

/* The manifest DIGEST leads to through indexes; *DIGEST becomes its digest. */
static Manifest *load_manifest(ContentStore *store, char **digest, GError **error)
{
    for (int depth = 0; depth < INDEX_DEPTH; depth++) {
        size_t length;
        g_autofree char *text =
            content_read(store, *digest, CONTENT_DOCUMENT_LIMIT, &length, error);
        if (text == NULL)
            return NULL;
        g_autoptr(Manifest) manifest = manifest_parse(*digest, text, length, error);
        if (manifest == NULL || !manifest->is_index)
            return g_steal_pointer(&manifest);
        const Descriptor *entry = choose(store, manifest);
        if (entry == NULL) {
            g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_NOT_FOUND,
                        "index '%s' has no entry for linux/%s in the store", *digest,
                        manifest_architecture());
            return NULL;
        }
        g_free(*digest);
        *digest = g_strdup(entry->digest);
    }
    g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID, "index '%s': nested too deeply",
                *digest);
    return NULL;
}

static bool add_layers(Image *image, const Manifest *manifest, GError **error)
{
    const json_t *diff_ids = json_object_get(json_object_get(image->config, "rootfs"), "diff_ids");
    if (json_array_size(diff_ids) != manifest->layers->len) {
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID,
                    "image '%s': %u layers, but its config names %zu", image->manifest_digest,
                    manifest->layers->len, json_array_size(diff_ids));
        return false;
    }
    for (guint i = 0; i < manifest->layers->len; i++) {
        const Descriptor *descriptor = g_ptr_array_index(manifest->layers, i);
        const char *diff_id = json_string_value(json_array_get(diff_ids, i));
        g_autoptr(Digest) parsed = digest_parse(diff_id != NULL ? diff_id : "", error);
        if (parsed == NULL)
            return false;
        const char *type = manifest_oci_layer_type(descriptor->media_type);
        image_add_layer(image, &(ImageLayer){.media_type = (char *) type,
                                             .digest = descriptor->digest,
                                             .size = descriptor->size,
                                             .diff_id = (char *) diff_id});
    }
    return true;
}

Image *image_load(ContentStore *store, const char *digest, GError **error)
{
    g_autofree char *chosen = g_strdup(digest);
    g_autoptr(Manifest) manifest = load_manifest(store, &chosen, error);
    if (manifest == NULL)
        return NULL;
    size_t length;
    const char *config_digest = manifest->config->digest;
    g_autofree char *text =
        content_read(store, config_digest, CONTENT_DOCUMENT_LIMIT, &length, error);
    if (text == NULL)
        return NULL;

    g_autoptr(Image) image = g_new0(Image, 1);
    image->layers = g_ptr_array_new_with_free_func((GDestroyNotify) image_layer_free);
    image->manifest_digest = g_steal_pointer(&chosen);
    image->config_digest = g_strdup(config_digest);
    image->annotations = json_incref(manifest->annotations);
    image->config = json_parse(config_digest, text, length, error);
    if (image->config == NULL)
        return NULL;
    if (!json_is_object(json_object_get(image->config, "rootfs"))) {
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID,
                    "'%s' is no container image: its config is of type '%s'",
                    image->manifest_digest, manifest->config->media_type);
        return NULL;
    }
    return add_layers(image, manifest, error) ? g_steal_pointer(&image) : NULL;
}

static char *put_json(ContentStore *store, const json_t *value, size_t *length, GError **error)
{
    g_autofree char *text = json_canonical(value, error);
    if (text == NULL)
        return NULL;
    *length = strlen(text);
    return content_put(store, text, *length, error);
}

static char *put_config(ContentStore *store, Image *image, size_t *length, GError **error)
{
    json_t *diff_ids = json_array();
    for (guint i = 0; i < image->layers->len; i++) {
        const ImageLayer *layer = g_ptr_array_index(image->layers, i);
        json_array_append_new(diff_ids, json_string(layer->diff_id));
    }
    json_object_set_new(image->config, "rootfs",
                        json_pack("{s:s, s:o}", "type", "layers", "diff_ids", diff_ids));
    return put_json(store, image->config, length, error);
}

bool image_store(ContentStore *store, Image *image, GError **error)
{
    size_t config_length, manifest_length;
    g_autofree char *config_digest = put_config(store, image, &config_length, error);
    if (config_digest == NULL)
        return false;

    json_t *layers = json_array();
    for (guint i = 0; i < image->layers->len; i++) {
        const ImageLayer *layer = g_ptr_array_index(image->layers, i);
        json_array_append_new(layers,
                              json_pack("{s:s, s:s, s:I}", "mediaType", layer->media_type, "digest",
                                        layer->digest, "size", (json_int_t) layer->size));
    }
    g_autoptr(json_t) manifest =
        json_pack("{s:i, s:s, s:{s:s, s:s, s:I}, s:o}", "schemaVersion", 2, "mediaType",
                  OCI_MANIFEST, "config", "mediaType", OCI_CONFIG, "digest", config_digest, "size",
                  (json_int_t) config_length, "layers", layers);
    if (json_object_size(image->annotations) > 0)
        json_object_set(manifest, "annotations", image->annotations);
    char *manifest_digest = put_json(store, manifest, &manifest_length, error);
    if (manifest_digest == NULL)
        return false;
    g_free(image->config_digest);
    g_free(image->manifest_digest);
    image->config_digest = g_steal_pointer(&config_digest);
    image->manifest_digest = manifest_digest;
    return true;
}
