#include "registry/transfer.h"

#include "base/error.h"
#include "base/fd.h"
#include "format/json.h"
#include "oci/manifest.h"
#include "registry/fallback.h"

#include <string.h>

#define INDEX_DEPTH 4

typedef struct {
    ContentStore *store;
    RegistryClient *client;
    const TransferOptions *options;
} Transfer;

static void report(const Transfer *transfer, const char *digest, int64_t size, bool moved)
{
    if (transfer->options->report != NULL)
        transfer->options->report(digest, size, moved, transfer->options->report_data);
}

static bool too_deep(const char *digest, int depth, GError **error)
{
    if (depth < INDEX_DEPTH)
        return false;
    g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID, "index '%s': nested too deeply",
                digest);
    return true;
}

/* --- pulling ----------------------------------------------------------------------------- */

static bool pull_blob(const Transfer *transfer, const Descriptor *blob, GError **error)
{
    int64_t size = 0;
    bool here = content_keep(transfer->store, blob->digest, &size);
    if (!here && manifest_is_foreign_layer(blob->media_type))
        return true; /* its publisher's servers have it, not the registry */
    if (here && size != blob->size) {
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID,
                    "blob '%s' has %" G_GINT64_FORMAT
                    " bytes, but its manifest says %" G_GINT64_FORMAT,
                    blob->digest, size, blob->size);
        return false;
    }
    if (!here && !registry_client_fetch_blob(transfer->client, blob->digest, blob->size,
                                             transfer->store, error))
        return false;
    report(transfer, blob->digest, blob->size, !here);
    return true;
}

/* Whether the entry CHILD of an index is wanted: BuildKit's attestation manifests have the platform
 * unknown/unknown and go with all. */
static bool is_wanted(const Transfer *transfer, const Descriptor *child)
{
    if (transfer->options->all_platforms || child->os == NULL)
        return true;
    return g_str_equal(child->os, "linux") &&
           g_strcmp0(child->architecture, manifest_architecture()) == 0;
}

static char *pull_tree(const Transfer *transfer, const char *reference, int depth, GError **error);

static bool pull_children(const Transfer *transfer, const Manifest *manifest, int depth,
                          GError **error)
{
    bool any = false;
    if (manifest->config != NULL && !pull_blob(transfer, manifest->config, error))
        return false;
    for (guint i = 0; i < manifest->layers->len; i++)
        if (!pull_blob(transfer, g_ptr_array_index(manifest->layers, i), error))
            return false;
    for (guint i = 0; i < manifest->children->len; i++) {
        const Descriptor *child = g_ptr_array_index(manifest->children, i);
        if (!is_wanted(transfer, child))
            continue;
        g_autofree char *digest = pull_tree(transfer, child->digest, depth + 1, error);
        if (digest == NULL)
            return false;
        any = true;
    }
    if (any || manifest->children->len == 0)
        return true;
    g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_NOT_FOUND,
                "the image has no variant for linux/%s; --all-platforms fetches the others",
                manifest_architecture());
    return false;
}

/* Fetches manifest REFERENCE and what it needs, children first, so that a manifest in the store is
 * never less than whole. */
static char *pull_tree(const Transfer *transfer, const char *reference, int depth, GError **error)
{
    g_auto(RemoteManifest) remote = {0};
    if (too_deep(reference, depth, error) ||
        !registry_client_get_manifest(transfer->client, reference, &remote, error))
        return NULL;
    g_autoptr(Manifest) manifest =
        manifest_parse(remote.digest, remote.bytes, remote.length, error);
    if (manifest == NULL || !pull_children(transfer, manifest, depth, error))
        return NULL;
    g_autoptr(ContentWriter) writer = content_writer_new(transfer->store, error);
    if (writer == NULL || !content_writer_append(writer, remote.bytes, remote.length, error))
        return NULL;
    char *digest = content_writer_commit(writer, remote.digest, error);
    if (digest != NULL)
        report(transfer, digest, (int64_t) remote.length, true);
    return digest;
}

