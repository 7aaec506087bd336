#include "base/clock.h"
#include "base/error.h"
#include "base/fd.h"
#include "crypto/hash.h"
#include "scan/advisory_rows.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

struct AdvisoryDatabase {
    const char *bytes;
    size_t length;
    const AdvisoryHeader *header;
};

static const size_t row_sizes[TABLE_COUNT] = {
    [TABLE_SOURCES] = sizeof(SourceRow),    [TABLE_RECORDS] = sizeof(RecordRow),
    [TABLE_AFFECTED] = sizeof(AffectedRow), [TABLE_RANGES] = sizeof(RangeRow),
    [TABLE_EVENTS] = sizeof(EventRow),      [TABLE_KEYS] = sizeof(KeyRow),
    [TABLE_LISTS] = sizeof(uint32_t),       [TABLE_STRINGS] = 1,
};

static bool fail(const char *path, const char *why, GError **error)
{
    g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID,
                "advisory database '%s' %s; import the advisories again", path, why);
    return false;
}

static bool check(const AdvisoryDatabase *database, const char *path, GError **error)
{
    const AdvisoryHeader *header = database->header;
    if (database->length < sizeof *header || memcmp(header->magic, ADVISORY_MAGIC, 8) != 0)
        return fail(path, "is no such database", error);
    if (header->version != ADVISORY_VERSION || header->byte_order != ADVISORY_BYTE_ORDER)
        return fail(path, "is of another version or machine", error);
    for (int i = 0; i < TABLE_COUNT; i++) {
        uint64_t offset = header->tables[i].offset, count = header->tables[i].count;
        if (offset % 8 != 0 || offset < sizeof *header || offset > database->length ||
            count > (database->length - offset) / row_sizes[i])
            return fail(path, "is cut short", error);
    }
    uint64_t strings = header->tables[TABLE_STRINGS].count;
    if (strings == 0 || database->bytes[header->tables[TABLE_STRINGS].offset + strings - 1] != '\0')
        return fail(path, "is damaged", error);
    uint8_t hash[HASH_SHA256_LENGTH];
    hash_bytes(HASH_SHA256, database->bytes + sizeof *header, database->length - sizeof *header,
               hash);
    return memcmp(hash, header->hash, sizeof hash) == 0 ? true : fail(path, "is damaged", error);
}

AdvisoryDatabase *advisory_database_open(const char *home, GError **error)
{
    g_autofree char *path = g_build_filename(home, ADVISORY_FILE, NULL);
    autofd int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT) {
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_NOT_FOUND,
                    "no advisories in '%s'; `slipway advisories import FILE` brings some", home);
        return NULL;
    }
    struct stat st;
    if (fd < 0 || fstat(fd, &st) != 0) {
        error_set_errno(error, errno, "open", path);
        return NULL;
    }
    g_autoptr(AdvisoryDatabase) database = g_new0(AdvisoryDatabase, 1);
    if (st.st_size < (off_t) sizeof(AdvisoryHeader)) {
        fail(path, "is cut short", error);
        return NULL;
    }
    void *map = mmap(NULL, (size_t) st.st_size, PROT_READ, MAP_SHARED, fd, 0);
    if (map == MAP_FAILED) {
        error_set_errno(error, errno, "map", path);
        return NULL;
    }
    database->bytes = map;
    database->length = (size_t) st.st_size;
    database->header = map;
    return check(database, path, error) ? g_steal_pointer(&database) : NULL;
}

void advisory_database_close(AdvisoryDatabase *database)
{
    if (database == NULL)
        return;
    if (database->bytes != NULL)
        munmap((void *) database->bytes, database->length);
    g_free(database);
}

size_t advisory_row_count(const AdvisoryDatabase *database, AdvisoryTable table)
{
    return database->header->tables[table].count;
}

static const void *row(const AdvisoryDatabase *database, AdvisoryTable table, uint32_t index)
{
    static const RecordRow empty; /* the largest of them */
    if (index >= database->header->tables[table].count)
        return &empty;
    return database->bytes + database->header->tables[table].offset + index * row_sizes[table];
}

const SourceRow *advisory_source(const AdvisoryDatabase *database, uint32_t index)
{
    return row(database, TABLE_SOURCES, index);
}

