#include "cli/local_store.h"

#include <string.h>

bool local_store_open(LocalStore *store, GError **error)
{
    store->state = state_open(NULL, error);
    store->content = store->state != NULL ? content_store_open(store->state, error) : NULL;
    return store->content != NULL;
}

void local_store_close(LocalStore *store)
{
    g_clear_pointer(&store->content, content_store_free);
    g_clear_pointer(&store->state, state_close);
}

char *local_store_format_size(int64_t bytes)
{
    return g_format_size_full((guint64) MAX(bytes, 0), G_FORMAT_SIZE_DEFAULT);
}

char *local_store_short_digest(const char *digest)
{
    const char *colon = strchr(digest, ':');
    return g_strndup(colon != NULL ? colon + 1 : digest, 12);
}
