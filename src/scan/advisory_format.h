/* advisory_format.h - the file advisories.db: tables of fixed rows that refer to one another by
 * index, and a pool of strings. It is written in one pass and read where it lies in memory; the
 * machine's byte order, which the header tells.
 *
 *   header | sources | records | affected | ranges | events | keys | lists | strings
 *
 * A key is (ecosystem, package); its affected rows stand together. Offset 0 of the strings is the
 * empty string and means "none". */
#pragma once

#include <stdint.h>

#define ADVISORY_MAGIC "SLIPADV"
#define ADVISORY_VERSION 1
#define ADVISORY_BYTE_ORDER 0x01020304u
#define ADVISORY_FILE "advisories.db"

typedef enum {
    TABLE_SOURCES,
    TABLE_RECORDS,
    TABLE_AFFECTED,
    TABLE_RANGES,
    TABLE_EVENTS,
    TABLE_KEYS,
    TABLE_LISTS,
    TABLE_STRINGS,
    TABLE_COUNT,
} AdvisoryTable;

typedef struct {
    char magic[8];
    uint32_t version, byte_order;
    int64_t built; /* seconds since 1970 */
    struct {
        uint64_t offset, count;
    } tables[TABLE_COUNT];
    uint8_t hash[32]; /* SHA-256 of all behind the header */
} AdvisoryHeader;

typedef struct {
    int64_t newest, imported;
    uint32_t name, records, skipped, unused;
} SourceRow;

typedef struct {
    int64_t modified;
    uint32_t id, summary, vector, source;
    uint32_t aliases, alias_count; /* in the lists: strings */
    uint32_t upstream, upstream_count;
    uint32_t severity, score; /* score in tenths; 0: none */
} RecordRow;

typedef struct {
    uint32_t key, record;
    uint32_t ranges, range_count;
    uint32_t versions, version_count; /* in the lists: strings */
    uint32_t vector, unused;
} AffectedRow;

typedef enum { RANGE_ECOSYSTEM, RANGE_SEMVER } RangeKind;

typedef struct {
    uint32_t kind, events, event_count;
} RangeRow;

typedef enum { EVENT_INTRODUCED, EVENT_FIXED, EVENT_LAST_AFFECTED, EVENT_LIMIT } EventKind;

typedef struct {
    uint32_t kind, version;
} EventRow;

typedef struct {
    uint32_t ecosystem, name, affected, affected_count;
} KeyRow;
