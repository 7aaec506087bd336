/* build_cache.c - layers by the key of the step that made them. */
#include "build/build_private.h"

#include "format/json.h"

ImageLayer *build_cache_get(Build *build, const char *key, char **made_at, GError **error)
{
    g_autoptr(Statement) found = database_prepare(
        build->state->database, error,
        "SELECT media_type, digest, size, diff_id, made_at FROM build_layer WHERE key = ?"
        " AND (? < 0 OR (clamp_time >= 0 AND clamp_time <= ?))",
        "sii", key, build->spec->source_date_epoch, build->spec->source_date_epoch);
    if (found == NULL || !statement_step(found, error))
        return NULL;
    if (!content_keep(build->store, statement_text(found, 1), NULL))
        return NULL;
    ImageLayer *layer = g_new0(ImageLayer, 1);
    layer->media_type = g_strdup(statement_text(found, 0));
    layer->digest = g_strdup(statement_text(found, 1));
    layer->size = statement_integer(found, 2);
    layer->diff_id = g_strdup(statement_text(found, 3));
    *made_at = g_strdup(statement_text(found, 4));
    return layer;
}

bool build_cache_put(Build *build, const char *key, const ImageLayer *layer, const char *made_at,
                     GError **error)
{
    return database_run(
        build->state->database, error,
        "INSERT INTO build_layer(key, clamp_time, media_type, digest, size, diff_id, made_at)"
        " VALUES(?, ?, ?, ?, ?, ?, ?) ON CONFLICT(key) DO UPDATE SET"
        " clamp_time = excluded.clamp_time, media_type = excluded.media_type,"
        " digest = excluded.digest, size = excluded.size, diff_id = excluded.diff_id,"
        " made_at = excluded.made_at",
        "sississ", key, build->spec->source_date_epoch, layer->media_type, layer->digest,
        layer->size, layer->diff_id, made_at);
}

char *build_cache_explain(Build *build, const char *place, const json_t *inputs, GError **error)
{
    g_autoptr(Statement) found = database_prepare(
        build->state->database, error, "SELECT inputs FROM build_step WHERE place = ?", "s", place);
    if (found == NULL || !statement_step(found, error))
        return NULL;
    g_autoptr(json_t) before = json_loads(statement_text(found, 0), 0, NULL);
    g_autoptr(GPtrArray) changed = g_ptr_array_new_with_free_func(g_free);
    const char *name;
    json_t *value;
    json_object_foreach((json_t *) inputs, name, value)
    {
        const json_t *old = json_object_get(before, name);
        if (old == NULL)
            g_ptr_array_add(changed, g_strdup_printf("%s is new", name));
        else if (!json_equal(old, value))
            g_ptr_array_add(changed, g_strdup_printf("%s changed", name));
    }
    json_object_foreach(before, name, value)
    {
        if (json_object_get(inputs, name) == NULL)
            g_ptr_array_add(changed, g_strdup_printf("%s is gone", name));
    }
    if (changed->len == 0)
        return g_strdup("the cached layer is gone, or its times are later than asked for");
    g_ptr_array_add(changed, NULL);
    return g_strjoinv(", ", (char **) changed->pdata);
}

bool build_cache_remember(Build *build, const char *place, const json_t *inputs, GError **error)
{
    g_autofree char *text = json_canonical(inputs, error);
    return text != NULL &&
           database_run(build->state->database, error,
                        "INSERT INTO build_step(place, inputs) VALUES(?, ?)"
                        " ON CONFLICT(place) DO UPDATE SET inputs = excluded.inputs",
                        "ss", place, text);
}
