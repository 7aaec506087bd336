/* http_probe.h - one blocking HTTP/1.1 exchange in plain text, for probes and smoke tests.
 *
 * Small and bounded on purpose: no TLS, no redirects, no reuse of the connection. What moves
 * content is http_client.h. */
#pragma once

#include "net/http1.h"

typedef struct {
    const char *method;         /* NULL: GET */
    const char *path;           /* with its query; begins with '/' */
    const char *host;           /* the Host field; NULL: localhost */
    const char *const *headers; /* "Name: value" …, NULL at the end; may be NULL */
    const void *body;
    size_t body_length;
    int timeout_ms;    /* for the whole exchange; 0: 5,000 */
    size_t body_limit; /* 0: 64 KiB; what is beyond is left unread */
} HttpProbe;

typedef struct {
    int status;
    char *body; /* with a NUL after it */
    size_t body_length;
    bool truncated; /* the body was longer than the limit */
    char *head_bytes;
    Http1Head *head; /* points into head_bytes; http1_head_value looks fields up */
} HttpProbeAnswer;

/* Sends PROBE over the connected socket FD (which stays the caller's) and reads the final answer.
 * UNAVAILABLE where none came in time or the connection broke, INVALID where it was no HTTP. */
bool http_probe_fd(int fd, const HttpProbe *probe, HttpProbeAnswer *answer, GError **error);

/* The same over a new connection to HOST (name or address) and PORT. */
bool http_probe(const char *host, int port, const HttpProbe *probe, HttpProbeAnswer *answer,
                GError **error);

void http_probe_answer_clear(HttpProbeAnswer *answer);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(HttpProbeAnswer, http_probe_answer_clear)
