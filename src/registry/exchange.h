/* exchange.h - one request to the registry, for the files that answer it. Private to this room. */
#pragma once

#include "net/http_server.h"
#include "registry/catalog.h"
#include "registry/problem.h"
#include "registry/endpoint.h"
#include "registry/server.h"
#include "registry/upload.h"

typedef struct {
    HttpRequest *request;
    Registry *registry;
    Endpoint endpoint;
} Exchange;

/* The catalog of this thread. */
Catalog *exchange_catalog(const Exchange *exchange);
UploadTable *exchange_uploads(const Exchange *exchange);

/* Hands EXCHANGE over: it lives until STATE of a body reader is freed. */
Exchange *exchange_keep(Exchange *exchange);
void exchange_free(Exchange *exchange);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Exchange, exchange_free)

/* The first value of query parameter NAME, or NULL. */
const char *exchange_query(const Exchange *exchange, const char *name);

/* Whether the sender may do ACTION in REPOSITORY; else it has been answered. */
bool exchange_authorize(Exchange *exchange, const char *repository, RegistryAction action);
/* The same without answering. */
bool exchange_may(Exchange *exchange, const char *repository, RegistryAction action);
/* Whether manifest DIGEST is admitted; else it has been answered. */
bool exchange_admit(Exchange *exchange, const char *digest);

/* "/v2/REPOSITORY/…": an answer's Location is relative, so that proxies before us do not matter. */
G_GNUC_PRINTF(2, 3)
void exchange_location(Exchange *exchange, const char *format, ...);

bool exchange_is_method(const Exchange *exchange, const char *method);
/* GET or HEAD. */
bool exchange_reads(const Exchange *exchange);

/* Whether DIGEST is one; else 400 DIGEST_INVALID has been answered. */
bool exchange_check_digest(Exchange *exchange, const char *digest);

/* The page that ?n= and ?last= ask for; false where n is no number: it has been answered. LIMIT
 * is -1 where n was not given. */
bool exchange_page(Exchange *exchange, int64_t *limit, const char **last);
/* The Link header to the next page of PATH, behind LAST; EXTRA ("&x=y") may be "". */
void exchange_link(Exchange *exchange, const char *path, int64_t limit, const char *last,
                   const char *extra);
/* 200 with BODY (taken) as compact JSON. */
void exchange_answer_json(Exchange *exchange, const char *type, json_t *body);

#define PAGE_LIMIT 10000

/* What the routes mean; each answers or sets a reader for the body. */
void blob_handle(Exchange *exchange);
void uploads_handle(Exchange *exchange);
void upload_handle(Exchange *exchange);
void manifest_handle(Exchange *exchange);
void tags_handle(Exchange *exchange);
void catalog_handle(Exchange *exchange);
void referrers_handle(Exchange *exchange);
