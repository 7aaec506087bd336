#include "net/http1.h"

#include "base/error.h"

#include <stdarg.h>
#include <string.h>

#define CHUNK_LINE_LIMIT 1024    /* size and extensions of one chunk */
#define TRAILER_LIMIT (8 * 1024) /* all trailer fields */
#define CHUNK_SIZE_LIMIT INT64_C(0x7fffffffffff)

/* RFC 9110 section 5.6.2. */
static bool is_token_byte(char c)
{
    return g_ascii_isalnum(c) || (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

bool http1_is_token(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (!is_token_byte(text[i]))
            return false;
    return length > 0;
}

bool http1_is_field_value(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char) text[i];
        if ((c < 0x20 && c != '\t') || c == 0x7f)
            return false;
    }
    return true;
}

bool http1_slice_equal(Http1Slice slice, const char *text)
{
    return slice.length == strlen(text) && memcmp(slice.at, text, slice.length) == 0;
}

bool http1_slice_equal_nocase(Http1Slice slice, const char *text)
{
    return slice.length == strlen(text) && g_ascii_strncasecmp(slice.at, text, slice.length) == 0;
}

/* The outcome of everything that is wrong: STATUS is what a server refuses it with. */
G_GNUC_PRINTF(4, 5)
static Http1Result bad(Http1Head *head, int status, GError **error, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    g_autofree char *text = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID, "http: %s", text);
    if (head != NULL)
        head->status = status;
    return HTTP1_BAD;
}

/* The next line of TEXT up to END, without its CRLF; moves *TEXT behind it. The caller knows that
 * a CRLF is there. */
static Http1Slice take_line(const char **text, const char *end)
{
    const char *cr = memmem(*text, (size_t) (end - *text), "\r\n", 2);
    Http1Slice line = {*text, (size_t) (cr - *text)};
    *text = cr + 2;
    return line;
}

/* Where a head that begins at BYTES ends (behind its empty line); NULL while it is not whole. */
static const char *find_end(const char *bytes, size_t length)
{
    const char *empty = memmem(bytes, length, "\r\n\r\n", 4);
    return empty != NULL ? empty + 4 : NULL;
}

/* A line feed without its carriage return, or a carriage return without its line feed (except
 * as the very last byte, where the line feed may still come). */
static bool has_bare_line_end(const char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (bytes[i] == '\n' && (i == 0 || bytes[i - 1] != '\r'))
            return true;
        if (bytes[i] == '\r' && i + 1 < length && bytes[i + 1] != '\n')
            return true;
    }
    return false;
}

/* Finds the whole head, or says why there is none. */
static Http1Result delimit(const char *bytes, size_t length, const char **end, Http1Head *head,
                           GError **error)
{
    *end = find_end(bytes, MIN(length, HTTP1_HEAD_LIMIT));
    size_t known = *end != NULL ? (size_t) (*end - bytes) : MIN(length, HTTP1_HEAD_LIMIT);
    if (has_bare_line_end(bytes, known))
        return bad(head, 400, error, "a line of the head does not end with CRLF");
    if (*end != NULL)
        return HTTP1_DONE;
    if (length >= HTTP1_HEAD_LIMIT)
        return bad(head, 431, error, "head is larger than %d bytes", HTTP1_HEAD_LIMIT);
    if (length >= HTTP1_LINE_LIMIT && memchr(bytes, '\n', HTTP1_LINE_LIMIT) == NULL)
        return bad(head, 414, error, "first line is longer than %d bytes", HTTP1_LINE_LIMIT);
    return HTTP1_MORE;
}

static Http1Result parse_field(Http1Slice line, Http1Head *head, GError **error)
{
    if (line.at[0] == ' ' || line.at[0] == '\t')
        return bad(head, 400, error, "folded field lines are not accepted");
    const char *colon = memchr(line.at, ':', line.length);
    if (colon == NULL)
        return bad(head, 400, error, "a field line without ':'");

    Http1Slice name = {line.at, (size_t) (colon - line.at)};
    Http1Slice value = {colon + 1, line.length - name.length - 1};
    if (!http1_is_token(name.at, name.length))
        return bad(head, 400, error, "a field name is no token");
    while (value.length > 0 && (value.at[0] == ' ' || value.at[0] == '\t')) {
        value.at++;
        value.length--;
    }
    while (value.length > 0 &&
           (value.at[value.length - 1] == ' ' || value.at[value.length - 1] == '\t'))
        value.length--;
    if (!http1_is_field_value(value.at, value.length))
        return bad(head, 400, error, "field '%.*s' has a control character", (int) name.length,
                   name.at);
    if (head->field_count == HTTP1_FIELD_LIMIT)
        return bad(head, 431, error, "more than %d fields", HTTP1_FIELD_LIMIT);
    head->fields[head->field_count++] = (Http1Field){name, value};
    return HTTP1_DONE;
}

