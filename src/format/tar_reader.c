#include "format/tar.h"

#include "base/error.h"
#include "format/tar_block.h"

#include <string.h>

/* A PAX header or a GNU long name; xattrs are at most 64 KiB each. */
#define RECORDS_LIMIT ((int64_t) 1024 * 1024)
#define TIME_LIMIT ((int64_t) 1 << 60)
#define DEVICE_LIMIT 07777777 /* seven octal digits */
#define SIZE_LIMIT ((int64_t) 1 << 50)
#define XATTR_PREFIX "SCHILY.xattr."

/* What PAX records and GNU long names say about the entry that follows them. */
typedef struct {
    char *path, *link;
    bool has_size, has_uid, has_gid, has_mtime;
    int64_t size, uid, gid, mtime;
    long mtime_ns;
    GPtrArray *xattrs;
} Overrides;

struct TarReader {
    ByteSource *source;
    TarEntry entry;
    int64_t left;   /* content not yet read */
    size_t padding; /* behind it */
    bool ended;
};

TarReader *tar_reader_new(ByteSource *source)
{
    TarReader *reader = g_new0(TarReader, 1);
    reader->source = source;
    return reader;
}

static bool fail(GError **error, const char *why)
{
    g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID, "tar: %s", why);
    return false;
}

static void overrides_clear(Overrides *overrides)
{
    g_free(overrides->path);
    g_free(overrides->link);
    g_clear_pointer(&overrides->xattrs, g_ptr_array_unref);
    *overrides = (Overrides){0};
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Overrides, overrides_clear)

static bool read_exactly(TarReader *reader, void *buffer, size_t size, GError **error)
{
    ssize_t n = source_read_full(reader->source, buffer, size, error);
    if (n < 0)
        return false;
    return (size_t) n == size || fail(error, "ends in the middle of an entry");
}

static bool skip(TarReader *reader, int64_t count, GError **error)
{
    char buffer[32 * 1024];
    while (count > 0) {
        size_t n = (size_t) MIN(count, (int64_t) sizeof buffer);
        if (!read_exactly(reader, buffer, n, error))
            return false;
        count -= (int64_t) n;
    }
    return true;
}

/* A number of a header field: octal digits between blanks, or base 256 when its first bit is set.
 */
static bool get_number(const char *field, size_t size, int64_t *value)
{
    const uint8_t *bytes = (const uint8_t *) field;
    if (bytes[0] & 0x80) {
        bool negative = bytes[0] & 0x40;
        uint64_t number = negative ? UINT64_MAX : 0;
        for (size_t i = 0; i < size; i++) {
            uint8_t byte = i == 0 && !negative ? bytes[0] & 0x7f : bytes[i];
            uint8_t lost = (uint8_t) (number >> 56);
            if (lost != (negative ? 0xff : 0))
                return false;
            number = number << 8 | byte;
        }
        *value = (int64_t) number;
        return negative == (*value < 0);
    }
    size_t i = 0;
    while (i < size && bytes[i] == ' ')
        i++;
    uint64_t number = 0;
    for (; i < size && bytes[i] >= '0' && bytes[i] <= '7'; i++)
        number = number << 3 | (uint64_t) (bytes[i] - '0');
    for (; i < size; i++)
        if (bytes[i] != ' ' && bytes[i] != '\0')
            return false;
    *value = (int64_t) number; /* 12 octal digits at most */
    return true;
}

static bool is_checksum_right(const TarHeader *header)
{
    int64_t stated;
    if (!get_number(header->checksum, sizeof header->checksum, &stated))
        return false;
    if (stated == tar_header_sum(header))
        return true;
    /* Some old tars summed signed bytes. */
    const int8_t *bytes = (const int8_t *) header;
    size_t field = offsetof(TarHeader, checksum);
    int64_t sum = ' ' * (int64_t) sizeof header->checksum;
    for (size_t i = 0; i < TAR_BLOCK_SIZE; i++)
        if (i < field || i >= field + sizeof header->checksum)
            sum += bytes[i];
    return stated == sum;
}

static bool is_zero(const TarHeader *header)
{
    const char *bytes = (const char *) header;
    return bytes[0] == '\0' && memcmp(bytes, bytes + 1, TAR_BLOCK_SIZE - 1) == 0;
}

