#include "delivery/evidence.h"

#include "format/json.h"

int64_t evidence_record(Delivery *delivery, const char *kind, const char *object,
                        const char *result, json_t *detail, const char *key, GError **error)
{
    g_autoptr(json_t) owned = detail != NULL ? detail : json_object();
    json_object_set_new(owned, "kind", json_string(kind));
    LedgerEntry entry = {
        .actor = "engine",
        .action = "evidence",
        .object = object,
        .result = result,
        .detail = owned,
        .key = key,
    };
    return ledger_append(delivery->ledger, &entry, error);
}

json_t *evidence_latest(Delivery *delivery, const char *kind, const char *object, const char *key,
                        const char *value, GError **error)
{
    g_autoptr(json_t) entries = ledger_query(delivery->ledger, object, "evidence", error);
    for (size_t i = json_array_size(entries); i-- > 0;) {
        json_t *entry = json_array_get(entries, i);
        const json_t *detail = json_object_get(entry, "detail");
        if (g_strcmp0(json_get_string(entry, "object"), object) == 0 &&
            g_strcmp0(json_get_string(detail, "kind"), kind) == 0 &&
            (key == NULL || g_strcmp0(json_get_string(detail, key), value) == 0))
            return json_incref(entry);
    }
    return NULL;
}
