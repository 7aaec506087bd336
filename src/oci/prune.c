#include "oci/prune.h"

#include "base/error.h"
#include "base/file.h"
#include "format/json.h"
#include "oci/image.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define DAY_SECONDS (24 * 60 * 60)

typedef struct {
    ContentStore *store;
    Database *database;
    const PruneOptions *options;
    PruneResult *result;
    GHashTable *pinned;   /* digests pins need that have no row in any repository */
    GHashTable *diff_ids; /* of the layers that stay */
    GPtrArray *blobs;     /* char *: all there were at the start */
    int64_t now;
} Pruner;

static void report(const Pruner *pruner, const char *what, const char *digest, int64_t size)
{
    if (pruner->options->each != NULL)
        pruner->options->each(what, digest, size, pruner->options->data);
}

/* Runs SQL (one text column) and adds what it gives to INTO. */
static bool collect(const Pruner *pruner, GHashTable *into, const char *sql, GError **error)
{
    g_autoptr(Statement) rows = database_prepare(pruner->database, error, sql, "");
    if (rows == NULL)
        return false;
    while (statement_step(rows, NULL))
        g_hash_table_add(into, g_strdup(statement_text(rows, 0)));
    return statement_end(rows, error);
}

static bool add_to_set(const char *digest, int64_t size, void *data)
{
    g_hash_table_add(data, g_strdup(digest));
    return true;
}

/* What pins need. One that is damaged still holds what of it can be read. */
static bool find_pinned(Pruner *pruner, GError **error)
{
    g_autoptr(GHashTable) roots = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    if (!collect(pruner, roots, "SELECT digest FROM pin", error))
        return false;
    GHashTableIter iterator;
    gpointer digest;
    g_hash_table_iter_init(&iterator, roots);
    while (g_hash_table_iter_next(&iterator, &digest, NULL)) {
        g_hash_table_add(pruner->pinned, g_strdup(digest));
        image_closure(pruner->store, digest, add_to_set, pruner->pinned, NULL);
    }
    return true;
}

/* --- rows ----------------------------------------------------------------------------------- */

/* Manifests that something needs: tagged, pinned, leased, young; children of such, and what refers
 * to them. */
#define LIVE_MANIFESTS                                                                             \
    "WITH RECURSIVE live(repository, digest) AS ("                                                 \
    "  SELECT repository, digest FROM tag"                                                         \
    "  UNION SELECT repository, digest FROM manifest WHERE digest IN (SELECT digest FROM pin)"     \
    "  UNION SELECT repository, digest FROM lease WHERE expires_at > ?1"                           \
    "  UNION SELECT repository, digest FROM manifest WHERE pushed_at > ?2"                         \
    "  UNION SELECT e.repository, e.child FROM manifest_edge e JOIN live l"                        \
    "    ON e.repository = l.repository AND e.parent = l.digest WHERE e.kind = 'manifest'"         \
    "  UNION SELECT m.repository, m.digest FROM manifest m JOIN live l"                            \
    "    ON m.repository = l.repository AND m.subject = l.digest)"

static bool list_dead_manifests(Pruner *pruner, GPtrArray *dead, GError **error)
{
    int64_t keep_from = pruner->now - MAX(pruner->options->untagged_age, 0);
    g_autoptr(Statement) rows = database_prepare(
        pruner->database, error,
        LIVE_MANIFESTS " SELECT repository, digest, size FROM manifest WHERE NOT EXISTS ("
                       "  SELECT 1 FROM live WHERE live.repository = manifest.repository"
                       "  AND live.digest = manifest.digest)",
        "ii", pruner->now, keep_from);
    if (rows == NULL)
        return false;
    while (statement_step(rows, NULL)) {
        g_ptr_array_add(dead, g_strdup(statement_text(rows, 0)));
        g_ptr_array_add(dead, g_strdup(statement_text(rows, 1)));
        report(pruner, "manifest", statement_text(rows, 1), statement_integer(rows, 2));
        pruner->result->manifests++;
    }
    return statement_end(rows, error);
}

static bool delete_manifests(Pruner *pruner, const GPtrArray *dead, GError **error)
{
    for (guint i = 0; i < dead->len; i += 2)
        if (!database_run(pruner->database, error,
                          "DELETE FROM manifest WHERE repository = ? AND digest = ?", "ss",
                          (const char *) g_ptr_array_index(dead, i),
                          (const char *) g_ptr_array_index(dead, i + 1)))
            return false;
    return true;
}