static bool parse_decimal(const char *text, int64_t *value)
{
    return g_ascii_string_to_signed(text, 10, G_MININT64, G_MAXINT64, value, NULL);
}

/* "[-]SECONDS[.FRACTION]" */
static bool parse_time(const char *text, int64_t *seconds, long *ns)
{
    g_autofree char *whole = g_strndup(text, strcspn(text, "."));
    if (!parse_decimal(whole, seconds))
        return false;
    const char *digits = text + strlen(whole);
    *ns = 0;
    long unit = 100000000;
    if (*digits == '.')
        digits++;
    for (; g_ascii_isdigit(*digits); digits++, unit /= 10)
        *ns += unit * (*digits - '0');
    if (*seconds < -TIME_LIMIT || *seconds > TIME_LIMIT)
        return false;
    if (*text == '-' && *ns > 0) {
        *seconds -= 1;
        *ns = 1000000000L - *ns;
    }
    return *digits == '\0';
}

static bool apply_record(Overrides *overrides, const char *key, const char *value, size_t length,
                         GError **error)
{
    bool has_nul = memchr(value, '\0', length) != NULL;
    if (g_str_has_prefix(key, XATTR_PREFIX)) {
        if (overrides->xattrs == NULL)
            overrides->xattrs = g_ptr_array_new_with_free_func((GDestroyNotify) tar_xattr_free);
        g_ptr_array_add(overrides->xattrs,
                        tar_xattr_new(key + strlen(XATTR_PREFIX), value, length));
        return true;
    }
    if (g_str_has_prefix(key, "GNU.sparse."))
        return fail(error, "sparse entries are not supported; make it without --sparse");
    if (has_nul)
        return fail(error, "a NUL in a PAX record");
    if (g_str_equal(key, "path")) {
        g_free(overrides->path);
        overrides->path = g_strdup(value);
    } else if (g_str_equal(key, "linkpath")) {
        g_free(overrides->link);
        overrides->link = g_strdup(value);
    } else if (g_str_equal(key, "size")) {
        overrides->has_size = parse_decimal(value, &overrides->size);
        return overrides->has_size || fail(error, "malformed PAX size");
    } else if (g_str_equal(key, "uid")) {
        overrides->has_uid = parse_decimal(value, &overrides->uid);
        return overrides->has_uid || fail(error, "malformed PAX uid");
    } else if (g_str_equal(key, "gid")) {
        overrides->has_gid = parse_decimal(value, &overrides->gid);
        return overrides->has_gid || fail(error, "malformed PAX gid");
    } else if (g_str_equal(key, "mtime")) {
        overrides->has_mtime = parse_time(value, &overrides->mtime, &overrides->mtime_ns);
        return overrides->has_mtime || fail(error, "malformed PAX mtime");
    }
    return true; /* atime, ctime, uname, comment, …: nothing here keeps them */
}

/* Splits RECORDS ("LENGTH KEY=VALUE\n" …) of SIZE bytes, NUL behind them. */
static bool apply_records(Overrides *overrides, char *records, size_t size, GError **error)
{
    char *at = records;
    char *end = records + size;
    while (at < end && *at != '\0') {
        char *blank;
        guint64 length = g_ascii_isdigit(*at) ? g_ascii_strtoull(at, &blank, 10) : 0;
        if (length == 0 || *blank != ' ' || length > (guint64) (end - at) || at[length - 1] != '\n')
            return fail(error, "malformed PAX record");
        char *last = at + length - 1;
        char *key = blank + 1;
        char *equals = key < last ? memchr(key, '=', (size_t) (last - key)) : NULL;
        if (equals == NULL)
            return fail(error, "PAX record without '='");
        *equals = '\0';
        *last = '\0';
        if (!apply_record(overrides, key, equals + 1, (size_t) (last - equals - 1), error))
            return false;
        at = last + 1;
    }
    return true;
}

static size_t padding_of(int64_t size)
{
    return (size_t) (-(uint64_t) size % TAR_BLOCK_SIZE);
}

