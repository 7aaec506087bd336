/* local_store.h - the state of this user and its content store, opened together for a command. */
#pragma once

#include "oci/content.h"

typedef struct {
    State *state;
    ContentStore *content;
} LocalStore;

bool local_store_open(LocalStore *store, GError **error);
void local_store_close(LocalStore *store);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(LocalStore, local_store_close)

/* "12.3 MB" */
char *local_store_format_size(int64_t bytes);
/* "sha256:0123456789ab" → "0123456789ab" */
char *local_store_short_digest(const char *digest);
