/* http_server.h - an HTTP/1.1 server: connections, requests and their bodies, answers. It knows no
 * routes.
 *
 * Requests are handled in a small pool of threads. A handler is called once the head is there and
 * before any of the body is read, so that it can refuse early; it either answers at once or gives
 * a reader for the body and answers when that has ended. Each request is answered exactly once.
 *
 * The library underneath (libmicrohttpd) is opened on first use. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct HttpServer HttpServer;
typedef struct HttpRequest HttpRequest;

typedef struct {
    const char *address;   /* "127.0.0.1:5000", "[::1]:0", ":8080" (all addresses) */
    unsigned threads;      /* 0: a few more than there are processors */
    unsigned idle_seconds; /* a silent connection is closed; 0: 60 */
    const char *tls_certificate, *tls_key; /* PEM text; both NULL: plain HTTP */
    void (*handle)(HttpRequest *request, void *context);
    void *context;
} HttpServerOptions;

/* Listens and serves until http_server_stop. INVALID for a malformed address, UNAVAILABLE (with
 * the address) when it is taken or the library is missing. */
HttpServer *http_server_start(const HttpServerOptions *options, GError **error);

/* "http://127.0.0.1:41231": where it really listens. */
const char *http_server_url(const HttpServer *server);

/* Takes no new connections, gives requests under way GRACE_MS to end, closes all and frees. */
void http_server_stop(HttpServer *server, int grace_ms);

/* What was asked. Texts live as long as the request. */
const char *http_request_method(const HttpRequest *request);
const char *http_request_path(const HttpRequest *request);       /* decoded, begins with '/' */
const GPtrArray *http_request_query(const HttpRequest *request); /* HttpParameter *, http_url.h */
const char *http_request_header(const HttpRequest *request, const char *name); /* or NULL */
int64_t http_request_content_length(const HttpRequest *request);               /* -1: not said */
char *http_request_peer(const HttpRequest *request);                           /* "127.0.0.1" */

typedef struct {
    /* The next bytes. false: the rest is of no interest; it is read past, and end is called. */
    bool (*data)(HttpRequest *request, const void *bytes, size_t length, void *state);
    void (*end)(HttpRequest *request, void *state); /* the whole body has come: answer */
    void (*free)(void *state); /* last, in every case; alone where the connection broke */
} HttpBodyReader;

/* Reads the body with READER (static) and STATE (taken). Only from within handle. */
void http_request_read_body(HttpRequest *request, const HttpBodyReader *reader, void *state);

/* A header of the answer; before the answer itself. VALUE may come from the request: what could
 * end the line is dropped with its header. */
void http_answer_header(HttpRequest *request, const char *name, const char *value);

/* The answer: BODY is copied (LENGTH -1: text); TYPE may be NULL. HEAD requests get the same
 * headers and no body by themselves. */
void http_answer(HttpRequest *request, int status, const char *type, const void *body,
                 gssize length);

/* The answer is LENGTH bytes of FD (taken) from OFFSET, sent without copying where possible. */
void http_answer_file(HttpRequest *request, int status, const char *type, int fd, int64_t offset,
                      int64_t length);