/* The content of an entry that speaks about the next one; NUL behind it. */
static char *read_meta(TarReader *reader, const TarHeader *header, size_t *length, GError **error)
{
    int64_t size;
    if (!get_number(header->size, sizeof header->size, &size) || size < 0 || size > RECORDS_LIMIT) {
        fail(error, "extended header of more than 1 MiB");
        return NULL;
    }
    g_autofree char *bytes = g_malloc((size_t) size + 1);
    bytes[size] = '\0';
    *length = (size_t) size;
    if (!read_exactly(reader, bytes, (size_t) size, error) ||
        !skip(reader, (int64_t) padding_of(size), error))
        return NULL;
    return g_steal_pointer(&bytes);
}

/* true: HEADER was about the next entry and is dealt with. */
static bool take_meta(TarReader *reader, const TarHeader *header, Overrides *overrides, bool *taken,
                      GError **error)
{
    *taken = memchr("xgLKX", header->type, 5) != NULL;
    if (!*taken)
        return true;
    size_t length;
    g_autofree char *bytes = read_meta(reader, header, &length, error);
    if (bytes == NULL)
        return false;
    if (header->type == 'L') {
        g_free(overrides->path);
        overrides->path = g_strdup(bytes);
    } else if (header->type == 'K') {
        g_free(overrides->link);
        overrides->link = g_strdup(bytes);
    } else if (header->type == 'x' || header->type == 'X') {
        return apply_records(overrides, bytes, length, error);
    } else {
        /* Global records: git writes a comment; anything that would change entries is refused. */
        g_auto(Overrides) global = {0};
        if (!apply_records(&global, bytes, length, error))
            return false;
        if (global.path != NULL || global.link != NULL || global.has_size || global.has_uid ||
            global.has_gid || global.xattrs != NULL)
            return fail(error, "global PAX records about paths, owners or sizes");
    }
    return true;
}

static bool kind_of(const TarHeader *header, TarKind *kind, GError **error)
{
    switch (header->type) {
    case '0':
    case '\0':
    case '7':
        *kind = TAR_FILE;
        return true;
    case '1':
        *kind = TAR_HARDLINK;
        return true;
    case '2':
        *kind = TAR_SYMLINK;
        return true;
    case '3':
        *kind = TAR_CHARACTER;
        return true;
    case '4':
        *kind = TAR_BLOCK;
        return true;
    case '5':
        *kind = TAR_FOLDER;
        return true;
    case '6':
        *kind = TAR_FIFO;
        return true;
    case 'S':
        return fail(error, "sparse entries are not supported; make it without --sparse");
    default:
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID,
                    "tar: entry of unknown type 0x%02x", (unsigned) (uint8_t) header->type);
        return false;
    }
}

static char *header_path(const TarHeader *header)
{
    g_autofree char *name = g_strndup(header->name, sizeof header->name);
    /* GNU's own format ("ustar  ") has times where ustar has the prefix. */
    if (memcmp(header->magic, "ustar", 6) != 0 || header->prefix[0] == '\0')
        return g_steal_pointer(&name);
    g_autofree char *prefix = g_strndup(header->prefix, sizeof header->prefix);
    return g_strconcat(prefix, "/", name, NULL);
}

static bool get_owner(int64_t stated, uint32_t *id, GError **error)
{
    if (stated < 0 || stated > UINT32_MAX - 1)
        return fail(error, "owner out of range");
    *id = (uint32_t) stated;
    return true;
}

static bool fill_numbers(TarEntry *entry, const TarHeader *header, const Overrides *overrides,
                         GError **error)
{
    int64_t mode, uid, gid, size, mtime, major_number, minor_number;
    if (!get_number(header->mode, sizeof header->mode, &mode) ||
        !get_number(header->uid, sizeof header->uid, &uid) ||
        !get_number(header->gid, sizeof header->gid, &gid) ||
        !get_number(header->size, sizeof header->size, &size) ||
        !get_number(header->mtime, sizeof header->mtime, &mtime) ||
        !get_number(header->device_major, sizeof header->device_major, &major_number) ||
        !get_number(header->device_minor, sizeof header->device_minor, &minor_number))
        return fail(error, "malformed number in a header");
    entry->mode = (mode_t) (mode & 07777);
    if (!get_owner(overrides->has_uid ? overrides->uid : uid, &entry->uid, error) ||
        !get_owner(overrides->has_gid ? overrides->gid : gid, &entry->gid, error))
        return false;
    entry->size = overrides->has_size ? overrides->size : size;
    if (entry->size < 0 || entry->size > SIZE_LIMIT)
        return fail(error, "size out of range");
    if (mtime < -TIME_LIMIT || mtime > TIME_LIMIT)
        return fail(error, "time out of range");
    if (major_number < 0 || major_number > DEVICE_LIMIT || minor_number < 0 ||
        minor_number > DEVICE_LIMIT)
        return fail(error, "device number out of range");
    entry->mtime = overrides->has_mtime ? overrides->mtime : mtime;
    entry->mtime_ns = overrides->has_mtime ? overrides->mtime_ns : 0;
    entry->device_major = (unsigned) major_number;
    entry->device_minor = (unsigned) minor_number;
    return true;
}