static Http1Result parse_fields(const char *text, const char *end, Http1Head *head, GError **error)
{
    for (;;) {
        Http1Slice line = take_line(&text, end);
        if (line.length == 0)
            return HTTP1_DONE;
        if (parse_field(line, head, error) == HTTP1_BAD)
            return HTTP1_BAD;
    }
}

static bool parse_length(Http1Slice text, int64_t *length)
{
    *length = 0;
    if (text.length == 0 || text.length > 18) /* 18 digits cannot overflow */
        return false;
    for (size_t i = 0; i < text.length; i++) {
        if (!g_ascii_isdigit(text.at[i]))
            return false;
        *length = *length * 10 + (text.at[i] - '0');
    }
    return true;
}

/* Content-Length and Transfer-Encoding, together as section 6.3 of RFC 9112 wants them, but
 * without its lenient cases. */
static Http1Result frame(Http1Head *head, bool request, GError **error)
{
    bool chunked = false;
    head->content_length = -1;
    for (size_t i = 0; i < head->field_count; i++) {
        const Http1Field *field = &head->fields[i];
        if (http1_slice_equal_nocase(field->name, "Content-Length")) {
            int64_t length = 0;
            if (!parse_length(field->value, &length))
                return bad(head, 400, error, "Content-Length is no number");
            if (head->content_length >= 0 && head->content_length != length)
                return bad(head, 400, error, "two differing Content-Length fields");
            head->content_length = length;
        } else if (http1_slice_equal_nocase(field->name, "Transfer-Encoding")) {
            if (chunked)
                return bad(head, 400, error, "two Transfer-Encoding fields");
            if (!http1_slice_equal_nocase(field->value, "chunked"))
                return bad(head, request ? 501 : 502, error,
                           "a Transfer-Encoding other than chunked");
            chunked = true;
        }
    }
    if (chunked && head->content_length >= 0)
        return bad(head, 400, error, "Content-Length beside Transfer-Encoding");
    if (chunked && head->minor == 0)
        return bad(head, 400, error, "Transfer-Encoding in HTTP/1.0");
    if (chunked)
        head->body = HTTP1_BODY_CHUNKED;
    else if (head->content_length > 0)
        head->body = HTTP1_BODY_LENGTH;
    else
        head->body = HTTP1_BODY_NONE;
    return HTTP1_DONE;
}

static void read_connection(Http1Head *head)
{
    if (head->minor >= 1)
        head->keep_alive = !http1_head_has_token(head, "Connection", "close");
    else
        head->keep_alive = http1_head_has_token(head, "Connection", "keep-alive") &&
                           !http1_head_has_token(head, "Connection", "close");
    head->upgrade = head->minor >= 1 && http1_head_has_token(head, "Connection", "upgrade") &&
                    http1_head_find(head, "Upgrade") != NULL;
    head->expect_continue =
        head->minor >= 1 && http1_head_has_token(head, "Expect", "100-continue");
}

static Http1Result parse_version(Http1Slice text, Http1Head *head, GError **error)
{
    if (text.length != 8 || memcmp(text.at, "HTTP/", 5) != 0 || !g_ascii_isdigit(text.at[5]) ||
        text.at[6] != '.' || !g_ascii_isdigit(text.at[7]))
        return bad(head, 400, error, "no HTTP version in the first line");
    if (text.at[5] != '1')
        return bad(head, 505, error, "HTTP/%c.%c is not spoken here", text.at[5], text.at[7]);
    head->minor = text.at[7] == '0' ? 0 : 1;
    return HTTP1_DONE;
}

/* The four forms of RFC 9112 section 3.2. */
static bool is_target(Http1Slice method, Http1Slice target)
{
    for (size_t i = 0; i < target.length; i++)
        if (target.at[i] <= 0x20 || target.at[i] == 0x7f || target.at[i] == '#')
            return false; /* signed char: bytes from 0x80 are refused as well */
    if (target.length == 0)
        return false;
    if (http1_slice_equal(method, "CONNECT"))
        return target.at[0] != '/';
    if (target.at[0] == '/')
        return true;
    if (target.length == 1 && target.at[0] == '*')
        return http1_slice_equal(method, "OPTIONS");
    return (target.length > 7 && g_ascii_strncasecmp(target.at, "http://", 7) == 0) ||
           (target.length > 8 && g_ascii_strncasecmp(target.at, "https://", 8) == 0);
}

