#include "sign/referrer.h"

#include "base/clock.h"
#include "base/error.h"
#include "format/json.h"
#include "oci/manifest.h"

#include <string.h>

#define NANOSECONDS INT64_C(1000000000)
#define LAYERS_LIMIT 1000

static void referred_layer_free(gpointer data)
{
    ReferredLayer *layer = data;
    g_free(layer->manifest);
    g_free(layer->artifact_type);
    g_free(layer->media_type);
    g_free(layer->digest);
    json_decref(layer->annotations);
    g_free(layer);
}

/* {"mediaType","digest","size"} of a stored blob. */
static json_t *describe(ContentStore *store, const char *media_type, const char *digest,
                        GError **error)
{
    int64_t size;
    if (content_has(store, digest, &size))
        return json_pack("{s:s, s:s, s:I}", "mediaType", media_type, "digest", digest, "size",
                         (json_int_t) size);
    g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_NOT_FOUND, "'%s' is not in the store", digest);
    return NULL;
}

static json_t *put_and_describe(ContentStore *store, const char *media_type, const void *bytes,
                                size_t length, GError **error)
{
    g_autofree char *digest = content_put(store, bytes, length, error);
    return digest != NULL ? describe(store, media_type, digest, error) : NULL;
}

static json_t *describe_image(ContentStore *store, const char *digest, GError **error)
{
    size_t length;
    g_autofree char *text = content_read(store, digest, CONTENT_DOCUMENT_LIMIT, &length, error);
    g_autoptr(Manifest) image = text != NULL ? manifest_parse(digest, text, length, error) : NULL;
    return image != NULL ? describe(store, image->media_type, digest, error) : NULL;
}

char *referrer_write(ContentStore *store, const char *repository, const char *digest,
                     const ReferrerSpec *spec, GError **error)
{
    g_autoptr(json_t) subject = describe_image(store, digest, error);
    g_autoptr(json_t) config =
        subject != NULL ? put_and_describe(store, OCI_EMPTY, "{}", 2, error) : NULL;
    g_autoptr(json_t) layer = config != NULL ? put_and_describe(store, spec->artifact_type,
                                                                spec->blob, spec->length, error)
                                             : NULL;
    if (layer == NULL)
        return NULL;
    g_autoptr(json_t) annotations = json_deep_copy(spec->annotations);
    g_autofree char *created = clock_format_seconds(clock_now_ns() / NANOSECONDS);
    json_object_set_new(annotations, "org.opencontainers.image.created", json_string(created));
    g_autoptr(json_t) manifest =
        json_pack("{s:i, s:s, s:s, s:O, s:[O], s:O, s:O}", "schemaVersion", 2, "mediaType",
                  OCI_MANIFEST, "artifactType", spec->artifact_type, "config", config, "layers",
                  layer, "subject", subject, "annotations", annotations);
    g_autofree char *text = json_compact(manifest);
    g_autofree char *written = content_put(store, text, strlen(text), error);
    if (written == NULL || !image_link(store, repository, written, error))
        return NULL;
    return g_steal_pointer(&written);
}

/* Adds the layers of manifest DIGEST to LAYERS. */
static bool read_layers(ContentStore *store, const char *digest, GPtrArray *layers, GError **error)
{
    size_t length;
    g_autofree char *text = content_read(store, digest, CONTENT_DOCUMENT_LIMIT, &length, error);
    g_autoptr(json_t) root = text != NULL ? json_parse(digest, text, length, error) : NULL;
    if (root == NULL)
        return false;
    size_t index;
    json_t *value;
    json_array_foreach(json_object_get(root, "layers"), index, value)
    {
        const char *media_type = json_get_string(value, "mediaType");
        const char *blob = json_get_string(value, "digest");
        if (media_type == NULL || blob == NULL || layers->len >= LAYERS_LIMIT)
            continue;
        ReferredLayer *layer = g_new(ReferredLayer, 1);
        *layer = (ReferredLayer){
            .manifest = g_strdup(digest),
            .artifact_type = g_strdup(json_get_string(root, "artifactType")),
            .media_type = g_strdup(media_type),
            .digest = g_strdup(blob),
            .annotations = json_incref(json_object_get(value, "annotations")),
        };
        g_ptr_array_add(layers, layer);
    }
    return true;
}

GPtrArray *referrer_layers(ContentStore *store, const char *repository, const char *digest,
                           GError **error)
{
    g_autoptr(Statement) rows =
        database_prepare(content_state(store)->database, error,
                         "SELECT digest FROM manifest WHERE repository = ? AND subject = ? "
                         "ORDER BY pushed_at DESC, digest",
                         "ss", repository, digest);
    if (rows == NULL)
        return NULL;
    g_autoptr(GPtrArray) layers = g_ptr_array_new_with_free_func(referred_layer_free);
    while (statement_step(rows, NULL))
        read_layers(store, statement_text(rows, 0), layers, NULL);
    return statement_end(rows, error) ? g_steal_pointer(&layers) : NULL;
}

