/* http1.h - HTTP/1.1 messages in byte buffers: strict parsing of heads and bodies. No I/O.
 *
 * What two parties could read in two ways is refused, never mended (RFC 9112 with the lenient
 * parts left out): bare LF, obs-fold, blanks around names, Content-Length beside
 * Transfer-Encoding, differing lengths, codings other than one final "chunked".
 *
 * A parsed head points into the caller's buffer and is valid as long as those bytes are. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#define HTTP1_HEAD_LIMIT (32 * 1024) /* bytes of a whole head */
#define HTTP1_LINE_LIMIT (8 * 1024)  /* bytes of the first line */
#define HTTP1_FIELD_LIMIT 100        /* fields of one head */

typedef struct {
    const char *at;
    size_t length;
} Http1Slice;

typedef struct {
    Http1Slice name, value; /* without surrounding blanks */
} Http1Field;

typedef enum {
    HTTP1_MORE, /* not whole yet: read more and ask again */
    HTTP1_DONE,
    HTTP1_BAD, /* the error is set; the connection cannot be used further */
} Http1Result;

typedef enum {
    HTTP1_BODY_NONE,
    HTTP1_BODY_LENGTH,
    HTTP1_BODY_CHUNKED,
    HTTP1_BODY_CLOSE, /* of a response: until the connection ends */
} Http1BodyKind;

typedef struct {
    Http1Slice method, target; /* of a request */
    int status;                /* of a response; of a bad request: the status to refuse it with */
    Http1Slice reason;         /* of a response; may be empty */
    int minor;                 /* the version is HTTP/1.MINOR: 0 or 1 */
    Http1Field fields[HTTP1_FIELD_LIMIT];
    size_t field_count;
    Http1BodyKind body;
    int64_t content_length; /* -1: none was given */
    bool keep_alive;        /* what the version and the Connection field say together */
    bool upgrade;           /* Connection: upgrade, with an Upgrade field */
    bool expect_continue;
    size_t length; /* bytes of the head, the empty line included; the body begins there */
} Http1Head;

/* Parses the request head at the beginning of BYTES. HTTP1_BAD sets ERROR (INVALID) and
 * HEAD->status to 400, 414, 431, 501 or 505. */
Http1Result http1_parse_request(const char *bytes, size_t length, Http1Head *head, GError **error);

/* Parses the response head at the beginning of BYTES, the answer to a request with METHOD (which
 * decides whether there is a body). */
Http1Result http1_parse_response(const char *bytes, size_t length, const char *method,
                                 Http1Head *head, GError **error);

/* The first field called NAME (any case), or NULL. */
const Http1Field *http1_head_find(const Http1Head *head, const char *name);

/* A copy of that field's value; NULL when there is none. */
char *http1_head_value(const Http1Head *head, const char *name);

/* Whether a comma-separated list field NAME of HEAD (over all its lines) has TOKEN, in any case. */
bool http1_head_has_token(const Http1Head *head, const char *name, const char *token);

/* Whether FIELD speaks of this connection only and must not be passed on: the fields of
 * RFC 9110 section 7.6.1 and those that Connection names. */
bool http1_field_is_hop_by_hop(const Http1Head *head, const Http1Field *field);

bool http1_slice_equal(Http1Slice slice, const char *text);
bool http1_slice_equal_nocase(Http1Slice slice, const char *text);

/* Whether TEXT may be a field name or method; a field value (no controls, no line ends). */
bool http1_is_token(const char *text, size_t length);
bool http1_is_field_value(const char *text, size_t length);

/* The state of a body that arrives piece by piece. Open, so that it needs no allocation; only
 * the functions below change it. */
typedef struct {
    Http1BodyKind kind;
    int state;       /* of the chunked form */
    int64_t left;    /* bytes of the body or of the chunk */
    size_t overhead; /* bytes seen of the present chunk line or of the trailers */
    char line[64];   /* beginning of the trailer line */
    size_t line_length;
} Http1Body;

void http1_body_begin(Http1Body *body, const Http1Head *head);

/* Takes *CONSUMED bytes from BYTES, of which DATA (a part of BYTES; may be empty) is content.
 * HTTP1_DONE: the body ended after these bytes; HTTP1_MORE: call again with what follows. A body
 * until the end of the connection is never DONE. Trailer fields are checked and dropped. */
Http1Result http1_body_feed(Http1Body *body, const char *bytes, size_t length, size_t *consumed,
                            Http1Slice *data, GError **error);
