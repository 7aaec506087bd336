#include "oci/image.h"

#include "base/error.h"
#include "format/json.h"
#include "model/reference.h"
#include "oci/manifest.h"

#include <string.h>
#include <time.h>

#define INDEX_DEPTH 4
#define PREFIX_MINIMUM 12

static Database *database_of(ContentStore *store)
{
    return content_state(store)->database;
}

static Manifest *read_manifest(ContentStore *store, const char *digest, size_t *length,
                               GError **error)
{
    g_autofree char *text = content_read(store, digest, CONTENT_DOCUMENT_LIMIT, length, error);
    return text != NULL ? manifest_parse(digest, text, *length, error) : NULL;
}

/* --- linking ------------------------------------------------------------------------------- */

typedef struct {
    ContentStore *store;
    const char *repository;
    int64_t now;
} Linker;

static bool add_edge(const Linker *linker, const char *parent, const char *child, const char *kind,
                     GError **error)
{
    return database_run(database_of(linker->store), error,
                        "INSERT OR IGNORE INTO manifest_edge VALUES(?,?,?,?)", "ssss",
                        linker->repository, parent, child, kind);
}

static bool link_blob(const Linker *linker, const char *parent, const Descriptor *blob,
                      const char *kind, GError **error)
{
    int64_t size;
    if (!content_keep(linker->store, blob->digest, &size)) {
        if (manifest_is_foreign_layer(blob->media_type))
            return true;
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_NOT_FOUND,
                    "manifest '%s' needs %s '%s', which is not in the store", parent, kind,
                    blob->digest);
        return false;
    }
    return database_run(database_of(linker->store), error,
                        "INSERT OR IGNORE INTO repository_blob VALUES(?,?,?,?)", "ssii",
                        linker->repository, blob->digest, size, linker->now) &&
           add_edge(linker, parent, blob->digest, kind, error);
}

static bool link_manifest(const Linker *linker, const char *digest, int depth, GError **error);

static bool link_children(const Linker *linker, const char *digest, const Manifest *manifest,
                          int depth, GError **error)
{
    if (manifest->config != NULL && !link_blob(linker, digest, manifest->config, "config", error))
        return false;
    for (guint i = 0; i < manifest->layers->len; i++)
        if (!link_blob(linker, digest, g_ptr_array_index(manifest->layers, i), "layer", error))
            return false;
    for (guint i = 0; i < manifest->children->len; i++) {
        const Descriptor *child = g_ptr_array_index(manifest->children, i);
        if (!content_keep(linker->store, child->digest, NULL))
            continue; /* an index fetched for one platform only */
        if (!link_manifest(linker, child->digest, depth + 1, error) ||
            !add_edge(linker, digest, child->digest, "manifest", error))
            return false;
    }
    return true;
}

static bool link_manifest(const Linker *linker, const char *digest, int depth, GError **error)
{
    if (depth == INDEX_DEPTH) {
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID, "index '%s': nested too deeply",
                    digest);
        return false;
    }
    content_keep(linker->store, digest, NULL);
    size_t length;
    g_autoptr(Manifest) manifest = read_manifest(linker->store, digest, &length, error);
    if (manifest == NULL)
        return false;
    g_autofree char *annotations =
        manifest->annotations != NULL ? json_compact(manifest->annotations) : NULL;
    return database_run(database_of(linker->store), error,
                        "INSERT OR IGNORE INTO manifest VALUES(?,?,?,?,?,?,?,?)", "sssisssi",
                        linker->repository, digest, manifest->media_type, (int64_t) length,
                        manifest->subject, manifest->artifact_type, annotations, linker->now) &&
           link_children(linker, digest, manifest, depth, error);
}

static bool link_closure(ContentStore *store, const char *repository, const char *digest,
                         GError **error)
{
    Linker linker = {store, repository, (int64_t) time(NULL)};
    return database_run(database_of(store), error, "INSERT OR IGNORE INTO repository VALUES(?,?)",
                        "si", repository, linker.now) &&
           link_manifest(&linker, digest, 0, error);
}

/* Ends the transaction that was begun: committed when DONE. */
static bool end_transaction(Database *database, bool done, GError **error)
{
    if (done)
        return database_commit(database, error);
    database_rollback(database);
    return false;
}

bool image_link(ContentStore *store, const char *repository, const char *digest, GError **error)
{
    Database *database = database_of(store);
    if (!database_begin(database, error))
        return false;
    return end_transaction(database, link_closure(store, repository, digest, error), error);
}

/* --- names --------------------------------------------------------------------------------- */

static char *tagged_digest(ContentStore *store, const char *repository, const char *tag,
                           GError **error)
{
    g_autoptr(Statement) row = database_prepare(
        database_of(store), error, "SELECT digest FROM tag WHERE repository = ? AND name = ?", "ss",
        repository, tag);
    if (row == NULL || !statement_step(row, error))
        return NULL;
    return g_strdup(statement_text(row, 0));
}