static char *tag_of(const char *digest, const char *suffix)
{
    g_autofree char *name = g_strconcat(digest, ".", suffix, NULL);
    *strchr(name, ':') = '-';
    return g_steal_pointer(&name);
}

/* The manifest the tag means; NULL without error for none. */
static char *tag_digest(ContentStore *store, const char *repository, const char *tag,
                        GError **error)
{
    return database_read_text(content_state(store)->database, error,
                              "SELECT digest FROM tag WHERE repository = ? AND name = ?", "ss",
                              repository, tag);
}

GPtrArray *cosign_tag_layers(ContentStore *store, const char *repository, const char *digest,
                             const char *suffix, GError **error)
{
    g_autofree char *tag = tag_of(digest, suffix);
    g_autoptr(GPtrArray) layers = g_ptr_array_new_with_free_func(referred_layer_free);
    g_autoptr(GError) trouble = NULL;
    g_autofree char *manifest = tag_digest(store, repository, tag, &trouble);
    if (trouble != NULL) {
        g_propagate_error(error, g_steal_pointer(&trouble));
        return NULL;
    }
    if (manifest != NULL && !read_layers(store, manifest, layers, error))
        return NULL;
    return g_steal_pointer(&layers);
}

/* The image config cosign gives its tags: nothing but the layers' digests. */
static json_t *make_config(const json_t *layers)
{
    json_t *diff_ids = json_array(), *history = json_array();
    size_t index;
    json_t *layer;
    json_array_foreach(layers, index, layer)
    {
        json_array_append_new(diff_ids, json_string(json_get_string(layer, "digest")));
        json_array_append_new(history, json_pack("{s:s}", "created", "0001-01-01T00:00:00Z"));
    }
    return json_pack("{s:s, s:s, s:o, s:s, s:{s:s, s:o}, s:{}}", "architecture", "", "created",
                     "0001-01-01T00:00:00Z", "history", history, "os", "", "rootfs", "type",
                     "layers", "diff_ids", diff_ids, "config");
}

static json_t *layers_of_tag(ContentStore *store, const char *repository, const char *tag,
                             GError **error)
{
    g_autoptr(GError) trouble = NULL;
    g_autofree char *digest = tag_digest(store, repository, tag, &trouble);
    if (trouble != NULL) {
        g_propagate_error(error, g_steal_pointer(&trouble));
        return NULL;
    }
    if (digest == NULL)
        return json_array();
    size_t length;
    g_autofree char *text = content_read(store, digest, CONTENT_DOCUMENT_LIMIT, &length, error);
    g_autoptr(json_t) root = text != NULL ? json_parse(digest, text, length, error) : NULL;
    if (root == NULL)
        return NULL;
    json_t *layers = json_object_get(root, "layers");
    return json_is_array(layers) ? json_incref(layers) : json_array();
}

static bool append(ContentStore *store, const char *repository, const char *tag,
                   const ReferrerSpec *spec, GError **error)
{
    g_autoptr(json_t) layers = layers_of_tag(store, repository, tag, error);
    g_autoptr(json_t) layer = layers != NULL ? put_and_describe(store, spec->artifact_type,
                                                                spec->blob, spec->length, error)
                                             : NULL;
    if (layer == NULL)
        return false;
    json_object_set(layer, "annotations", spec->annotations);
    json_array_append(layers, layer);
    g_autoptr(json_t) config = make_config(layers);
    g_autofree char *config_text = json_compact(config);
    g_autoptr(json_t) described =
        put_and_describe(store, OCI_CONFIG, config_text, strlen(config_text), error);
    if (described == NULL)
        return false;
    g_autoptr(json_t) manifest = json_pack("{s:i, s:s, s:O, s:O}", "schemaVersion", 2, "mediaType",
                                           OCI_MANIFEST, "config", described, "layers", layers);
    g_autofree char *text = json_compact(manifest);
    g_autofree char *written = content_put(store, text, strlen(text), error);
    g_autofree char *name = g_strconcat(repository, ":", tag, NULL);
    return written != NULL && image_tag(store, name, written, error);
}

bool cosign_tag_append(ContentStore *store, const char *repository, const char *digest,
                       const char *suffix, const ReferrerSpec *layer, GError **error)
{
    /* The write lock from reading to tagging: two signers must not lose one another's layer. */
    Database *database = content_state(store)->database;
    g_autofree char *tag = tag_of(digest, suffix);
    if (!database_begin(database, error))
        return false;
    if (append(store, repository, tag, layer, error))
        return database_commit(database, error);
    database_rollback(database);
    return false;
}