char *transfer_pull(ContentStore *store, const Reference *reference, const TransferOptions *options,
                    GError **error)
{
    g_autoptr(RegistryClient) client =
        registry_client_new(reference->domain, reference->path, &options->client, error);
    if (client == NULL)
        return NULL;
    Transfer transfer = {store, client, options};
    const char *wanted = reference->digest != NULL ? reference->digest
                         : reference->tag != NULL  ? reference->tag
                                                   : "latest";
    return pull_tree(&transfer, wanted, 0, error);
}

/* --- pushing ----------------------------------------------------------------------------- */

static bool push_blob(const Transfer *transfer, const Descriptor *blob, GError **error)
{
    if (manifest_is_foreign_layer(blob->media_type) &&
        !content_has(transfer->store, blob->digest, NULL))
        return true;
    g_autoptr(GError) trouble = NULL;
    bool there = registry_client_has_blob(transfer->client, blob->digest, &trouble);
    if (trouble != NULL) {
        g_propagate_error(error, g_steal_pointer(&trouble));
        return false;
    }
    if (!there) {
        autofd int fd = content_open(transfer->store, blob->digest, error);
        if (fd < 0 ||
            !registry_client_send_blob(transfer->client, blob->digest, fd, blob->size, NULL, error))
            return false;
    }
    report(transfer, blob->digest, blob->size, !there);
    return true;
}

static bool push_tree(const Transfer *transfer, const char *digest, const char *reference,
                      int depth, GError **error);

static bool push_children(const Transfer *transfer, const char *digest, const Manifest *manifest,
                          int depth, GError **error)
{
    if (manifest->config != NULL && !push_blob(transfer, manifest->config, error))
        return false;
    for (guint i = 0; i < manifest->layers->len; i++)
        if (!push_blob(transfer, g_ptr_array_index(manifest->layers, i), error))
            return false;
    for (guint i = 0; i < manifest->children->len; i++) {
        const Descriptor *child = g_ptr_array_index(manifest->children, i);
        if (!content_has(transfer->store, child->digest, NULL)) {
            g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_NOT_FOUND,
                        "index '%s': its entry '%s' is not here; `slipway pull --all-platforms` "
                        "fetches all of them",
                        digest, child->digest);
            return false;
        }
        if (!push_tree(transfer, child->digest, child->digest, depth + 1, error))
            return false;
    }
    return true;
}

static bool push_tree(const Transfer *transfer, const char *digest, const char *reference,
                      int depth, GError **error)
{
    size_t length = 0;
    if (too_deep(digest, depth, error))
        return false;
    g_autofree char *bytes =
        content_read(transfer->store, digest, CONTENT_DOCUMENT_LIMIT, &length, error);
    g_autoptr(Manifest) manifest =
        bytes != NULL ? manifest_parse(digest, bytes, length, error) : NULL;
    if (manifest == NULL || !push_children(transfer, digest, manifest, depth, error))
        return false;
    bool ignored = false;
    if (!registry_client_put_manifest(transfer->client, reference, manifest->media_type, bytes,
                                      length, &ignored, error))
        return false;
    report(transfer, digest, (int64_t) length, true);
    if (manifest->subject == NULL || !ignored)
        return true;
    return fallback_add_referrer(transfer->client, digest, (int64_t) length, manifest, error);
}

bool transfer_push(ContentStore *store, const char *digest, const Reference *target,
                   const TransferOptions *options, GError **error)
{
    if (target->digest != NULL && !g_str_equal(target->digest, digest)) {
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID,
                    "target names digest '%s', but the image is '%s'", target->digest, digest);
        return false;
    }
    g_autoptr(RegistryClient) client =
        registry_client_new(target->domain, target->path, &options->client, error);
    if (client == NULL)
        return false;
    Transfer transfer = {store, client, options};
    const char *name = target->tag != NULL      ? target->tag
                       : target->digest != NULL ? digest
                                                : "latest";
    return push_tree(&transfer, digest, name, 0, error);
}