/* Links no manifest of their repository needs, older than the grace and not leased; then
 * repositories with nothing in them. */
static bool delete_links(Pruner *pruner, GError **error)
{
    return database_run(pruner->database, error, "DELETE FROM lease WHERE expires_at <= ?", "i",
                        pruner->now) &&
           database_run(
               pruner->database, error,
               "DELETE FROM repository_blob WHERE linked_at < ?"
               " AND NOT EXISTS (SELECT 1 FROM manifest_edge e WHERE"
               "   e.repository = repository_blob.repository AND e.child = repository_blob.digest)"
               " AND NOT EXISTS (SELECT 1 FROM lease l WHERE"
               "   l.repository = repository_blob.repository AND l.digest = "
               "repository_blob.digest)",
               "i", pruner->now - CONTENT_GRACE_SECONDS) &&
           database_run(
               pruner->database, error,
               "DELETE FROM repository WHERE created_at < ?"
               " AND NOT EXISTS (SELECT 1 FROM repository_blob b WHERE b.repository = name)"
               " AND NOT EXISTS (SELECT 1 FROM manifest m WHERE m.repository = name)",
               "i", pruner->now - CONTENT_GRACE_SECONDS);
}

/* In one transaction, which a dry run takes back at its end. */
static bool prune_rows(Pruner *pruner, GError **error)
{
    g_autoptr(GPtrArray) dead = g_ptr_array_new_with_free_func(g_free);
    return list_dead_manifests(pruner, dead, error) && delete_manifests(pruner, dead, error) &&
           delete_links(pruner, error);
}

/* --- blobs ---------------------------------------------------------------------------------- */

static bool remember_blob(const char *digest, int64_t size, int64_t kept_at, void *data)
{
    g_ptr_array_add(data, g_strdup(digest));
    return true;
}

/* No row names DIGEST. */
static bool is_free(const char *digest, void *data, GError **error)
{
    Pruner *pruner = data;
    if (g_hash_table_contains(pruner->pinned, digest))
        return false;
    g_autoptr(Statement) row = database_prepare(
        pruner->database, error,
        "SELECT 1 FROM repository_blob WHERE digest = ?1"
        " UNION ALL SELECT 1 FROM manifest WHERE digest = ?1"
        " UNION ALL SELECT 1 FROM manifest_edge WHERE child = ?1"
        " UNION ALL SELECT 1 FROM pin WHERE digest = ?1"
        " UNION ALL SELECT 1 FROM lease WHERE digest = ?1 AND expires_at > ?2 LIMIT 1",
        "si", digest, pruner->now);
    if (row == NULL)
        return false;
    g_autoptr(GError) trouble = NULL;
    bool found = statement_step(row, &trouble);
    if (trouble != NULL)
        g_propagate_error(error, g_steal_pointer(&trouble));
    else
        return !found;
    return false;
}

static bool prune_blob(Pruner *pruner, const char *digest, GError **error)
{
    int64_t size;
    if (!content_has(pruner->store, digest, &size))
        return true;
    bool removed = false;
    if (pruner->options->dry_run) {
        g_autofree char *path = content_path(pruner->store, digest);
        struct stat st;
        g_autoptr(GError) trouble = NULL;
        removed = stat(path, &st) == 0 && pruner->now - st.st_mtime >= CONTENT_GRACE_SECONDS &&
                  is_free(digest, pruner, &trouble);
        if (trouble != NULL) {
            g_propagate_error(error, g_steal_pointer(&trouble));
            return false;
        }
    } else if (!content_collect(pruner->store, digest, is_free, pruner, &removed, error)) {
        return false;
    }
    if (removed) {
        report(pruner, "blob", digest, size);
        pruner->result->blobs++;
        pruner->result->bytes += (uint64_t) size;
    }
    return true;
}

static bool prune_blobs(Pruner *pruner, GError **error)
{
    if (!content_each(pruner->store, remember_blob, pruner->blobs, error))
        return false;
    for (guint i = 0; i < pruner->blobs->len; i++)
        if (!prune_blob(pruner, g_ptr_array_index(pruner->blobs, i), error))
            return false;
    return true;
}

/* --- folders -------------------------------------------------------------------------------- */

