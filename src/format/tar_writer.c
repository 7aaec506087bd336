#include "format/tar.h"

#include "base/error.h"
#include "format/tar_block.h"

#include <stdio.h>
#include <string.h>

static const uint8_t zeros[2 * TAR_BLOCK_SIZE];

struct TarWriter {
    ByteSink *out;
    int64_t left;   /* content still to come */
    size_t padding; /* after it */
};

TarXattr *tar_xattr_new(const char *name, const void *value, size_t length)
{
    TarXattr *xattr = g_new(TarXattr, 1);
    *xattr = (TarXattr){g_strdup(name), g_malloc(length + 1), length};
    memcpy(xattr->value, value, length);
    xattr->value[length] = '\0';
    return xattr;
}

void tar_xattr_free(TarXattr *xattr)
{
    if (xattr == NULL)
        return;
    g_free(xattr->name);
    g_free(xattr->value);
    g_free(xattr);
}

void tar_entry_clear(TarEntry *entry)
{
    g_free(entry->path);
    g_free(entry->link);
    g_clear_pointer(&entry->xattrs, g_ptr_array_unref);
    *entry = (TarEntry){0};
}

TarWriter *tar_writer_new(ByteSink *out)
{
    TarWriter *writer = g_new0(TarWriter, 1);
    writer->out = out;
    return writer;
}

static size_t padding_of(int64_t size)
{
    return (size_t) (-(uint64_t) size % TAR_BLOCK_SIZE);
}

/* Octal digits that fill FIELD but for its NUL; false when VALUE has more. */
static bool put_octal(char *field, size_t size, uint64_t value)
{
    for (size_t i = size - 1; i-- > 0; value >>= 3)
        field[i] = (char) ('0' + (value & 7));
    field[size - 1] = '\0';
    return value == 0;
}

/* "LENGTH KEY=VALUE\n", where LENGTH counts its own digits. */
static void add_record(GString *records, const char *key, const char *value, size_t length)
{
    size_t rest = strlen(key) + length + 3;
    size_t total = rest;
    char digits[24];
    for (;;) {
        int n = snprintf(digits, sizeof digits, "%zu", total);
        if (rest + (size_t) n == total)
            break;
        total = rest + (size_t) n;
    }
    g_string_append_printf(records, "%s %s=", digits, key);
    g_string_append_len(records, value, (gssize) length);
    g_string_append_c(records, '\n');
}

static void add_number(GString *records, const char *key, uint64_t value)
{
    char text[24];
    int n = snprintf(text, sizeof text, "%" G_GUINT64_FORMAT, value);
    add_record(records, key, text, (size_t) n);
}

static void add_time(GString *records, int64_t seconds, long ns)
{
    g_autofree char *text = NULL;
    if (ns == 0) {
        text = g_strdup_printf("%" G_GINT64_FORMAT, seconds);
    } else {
        /* A time before 1970 counts its fraction away from zero. */
        bool negative = seconds < 0;
        int64_t whole = negative ? -(seconds + 1) : seconds;
        long fraction = negative ? 1000000000L - ns : ns;
        text =
            g_strdup_printf("%s%" G_GINT64_FORMAT ".%09ld", negative ? "-" : "", whole, fraction);
        size_t end = strlen(text);
        while (text[end - 1] == '0')
            text[--end] = '\0';
    }
    add_record(records, "mtime", text, strlen(text));
}

static int by_name(gconstpointer a, gconstpointer b)
{
    const TarXattr *const *left = a;
    const TarXattr *const *right = b;
    return strcmp((*left)->name, (*right)->name);
}

static void add_xattrs(GString *records, const GPtrArray *xattrs)
{
    if (xattrs == NULL || xattrs->len == 0)
        return;
    g_autofree gpointer *sorted = g_memdup2(xattrs->pdata, xattrs->len * sizeof(gpointer));
    qsort(sorted, xattrs->len, sizeof(gpointer), by_name);
    for (guint i = 0; i < xattrs->len; i++) {
        const TarXattr *xattr = sorted[i];
        g_autofree char *key = g_strconcat("SCHILY.xattr.", xattr->name, NULL);
        add_record(records, key, xattr->value, xattr->length);
    }
}

