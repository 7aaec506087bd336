/* http_url.h - request targets and their parts as text: percent coding, queries, references. */
#pragma once

#include <glib.h>
#include <stdbool.h>

/* TEXT of LENGTH bytes with %XX decoded ('+' as a blank when FORM). NULL where an escape is
 * malformed or means NUL. */
char *http_url_decode(const char *text, size_t length, bool form);

/* TEXT with everything but unreserved bytes (and those of KEEP) as %XX. */
char *http_url_encode(const char *text, const char *keep);

/* A query string, decoded, in its order. */
typedef struct {
    char *name, *value; /* a name without '=' has the value "" */
} HttpParameter;

/* The HttpParameter * of QUERY ("a=1&b=2"; NULL: none); NULL where an escape is malformed. */
GPtrArray *http_query_parse(const char *query);

/* The first value of NAME, or NULL. Borrowed. */
const char *http_query_find(const GPtrArray *query, const char *name);

/* REFERENCE (absolute, "//host/…", "/path" or relative; a Location) as seen from URL BASE. NULL
 * with INVALID for anything but http and https. */
char *http_url_resolve(const char *base, const char *reference, GError **error);

/* "scheme://host:port" of URL, with the port always there; NULL with INVALID where it has none. */
char *http_url_origin(const char *url, GError **error);

/* Whether HOST ("localhost", "127.0.0.1:5000", "[::1]:80") is this machine's loopback. */
bool http_host_is_loopback(const char *host);

/* Whether HOST is an address literal of loopback, link-local or private networks: where an answer
 * from outside must not send us. */
bool http_host_is_private_literal(const char *host);

/* Whether two URLs name the same host, whatever scheme and port. */
bool http_url_same_host(const char *a, const char *b);
