#include "pipeline/mask.h"

#include <string.h>

#define HIDDEN "***"
#define SHORTEST_DERIVED 6              /* shorter encoded forms would hide ordinary text */
#define PENDING_LIMIT (4 * 1024 * 1024) /* of bytes held back */

struct Mask {
    GMutex lock;
    GHashTable *known;     /* every form, once */
    GPtrArray *forms[256]; /* by first byte: char * owned by KNOWN, longest first */
    size_t longest;
};

Mask *mask_new(void)
{
    Mask *mask = g_new0(Mask, 1);
    g_mutex_init(&mask->lock);
    mask->known = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    return mask;
}

void mask_free(Mask *mask)
{
    if (mask == NULL)
        return;
    for (int i = 0; i < 256; i++)
        g_clear_pointer(&mask->forms[i], g_ptr_array_unref);
    g_hash_table_unref(mask->known);
    g_mutex_clear(&mask->lock);
    g_free(mask);
}

static int longest_first(gconstpointer a, gconstpointer b)
{
    size_t x = strlen(*(const char *const *) a), y = strlen(*(const char *const *) b);
    return x < y ? 1 : x > y ? -1 : 0;
}

/* Takes FORM. */
static void add_form(Mask *mask, char *form)
{
    size_t length = form != NULL ? strlen(form) : 0;
    if (length == 0 || g_hash_table_contains(mask->known, form)) {
        g_free(form);
        return;
    }
    g_hash_table_add(mask->known, form);
    GPtrArray **bucket = &mask->forms[(unsigned char) form[0]];
    if (*bucket == NULL)
        *bucket = g_ptr_array_new();
    g_ptr_array_add(*bucket, form);
    g_ptr_array_sort(*bucket, longest_first);
    mask->longest = MAX(mask->longest, length);
}

/* The characters of base64 that VALUE decides when SHIFT bytes stand before it; with TAIL also the
 * last one, as it is when nothing follows. */
static char *base64_core(const char *value, size_t length, size_t shift, bool tail)
{
    g_autofree guchar *padded = g_malloc0(length + shift + 1);
    memcpy(padded + shift, value, length);
    g_autofree char *encoded = g_base64_encode(padded, length + shift);
    size_t from = (shift * 8 + 5) / 6;
    size_t to = ((length + shift) * 8 + (tail ? 5 : 0)) / 6;
    return to >= from + SHORTEST_DERIVED ? g_strndup(encoded + from, to - from) : NULL;
}

static void add_base64(Mask *mask, const char *value)
{
    for (size_t i = 0; i < 6; i++) {
        char *core = base64_core(value, strlen(value), i / 2, i % 2 == 0);
        if (core == NULL)
            continue;
        char *url_safe = g_strdelimit(g_strdelimit(g_strdup(core), "+", '-'), "/", '_');
        add_form(mask, core);
        add_form(mask, url_safe);
    }
}

/* VALUE with each character of FROM replaced by the text of the same place in TO. */
static char *replaced(const char *value, const char *from, const char *const *to)
{
    GString *out = g_string_new(NULL);
    for (const char *p = value; *p != '\0'; p++) {
        const char *found = strchr(from, *p);
        if (found != NULL)
            g_string_append(out, to[found - from]);
        else
            g_string_append_c(out, *p);
    }
    return g_string_free(out, FALSE);
}

static void add_quoted(Mask *mask, const char *value)
{
    static const char *const json[] = {"\\\"", "\\\\", "\\n", "\\r", "\\t", "\\b", "\\f"};
    static const char *const json_slash[] = {"\\\"", "\\\\", "\\n", "\\r", "\\t", "\\/"};
    static const char *const single[] = {"'\\''"};
    static const char *const doubled[] = {"''"};
    static const char *const xml[] = {"&amp;", "&lt;", "&gt;", "&quot;", "&apos;"};
    static const char *const command[] = {"\\\""};

    add_form(mask, replaced(value, "\"\\\n\r\t\b\f", json));
    add_form(mask, replaced(value, "\"\\\n\r\t/", json_slash));
    add_form(mask, replaced(value, "'", single));
    add_form(mask, replaced(value, "'", doubled));
    add_form(mask, replaced(value, "&<>\"'", xml));
    add_form(mask, replaced(value, "\"", command));
    add_form(mask, g_uri_escape_string(value, NULL, FALSE));
    size_t length = strlen(value);
    if (length > 8 && value[0] == '"' && value[length - 1] == '"')
        add_form(mask, g_strndup(value + 1, length - 2));
}

