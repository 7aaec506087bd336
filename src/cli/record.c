#include "cli/record.h"

#include "format/json.h"
#include "oci/image.h"
#include "sign/signer.h"

#include <pwd.h>
#include <unistd.h>

Ledger *record_open(State *state, GError **error)
{
    if (!signer_ensure_keys(state, error))
        return NULL;
    LedgerSigner signer = {.sign = signer_sign_note, .self = state};
    return ledger_open(state, &signer, error);
}

/* "local:USER": who runs this command, as far as the machine knows. */
static char *record_actor(void)
{
    const struct passwd *user = getpwuid(getuid());
    return user != NULL ? g_strconcat("local:", user->pw_name, NULL)
                        : g_strdup_printf("local:%u", (unsigned) getuid());
}

bool record_append(State *state, const char *action, const char *object, const char *result,
                   json_t *detail, GError **error)
{
    g_autoptr(json_t) taken = detail;
    g_autoptr(Ledger) ledger = record_open(state, error);
    if (ledger == NULL)
        return false;
    g_autofree char *actor = record_actor();
    LedgerEntry entry = {
        .actor = actor, .action = action, .object = object, .result = result, .detail = taken};
    return ledger_append(ledger, &entry, error) >= 0;
}

static int by_seq(const void *a, const void *b)
{
    gint64 x = json_get_integer(*(json_t *const *) a, "seq", -1);
    gint64 y = json_get_integer(*(json_t *const *) b, "seq", -1);
    return x < y ? -1 : x > y;
}

/* Adds the entries of LIST to FOUND; with OBJECT only those that are about it itself. */
static void collect(GHashTable *seen, GPtrArray *found, const json_t *list, const char *object)
{
    size_t index;
    json_t *entry;
    json_array_foreach(list, index, entry)
    {
        if (object != NULL && g_strcmp0(json_get_string(entry, "object"), object) != 0)
            continue;
        if (g_hash_table_add(seen, GSIZE_TO_POINTER(json_get_integer(entry, "seq", -1) + 1)))
            g_ptr_array_add(found, json_incref(entry));
    }
}

/* The commits that the entries about image OBJECT name. */
static GHashTable *commits_of(const json_t *entries, const char *object)
{
    GHashTable *commits = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    size_t index;
    json_t *entry;
    json_array_foreach(entries, index, entry)
    {
        const char *commit = json_get_string(json_object_get(entry, "detail"), "commit");
        if (commit != NULL && g_strcmp0(json_get_string(entry, "object"), object) == 0)
            g_hash_table_add(commits, g_strdup(commit));
    }
    return commits;
}

static void unref_json(gpointer value)
{
    json_decref(value);
}

json_t *record_query(Ledger *ledger, const char *object, const char *action, GError **error)
{
    if (object == NULL || !g_str_has_prefix(object, "sha256:"))
        return ledger_query(ledger, object, action, error);
    g_autoptr(json_t) whole = ledger_query(ledger, object, NULL, error);
    g_autoptr(json_t) about = whole != NULL ? ledger_query(ledger, object, action, error) : NULL;
    if (about == NULL)
        return NULL;
    g_autoptr(GHashTable) seen = g_hash_table_new(NULL, NULL);
    g_autoptr(GPtrArray) found = g_ptr_array_new_with_free_func(unref_json);
    g_autoptr(GHashTable) commits = commits_of(whole, object);
    collect(seen, found, about, NULL);
    GHashTableIter iter;
    gpointer commit;
    g_hash_table_iter_init(&iter, commits);
    while (g_hash_table_iter_next(&iter, &commit, NULL)) {
        g_autoptr(json_t) more = ledger_query(ledger, commit, action, error);
        if (more == NULL)
            return NULL;
        collect(seen, found, more, commit);
    }
    g_ptr_array_sort(found, by_seq);
    json_t *entries = json_array();
    for (guint i = 0; i < found->len; i++)
        json_array_append(entries, found->pdata[i]);
    return entries;
}

char *record_find_object(State *state, Ledger *ledger, const char *name, GError **error)
{
    g_autoptr(json_t) exact = ledger_query(ledger, name, NULL, error);
    if (exact == NULL)
        return NULL;
    if (json_array_size(exact) > 0)
        return g_strdup(name);
    g_autoptr(ContentStore) store = content_store_open(state, NULL);
    char *digest = store != NULL ? image_resolve(store, name, NULL) : NULL;
    return digest != NULL ? digest : ledger_find_object(ledger, name, error);
}
