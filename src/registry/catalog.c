#include "registry/catalog.h"

#include "base/clock.h"
#include "base/error.h"
#include "format/json.h"
#include "model/reference.h"

#include <string.h>

#define PREFIX REFERENCE_LOCAL_DOMAIN "/"
#define RENEW_SECONDS 300 /* a row is not written again for what is said within that time */
#define REFERRERS_BYTES (3 * 1024 * 1024) /* below the limit of a manifest, which clients hold */

Catalog *catalog_open(const char *home, GError **error)
{
    g_autoptr(Catalog) catalog = g_new0(Catalog, 1);
    catalog->state = state_open(home, error);
    if (catalog->state == NULL)
        return NULL;
    catalog->store = content_store_open(catalog->state, error);
    if (catalog->store == NULL)
        return NULL;
    return g_steal_pointer(&catalog);
}

void catalog_free(Catalog *catalog)
{
    if (catalog == NULL)
        return;
    content_store_free(catalog->store);
    state_close(catalog->state);
    g_free(catalog);
}

static int64_t now(void)
{
    return clock_now_ns() / 1000000000;
}

static char *row_name(const char *repository)
{
    return g_strconcat(PREFIX, repository, NULL);
}

/* Takes one step of STATEMENT (NULL: preparing failed): whether there is a row. */
static bool first_row(Statement *statement, GError **error)
{
    return statement != NULL && statement_step(statement, error);
}

bool catalog_has_repository(Catalog *catalog, const char *repository, GError **error)
{
    g_autofree char *name = row_name(repository);
    g_autoptr(Statement) row = database_prepare(
        catalog->state->database, error, "SELECT 1 FROM repository WHERE name = ?", "s", name);
    return first_row(row, error);
}

/* The texts of STATEMENT's rows (taken; NULL: preparing failed) without their first SKIP bytes, at
 * most LIMIT; the statement is asked for one more. */
static GPtrArray *read_page(Statement *statement, size_t skip, int64_t limit, bool *more,
                            GError **error)
{
    g_autoptr(Statement) rows = statement;
    g_autoptr(GPtrArray) page = g_ptr_array_new_with_free_func(g_free);
    *more = false;
    if (rows == NULL)
        return NULL;
    while (statement_step(rows, NULL)) {
        if (page->len == limit) {
            *more = true;
            break;
        }
        g_ptr_array_add(page, g_strdup(statement_text(rows, 0) + skip));
    }
    return statement_end(rows, error) ? g_steal_pointer(&page) : NULL;
}

GPtrArray *catalog_repositories(Catalog *catalog, const char *last, int64_t limit, bool *more,
                                GError **error)
{
    g_autofree char *after = row_name(last != NULL ? last : "");
    /* '0' follows '/': the range of all names with the prefix. */
    Statement *rows = database_prepare(catalog->state->database, error,
                                       "SELECT name FROM repository WHERE name > ? AND name < "
                                       "'" REFERENCE_LOCAL_DOMAIN "0' ORDER BY name LIMIT ?",
                                       "si", after, limit + 1);
    return read_page(rows, strlen(PREFIX), limit, more, error);
}

GPtrArray *catalog_tags(Catalog *catalog, const char *repository, const char *last, int64_t limit,
                        bool *more, GError **error)
{
    g_autofree char *name = row_name(repository);
    Statement *rows = database_prepare(
        catalog->state->database, error,
        "SELECT name FROM tag WHERE repository = ? AND name > ? ORDER BY name LIMIT ?", "ssi", name,
        last != NULL ? last : "", limit + 1);
    return read_page(rows, 0, limit, more, error);
}

/* --- blobs ------------------------------------------------------------------------------- */

/* Whether REPOSITORY (a row's name) has a row for DIGEST; manifests are blobs, too. */
static bool is_visible(Catalog *catalog, const char *repository, const char *digest, GError **error)
{
    g_autoptr(Statement) row =
        database_prepare(catalog->state->database, error,
                         "SELECT 1 FROM repository_blob WHERE repository = ?1 AND digest = ?2 "
                         "UNION ALL SELECT 1 FROM manifest WHERE repository = ?1 AND digest = ?2",
                         "ss", repository, digest);
    return first_row(row, error);
}

