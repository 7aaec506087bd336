#include "oci/image_list.h"

#include "format/json.h"

void image_name_free(ImageName *name)
{
    if (name == NULL)
        return;
    g_free(name->name);
    g_free(name->digest);
    g_free(name);
}

GPtrArray *image_list(ContentStore *store, GError **error)
{
    g_autoptr(Statement) rows =
        database_prepare(content_state(store)->database, error,
                         "SELECT repository || ':' || name, digest, updated_at FROM tag "
                         "ORDER BY repository, name",
                         "");
    if (rows == NULL)
        return NULL;
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func((GDestroyNotify) image_name_free);
    while (statement_step(rows, NULL)) {
        ImageName *name = g_new(ImageName, 1);
        *name = (ImageName){g_strdup(statement_text(rows, 0)), g_strdup(statement_text(rows, 1)),
                            statement_integer(rows, 2)};
        g_ptr_array_add(names, name);
    }
    return statement_end(rows, error) ? g_steal_pointer(&names) : NULL;
}

char **image_names_of(ContentStore *store, const char *digest, GError **error)
{
    g_autoptr(GPtrArray) all = image_list(store, error);
    if (all == NULL)
        return NULL;
    GPtrArray *names = g_ptr_array_new();
    for (guint i = 0; i < all->len; i++) {
        const ImageName *name = g_ptr_array_index(all, i);
        if (g_str_equal(name->digest, digest))
            g_ptr_array_add(names, g_strdup(name->name));
    }
    g_ptr_array_add(names, NULL);
    return (char **) g_ptr_array_free(names, FALSE);
}

int64_t image_stored_size(const ContentStore *store, const Image *image)
{
    int64_t total = 0, size;
    const char *const documents[] = {image->manifest_digest, image->config_digest};
    for (size_t i = 0; i < G_N_ELEMENTS(documents); i++)
        if (documents[i] != NULL && content_has(store, documents[i], &size))
            total += size;
    for (guint i = 0; i < image->layers->len; i++)
        total += ((const ImageLayer *) g_ptr_array_index(image->layers, i))->size;
    return total;
}

const char *image_created(const Image *image)
{
    return json_get_string(image->config, "created");
}

const char *image_layer_origin(const Image *image, guint index)
{
    size_t position;
    json_t *entry;
    guint layer = 0;
    json_array_foreach(json_object_get(image->config, "history"), position, entry)
    {
        if (json_get_boolean(entry, "empty_layer", false))
            continue;
        if (layer++ == index)
            return json_get_string(entry, "created_by");
    }
    return NULL;
}
