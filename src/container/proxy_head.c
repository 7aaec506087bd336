#include "container/proxy_core.h"

#include <stdio.h>

static void append_slice(Buffer *to, Http1Slice slice)
{
    buffer_append(to, slice.at, slice.length);
}

static void append_field(Buffer *to, const char *name, Http1Slice value)
{
    buffer_append_text(to, name);
    buffer_append(to, ": ", 2);
    append_slice(to, value);
    buffer_append(to, "\r\n", 2);
}

static void append_number_field(Buffer *to, const char *name, int64_t value)
{
    char text[96];
    int length = g_snprintf(text, sizeof text, "%s: %" G_GINT64_FORMAT "\r\n", name, value);
    buffer_append(to, text, (size_t) length);
}

/* The target in origin form; of "http://HOST/PATH" the HOST replaces the Host field (RFC 9112
 * section 3.2.2). */
static void split_target(const Http1Head *head, Http1Slice *path, Http1Slice *host)
{
    const Http1Field *field = http1_head_find(head, "Host");
    *host = field != NULL ? field->value : (Http1Slice){"", 0};
    *path = head->target;
    if (path->at[0] == '/' || path->at[0] == '*')
        return;
    const char *end = head->target.at + head->target.length;
    const char *authority = memmem(head->target.at, head->target.length, "://", 3);
    authority += 3; /* the parser accepts no other form */
    const char *slash = authority;
    while (slash < end && *slash != '/' && *slash != '?')
        slash++;
    *host = (Http1Slice){authority, (size_t) (slash - authority)};
    *path = (Http1Slice){slash, (size_t) (end - slash)};
}

/* Fields that are written anew: passed on as they are, a client could forge or hide them. */
static bool is_ours(const Http1Field *field)
{
    static const char *const names[] = {
        "Host",
        "Content-Length",
        "Expect",
        "Forwarded",
        "X-Forwarded-For",
        "X-Forwarded-Proto",
        "X-Forwarded-Host",
    };
    char first = (char) g_ascii_tolower(field->name.at[0]);
    if (first != 'h' && first != 'c' && first != 'e' && first != 'f' && first != 'x')
        return false;
    for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
        if (http1_slice_equal_nocase(field->name, names[i]))
            return true;
    return false;
}

static void append_body_fields(Buffer *to, Http1BodyKind kind, int64_t content_length)
{
    if (kind == HTTP1_BODY_CHUNKED)
        buffer_append_text(to, "Transfer-Encoding: chunked\r\n");
    else if (content_length >= 0)
        append_number_field(to, "Content-Length", content_length);
}

void head_write_request(Client *client, const Http1Head *head)
{
    Buffer *to = &client->forward;
    Http1Slice path, host;
    split_target(head, &path, &host);
    append_slice(to, head->method);
    buffer_append(to, " ", 1);
    if (path.length == 0 || path.at[0] == '?')
        buffer_append(to, "/", 1);
    append_slice(to, path);
    buffer_append_text(to, " HTTP/1.1\r\n");
    append_field(to, "Host", host.length > 0 ? host : (Http1Slice){"localhost", 9});

    for (size_t i = 0; i < head->field_count; i++) {
        const Http1Field *field = &head->fields[i];
        if (is_ours(field) || http1_field_is_hop_by_hop(head, field))
            continue;
        append_slice(to, field->name);
        buffer_append(to, ": ", 2);
        append_slice(to, field->value);
        buffer_append(to, "\r\n", 2);
    }
    append_field(to, "X-Forwarded-For", (Http1Slice){client->address, strlen(client->address)});
    buffer_append_text(to, "X-Forwarded-Proto: http\r\n");
    if (host.length > 0)
        append_field(to, "X-Forwarded-Host", host);
    append_body_fields(to, head->body, head->content_length);
    if (client->upgrade) {
        buffer_append_text(to, "Connection: upgrade\r\n");
        append_field(to, "Upgrade", http1_head_find(head, "Upgrade")->value);
    }
    buffer_append(to, "\r\n", 2);
}

void head_write_answer(Client *client, const Http1Head *head)
{
    Buffer *to = &client->out;
    char line[32];
    int length = g_snprintf(line, sizeof line, "HTTP/1.1 %d ", head->status);
    buffer_append(to, line, (size_t) length);
    append_slice(to, head->reason);
    buffer_append(to, "\r\n", 2);
    for (size_t i = 0; i < head->field_count; i++) {
        const Http1Field *field = &head->fields[i];
        if (http1_slice_equal_nocase(field->name, "Content-Length") ||
            http1_field_is_hop_by_hop(head, field))
            continue;
        append_slice(to, field->name);
        buffer_append(to, ": ", 2);
        append_slice(to, field->value);
        buffer_append(to, "\r\n", 2);
    }
    bool final = head->status >= 200;
    if (client->answer_chunked)
        buffer_append_text(to, "Transfer-Encoding: chunked\r\n");
    else if (final && head->status != 204 && head->content_length >= 0)
        append_number_field(to, "Content-Length", head->content_length);
    if (head->status == 101) {
        buffer_append_text(to, "Connection: upgrade\r\n");
        const Http1Field *upgrade = http1_head_find(head, "Upgrade");
        if (upgrade != NULL)
            append_field(to, "Upgrade", upgrade->value);
    } else if (final && client->close_after) {
        buffer_append_text(to, "Connection: close\r\n");
    } else if (final && client->old_version) {
        buffer_append_text(to, "Connection: keep-alive\r\n");
    }
    buffer_append(to, "\r\n", 2);
}

static const char *reason_of(int status)
{
    static const struct {
        int status;
        const char *reason;
    } reasons[] = {
        {400, "Bad Request"},
        {405, "Method Not Allowed"},
        {408, "Request Timeout"},
        {414, "URI Too Long"},
        {431, "Request Header Fields Too Large"},
        {501, "Not Implemented"},
        {502, "Bad Gateway"},
        {503, "Service Unavailable"},
        {504, "Gateway Timeout"},
        {505, "HTTP Version Not Supported"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(reasons); i++)
        if (reasons[i].status == status)
            return reasons[i].reason;
    return "Error";
}

void head_write_own(Buffer *out, int status, const char *text, bool close, bool head_only,
                    int retry_after)
{
    g_autoptr(GString) all = g_string_new(NULL);
    g_string_printf(all,
                    "HTTP/1.1 %d %s\r\nContent-Type: text/plain; charset=utf-8\r\n"
                    "Content-Length: %zu\r\n",
                    status, reason_of(status), strlen(text) + 1);
    if (retry_after > 0)
        g_string_append_printf(all, "Retry-After: %d\r\n", retry_after);
    if (close)
        g_string_append(all, "Connection: close\r\n");
    g_string_append(all, "\r\n");
    if (!head_only)
        g_string_append_printf(all, "%s\n", text);
    buffer_append(out, all->str, all->len);
}