bool image_tag(ContentStore *store, const char *name, const char *digest, GError **error)
{
    g_autoptr(Reference) reference = reference_parse(name, error);
    if (reference == NULL)
        return false;
    if (reference->digest != NULL) {
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID,
                    "image '%s': a name to tag has no digest", name);
        return false;
    }
    g_autofree char *repository = reference_repository(reference);
    const char *tag = reference->tag != NULL ? reference->tag : "latest";
    g_autofree char *present = tagged_digest(store, repository, tag, NULL);
    if (g_strcmp0(present, digest) == 0)
        return true;

    Database *database = database_of(store);
    if (!database_begin(database, error))
        return false;
    bool done =
        link_closure(store, repository, digest, error) &&
        database_run(database, error,
                     "INSERT INTO tag VALUES(?,?,?,?) ON CONFLICT(repository, name) DO "
                     "UPDATE SET digest = excluded.digest, updated_at = excluded.updated_at",
                     "sssi", repository, tag, digest, (int64_t) time(NULL));
    return end_transaction(database, done, error);
}

static bool not_here(const Reference *reference, GError **error)
{
    g_autofree char *familiar = reference_familiar(reference);
    bool makeable = g_str_equal(reference->domain, "docker.io") &&
                    (g_str_equal(reference->path, "library/debian") ||
                     g_str_equal(reference->path, "library/ubuntu"));
    if (reference_is_local(reference))
        g_set_error(
            error, SLIPWAY_ERROR, SLIPWAY_ERROR_NOT_FOUND,
            "image '%s' is not here; `slipway build -t %s` makes it, `slipway images` lists "
            "what is",
            familiar, familiar);
    else
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_NOT_FOUND,
                    "image '%s' is not here; `slipway %s %s` %s", familiar,
                    makeable ? "base" : "pull", familiar,
                    makeable ? "makes it from the distribution's packages" : "fetches it");
    return false;
}

bool image_untag(ContentStore *store, const char *name, GError **error)
{
    g_autoptr(Reference) reference = reference_parse(name, error);
    if (reference == NULL)
        return false;
    g_autofree char *repository = reference_repository(reference);
    Database *database = database_of(store);
    if (!database_run(database, error, "DELETE FROM tag WHERE repository = ? AND name = ?", "ss",
                      repository, reference->tag != NULL ? reference->tag : "latest"))
        return false;
    return database_changes(database) > 0 || not_here(reference, error);
}

/* --- resolving ----------------------------------------------------------------------------- */

/* Adds the digests of QUERY's rows to FOUND. */
static bool collect(ContentStore *store, GHashTable *found, const char *query, const char *prefix,
                    GError **error)
{
    g_autofree char *from = g_strconcat("sha256:", prefix, NULL);
    g_autofree char *to = g_strconcat(from, "g", NULL); /* behind every hex digit */
    g_autoptr(Statement) rows = database_prepare(database_of(store), error, query, "ss", from, to);
    if (rows == NULL)
        return false;
    while (statement_step(rows, NULL))
        g_hash_table_add(found, g_strdup(statement_text(rows, 0)));
    return statement_end(rows, error);
}

typedef struct {
    ContentStore *store;
    const char *prefix;
    GHashTable *found;
} Search;

/* A blob that has no name yet, but is a manifest: a build without a tag. */
static bool match_unnamed(const char *digest, int64_t size, int64_t kept_at, void *data)
{
    Search *search = data;
    const char *hex = strchr(digest, ':') + 1;
    size_t length;
    if (!g_str_has_prefix(hex, search->prefix) || size > (int64_t) CONTENT_DOCUMENT_LIMIT)
        return true;
    g_autoptr(Manifest) manifest = read_manifest(search->store, digest, &length, NULL);
    if (manifest != NULL)
        g_hash_table_add(search->found, g_strdup(digest));
    return true;
}

/* The manifest whose digest, or whose config's digest ("image id"), begins with PREFIX. */
static char *resolve_prefix(ContentStore *store, const char *prefix, GError **error)
{
    g_autoptr(GHashTable) found = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    if (!collect(store, found,
                 "SELECT DISTINCT digest FROM manifest WHERE digest >= ? AND digest < ?", prefix,
                 error))
        return NULL;
    if (g_hash_table_size(found) == 0 &&
        !collect(
            store, found,
            "SELECT DISTINCT parent FROM manifest_edge WHERE kind = 'config' AND child >= ? AND "
            "child < ?",
            prefix, error))
        return NULL;
    if (g_hash_table_size(found) == 0 &&
        !content_each(store, match_unnamed, &(Search){store, prefix, found}, error))
        return NULL;

    GHashTableIter iterator;
    gpointer digest = NULL;
    g_hash_table_iter_init(&iterator, found);
    if (g_hash_table_size(found) == 1 && g_hash_table_iter_next(&iterator, &digest, NULL))
        return g_strdup(digest);
    g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_NOT_FOUND,
                g_hash_table_size(found) > 1 ? "'%s' begins several digests; write more of it"
                                             : "no image's digest begins with '%s'",
                prefix);
    return NULL;
}