bool catalog_find_blob(Catalog *catalog, const char *repository, const char *digest, int64_t *size,
                       GError **error)
{
    g_autofree char *name = row_name(repository);
    return is_visible(catalog, name, digest, error) && content_has(catalog->store, digest, size);
}

bool catalog_keep_blob(Catalog *catalog, const char *repository, const char *digest, int64_t *size,
                       GError **error)
{
    Database *database = catalog->state->database;
    g_autofree char *name = row_name(repository);
    g_autoptr(GError) trouble = NULL;
    g_autoptr(Statement) row = database_prepare(
        database, &trouble,
        "SELECT linked_at FROM repository_blob WHERE repository = ? AND digest = ?", "ss", name,
        digest);
    if (!first_row(row, &trouble)) {
        if (trouble == NULL)
            return is_visible(catalog, name, digest, error) &&
                   content_keep(catalog->store, digest, size);
        g_propagate_error(error, g_steal_pointer(&trouble));
        return false;
    }
    int64_t linked_at = statement_integer(row, 0);
    g_clear_pointer(&row, statement_free);
    /* A row that prune took in between is not there any more, and the answer is no. */
    if (linked_at < now() - RENEW_SECONDS &&
        (!database_run(
             database, error,
             "UPDATE repository_blob SET linked_at = ? WHERE repository = ? AND digest = ?", "iss",
             now(), name, digest) ||
         database_changes(database) == 0))
        return false;
    return content_keep(catalog->store, digest, size);
}

static bool ensure_repository(Catalog *catalog, const char *name, GError **error)
{
    return database_run(catalog->state->database, error,
                        "INSERT OR IGNORE INTO repository VALUES(?, ?)", "si", name, now());
}

bool catalog_link_blob(Catalog *catalog, const char *repository, const char *digest, GError **error)
{
    Database *database = catalog->state->database;
    g_autofree char *name = row_name(repository);
    int64_t size = 0;
    if (!content_keep(catalog->store, digest, &size)) {
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_UNAVAILABLE,
                    "blob '%s' has just been collected; send it again", digest);
        return false;
    }
    if (!database_begin(database, error))
        return false;
    if (!ensure_repository(catalog, name, error) ||
        !database_run(database, error,
                      "INSERT INTO repository_blob VALUES(?, ?, ?, ?) ON CONFLICT DO UPDATE "
                      "SET linked_at = excluded.linked_at",
                      "ssii", name, digest, size, now())) {
        database_rollback(database);
        return false;
    }
    return database_commit(database, error);
}

GPtrArray *catalog_blob_holders(Catalog *catalog, const char *digest, GError **error)
{
    bool more = false;
    Statement *rows = database_prepare(
        catalog->state->database, error,
        "SELECT repository FROM repository_blob WHERE digest = ? AND repository > '" PREFIX "' "
        "AND repository < '" REFERENCE_LOCAL_DOMAIN "0' ORDER BY repository",
        "s", digest);
    return read_page(rows, strlen(PREFIX), G_MAXINT64, &more, error);
}

static CatalogRemoval removal_of_changes(Catalog *catalog)
{
    return database_changes(catalog->state->database) > 0 ? CATALOG_REMOVED : CATALOG_ABSENT;
}

CatalogRemoval catalog_unlink_blob(Catalog *catalog, const char *repository, const char *digest,
                                   GError **error)
{
    Database *database = catalog->state->database;
    g_autofree char *name = row_name(repository);
    if (!database_begin(database, error))
        return CATALOG_FAILED;

    g_autoptr(GError) trouble = NULL;
    g_autoptr(Statement) edge = database_prepare(
        database, &trouble, "SELECT 1 FROM manifest_edge WHERE child = ? AND repository = ?", "ss",
        digest, name);
    CatalogRemoval removal = CATALOG_FAILED;
    if (first_row(edge, &trouble))
        removal = CATALOG_IN_USE;
    else if (trouble == NULL &&
             database_run(database, &trouble,
                          "DELETE FROM repository_blob WHERE repository = ? AND digest = ?", "ss",
                          name, digest))
        removal = removal_of_changes(catalog);
    g_clear_pointer(&edge, statement_free);

    if (trouble == NULL && database_commit(database, error))
        return removal;
    if (trouble != NULL) {
        database_rollback(database);
        g_propagate_error(error, g_steal_pointer(&trouble));
    }
    return CATALOG_FAILED;
}

