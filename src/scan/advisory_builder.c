#include "scan/advisory_builder.h"

#include "base/clock.h"
#include "base/file.h"
#include "crypto/hash.h"
#include "scan/advisory_rows.h"

#include <fcntl.h>
#include <string.h>

AdvisoryBuilder *advisory_builder_new(void)
{
    AdvisoryBuilder *builder = g_new0(AdvisoryBuilder, 1);
    builder->sources = g_array_new(FALSE, TRUE, sizeof(SourceRow));
    builder->records = g_array_new(FALSE, TRUE, sizeof(RecordRow));
    builder->affected = g_array_new(FALSE, TRUE, sizeof(AffectedRow));
    builder->ranges = g_array_new(FALSE, TRUE, sizeof(RangeRow));
    builder->events = g_array_new(FALSE, TRUE, sizeof(EventRow));
    builder->keys = g_array_new(FALSE, TRUE, sizeof(KeyRow));
    builder->lists = g_array_new(FALSE, TRUE, sizeof(uint32_t));
    builder->strings = g_string_new(NULL);
    g_string_append_c(builder->strings, '\0');
    builder->string_offsets = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    builder->key_indexes = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    return builder;
}

void advisory_builder_free(AdvisoryBuilder *builder)
{
    if (builder == NULL)
        return;
    GArray *arrays[] = {builder->sources, builder->records, builder->affected, builder->ranges,
                        builder->events,  builder->keys,    builder->lists};
    for (size_t i = 0; i < G_N_ELEMENTS(arrays); i++)
        g_array_unref(arrays[i]);
    g_string_free(builder->strings, TRUE);
    g_hash_table_unref(builder->string_offsets);
    g_hash_table_unref(builder->key_indexes);
    g_free(builder);
}

uint32_t advisory_builder_string(AdvisoryBuilder *builder, const char *text)
{
    if (text == NULL || *text == '\0')
        return 0;
    gpointer known = NULL;
    if (g_hash_table_lookup_extended(builder->string_offsets, text, NULL, &known))
        return GPOINTER_TO_UINT(known);
    uint32_t offset = (uint32_t) builder->strings->len;
    g_string_append_len(builder->strings, text, (gssize) strlen(text) + 1);
    g_hash_table_insert(builder->string_offsets, g_strdup(text), GUINT_TO_POINTER(offset));
    return offset;
}

uint32_t advisory_builder_key(AdvisoryBuilder *builder, const char *ecosystem, const char *name)
{
    char *text = g_strdup_printf("%s\n%s", ecosystem, name);
    gpointer known = NULL;
    if (g_hash_table_lookup_extended(builder->key_indexes, text, NULL, &known)) {
        g_free(text);
        return GPOINTER_TO_UINT(known);
    }
    KeyRow key = {.ecosystem = advisory_builder_string(builder, ecosystem),
                  .name = advisory_builder_string(builder, name)};
    g_array_append_val(builder->keys, key);
    g_hash_table_insert(builder->key_indexes, text, GUINT_TO_POINTER(builder->keys->len - 1));
    return builder->keys->len - 1;
}

static uint32_t copy_list(AdvisoryBuilder *builder, const AdvisoryDatabase *from, uint32_t first,
                          uint32_t count)
{
    uint32_t at = builder->lists->len;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t text = advisory_builder_string(builder, advisory_list_string(from, first + i));
        g_array_append_val(builder->lists, text);
    }
    return at;
}

static void copy_ranges(AdvisoryBuilder *builder, const AdvisoryDatabase *from,
                        const AffectedRow *old, AffectedRow *row)
{
    row->ranges = builder->ranges->len;
    row->range_count = old->range_count;
    for (uint32_t i = 0; i < old->range_count; i++) {
        RangeRow range = *advisory_range(from, old->ranges + i);
        uint32_t events = range.events;
        range.events = builder->events->len;
        for (uint32_t e = 0; e < range.event_count; e++) {
            EventRow event = *advisory_event(from, events + e);
            event.version = advisory_builder_string(builder, advisory_string(from, event.version));
            g_array_append_val(builder->events, event);
        }
        g_array_append_val(builder->ranges, range);
    }
}

/* New indexes of old rows; G_MAXUINT32: not taken over. */
static uint32_t *copy_sources(AdvisoryBuilder *builder, const AdvisoryDatabase *from,
                              GHashTable *replaced)
{
    size_t count = advisory_row_count(from, TABLE_SOURCES);
    uint32_t *map = g_new(uint32_t, count + 1);
    for (uint32_t i = 0; i < count; i++) {
        SourceRow row = *advisory_source(from, i);
        const char *name = advisory_string(from, row.name);
        map[i] = G_MAXUINT32;
        if (g_hash_table_contains(replaced, name))
            continue;
        row.name = advisory_builder_string(builder, name);
        map[i] = builder->sources->len;
        g_array_append_val(builder->sources, row);
    }
    return map;
}

static uint32_t *copy_records(AdvisoryBuilder *builder, const AdvisoryDatabase *from,
                              const uint32_t *sources)
{
    size_t count = advisory_row_count(from, TABLE_RECORDS);
    uint32_t *map = g_new(uint32_t, count + 1);
    for (uint32_t i = 0; i < count; i++) {
        RecordRow row = *advisory_record(from, i);
        map[i] = G_MAXUINT32;
        if (row.source >= advisory_row_count(from, TABLE_SOURCES) ||
            sources[row.source] == G_MAXUINT32)
            continue;
        row.source = sources[row.source];
        row.id = advisory_builder_string(builder, advisory_string(from, row.id));
        row.summary = advisory_builder_string(builder, advisory_string(from, row.summary));
        row.vector = advisory_builder_string(builder, advisory_string(from, row.vector));
        row.aliases = copy_list(builder, from, row.aliases, row.alias_count);
        row.upstream = copy_list(builder, from, row.upstream, row.upstream_count);
        map[i] = builder->records->len;
        g_array_append_val(builder->records, row);
    }
    return map;
}

