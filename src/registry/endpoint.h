/* endpoint.h - which endpoint of the distribution API a path means. Pure text. */
#pragma once

#include <glib.h>
#include <stdbool.h>

typedef enum {
    ENDPOINT_UNKNOWN, /* nothing below /v2/ */
    ENDPOINT_PING,
    ENDPOINT_CATALOG,
    ENDPOINT_BLOB,
    ENDPOINT_UPLOADS, /* where uploads are started */
    ENDPOINT_UPLOAD,  /* one session */
    ENDPOINT_MANIFEST,
    ENDPOINT_TAGS,
    ENDPOINT_REFERRERS,
} EndpointKind;

typedef struct {
    EndpointKind kind;
    char *repository; /* as sent, unchecked; NULL for ping and catalog */
    char *reference;  /* tag or digest, or the session's id; NULL where there is none */
} Endpoint;

/* The endpoint of PATH (decoded). A repository's parts may be called like the API's own words, so
 * the last possible place counts. */
void endpoint_parse(const char *path, Endpoint *endpoint);

void endpoint_clear(Endpoint *endpoint);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Endpoint, endpoint_clear)
