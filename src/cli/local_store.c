#include "cli/local_store.h"

#include "cli/command.h"

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

bool local_store_parse_format(const char *text, bool *json, GError **error)
{
    *json = g_strcmp0(text, "json") == 0;
    if (*json || text == NULL || g_str_equal(text, "text"))
        return true;
    command_usage_error(error, "--format is text or json, not '%s'", text);
    return false;
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