void advisory_builder_add_database(AdvisoryBuilder *builder, const AdvisoryDatabase *database,
                                   GHashTable *replaced)
{
    g_autofree uint32_t *sources = copy_sources(builder, database, replaced);
    g_autofree uint32_t *records = copy_records(builder, database, sources);
    for (uint32_t i = 0; i < advisory_row_count(database, TABLE_AFFECTED); i++) {
        const AffectedRow *old = advisory_affected(database, i);
        if (old->record >= advisory_row_count(database, TABLE_RECORDS) ||
            records[old->record] == G_MAXUINT32)
            continue;
        const KeyRow *key = advisory_key(database, old->key);
        AffectedRow row = *old;
        row.record = records[old->record];
        row.key = advisory_builder_key(builder, advisory_string(database, key->ecosystem),
                                       advisory_string(database, key->name));
        row.vector = advisory_builder_string(builder, advisory_string(database, old->vector));
        row.versions = copy_list(builder, database, old->versions, old->version_count);
        copy_ranges(builder, database, old, &row);
        g_array_append_val(builder->affected, row);
    }
}

static int by_key(gconstpointer a, gconstpointer b, gpointer data)
{
    const AdvisoryBuilder *builder = data;
    const KeyRow *x = &g_array_index(builder->keys, KeyRow, *(const uint32_t *) a);
    const KeyRow *y = &g_array_index(builder->keys, KeyRow, *(const uint32_t *) b);
    int order = strcmp(builder->strings->str + x->ecosystem, builder->strings->str + y->ecosystem);
    return order != 0 ? order
                      : strcmp(builder->strings->str + x->name, builder->strings->str + y->name);
}

static int by_affected(gconstpointer a, gconstpointer b)
{
    const AffectedRow *x = a, *y = b;
    if (x->key != y->key)
        return x->key < y->key ? -1 : 1;
    return x->record < y->record ? -1 : x->record > y->record;
}

/* Sorts keys by text, and the affected rows with them. */
static void sort_keys(AdvisoryBuilder *builder)
{
    guint count = builder->keys->len;
    g_autofree uint32_t *order = g_new(uint32_t, count + 1), *place = g_new(uint32_t, count + 1);
    for (uint32_t i = 0; i < count; i++)
        order[i] = i;
    g_qsort_with_data(order, (int) count, sizeof *order, by_key, builder);
    GArray *keys = g_array_new(FALSE, TRUE, sizeof(KeyRow));
    for (uint32_t i = 0; i < count; i++) {
        place[order[i]] = i;
        g_array_append_val(keys, g_array_index(builder->keys, KeyRow, order[i]));
    }
    g_array_unref(builder->keys);
    builder->keys = keys;

    for (guint i = 0; i < builder->affected->len; i++) {
        AffectedRow *row = &g_array_index(builder->affected, AffectedRow, i);
        row->key = place[row->key];
    }
    g_array_sort(builder->affected, by_affected);
    for (guint i = 0; i < builder->affected->len; i++) {
        KeyRow *key = &g_array_index(builder->keys, KeyRow,
                                     g_array_index(builder->affected, AffectedRow, i).key);
        if (key->affected_count++ == 0)
            key->affected = i;
    }
}

static void append_table(GByteArray *out, AdvisoryHeader *header, AdvisoryTable table,
                         const void *rows, size_t count, size_t row_size)
{
    static const guint8 zeros[8];
    g_byte_array_append(out, zeros, (8 - out->len % 8) % 8);
    header->tables[table].offset = out->len;
    header->tables[table].count = count;
    g_byte_array_append(out, rows, (guint) (count * row_size));
}

static void append_array(GByteArray *out, AdvisoryHeader *header, AdvisoryTable table,
                         const GArray *rows)
{
    append_table(out, header, table, rows->data, rows->len,
                 g_array_get_element_size((GArray *) rows));
}

bool advisory_builder_write(AdvisoryBuilder *builder, const char *home, GError **error)
{
    sort_keys(builder);
    AdvisoryHeader header = {.magic = ADVISORY_MAGIC,
                             .version = ADVISORY_VERSION,
                             .byte_order = ADVISORY_BYTE_ORDER,
                             .built = clock_now_ns() / 1000000000};
    g_autoptr(GByteArray) out = g_byte_array_new();
    g_byte_array_append(out, (const guint8 *) &header, sizeof header);
    append_array(out, &header, TABLE_SOURCES, builder->sources);
    append_array(out, &header, TABLE_RECORDS, builder->records);
    append_array(out, &header, TABLE_AFFECTED, builder->affected);
    append_array(out, &header, TABLE_RANGES, builder->ranges);
    append_array(out, &header, TABLE_EVENTS, builder->events);
    append_array(out, &header, TABLE_KEYS, builder->keys);
    append_array(out, &header, TABLE_LISTS, builder->lists);
    append_table(out, &header, TABLE_STRINGS, builder->strings->str, builder->strings->len, 1);
    hash_bytes(HASH_SHA256, out->data + sizeof header, out->len - sizeof header, header.hash);
    memcpy(out->data, &header, sizeof header);

    g_autofree char *path = g_build_filename(home, ADVISORY_FILE, NULL);
    return file_make_folders(home, 0700, error) &&
           file_write_atomic(AT_FDCWD, path, out->data, (gssize) out->len, 0600, error);
}