/* The diff ids of DIGEST, when it is an image's config. */
static void add_diff_ids(Pruner *pruner, const char *digest)
{
    int64_t size;
    size_t length;
    if (!content_has(pruner->store, digest, &size) || size > (int64_t) CONTENT_DOCUMENT_LIMIT)
        return;
    g_autofree char *text =
        content_read(pruner->store, digest, CONTENT_DOCUMENT_LIMIT, &length, NULL);
    if (text == NULL || text[0] != '{')
        return;
    g_autoptr(json_t) config = json_parse(digest, text, length, NULL);
    size_t position;
    json_t *diff_id;
    json_array_foreach(json_object_get(json_object_get(config, "rootfs"), "diff_ids"), position,
                       diff_id) if (json_is_string(diff_id))
        g_hash_table_add(pruner->diff_ids, g_strdup(json_string_value(diff_id)));
}

static bool was_used_within(const char *path, int64_t now, int64_t seconds)
{
    struct stat st;
    return stat(path, &st) == 0 && now - st.st_mtime < seconds;
}

/* Unpacked layers of no image that is still here, unused for a day: a running root may have them.
 */
static bool prune_layers_in(Pruner *pruner, const char *algorithm, GError **error)
{
    g_autofree char *parent = state_path(content_state(pruner->store), "layers", algorithm, NULL);
    DIR *dir = opendir(parent);
    if (dir == NULL)
        return errno == ENOENT || error_set_errno(error, errno, "list", parent);
    struct dirent *entry;
    bool ok = true;
    while (ok && (entry = readdir(dir)) != NULL) {
        g_autofree char *diff_id = g_strdup_printf("%s:%s", algorithm, entry->d_name);
        g_autofree char *marker = g_build_filename(parent, entry->d_name, "boot", NULL);
        if (entry->d_name[0] == '.' || g_hash_table_contains(pruner->diff_ids, diff_id) ||
            was_used_within(marker, pruner->now, DAY_SECONDS))
            continue;
        report(pruner, "unpacked layer", diff_id, 0);
        pruner->result->layers++;
        ok = pruner->options->dry_run || file_remove_tree(dirfd(dir), entry->d_name, error);
    }
    closedir(dir);
    return ok;
}

static bool prune_layers(Pruner *pruner, GError **error)
{
    for (guint i = 0; i < pruner->blobs->len; i++)
        add_diff_ids(pruner, g_ptr_array_index(pruner->blobs, i));
    return prune_layers_in(pruner, "sha256", error) && prune_layers_in(pruner, "sha512", error);
}

/* What a process left behind that was killed at work; a day is longer than any work takes. */
static void sweep_leftovers(const Pruner *pruner, const char *folder)
{
    DIR *dir = opendir(folder);
    if (dir == NULL)
        return;
    struct dirent *entry;
    while ((entry = readdir(dir)) != NULL) {
        struct stat st;
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
            fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
            pruner->now - st.st_mtime > DAY_SECONDS)
            file_remove_tree(dirfd(dir), entry->d_name, NULL);
    }
    closedir(dir);
}

static bool prune_all(Pruner *pruner, GError **error)
{
    const State *state = content_state(pruner->store);
    bool dry_run = pruner->options->dry_run;
    if (!find_pinned(pruner, error) || !database_begin(pruner->database, error))
        return false;
    bool ok = prune_rows(pruner, error);
    if (dry_run || !ok) {
        ok = ok && prune_blobs(pruner, error) && prune_layers(pruner, error);
        database_rollback(pruner->database);
        return ok;
    }
    if (!database_commit(pruner->database, error) || !prune_blobs(pruner, error) ||
        !prune_layers(pruner, error))
        return false;
    g_autofree char *work = state_path(state, "layers", "work", NULL);
    g_autofree char *base = state_path(state, "cache", "base", NULL);
    sweep_leftovers(pruner, content_ingest_folder(pruner->store));
    sweep_leftovers(pruner, work);
    sweep_leftovers(pruner, base);
    return true;
}

bool content_prune(ContentStore *store, const PruneOptions *options, PruneResult *result,
                   GError **error)
{
    *result = (PruneResult){0};
    Pruner pruner = {
        .store = store,
        .database = content_state(store)->database,
        .options = options,
        .result = result,
        .pinned = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL),
        .diff_ids = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL),
        .blobs = g_ptr_array_new_with_free_func(g_free),
        .now = (int64_t) time(NULL),
    };
    bool ok = prune_all(&pruner, error);
    g_hash_table_unref(pruner.pinned);
    g_hash_table_unref(pruner.diff_ids);
    g_ptr_array_unref(pruner.blobs);
    return ok;
}