static bool is_hex_prefix(const char *text)
{
    size_t length = strlen(text);
    return length >= PREFIX_MINIMUM && length <= 64 && strspn(text, "0123456789abcdef") == length;
}

static char *resolve_name(ContentStore *store, const char *text, GError **error)
{
    g_autoptr(Reference) reference = reference_parse(text, error);
    if (reference == NULL)
        return NULL;
    if (reference->digest != NULL && content_has(store, reference->digest, NULL))
        return g_strdup(reference->digest);
    g_autofree char *repository = reference_repository(reference);
    g_autoptr(GError) trouble = NULL;
    char *digest = NULL;
    if (reference->digest == NULL)
        digest = tagged_digest(store, repository,
                               reference->tag != NULL ? reference->tag : "latest", &trouble);
    if (trouble != NULL)
        g_propagate_error(error, g_steal_pointer(&trouble));
    else if (digest == NULL)
        not_here(reference, error);
    return digest;
}

char *image_resolve(ContentStore *store, const char *reference, GError **error)
{
    const char *hex = g_str_has_prefix(reference, "sha256:") ? reference + 7 : reference;
    bool prefixed = hex != reference;
    if (prefixed || g_str_has_prefix(reference, "sha512:")) {
        g_autoptr(Digest) digest = digest_parse(reference, NULL);
        if (digest != NULL && content_has(store, reference, NULL)) {
            size_t length;
            g_autoptr(Manifest) manifest = read_manifest(store, reference, &length, NULL);
            if (manifest != NULL)
                return g_strdup(reference);
        }
    }
    if (!is_hex_prefix(hex))
        return resolve_name(store, reference, error);
    if (prefixed || strlen(hex) == 64)
        return resolve_prefix(store, hex, error);
    /* Twelve hex digits may be a name, too: a name that is there comes first. */
    char *named = resolve_name(store, reference, NULL);
    return named != NULL ? named : resolve_prefix(store, hex, error);
}

/* --- pins ---------------------------------------------------------------------------------- */

typedef struct {
    ContentStore *store;
    bool (*each)(const char *digest, int64_t size, void *data);
    void *data;
} Walk;

static bool walk(const Walk *walker, const char *digest, int depth, GError **error);

static bool walk_blob(const Walk *walker, const Descriptor *blob, GError **error)
{
    int64_t size;
    if (content_has(walker->store, blob->digest, &size))
        return walker->each(blob->digest, size, walker->data);
    if (manifest_is_foreign_layer(blob->media_type))
        return true;
    g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_NOT_FOUND, "blob '%s' is not in the store",
                blob->digest);
    return false;
}

static bool walk_needs(const Walk *walker, const Manifest *manifest, int depth, GError **error)
{
    if (manifest->config != NULL && !walk_blob(walker, manifest->config, error))
        return false;
    for (guint i = 0; i < manifest->layers->len; i++)
        if (!walk_blob(walker, g_ptr_array_index(manifest->layers, i), error))
            return false;
    for (guint i = 0; i < manifest->children->len; i++) {
        const Descriptor *child = g_ptr_array_index(manifest->children, i);
        if (content_has(walker->store, child->digest, NULL) &&
            !walk(walker, child->digest, depth + 1, error))
            return false;
    }
    return true;
}

static bool walk(const Walk *walker, const char *digest, int depth, GError **error)
{
    int64_t size;
    size_t length;
    if (!content_has(walker->store, digest, &size)) {
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_NOT_FOUND, "blob '%s' is not in the store",
                    digest);
        return false;
    }
    g_autoptr(Manifest) manifest = NULL;
    if (size <= (int64_t) CONTENT_DOCUMENT_LIMIT && depth < INDEX_DEPTH)
        manifest = read_manifest(walker->store, digest, &length, NULL);
    if (manifest != NULL && !walk_needs(walker, manifest, depth, error))
        return false;
    return walker->each(digest, size, walker->data);
}

bool image_closure(ContentStore *store, const char *digest,
                   bool (*each)(const char *digest, int64_t size, void *data), void *data,
                   GError **error)
{
    return walk(&(Walk){store, each, data}, digest, 0, error);
}

static bool keep_one(const char *digest, int64_t size, void *data)
{
    content_keep(data, digest, NULL);
    return true;
}

bool image_pin(ContentStore *store, const char *holder, const char *digest, GError **error)
{
    return image_closure(store, digest, keep_one, store, error) &&
           database_run(database_of(store), error, "INSERT OR IGNORE INTO pin VALUES(?,?)", "ss",
                        holder, digest);
}

bool image_unpin(ContentStore *store, const char *holder, GError **error)
{
    return database_run(database_of(store), error, "DELETE FROM pin WHERE holder = ?", "s", holder);
}