static void add_value(Mask *mask, const char *value)
{
    add_form(mask, g_strdup(value));
    add_base64(mask, value);
    add_quoted(mask, value);
}

void mask_add(Mask *mask, const char *value)
{
    if (value == NULL || value[0] == '\0')
        return;
    g_mutex_lock(&mask->lock);
    add_value(mask, value);
    g_auto(GStrv) lines = g_strsplit_set(value, "\r\n", -1);
    for (char **line = lines; *line != NULL && lines[1] != NULL; line++)
        if (**line != '\0')
            add_value(mask, *line);
    g_mutex_unlock(&mask->lock);
}

/* Length of the longest secret that begins at P; 0: none. */
static size_t secret_at(const Mask *mask, const char *p, size_t room)
{
    const GPtrArray *bucket = mask->forms[(unsigned char) *p];
    for (guint i = 0; bucket != NULL && i < bucket->len; i++) {
        const char *form = bucket->pdata[i];
        size_t length = strlen(form);
        if (length <= room && memcmp(p, form, length) == 0)
            return length;
    }
    return 0;
}

/* Masks TEXT into OUT and gives how many bytes are dealt with. Without END the last
 * bytes, which may begin a secret, are left; secrets that overlap or touch become one. */
static size_t mask_bytes(const Mask *mask, const char *text, size_t length, bool end, GString *out)
{
    size_t keep = end || mask->longest == 0 ? 0 : mask->longest - 1;
    size_t safe = length > keep ? length - keep : 0;
    size_t at = 0;
    while (at < safe) {
        size_t hidden = secret_at(mask, text + at, length - at);
        if (hidden == 0) {
            g_string_append_c(out, text[at++]);
            continue;
        }
        size_t from = at, until = at + hidden;
        for (at++; at <= until && at < length; at++) {
            size_t more = secret_at(mask, text + at, length - at);
            until = more > 0 ? MAX(until, at + more) : until;
        }
        if (until > safe && !end && length < PENDING_LIMIT)
            return from; /* what follows may still belong to it */
        g_string_append(out, HIDDEN);
        at = MIN(until, length);
    }
    return at;
}

char *mask_text(Mask *mask, const char *text)
{
    GString *out = g_string_sized_new(strlen(text));
    g_mutex_lock(&mask->lock);
    mask_bytes(mask, text, strlen(text), true, out);
    g_mutex_unlock(&mask->lock);
    return g_string_free(out, FALSE);
}

bool mask_would_change(Mask *mask, const char *text)
{
    g_autofree char *masked = mask_text(mask, text);
    return strcmp(masked, text) != 0;
}

void mask_stream_init(MaskStream *stream, Mask *mask)
{
    *stream = (MaskStream){.mask = mask, .pending = g_string_new(NULL)};
}

void mask_stream_feed(MaskStream *stream, const char *bytes, size_t length, GString *out)
{
    g_string_append_len(stream->pending, bytes, (gssize) length);
    g_mutex_lock(&stream->mask->lock);
    size_t done = mask_bytes(stream->mask, stream->pending->str, stream->pending->len, false, out);
    g_mutex_unlock(&stream->mask->lock);
    g_string_erase(stream->pending, 0, (gssize) done);
}

void mask_stream_flush(MaskStream *stream, GString *out)
{
    g_mutex_lock(&stream->mask->lock);
    mask_bytes(stream->mask, stream->pending->str, stream->pending->len, true, out);
    g_mutex_unlock(&stream->mask->lock);
    g_string_truncate(stream->pending, 0);
}

void mask_stream_clear(MaskStream *stream)
{
    if (stream->pending != NULL)
        g_string_free(stream->pending, TRUE);
    stream->pending = NULL;
}