static void put_text(char *field, size_t size, const char *key, const char *text, GString *records)
{
    size_t length = strlen(text);
    memcpy(field, text, MIN(length, size));
    if (length > size)
        add_record(records, key, text, length);
}

static void seal(TarHeader *header)
{
    memcpy(header->magic, "ustar", 6);
    memcpy(header->version, "00", 2);
    snprintf(header->checksum, sizeof header->checksum, "%06o", tar_header_sum(header) & 0777777);
    header->checksum[7] = ' ';
}

static bool write_bytes(TarWriter *writer, const void *bytes, size_t length, GError **error)
{
    return length == 0 || writer->out->write(writer->out, bytes, length, error);
}

/* The PAX header that carries RECORDS for the entry PATH. */
static bool write_records(TarWriter *writer, const char *path, const GString *records,
                          GError **error)
{
    TarHeader header = {.type = 'x'};
    g_autofree char *base = g_path_get_basename(path);
    g_autofree char *name = g_strconcat("PaxHeaders.0/", base, NULL);
    memcpy(header.name, name, MIN(strlen(name), sizeof header.name));
    put_octal(header.mode, sizeof header.mode, 0644);
    put_octal(header.uid, sizeof header.uid, 0);
    put_octal(header.gid, sizeof header.gid, 0);
    put_octal(header.size, sizeof header.size, records->len);
    put_octal(header.mtime, sizeof header.mtime, 0);
    seal(&header);
    return write_bytes(writer, &header, sizeof header, error) &&
           write_bytes(writer, records->str, records->len, error) &&
           write_bytes(writer, zeros, padding_of((int64_t) records->len), error);
}

bool tar_writer_entry(TarWriter *writer, const TarEntry *entry, GError **error)
{
    static const char types[] = {
        [TAR_FILE] = '0',  [TAR_HARDLINK] = '1', [TAR_SYMLINK] = '2', [TAR_CHARACTER] = '3',
        [TAR_BLOCK] = '4', [TAR_FOLDER] = '5',   [TAR_FIFO] = '6',
    };
    g_assert(writer->left == 0);
    TarHeader header = {.type = types[entry->kind]};
    g_autoptr(GString) records = g_string_new(NULL);
    g_autofree char *path =
        entry->kind == TAR_FOLDER ? g_strconcat(entry->path, "/", NULL) : g_strdup(entry->path);

    put_text(header.name, sizeof header.name, "path", path, records);
    if (entry->link != NULL)
        put_text(header.link, sizeof header.link, "linkpath", entry->link, records);
    put_octal(header.mode, sizeof header.mode, entry->mode & 07777);
    if (!put_octal(header.uid, sizeof header.uid, entry->uid))
        add_number(records, "uid", entry->uid);
    if (!put_octal(header.gid, sizeof header.gid, entry->gid))
        add_number(records, "gid", entry->gid);
    int64_t size = entry->kind == TAR_FILE ? entry->size : 0;
    if (!put_octal(header.size, sizeof header.size, (uint64_t) size))
        add_number(records, "size", (uint64_t) size);
    bool fits = put_octal(header.mtime, sizeof header.mtime, (uint64_t) MAX(entry->mtime, 0));
    if (!fits || entry->mtime < 0 || entry->mtime_ns != 0)
        add_time(records, entry->mtime, entry->mtime_ns);
    put_octal(header.device_major, sizeof header.device_major, entry->device_major);
    put_octal(header.device_minor, sizeof header.device_minor, entry->device_minor);
    add_xattrs(records, entry->xattrs);
    seal(&header);

    if (records->len > 0 && !write_records(writer, entry->path, records, error))
        return false;
    writer->left = size;
    writer->padding = padding_of(size);
    return write_bytes(writer, &header, sizeof header, error);
}

bool tar_writer_data(TarWriter *writer, const void *bytes, size_t length, GError **error)
{
    g_assert((int64_t) length <= writer->left);
    writer->left -= (int64_t) length;
    return write_bytes(writer, bytes, length, error) &&
           (writer->left > 0 || write_bytes(writer, zeros, writer->padding, error));
}

bool tar_writer_finish(TarWriter *writer, GError **error)
{
    g_assert(writer->left == 0);
    return write_bytes(writer, zeros, sizeof zeros, error);
}

void tar_writer_free(TarWriter *writer)
{
    g_free(writer);
}