static Http1Result parse_request_line(Http1Slice line, Http1Head *head, GError **error)
{
    if (line.length > HTTP1_LINE_LIMIT)
        return bad(head, 414, error, "first line is longer than %d bytes", HTTP1_LINE_LIMIT);
    const char *first = memchr(line.at, ' ', line.length);
    const char *last = memrchr(line.at, ' ', line.length);
    if (first == NULL || first == last)
        return bad(head, 400, error, "first line is not METHOD TARGET VERSION");

    head->method = (Http1Slice){line.at, (size_t) (first - line.at)};
    head->target = (Http1Slice){first + 1, (size_t) (last - first - 1)};
    if (!http1_is_token(head->method.at, head->method.length))
        return bad(head, 400, error, "the method is no token");
    if (!is_target(head->method, head->target))
        return bad(head, 400, error, "the request target is malformed");
    return parse_version((Http1Slice){last + 1, line.length - (size_t) (last + 1 - line.at)}, head,
                         error);
}

/* One Host, always in HTTP/1.1: without it a proxy and its backend may see two sites. */
static Http1Result check_host(Http1Head *head, GError **error)
{
    int hosts = 0;
    for (size_t i = 0; i < head->field_count; i++) {
        const Http1Slice *value = &head->fields[i].value;
        if (!http1_slice_equal_nocase(head->fields[i].name, "Host"))
            continue;
        hosts++;
        for (size_t k = 0; k < value->length; k++)
            if (value->at[k] <= 0x20 || strchr("/\\@,?#", value->at[k]) != NULL)
                return bad(head, 400, error, "the Host field is malformed");
    }
    if (hosts > 1)
        return bad(head, 400, error, "two Host fields");
    if (hosts == 0 && head->minor >= 1)
        return bad(head, 400, error, "no Host field");
    return HTTP1_DONE;
}

Http1Result http1_parse_request(const char *bytes, size_t length, Http1Head *head, GError **error)
{
    head->status = 0;
    head->field_count = 0;
    head->reason = (Http1Slice){"", 0};

    /* RFC 9112 section 2.2: one empty line before a request is ignored. */
    const char *start = bytes;
    if (length >= 2 && memcmp(bytes, "\r\n", 2) == 0)
        start += 2;

    const char *end = NULL;
    Http1Result whole = delimit(start, length - (size_t) (start - bytes), &end, head, error);
    if (whole != HTTP1_DONE)
        return whole;

    const char *text = start;
    Http1Slice line = take_line(&text, end);
    if (parse_request_line(line, head, error) == HTTP1_BAD ||
        parse_fields(text, end, head, error) == HTTP1_BAD || check_host(head, error) == HTTP1_BAD ||
        frame(head, true, error) == HTTP1_BAD)
        return HTTP1_BAD;
    read_connection(head);
    head->length = (size_t) (end - bytes);
    return HTTP1_DONE;
}

static Http1Result parse_status_line(Http1Slice line, Http1Head *head, GError **error)
{
    if (line.length < 12 || line.at[8] != ' ' || (line.length > 12 && line.at[12] != ' '))
        return bad(head, 502, error, "first line is not VERSION STATUS REASON");
    if (parse_version((Http1Slice){line.at, 8}, head, error) == HTTP1_BAD)
        return HTTP1_BAD;
    int status = 0;
    for (int i = 9; i < 12; i++) {
        if (!g_ascii_isdigit(line.at[i]))
            return bad(head, 502, error, "the status is no number");
        status = status * 10 + (line.at[i] - '0');
    }
    if (status < 100)
        return bad(head, 502, error, "the status is below 100");
    head->status = status;
    if (line.length > 13)
        head->reason = (Http1Slice){line.at + 13, line.length - 13};
    if (!http1_is_field_value(head->reason.at, head->reason.length))
        return bad(head, 502, error, "the reason has a control character");
    return HTTP1_DONE;
}

