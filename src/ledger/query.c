#include "base/error.h"
#include "format/json.h"
#include "ledger/record.h"

#include <string.h>

/* The entry as callers see it: what it is first, in the order a person reads. */
static json_t *present(const char *text, GError **error)
{
    g_autoptr(json_t) body = json_parse("ledger entry", text, strlen(text), error);
    if (body == NULL)
        return NULL;
    static const char *const fields[] = {"seq",    "time",   "actor", "action",
                                         "object", "result", "detail"};
    json_t *entry = json_object();
    for (size_t i = 0; i < G_N_ELEMENTS(fields); i++) {
        json_t *value = json_object_get(body, fields[i]);
        if (value != NULL)
            json_object_set(entry, fields[i], value);
    }
    return entry;
}

static Statement *select_entries(Ledger *ledger, const char *object, const char *action,
                                 GError **error)
{
    if (object != NULL && action != NULL)
        return database_prepare(ledger->database, error,
                                "SELECT e.body FROM ledger_mention m JOIN ledger_entry e "
                                "ON e.seq = m.seq WHERE m.value = ? AND e.action = ? "
                                "ORDER BY m.seq",
                                "ss", object, action);
    if (object != NULL)
        return database_prepare(ledger->database, error,
                                "SELECT e.body FROM ledger_mention m JOIN ledger_entry e "
                                "ON e.seq = m.seq WHERE m.value = ? ORDER BY m.seq",
                                "s", object);
    if (action != NULL)
        return database_prepare(ledger->database, error,
                                "SELECT body FROM ledger_entry WHERE action = ? ORDER BY seq", "s",
                                action);
    return database_prepare(ledger->database, error, "SELECT body FROM ledger_entry ORDER BY seq",
                            "");
}

json_t *ledger_query(Ledger *ledger, const char *object, const char *action, GError **error)
{
    g_autoptr(Statement) rows = select_entries(ledger, object, action, error);
    if (rows == NULL)
        return NULL;
    g_autoptr(json_t) entries = json_array();
    while (statement_step(rows, NULL)) {
        json_t *entry = present(statement_text(rows, 0), error);
        if (entry == NULL)
            return NULL;
        json_array_append_new(entries, entry);
    }
    return statement_end(rows, error) ? g_steal_pointer(&entries) : NULL;
}

char *ledger_entry_text(Ledger *ledger, int64_t seq, GError **error)
{
    g_autoptr(GError) trouble = NULL;
    char *text = database_read_text(ledger->database, &trouble,
                                    "SELECT body FROM ledger_entry WHERE seq = ?", "i", seq);
    if (text != NULL)
        return text;
    if (trouble != NULL)
        g_propagate_error(error, g_steal_pointer(&trouble));
    else
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_NOT_FOUND,
                    "the ledger has no entry %" G_GINT64_FORMAT, seq);
    return NULL;
}

char *ledger_find_object(Ledger *ledger, const char *prefix, GError **error)
{
    /* '{' follows every letter and digit, so the range holds what begins with PREFIX. */
    g_autofree char *end = g_strconcat(prefix, "{", NULL);
    g_autofree char *digest = g_strconcat("sha256:", prefix, NULL);
    g_autofree char *digest_end = g_strconcat(digest, "{", NULL);
    g_autoptr(Statement) rows =
        database_prepare(ledger->database, error,
                         "SELECT DISTINCT value FROM ledger_mention "
                         "WHERE (value >= ? AND value < ?) OR (value >= ? AND value < ?) LIMIT 2",
                         "ssss", prefix, end, digest, digest_end);
    if (rows == NULL)
        return NULL;
    g_autoptr(GError) trouble = NULL;
    g_autofree char *found =
        statement_step(rows, &trouble) ? g_strdup(statement_text(rows, 0)) : NULL;
    bool more = found != NULL && trouble == NULL && statement_step(rows, &trouble);
    if (trouble != NULL) {
        g_propagate_error(error, g_steal_pointer(&trouble));
        return NULL;
    }
    if (found == NULL || more) {
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_NOT_FOUND,
                    more ? "'%s' is the beginning of several names in the ledger"
                         : "the ledger does not speak of '%s'",
                    prefix);
        return NULL;
    }
    return g_steal_pointer(&found);
}