const RecordRow *advisory_record(const AdvisoryDatabase *database, uint32_t index)
{
    return row(database, TABLE_RECORDS, index);
}

const AffectedRow *advisory_affected(const AdvisoryDatabase *database, uint32_t index)
{
    return row(database, TABLE_AFFECTED, index);
}

const RangeRow *advisory_range(const AdvisoryDatabase *database, uint32_t index)
{
    return row(database, TABLE_RANGES, index);
}

const EventRow *advisory_event(const AdvisoryDatabase *database, uint32_t index)
{
    return row(database, TABLE_EVENTS, index);
}

const KeyRow *advisory_key(const AdvisoryDatabase *database, uint32_t index)
{
    return row(database, TABLE_KEYS, index);
}

const char *advisory_string(const AdvisoryDatabase *database, uint32_t offset)
{
    if (offset >= database->header->tables[TABLE_STRINGS].count)
        return "";
    return database->bytes + database->header->tables[TABLE_STRINGS].offset + offset;
}

const char *advisory_list_string(const AdvisoryDatabase *database, uint32_t index)
{
    const uint32_t *offset = row(database, TABLE_LISTS, index);
    return advisory_string(database, *offset);
}

/* The first key that is not before (ECOSYSTEM, NAME). */
static uint32_t lower_bound(const AdvisoryDatabase *database, const char *ecosystem,
                            const char *name)
{
    uint32_t low = 0, high = (uint32_t) advisory_row_count(database, TABLE_KEYS);
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        const KeyRow *key = advisory_key(database, middle);
        int order = strcmp(advisory_string(database, key->ecosystem), ecosystem);
        if (order == 0)
            order = strcmp(advisory_string(database, key->name), name);
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

const KeyRow *advisory_find_key(const AdvisoryDatabase *database, const char *ecosystem,
                                const char *name)
{
    uint32_t at = lower_bound(database, ecosystem, name);
    if (at >= advisory_row_count(database, TABLE_KEYS))
        return NULL;
    const KeyRow *key = advisory_key(database, at);
    bool same = strcmp(advisory_string(database, key->ecosystem), ecosystem) == 0 &&
                strcmp(advisory_string(database, key->name), name) == 0;
    return same ? key : NULL;
}

bool advisory_has_ecosystem(const AdvisoryDatabase *database, const char *ecosystem)
{
    uint32_t at = lower_bound(database, ecosystem, "");
    return at < advisory_row_count(database, TABLE_KEYS) &&
           strcmp(advisory_string(database, advisory_key(database, at)->ecosystem), ecosystem) == 0;
}

int64_t advisory_database_built(const AdvisoryDatabase *database)
{
    return database->header->built;
}

size_t advisory_database_count(const AdvisoryDatabase *database)
{
    return advisory_row_count(database, TABLE_RECORDS);
}

static void source_free(gpointer data)
{
    AdvisorySource *source = data;
    g_free(source->name);
    g_free(source);
}

GPtrArray *advisory_database_sources(const AdvisoryDatabase *database)
{
    GPtrArray *sources = g_ptr_array_new_with_free_func(source_free);
    for (uint32_t i = 0; i < advisory_row_count(database, TABLE_SOURCES); i++) {
        const SourceRow *from = advisory_source(database, i);
        AdvisorySource *source = g_new(AdvisorySource, 1);
        *source = (AdvisorySource){g_strdup(advisory_string(database, from->name)), from->newest,
                                   from->imported, from->records, from->skipped};
        g_ptr_array_add(sources, source);
    }
    return sources;
}

char **advisory_database_ecosystems(const AdvisoryDatabase *database)
{
    g_autoptr(GPtrArray) names = g_ptr_array_new();
    const char *last = NULL;
    for (uint32_t i = 0; i < advisory_row_count(database, TABLE_KEYS); i++) {
        const char *name = advisory_string(database, advisory_key(database, i)->ecosystem);
        if (last == NULL || strcmp(last, name) != 0)
            g_ptr_array_add(names, g_strdup(name));
        last = name;
    }
    g_ptr_array_add(names, NULL);
    return (char **) g_ptr_array_free(g_steal_pointer(&names), FALSE);
}