Http1Result http1_parse_response(const char *bytes, size_t length, const char *method,
                                 Http1Head *head, GError **error)
{
    head->status = 0;
    head->field_count = 0;
    head->method = head->target = head->reason = (Http1Slice){"", 0};

    const char *end = NULL;
    Http1Result whole = delimit(bytes, length, &end, head, error);
    if (whole != HTTP1_DONE)
        return whole;

    const char *text = bytes;
    Http1Slice line = take_line(&text, end);
    if (parse_status_line(line, head, error) == HTTP1_BAD ||
        parse_fields(text, end, head, error) == HTTP1_BAD || frame(head, false, error) == HTTP1_BAD)
        return HTTP1_BAD;
    read_connection(head);
    head->length = (size_t) (end - bytes);

    bool never = head->status < 200 || head->status == 204 || head->status == 304 ||
                 g_str_equal(method, "HEAD");
    if (never)
        head->body = HTTP1_BODY_NONE;
    else if (head->body == HTTP1_BODY_NONE && head->content_length < 0) {
        head->body = HTTP1_BODY_CLOSE;
        head->keep_alive = false;
    }
    return HTTP1_DONE;
}

const Http1Field *http1_head_find(const Http1Head *head, const char *name)
{
    for (size_t i = 0; i < head->field_count; i++)
        if (http1_slice_equal_nocase(head->fields[i].name, name))
            return &head->fields[i];
    return NULL;
}

char *http1_head_value(const Http1Head *head, const char *name)
{
    const Http1Field *field = http1_head_find(head, name);
    return field != NULL ? g_strndup(field->value.at, field->value.length) : NULL;
}

/* Whether the comma-separated LIST has TOKEN; parameters behind ';' do not matter. */
static bool list_has(Http1Slice list, const char *token, size_t token_length)
{
    const char *at = list.at;
    const char *end = list.at + list.length;
    while (at < end) {
        const char *comma = memchr(at, ',', (size_t) (end - at));
        const char *stop = comma != NULL ? comma : end;
        while (at < stop && (*at == ' ' || *at == '\t'))
            at++;
        size_t n = 0;
        while (at + n < stop && is_token_byte(at[n]))
            n++;
        if (n == token_length && g_ascii_strncasecmp(at, token, n) == 0)
            return true;
        at = stop + 1;
    }
    return false;
}

static bool head_lists(const Http1Head *head, const char *name, const char *token, size_t length)
{
    for (size_t i = 0; i < head->field_count; i++)
        if (http1_slice_equal_nocase(head->fields[i].name, name) &&
            list_has(head->fields[i].value, token, length))
            return true;
    return false;
}

bool http1_head_has_token(const Http1Head *head, const char *name, const char *token)
{
    return head_lists(head, name, token, strlen(token));
}

bool http1_field_is_hop_by_hop(const Http1Head *head, const Http1Field *field)
{
    static const char *const names[] = {
        "Connection", "Keep-Alive",        "Proxy-Connection", "TE",
        "Trailer",    "Transfer-Encoding", "Upgrade",
    };
    for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
        if (http1_slice_equal_nocase(field->name, names[i]))
            return true;
    return head_lists(head, "Connection", field->name.at, field->name.length);
}

/* A chunked body, byte by byte outside the data:
 *
 *   SIZE -> EXTENSION -> SIZE_LF -> DATA -> DATA_CR -> DATA_LF -> SIZE …
 *                             \ (size 0) -> TRAILER -> TRAILER_LF -> TRAILER … -> END */
enum {
    CHUNK_SIZE,
    CHUNK_EXTENSION,
    CHUNK_SIZE_LF,
    CHUNK_DATA,
    CHUNK_DATA_CR,
    CHUNK_DATA_LF,
    CHUNK_TRAILER,
    CHUNK_TRAILER_LF,
};

void http1_body_begin(Http1Body *body, const Http1Head *head)
{
    *body = (Http1Body){
        .kind = head->body,
        .state = CHUNK_SIZE,
        .left = head->body == HTTP1_BODY_LENGTH ? head->content_length : 0,
    };
}

/* A trailer line has ended: it must be a field, and none that frames or routes the message. */
static Http1Result end_trailer(Http1Body *body, GError **error)
{
    static const char *const refused[] = {"Content-Length", "Transfer-Encoding", "Host",
                                          "Connection", "Trailer"};
    Http1Slice name = {body->line, 0};
    while (name.length < body->line_length && body->line[name.length] != ':')
        name.length++;
    bool whole_name = name.length < body->line_length;
    if (!http1_is_token(name.at, name.length) ||
        (!whole_name && body->line_length < sizeof body->line))
        return bad(NULL, 0, error, "a malformed trailer field");
    for (size_t i = 0; i < G_N_ELEMENTS(refused); i++)
        if (http1_slice_equal_nocase(name, refused[i]))
            return bad(NULL, 0, error, "field '%s' in the trailer", refused[i]);
    body->line_length = 0;
    return HTTP1_MORE;
}