/* --- manifests --------------------------------------------------------------------------- */

bool catalog_find_manifest(Catalog *catalog, const char *repository, const char *reference,
                           CatalogManifest *found, GError **error)
{
    *found = (CatalogManifest){0};
    g_autofree char *name = row_name(repository);
    const char *sql = strchr(reference, ':') != NULL
                          ? "SELECT digest, media_type, size FROM manifest WHERE repository = ? "
                            "AND digest = ?"
                          : "SELECT manifest.digest, media_type, size FROM tag JOIN manifest "
                            "ON manifest.repository = tag.repository AND manifest.digest = "
                            "tag.digest WHERE tag.repository = ? AND tag.name = ?";
    g_autoptr(Statement) row =
        database_prepare(catalog->state->database, error, sql, "ss", name, reference);
    if (!first_row(row, error))
        return false;
    *found = (CatalogManifest){
        .digest = g_strdup(statement_text(row, 0)),
        .media_type = g_strdup(statement_text(row, 1)),
        .size = statement_integer(row, 2),
    };
    return true;
}

void catalog_manifest_clear(CatalogManifest *found)
{
    g_clear_pointer(&found->digest, g_free);
    g_clear_pointer(&found->media_type, g_free);
}

/* Whether DIGESTS are all in repository NAME and stay for a while; else *MISSING. */
static bool check_children(Catalog *catalog, const char *name, const GPtrArray *digests,
                           bool as_manifests, char **missing, GError **error)
{
    for (guint i = 0; i < digests->len; i++) {
        const char *digest = g_ptr_array_index(digests, i);
        g_autoptr(GError) trouble = NULL;
        g_autoptr(Statement) row = database_prepare(
            catalog->state->database, &trouble,
            as_manifests ? "SELECT 1 FROM manifest WHERE repository = ? AND digest = ?"
                         : "SELECT 1 FROM repository_blob WHERE repository = ? AND digest = ?",
            "ss", name, digest);
        if (first_row(row, &trouble) && content_keep(catalog->store, digest, NULL))
            continue;
        if (trouble != NULL) {
            g_propagate_error(error, g_steal_pointer(&trouble));
            return false;
        }
        *missing = g_strdup(digest);
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_NOT_FOUND,
                    "manifest refers to '%s', which is not in this repository", digest);
        return false;
    }
    return true;
}

static bool insert_edges(Catalog *catalog, const char *name, const char *parent,
                         const GPtrArray *children, const char *kind, guint first, GError **error)
{
    for (guint i = first; i < children->len; i++)
        if (!database_run(catalog->state->database, error,
                          "INSERT OR IGNORE INTO manifest_edge VALUES(?, ?, ?, ?)", "ssss", name,
                          parent, g_ptr_array_index(children, i), kind))
            return false;
    return true;
}

/* The rows of a manifest that is complete. An upsert: replacing the row would take its tags. */
static bool insert_manifest(Catalog *catalog, const char *name, const char *digest, int64_t size,
                            const PushedManifest *manifest, GError **error)
{
    g_autofree char *annotations =
        manifest->annotations != NULL ? json_compact(manifest->annotations) : NULL;
    return database_run(
        catalog->state->database, error,
        "INSERT INTO manifest VALUES(?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET "
        "media_type = excluded.media_type, subject = excluded.subject, "
        "artifact_type = excluded.artifact_type, annotations = excluded.annotations",
        "sssisssi", name, digest, manifest->media_type, size, manifest->subject,
        manifest->artifact_type, annotations, now());
}

static bool insert_tags(Catalog *catalog, const char *name, const char *digest,
                        const GPtrArray *tags, GError **error)
{
    for (guint i = 0; i < tags->len; i++)
        if (!database_run(catalog->state->database, error,
                          "INSERT INTO tag VALUES(?, ?, ?, ?) ON CONFLICT DO UPDATE SET "
                          "digest = excluded.digest, updated_at = excluded.updated_at",
                          "sssi", name, g_ptr_array_index(tags, i), digest, now()))
            return false;
    return true;
}

