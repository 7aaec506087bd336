/* A head that is read and written anew is the same head; more bytes behind it change nothing, and
 * fewer are never a whole one. A body cut anywhere has the same content. */
#include "net/http1.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef Http1Result (*Parse)(const char *bytes, size_t length, Http1Head *head, GError **error);

static Http1Result parse_request(const char *bytes, size_t length, Http1Head *head, GError **error)
{
    return http1_parse_request(bytes, length, head, error);
}

static Http1Result parse_response(const char *bytes, size_t length, Http1Head *head, GError **error)
{
    return http1_parse_response(bytes, length, "GET", head, error);
}

static void append(GString *out, Http1Slice slice)
{
    g_string_append_len(out, slice.at, (gssize) slice.length);
}

static GString *print(const Http1Head *head, bool response)
{
    GString *out = g_string_new(NULL);
    if (response) {
        g_string_append_printf(out, "HTTP/1.%d %03d ", head->minor, head->status);
        append(out, head->reason);
    } else {
        append(out, head->method);
        g_string_append_c(out, ' ');
        append(out, head->target);
        g_string_append_printf(out, " HTTP/1.%d", head->minor);
    }
    g_string_append(out, "\r\n");
    for (size_t i = 0; i < head->field_count; i++) {
        append(out, head->fields[i].name);
        g_string_append(out, ": ");
        append(out, head->fields[i].value);
        g_string_append(out, "\r\n");
    }
    g_string_append(out, "\r\n");
    return out;
}

static bool is_same_slice(Http1Slice a, Http1Slice b)
{
    return a.length == b.length && memcmp(a.at, b.at, a.length) == 0;
}

static void check_same(const Http1Head *a, const Http1Head *b)
{
    g_assert_cmpint(a->body, ==, b->body);
    g_assert_cmpint(a->content_length, ==, b->content_length);
    g_assert_cmpint(a->status, ==, b->status);
    g_assert_true(a->keep_alive == b->keep_alive && a->upgrade == b->upgrade);
    g_assert_cmpuint(a->field_count, ==, b->field_count);
    for (size_t i = 0; i < a->field_count; i++)
        g_assert_true(is_same_slice(a->fields[i].name, b->fields[i].name) &&
                      is_same_slice(a->fields[i].value, b->fields[i].value));
}

/* The content of BYTES as a body of HEAD, fed STEP bytes at a time. NULL: malformed. */
static GString *content(const Http1Head *head, const char *bytes, size_t length, size_t step)
{
    Http1Body body;
    http1_body_begin(&body, head);
    GString *out = g_string_new(NULL);
    Http1Result result = HTTP1_MORE;
    for (size_t at = 0; at < length && result == HTTP1_MORE;) {
        size_t end = MIN(at + step, length), consumed = 0;
        while (at < end && result == HTTP1_MORE) {
            Http1Slice part = {0};
            result = http1_body_feed(&body, bytes + at, end - at, &consumed, &part, NULL);
            g_assert_cmpuint(consumed, <=, end - at);
            g_assert_true(consumed > 0 || result != HTTP1_MORE);
            append(out, part);
            at += consumed;
        }
    }
    if (result == HTTP1_BAD) {
        g_string_free(out, TRUE);
        return NULL;
    }
    return out;
}

static void check_body(const Http1Head *head, const char *bytes, size_t length)
{
    GString *whole = content(head, bytes, length, MAX(length, 1));
    GString *pieces = content(head, bytes, length, 1);
    g_assert_true((whole == NULL) == (pieces == NULL));
    if (whole == NULL)
        return;
    g_assert_true(g_string_equal(whole, pieces));
    g_string_free(whole, TRUE);
    g_string_free(pieces, TRUE);
}

static void check(Parse parse, bool response, const char *bytes, size_t length)
{
    Http1Head head = {0}, again = {0};
    if (parse(bytes, length, &head, NULL) != HTTP1_DONE)
        return;
    g_assert_cmpuint(head.length, <=, length);
    g_assert_cmpint(parse(bytes, head.length, &again, NULL), ==, HTTP1_DONE);
    check_same(&head, &again);
    for (size_t cut = 1; cut <= MIN(head.length, 4); cut++)
        g_assert_cmpint(parse(bytes, head.length - cut, &again, NULL), !=, HTTP1_DONE);
    GString *text = print(&head, response);
    g_assert_cmpint(parse(text->str, text->len, &again, NULL), ==, HTTP1_DONE);
    check_same(&head, &again);
    g_string_free(text, TRUE);
    check_body(&head, bytes + head.length, length - head.length);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    check(parse_request, false, (const char *) data, size);
    check(parse_response, true, (const char *) data, size);
    return 0;
}