/* Makes the entry of HEADER and what OVERRIDES (emptied) say of it. */
static bool fill_entry(TarReader *reader, const TarHeader *header, Overrides *overrides,
                       GError **error)
{
    TarEntry *entry = &reader->entry;
    if (!kind_of(header, &entry->kind, error) || !fill_numbers(entry, header, overrides, error))
        return false;
    entry->path = overrides->path != NULL ? g_steal_pointer(&overrides->path) : header_path(header);
    entry->xattrs = g_steal_pointer(&overrides->xattrs);
    size_t length = strlen(entry->path);
    if (length == 0)
        return fail(error, "entry without a name");
    bool slash = entry->path[length - 1] == '/';
    if (entry->kind == TAR_FILE && slash) /* folders of tars older than POSIX */
        entry->kind = TAR_FOLDER;
    while (length > 1 && entry->path[length - 1] == '/')
        entry->path[--length] = '\0';
    if (entry->kind == TAR_HARDLINK || entry->kind == TAR_SYMLINK)
        entry->link = overrides->link != NULL ? g_steal_pointer(&overrides->link)
                                              : g_strndup(header->link, sizeof header->link);
    /* Only files have content: a size on anything else is without meaning, as all readers have it.
     */
    if (entry->kind != TAR_FILE)
        entry->size = 0;
    reader->left = entry->size;
    reader->padding = padding_of(entry->size);
    return true;
}

/* What follows the end mark is padding; a source that verifies wants to see its end. */
static bool read_out(TarReader *reader, GError **error)
{
    char buffer[32 * 1024];
    ssize_t n;
    while ((n = reader->source->read(reader->source, buffer, sizeof buffer, error)) > 0)
        continue;
    return n == 0;
}

const TarEntry *tar_reader_next(TarReader *reader, GError **error)
{
    tar_entry_clear(&reader->entry);
    if (reader->ended || !skip(reader, reader->left + (int64_t) reader->padding, error))
        return NULL;
    reader->left = 0;
    reader->padding = 0;

    g_auto(Overrides) overrides = {0};
    for (;;) {
        TarHeader header;
        ssize_t n = source_read_full(reader->source, &header, sizeof header, error);
        if (n < 0)
            return NULL;
        if (n == 0 || (n == (ssize_t) sizeof header && is_zero(&header))) {
            reader->ended = true;
            read_out(reader, error);
            return NULL;
        }
        if (n < (ssize_t) sizeof header || !is_checksum_right(&header)) {
            fail(error, n < (ssize_t) sizeof header
                            ? "ends in the middle of a header"
                            : "header checksum does not match: no tar, or damaged");
            return NULL;
        }
        bool taken;
        if (!take_meta(reader, &header, &overrides, &taken, error))
            return NULL;
        if (!taken)
            return fill_entry(reader, &header, &overrides, error) ? &reader->entry : NULL;
    }
}

ssize_t tar_reader_read(TarReader *reader, void *buffer, size_t size, GError **error)
{
    size_t wanted = (size_t) MIN((int64_t) size, reader->left);
    if (wanted == 0)
        return 0;
    ssize_t n = reader->source->read(reader->source, buffer, wanted, error);
    if (n == 0) {
        fail(error, "ends in the middle of an entry");
        return -1;
    }
    if (n > 0)
        reader->left -= n;
    return n;
}

void tar_reader_free(TarReader *reader)
{
    if (reader == NULL)
        return;
    tar_entry_clear(&reader->entry);
    g_free(reader);
}