static bool put_rows(Catalog *catalog, const char *name, const char *digest, int64_t size,
                     const PushedManifest *manifest, const GPtrArray *tags, char **missing,
                     GError **error)
{
    /* The first blob of an image manifest is its config. */
    guint configs = manifest->has_config ? 1 : 0;
    g_autoptr(GPtrArray) config = g_ptr_array_new();
    if (configs > 0)
        g_ptr_array_add(config, g_ptr_array_index(manifest->blobs, 0));
    return ensure_repository(catalog, name, error) &&
           check_children(catalog, name, manifest->blobs, false, missing, error) &&
           check_children(catalog, name, manifest->manifests, true, missing, error) &&
           insert_manifest(catalog, name, digest, size, manifest, error) &&
           insert_edges(catalog, name, digest, config, "config", 0, error) &&
           insert_edges(catalog, name, digest, manifest->blobs, "layer", configs, error) &&
           insert_edges(catalog, name, digest, manifest->manifests, "manifest", 0, error) &&
           insert_tags(catalog, name, digest, tags, error);
}

bool catalog_put_manifest(Catalog *catalog, const char *repository, const char *digest,
                          int64_t size, const PushedManifest *manifest, const GPtrArray *tags,
                          char **missing, GError **error)
{
    Database *database = catalog->state->database;
    g_autofree char *name = row_name(repository);
    if (!database_begin(database, error))
        return false;
    if (!put_rows(catalog, name, digest, size, manifest, tags, missing, error)) {
        database_rollback(database);
        return false;
    }
    return database_commit(database, error);
}

CatalogRemoval catalog_remove_tag(Catalog *catalog, const char *repository, const char *tag,
                                  GError **error)
{
    g_autofree char *name = row_name(repository);
    if (!database_run(catalog->state->database, error,
                      "DELETE FROM tag WHERE repository = ? AND name = ?", "ss", name, tag))
        return CATALOG_FAILED;
    return removal_of_changes(catalog);
}

CatalogRemoval catalog_remove_manifest(Catalog *catalog, const char *repository, const char *digest,
                                       GError **error)
{
    g_autofree char *name = row_name(repository);
    if (!database_run(catalog->state->database, error,
                      "DELETE FROM manifest WHERE repository = ? AND digest = ?", "ss", name,
                      digest))
        return CATALOG_FAILED;
    return removal_of_changes(catalog);
}

/* The descriptor of the referrer in the present row of ROW. */
static json_t *read_referrer(Statement *row, size_t *bytes)
{
    json_t *descriptor =
        json_pack("{s:s, s:s, s:I}", "mediaType", statement_text(row, 0), "digest",
                  statement_text(row, 1), "size", (json_int_t) statement_integer(row, 2));
    *bytes += 256;
    if (!statement_is_null(row, 3))
        json_object_set_new(descriptor, "artifactType", json_string(statement_text(row, 3)));
    const char *annotations = statement_text(row, 4);
    if (annotations != NULL) {
        *bytes += strlen(annotations);
        json_t *value = json_loads(annotations, 0, NULL);
        if (value != NULL)
            json_object_set_new(descriptor, "annotations", value);
    }
    return descriptor;
}

json_t *catalog_referrers(Catalog *catalog, const char *repository, const char *digest,
                          const char *artifact_type, const char *last, int64_t limit, bool *more,
                          GError **error)
{
    g_autofree char *name = row_name(repository);
    g_autoptr(Statement) rows = database_prepare(
        catalog->state->database, error,
        "SELECT media_type, digest, size, artifact_type, annotations FROM manifest "
        "WHERE repository = ?1 AND subject = ?2 AND (?3 IS NULL OR artifact_type = ?3) "
        "AND digest > ?4 ORDER BY digest",
        "ssss", name, digest, artifact_type, last != NULL ? last : "");
    if (rows == NULL)
        return NULL;
    g_autoptr(json_t) list = json_array();
    g_autoptr(GError) trouble = NULL;
    size_t bytes = 0;
    *more = false;
    while (!*more && statement_step(rows, &trouble)) {
        *more = (int64_t) json_array_size(list) >= limit || bytes > REFERRERS_BYTES;
        if (!*more)
            json_array_append_new(list, read_referrer(rows, &bytes));
    }
    if (trouble != NULL) {
        g_propagate_error(error, g_steal_pointer(&trouble));
        return NULL;
    }
    return g_steal_pointer(&list);
}
