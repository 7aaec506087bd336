/* http_client.h - HTTP and HTTPS requests with bodies of any size both ways. It knows nothing of
 * registries or tokens.
 *
 * Proxies come from the environment (https_proxy, no_proxy …; never for loopback), certificates
 * are checked against the system's store or the given file. The library underneath (libcurl) is
 * opened on first use. A client belongs to one thread and keeps its connections. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct HttpClient HttpClient;

typedef struct {
    const char *ca_file; /* PEM; NULL: $SSL_CERT_FILE, else the system's */
    bool insecure;       /* certificates are not checked */
    int stall_seconds;   /* a transfer that moves nothing for so long fails; 0: 60 */
    int attempts;        /* tries for what may pass (no connection, 408, 429, 5xx); 0: 3 */
    int retry_pause_ms;  /* before the second try, threefold before the third …; 0: 1,000 */
} HttpClientOptions;

/* UNAVAILABLE when the library is missing. OPTIONS may be NULL. */
HttpClient *http_client_new(const HttpClientOptions *options, GError **error);
void http_client_free(HttpClient *client);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HttpClient, http_client_free)

typedef struct {
    int status;
    GPtrArray *headers; /* name, value, name, value … as they came */
    GByteArray *body;   /* what the sink did not get; a NUL follows it */
    char *url;          /* after redirects */
} HttpAnswer;

typedef struct {
    const char *method; /* NULL: GET */
    const char *url;
    const char *const *headers; /* "Name: value" …, NULL at the end; may be NULL */

    const void *body; /* what is sent: BODY_LENGTH bytes, or as many of BODY_FD from BODY_OFFSET */
    bool body_from_fd;
    int body_fd;
    int64_t body_offset, body_length;

    /* Takes the body of a 2xx answer piece by piece; false with an error stops the transfer. */
    bool (*sink)(const HttpAnswer *answer, const void *bytes, size_t length, void *state,
                 GError **error);
    void *sink_state;
    size_t body_limit; /* of what is collected instead: larger is an error; 0: 4 MiB */
    int timeout_ms;    /* for the whole exchange; 0: only stalls end it */
    bool stay;         /* redirects are not followed */
    bool once;         /* never tried again: sending it twice would mean something else */
} HttpExchange;

/* Sends EXCHANGE and waits for its answer, whatever its status. GET and HEAD follow redirects (at
 * most 5, never from https to http); credentials are not taken to another origin. What failed in
 * passing is tried again, unless the sink had bytes already. UNAVAILABLE where no answer came. */
bool http_client_send(HttpClient *client, const HttpExchange *exchange, HttpAnswer *answer,
                      GError **error);

/* The first header NAME of ANSWER, or NULL. Borrowed. */
const char *http_answer_find(const HttpAnswer *answer, const char *name);

void http_answer_clear(HttpAnswer *answer);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(HttpAnswer, http_answer_clear)
