#include "base/error.h"
#include "net/http1.h"

#include <string.h>

#define HOST "Host: a\r\n"

typedef struct {
    const char *label;
    const char *bytes;
    Http1Result result;
    int status;         /* of a refusal */
    Http1BodyKind body; /* of what parses */
    int64_t length;     /* Content-Length */
} RequestCase;

static const RequestCase requests[] = {
    {"get", "GET / HTTP/1.1\r\n" HOST "\r\n", HTTP1_DONE, 0, HTTP1_BODY_NONE, -1},
    {"leading-empty-line", "\r\nGET / HTTP/1.1\r\n" HOST "\r\n", HTTP1_DONE, 0, HTTP1_BODY_NONE,
     -1},
    {"old-version", "GET / HTTP/1.0\r\n\r\n", HTTP1_DONE, 0, HTTP1_BODY_NONE, -1},
    {"length", "POST / HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\n", HTTP1_DONE, 0,
     HTTP1_BODY_LENGTH, 5},
    {"length-zero", "POST / HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n", HTTP1_DONE, 0,
     HTTP1_BODY_NONE, 0},
    {"same-length-twice",
     "POST / HTTP/1.1\r\n" HOST "Content-Length: 5\r\nContent-Length: 5\r\n\r\n", HTTP1_DONE, 0,
     HTTP1_BODY_LENGTH, 5},
    {"chunked", "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: Chunked\r\n\r\n", HTTP1_DONE, 0,
     HTTP1_BODY_CHUNKED, -1},
    {"options-star", "OPTIONS * HTTP/1.1\r\n" HOST "\r\n", HTTP1_DONE, 0, HTTP1_BODY_NONE, -1},
    {"absolute", "GET http://a/b HTTP/1.1\r\n" HOST "\r\n", HTTP1_DONE, 0, HTTP1_BODY_NONE, -1},
    {"partial", "GET / HTTP/1.1\r\nHost: a\r\n", HTTP1_MORE, 0, 0, 0},
    {"partial-cr", "GET / HTTP/1.1\r", HTTP1_MORE, 0, 0, 0},
    {"nothing", "", HTTP1_MORE, 0, 0, 0},

    /* what two parties could read in two ways */
    {"length-and-chunked",
     "POST / HTTP/1.1\r\n" HOST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
     HTTP1_BAD, 400, 0, 0},
    {"chunked-and-length",
     "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n",
     HTTP1_BAD, 400, 0, 0},
    {"two-lengths", "POST / HTTP/1.1\r\n" HOST "Content-Length: 5\r\nContent-Length: 6\r\n\r\n",
     HTTP1_BAD, 400, 0, 0},
    {"length-list", "POST / HTTP/1.1\r\n" HOST "Content-Length: 5, 5\r\n\r\n", HTTP1_BAD, 400, 0,
     0},
    {"length-plus", "POST / HTTP/1.1\r\n" HOST "Content-Length: +5\r\n\r\n", HTTP1_BAD, 400, 0, 0},
    {"length-minus", "POST / HTTP/1.1\r\n" HOST "Content-Length: -1\r\n\r\n", HTTP1_BAD, 400, 0, 0},
    {"length-hex", "POST / HTTP/1.1\r\n" HOST "Content-Length: 0x5\r\n\r\n", HTTP1_BAD, 400, 0, 0},
    {"length-empty", "POST / HTTP/1.1\r\n" HOST "Content-Length:\r\n\r\n", HTTP1_BAD, 400, 0, 0},
    {"length-huge", "POST / HTTP/1.1\r\n" HOST "Content-Length: 99999999999999999999\r\n\r\n",
     HTTP1_BAD, 400, 0, 0},
    {"coding-gzip", "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: gzip, chunked\r\n\r\n",
     HTTP1_BAD, 501, 0, 0},
    {"coding-identity", "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: identity\r\n\r\n", HTTP1_BAD,
     501, 0, 0},
    {"coding-tab",
     "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: \x0b"
     "chunked\r\n\r\n",
     HTTP1_BAD, 400, 0, 0},
    {"coding-x", "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: xchunked\r\n\r\n", HTTP1_BAD, 501,
     0, 0},
    {"coding-twice",
     "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
     HTTP1_BAD, 400, 0, 0},
    {"coding-in-old-version", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", HTTP1_BAD,
     400, 0, 0},
    {"blank-before-colon", "POST / HTTP/1.1\r\n" HOST "Content-Length : 5\r\n\r\n", HTTP1_BAD, 400,
     0, 0},
    {"folded", "GET / HTTP/1.1\r\n" HOST "A: b\r\n c\r\n\r\n", HTTP1_BAD, 400, 0, 0},
    {"folded-tab", "GET / HTTP/1.1\r\n" HOST "A: b\r\n\tc\r\n\r\n", HTTP1_BAD, 400, 0, 0},
    {"folded-first", "GET / HTTP/1.1\r\n Host: a\r\n\r\n", HTTP1_BAD, 400, 0, 0},
    {"bare-line-feed", "GET / HTTP/1.1\nHost: a\n\n", HTTP1_BAD, 400, 0, 0},
    {"bare-line-feed-in-value", "GET / HTTP/1.1\r\n" HOST "A: b\nX: y\r\n\r\n", HTTP1_BAD, 400, 0,
     0},
    {"bare-return-in-value", "GET / HTTP/1.1\r\n" HOST "A: b\rX: y\r\n\r\n", HTTP1_BAD, 400, 0, 0},
    {"control-in-value", "GET / HTTP/1.1\r\n" HOST "A: b\x01\r\n\r\n", HTTP1_BAD, 400, 0, 0},
    {"name-with-blank", "GET / HTTP/1.1\r\n" HOST "A b: c\r\n\r\n", HTTP1_BAD, 400, 0, 0},
    {"no-colon", "GET / HTTP/1.1\r\n" HOST "Abc\r\n\r\n", HTTP1_BAD, 400, 0, 0},
    {"empty-name", "GET / HTTP/1.1\r\n" HOST ": c\r\n\r\n", HTTP1_BAD, 400, 0, 0},
    {"no-host", "GET / HTTP/1.1\r\n\r\n", HTTP1_BAD, 400, 0, 0},
    {"two-hosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", HTTP1_BAD, 400, 0, 0},
    {"host-with-path", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", HTTP1_BAD, 400, 0, 0},
    {"host-list", "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", HTTP1_BAD, 400, 0, 0},

    /* the first line */
    {"two-blanks", "GET  / HTTP/1.1\r\n" HOST "\r\n", HTTP1_BAD, 400, 0, 0},
    {"blank-in-target", "GET /a b HTTP/1.1\r\n" HOST "\r\n", HTTP1_BAD, 400, 0, 0},
    {"no-version", "GET /\r\n" HOST "\r\n", HTTP1_BAD, 400, 0, 0},
    {"version-2", "GET / HTTP/2.0\r\n" HOST "\r\n", HTTP1_BAD, 505, 0, 0},
    {"version-lower", "GET / http/1.1\r\n" HOST "\r\n", HTTP1_BAD, 400, 0, 0},
    {"version-long", "GET / HTTP/1.10\r\n" HOST "\r\n", HTTP1_BAD, 400, 0, 0},
    {"method", "G(T / HTTP/1.1\r\n" HOST "\r\n", HTTP1_BAD, 400, 0, 0},
    {"target-relative", "GET a HTTP/1.1\r\n" HOST "\r\n", HTTP1_BAD, 400, 0, 0},
    {"target-fragment", "GET /a#b HTTP/1.1\r\n" HOST "\r\n", HTTP1_BAD, 400, 0, 0},
    {"target-high-byte", "GET /\xc3\xa9 HTTP/1.1\r\n" HOST "\r\n", HTTP1_BAD, 400, 0, 0},
    {"star-of-get", "GET * HTTP/1.1\r\n" HOST "\r\n", HTTP1_BAD, 400, 0, 0},
    {"tls", "\x16\x03\x01\x02\n\x01\r\n\r\n", HTTP1_BAD, 400, 0, 0},
    {"two-empty-lines", "\r\n\r\n", HTTP1_MORE, 0, 0, 0},
    {"only-empty-lines", "\r\n\r\n\r\n", HTTP1_BAD, 400, 0, 0},
};

static void test_request(const void *data)
{
    const RequestCase *c = data;
    size_t length = strlen(c->bytes);
    g_autofree char *exact = g_memdup2(c->bytes, length); /* no NUL: the sanitizer sees overruns */
    g_autoptr(GError) error = NULL;
    Http1Head head;
    Http1Result result = http1_parse_request(exact, length, &head, &error);

    g_assert_cmpint(result, ==, c->result);
    g_assert_cmpint(error != NULL, ==, c->result == HTTP1_BAD);
    if (c->result == HTTP1_BAD)
        g_assert_cmpint(head.status, ==, c->status);
    if (result != HTTP1_DONE || c->result != HTTP1_DONE)
        return;
    g_assert_cmpint(head.body, ==, c->body);
    g_assert_cmpint(head.content_length, ==, c->length);
    g_assert_cmpuint(head.length, ==, length);

    /* What parses whole is incomplete at every shorter length. */
    for (size_t n = 0; n < length; n++)
        g_assert_cmpint(http1_parse_request(exact, n, &head, NULL), ==, HTTP1_MORE);
}

typedef struct {
    const char *label, *method, *bytes;
    Http1Result result;
    int status;
    Http1BodyKind body;
    bool keep_alive;
} ResponseCase;

static const ResponseCase responses[] = {
    {"length", "GET", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", HTTP1_DONE, 200,
     HTTP1_BODY_LENGTH, true},
    {"no-reason", "GET", "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", HTTP1_DONE, 200,
     HTTP1_BODY_NONE, true},
    {"until-close", "GET", "HTTP/1.1 200 OK\r\n\r\n", HTTP1_DONE, 200, HTTP1_BODY_CLOSE, false},
    {"close", "GET", "HTTP/1.1 200 OK\r\nConnection: Close\r\nContent-Length: 2\r\n\r\n",
     HTTP1_DONE, 200, HTTP1_BODY_LENGTH, false},
    {"old", "GET", "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n", HTTP1_DONE, 200,
     HTTP1_BODY_LENGTH, false},
    {"old-kept", "GET", "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\n",
     HTTP1_DONE, 200, HTTP1_BODY_LENGTH, true},
    {"head", "HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", HTTP1_DONE, 200,
     HTTP1_BODY_NONE, true},
    {"not-modified", "GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", HTTP1_DONE,
     304, HTTP1_BODY_NONE, true},
    {"no-content", "GET", "HTTP/1.1 204 No Content\r\n\r\n", HTTP1_DONE, 204, HTTP1_BODY_NONE,
     true},
    {"continue", "POST", "HTTP/1.1 100 Continue\r\n\r\n", HTTP1_DONE, 100, HTTP1_BODY_NONE, true},
    {"both", "GET", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n",
     HTTP1_BAD, 400, 0, false},
    {"short-status", "GET", "HTTP/1.1 20 OK\r\n\r\n", HTTP1_BAD, 502, 0, false},
    {"letters", "GET", "HTTP/1.1 2x0 OK\r\n\r\n", HTTP1_BAD, 502, 0, false},
    {"below-100", "GET", "HTTP/1.1 099 OK\r\n\r\n", HTTP1_BAD, 502, 0, false},
    {"other-protocol", "GET", "SSH-2.0-OpenSSH_9.2p1\r\n\r\n", HTTP1_BAD, 502, 0, false},
};

static void test_response(const void *data)
{
    const ResponseCase *c = data;
    size_t length = strlen(c->bytes);
    g_autofree char *exact = g_memdup2(c->bytes, length);
    g_autoptr(GError) error = NULL;
    Http1Head head;
    Http1Result result = http1_parse_response(exact, length, c->method, &head, &error);

    g_assert_cmpint(result, ==, c->result);
    g_assert_cmpint(head.status, ==, c->status);
    if (result != HTTP1_DONE || c->result != HTTP1_DONE)
        return;
    g_assert_cmpint(head.body, ==, c->body);
    g_assert_cmpint(head.keep_alive, ==, c->keep_alive);
}

typedef struct {
    const char *label, *bytes;
    const char *content; /* NULL: refused */
    const char *rest;    /* what is left behind the body; NULL: it has not ended */
} ChunkCase;

static const ChunkCase chunks[] = {
    {"one", "5\r\nhello\r\n0\r\n\r\n", "hello", ""},
    {"two", "3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\nGET /", "hello", "GET /"},
    {"hex", "A\r\n0123456789\r\n0\r\n\r\n", "0123456789", ""},
    {"leading-zeros", "0005\r\nhello\r\n000\r\n\r\n", "hello", ""},
    {"extension", "5;a=b\r\nhello\r\n0;c\r\n\r\n", "hello", ""},
    {"trailer", "5\r\nhello\r\n0\r\nDigest: x\r\nB: y\r\n\r\nrest", "hello", "rest"},
    {"empty", "0\r\n\r\n", "", ""},
    {"unfinished", "5\r\nhel", "hel", NULL},
    {"unfinished-end", "5\r\nhello\r\n0\r\n", "hello", NULL},
    {"bare-line-feed", "5\nhello\r\n0\r\n\r\n", NULL, NULL},
    {"bare-line-feed-after-data", "5\r\nhello\n0\r\n\r\n", NULL, NULL},
    {"bare-line-feed-in-extension", "5;a\nhello\r\n0\r\n\r\n", NULL, NULL},
    {"longer-than-said", "3\r\nhello\r\n0\r\n\r\n", NULL, NULL},
    {"no-size", "\r\nhello\r\n0\r\n\r\n", NULL, NULL},
    {"negative", "-5\r\nhello\r\n", NULL, NULL},
    {"plus", "+5\r\nhello\r\n", NULL, NULL},
    {"prefix", "0x5\r\nhello\r\n", NULL, NULL},
    {"blank", "5 \r\nhello\r\n", NULL, NULL},
    {"overflow", "fffffffffffffffff\r\nhello\r\n", NULL, NULL},
    {"overflow-to-5", "10000000000000005\r\nhello\r\n", NULL, NULL},
    {"trailer-length", "0\r\nContent-Length: 5\r\n\r\n", NULL, NULL},
    {"trailer-coding", "0\r\nTransfer-Encoding: chunked\r\n\r\n", NULL, NULL},
    {"trailer-folded", "0\r\nA: b\r\n c\r\n\r\n", NULL, NULL},
    {"trailer-bare", "0\r\nA: b\n\r\n", NULL, NULL},
};

/* Feeds BYTES in pieces of at most STEP. Returns the content, NULL where it is refused. */
static char *feed(const char *bytes, size_t step, const char **rest)
{
    Http1Body body;
    http1_body_begin(&body, &(Http1Head){.body = HTTP1_BODY_CHUNKED});
    g_autoptr(GString) content = g_string_new(NULL);
    size_t length = strlen(bytes);
    *rest = NULL;
    for (size_t at = 0; at < length;) {
        size_t consumed = 0;
        Http1Slice data;
        size_t piece = MIN(step, length - at);
        g_autofree char *exact = g_memdup2(bytes + at, piece);
        Http1Result result = http1_body_feed(&body, exact, piece, &consumed, &data, NULL);
        if (result == HTTP1_BAD)
            return NULL;
        g_string_append_len(content, data.at, (gssize) data.length);
        at += consumed;
        if (result == HTTP1_DONE) {
            *rest = bytes + at;
            break;
        }
        g_assert_cmpuint(consumed, >, 0);
        if (consumed == 0)
            return NULL;
    }
    return g_strdup(content->str);
}

static void test_chunks(const void *data)
{
    const ChunkCase *c = data;
    static const size_t steps[] = {1, 2, 3, 7, 4096};
    for (size_t i = 0; i < G_N_ELEMENTS(steps); i++) {
        const char *rest = NULL;
        g_autofree char *content = feed(c->bytes, steps[i], &rest);
        g_assert_cmpstr(content, ==, c->content);
        if (content != NULL)
            g_assert_cmpstr(rest, ==, c->rest);
    }
}

static void test_limits(void)
{
    g_autofree char *filler = g_strnfill(HTTP1_HEAD_LIMIT, 'a');
    Http1Head head;
    const struct {
        char *bytes;
        int status;
    } rows[] = {
        {g_strdup_printf("GET /%s", filler), 414},
        {g_strdup_printf("GET /%.*s HTTP/1.1\r\nHost: a\r\n\r\n", HTTP1_LINE_LIMIT, filler), 414},
        {g_strdup_printf("GET / HTTP/1.1\r\nHost: a\r\nA: %s\r\n\r\n", filler), 431},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *bytes = rows[i].bytes;
        g_autoptr(GError) error = NULL;
        g_assert_cmpint(http1_parse_request(bytes, strlen(bytes), &head, &error), ==, HTTP1_BAD);
        g_assert_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID);
        g_assert_cmpint(head.status == rows[i].status || (i == 0 && head.status == 431), ==, true);
    }

    GString *many = g_string_new("GET / HTTP/1.1\r\nHost: a\r\n");
    for (int i = 0; i < HTTP1_FIELD_LIMIT; i++)
        g_string_append(many, "A: b\r\n");
    g_string_append(many, "\r\n");
    g_assert_cmpint(http1_parse_request(many->str, many->len, &head, NULL), ==, HTTP1_BAD);
    g_assert_cmpint(head.status, ==, 431);
    g_string_free(many, TRUE);
}

