#include "scan/secret_decode.h"

#include <glib.h>
#include <stdbool.h>
#include <string.h>

#define BASE64_MIN 16
#define HEX_MIN 32
#define RUN_MAX ((size_t) 1 << 20)

static bool is_text(unsigned char c)
{
    return (c >= 0x20 && c < 0x7f) || c == '\n' || c == '\r' || c == '\t';
}

static int base64_value(unsigned char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' || c == '-' ? 62 : c == '/' || c == '_' ? 63 : -1;
}

/* Appends what RUN decodes to; false at the first byte that is no text: nearly every word that only
 * looks like base64 ends there. */
static bool decode_base64(const char *run, size_t length, GString *out)
{
    unsigned bits = 0, held = 0;
    for (size_t i = 0; i < length; i++) {
        bits = bits << 6 | (unsigned) base64_value((unsigned char) run[i]);
        held += 6;
        if (held < 8)
            continue;
        held -= 8;
        unsigned char c = (unsigned char) (bits >> held);
        if (!is_text(c))
            return false;
        g_string_append_c(out, (char) c);
    }
    return true;
}

static bool decode_hex(const char *run, size_t length, GString *out)
{
    for (size_t i = 0; i + 1 < length; i += 2) {
        int high = g_ascii_xdigit_value(run[i]), low = g_ascii_xdigit_value(run[i + 1]);
        unsigned char c = (unsigned char) (high << 4 | low);
        if (high < 0 || low < 0 || !is_text(c))
            return false;
        g_string_append_c(out, (char) c);
    }
    return length % 2 == 0;
}

static bool is_encoded_byte(const char *p, const char *end)
{
    return end - p >= 3 && *p == '%' && g_ascii_isxdigit(p[1]) && g_ascii_isxdigit(p[2]);
}

/* The word around a percent sign, as far as an address may go. */
static size_t decode_percent(const char *bytes, size_t at, size_t length, GString *out)
{
    size_t i = at;
    while (i < length && i - at < RUN_MAX) {
        if (is_encoded_byte(bytes + i, bytes + length)) {
            unsigned char c = (unsigned char) (g_ascii_xdigit_value(bytes[i + 1]) << 4 |
                                               g_ascii_xdigit_value(bytes[i + 2]));
            if (!is_text(c))
                break;
            g_string_append_c(out, (char) c);
            i += 3;
        } else if (g_ascii_isalnum(bytes[i]) || strchr("-_.~=&+/:@", bytes[i]) != NULL) {
            if (bytes[i] == '\0')
                break;
            g_string_append_c(out, bytes[i++]);
        } else {
            break;
        }
    }
    return i;
}

typedef struct {
    void (*found)(void *data, const char *text, size_t length, size_t start, size_t end);
    void *data;
} Sink;

static void try_run(const char *bytes, size_t start, size_t end, bool hex_only, bool has_mark,
                    const Sink *sink)
{
    size_t length = end - start;
    if (length > RUN_MAX || length < BASE64_MIN || !has_mark)
        return;
    g_autoptr(GString) text = g_string_sized_new(length);
    bool decoded = hex_only && length >= HEX_MIN && decode_hex(bytes + start, length, text);
    if (!decoded) {
        g_string_truncate(text, 0);
        decoded = decode_base64(bytes + start, length, text);
    }
    if (decoded && text->len >= 8)
        sink->found(sink->data, text->str, text->len, start, end);
}

void secret_decode(const char *bytes, size_t length,
                   void (*found)(void *data, const char *text, size_t length, size_t start,
                                 size_t end),
                   void *data)
{
    const Sink sink = {found, data};
    size_t start = 0, percent_done = 0;
    bool hex_only = true, has_mark = false;
    for (size_t i = 0; i <= length; i++) {
        unsigned char c = i < length ? (unsigned char) bytes[i] : ' ';
        if (base64_value(c) >= 0) {
            hex_only = hex_only && g_ascii_isxdigit(c);
            has_mark = has_mark || !g_ascii_isalpha(c);
            continue;
        }
        if (i - start >= BASE64_MIN)
            try_run(bytes, start, i, hex_only, has_mark, &sink);
        start = i + 1;
        hex_only = true;
        has_mark = false;
        if (c == '%' && i >= percent_done && is_encoded_byte(bytes + i, bytes + length)) {
            size_t from = i;
            while (from > percent_done && i - from < 64 && g_ascii_isgraph(bytes[from - 1]) &&
                   strchr("\"'`<>", bytes[from - 1]) == NULL)
                from--;
            g_autoptr(GString) text = g_string_new(NULL);
            percent_done = decode_percent(bytes, from, length, text);
            if (text->len >= 8)
                found(data, text->str, text->len, from, percent_done);
            percent_done = MAX(percent_done, i + 1);
        }
    }
}