static Http1Result feed_size(Http1Body *body, char c, GError **error)
{
    int digit = g_ascii_xdigit_value(c);
    if (digit >= 0) {
        body->left = body->left * 16 + digit;
        if (body->left > CHUNK_SIZE_LIMIT)
            return bad(NULL, 0, error, "a chunk is too large");
        return HTTP1_MORE;
    }
    if (body->overhead == 1)
        return bad(NULL, 0, error, "a chunk without its size");
    if (c == ';')
        body->state = CHUNK_EXTENSION;
    else if (c == '\r')
        body->state = CHUNK_SIZE_LF;
    else
        return bad(NULL, 0, error, "a chunk size is no hexadecimal number");
    return HTTP1_MORE;
}

/* One byte outside the data of a chunked body. */
static Http1Result feed_control(Http1Body *body, char c, GError **error)
{
    bool trailer = body->state == CHUNK_TRAILER || body->state == CHUNK_TRAILER_LF;
    if (++body->overhead > (trailer ? TRAILER_LIMIT : CHUNK_LINE_LIMIT))
        return bad(NULL, 0, error, "chunk extensions or trailers are too long");

    switch (body->state) {
    case CHUNK_SIZE:
        return feed_size(body, c, error);
    case CHUNK_EXTENSION:
        if (c == '\r')
            body->state = CHUNK_SIZE_LF;
        else if (!http1_is_field_value(&c, 1))
            return bad(NULL, 0, error, "a control character in a chunk extension");
        return HTTP1_MORE;
    case CHUNK_SIZE_LF:
    case CHUNK_DATA_LF:
        if (c != '\n')
            return bad(NULL, 0, error, "a chunk line does not end with CRLF");
        if (body->state == CHUNK_DATA_LF)
            body->state = CHUNK_SIZE;
        else
            body->state = body->left > 0 ? CHUNK_DATA : CHUNK_TRAILER;
        body->overhead = 0;
        return HTTP1_MORE;
    case CHUNK_DATA_CR:
        if (c != '\r')
            return bad(NULL, 0, error, "a chunk is longer than its size says");
        body->state = CHUNK_DATA_LF;
        return HTTP1_MORE;
    case CHUNK_TRAILER:
        if (c == '\r')
            body->state = CHUNK_TRAILER_LF;
        else if (!http1_is_field_value(&c, 1))
            return bad(NULL, 0, error, "a control character in the trailer");
        else if (body->line_length < sizeof body->line)
            body->line[body->line_length++] = c;
        return HTTP1_MORE;
    default: /* CHUNK_TRAILER_LF */
        if (c != '\n')
            return bad(NULL, 0, error, "a trailer line does not end with CRLF");
        if (body->line_length == 0)
            return HTTP1_DONE;
        body->state = CHUNK_TRAILER;
        return end_trailer(body, error);
    }
}

static Http1Result feed_chunked(Http1Body *body, const char *bytes, size_t length, size_t *consumed,
                                Http1Slice *data, GError **error)
{
    size_t at = 0;
    while (at < length && body->state != CHUNK_DATA) {
        Http1Result result = feed_control(body, bytes[at++], error);
        if (result != HTTP1_MORE) {
            *consumed = at;
            return result;
        }
    }
    if (body->state == CHUNK_DATA) {
        size_t n = (size_t) MIN((int64_t) (length - at), body->left);
        *data = (Http1Slice){bytes + at, n};
        body->left -= (int64_t) n;
        at += n;
        if (body->left == 0)
            body->state = CHUNK_DATA_CR;
    }
    *consumed = at;
    return HTTP1_MORE;
}

Http1Result http1_body_feed(Http1Body *body, const char *bytes, size_t length, size_t *consumed,
                            Http1Slice *data, GError **error)
{
    *consumed = 0;
    *data = (Http1Slice){bytes, 0};
    switch (body->kind) {
    case HTTP1_BODY_CHUNKED:
        return feed_chunked(body, bytes, length, consumed, data, error);
    case HTTP1_BODY_LENGTH:
        *consumed = (size_t) MIN((int64_t) length, body->left);
        *data = (Http1Slice){bytes, *consumed};
        body->left -= (int64_t) *consumed;
        return body->left == 0 ? HTTP1_DONE : HTTP1_MORE;
    case HTTP1_BODY_CLOSE:
        *consumed = length;
        *data = (Http1Slice){bytes, length};
        return HTTP1_MORE;
    default:
        return HTTP1_DONE;
    }
}