static void test_lists(void)
{
    const char *bytes = "GET / HTTP/1.1\r\nHost: a\r\nConnection: X-Own , Upgrade\r\n"
                        "Connection: keep-alive\r\nUpgrade: websocket\r\nX-Own: 1\r\n"
                        "X-Owner: 2\r\nExpect: 100-Continue\r\n\r\n";
    Http1Head head;
    g_assert_cmpint(http1_parse_request(bytes, strlen(bytes), &head, NULL), ==, HTTP1_DONE);
    g_assert_true(head.upgrade);
    g_assert_true(head.expect_continue);
    g_assert_true(head.keep_alive);
    g_assert_true(http1_head_has_token(&head, "connection", "KEEP-ALIVE"));
    g_assert_false(http1_head_has_token(&head, "connection", "keep"));
    g_assert_true(http1_field_is_hop_by_hop(&head, http1_head_find(&head, "X-Own")));
    g_assert_true(http1_field_is_hop_by_hop(&head, http1_head_find(&head, "Upgrade")));
    g_assert_false(http1_field_is_hop_by_hop(&head, http1_head_find(&head, "X-Owner")));
    g_assert_false(http1_field_is_hop_by_hop(&head, http1_head_find(&head, "Host")));
    g_autofree char *host = http1_head_value(&head, "hOST");
    g_assert_cmpstr(host, ==, "a");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_set_nonfatal_assertions();

    for (size_t i = 0; i < G_N_ELEMENTS(requests); i++) {
        g_autofree char *path = g_strdup_printf("/http1/request/%s", requests[i].label);
        g_test_add_data_func(path, &requests[i], test_request);
    }
    for (size_t i = 0; i < G_N_ELEMENTS(responses); i++) {
        g_autofree char *path = g_strdup_printf("/http1/response/%s", responses[i].label);
        g_test_add_data_func(path, &responses[i], test_response);
    }
    for (size_t i = 0; i < G_N_ELEMENTS(chunks); i++) {
        g_autofree char *path = g_strdup_printf("/http1/chunks/%s", chunks[i].label);
        g_test_add_data_func(path, &chunks[i], test_chunks);
    }
    g_test_add_func("/http1/limits", test_limits);
    g_test_add_func("/http1/lists", test_lists);
    return g_test_run();
}
