/* advisory.h - known vulnerabilities: the local database, and what it says of an inventory.
 *
 * The database is one file, $SLIPWAY_HOME/advisories.db, read through mmap and replaced as a whole.
 * Nothing here uses the network. */
#pragma once

#include "scan/inventory.h"

#include <stdint.h>

typedef struct AdvisoryDatabase AdvisoryDatabase;

/* The database of state folder HOME. NOT_FOUND, with the mend, when nothing was imported yet;
 * INVALID when the file is damaged or of another version. */
AdvisoryDatabase *advisory_database_open(const char *home, GError **error);
void advisory_database_close(AdvisoryDatabase *database);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(AdvisoryDatabase, advisory_database_close)

typedef struct {
    char *name;              /* file it came from */
    int64_t newest;          /* latest `modified` of its records, seconds; 0: none has one */
    int64_t imported;        /* seconds */
    size_t records, skipped; /* skipped: malformed or without anything to match */
} AdvisorySource;

int64_t advisory_database_built(const AdvisoryDatabase *database); /* seconds */
size_t advisory_database_count(const AdvisoryDatabase *database);  /* records */
/* AdvisorySource *, by name; free with g_ptr_array_unref. */
GPtrArray *advisory_database_sources(const AdvisoryDatabase *database);
/* Ecosystems with data, "Debian:12", "PyPI" …, sorted. */
char **advisory_database_ecosystems(const AdvisoryDatabase *database);

/* Reads OSV records (a JSON file, JSON lines, either compressed with zstd; a folder: every such
 * file below it) and puts them in the place of what was imported under the same file names before.
 * The old file stays until the new one is complete. */
bool advisory_import(const char *home, const char *const *paths, GError **error);

typedef struct {
    char *ecosystem; /* "Debian:12", "PyPI"; "unknown" */
    size_t packages; /* so many of it */
    char *reason;    /* why they could not be judged */
} AdvisoryGap;

typedef struct {
    GPtrArray *findings;    /* Finding *: rule = CVE (or primary id), aliases, detail {package,
                               version,    purl, fixed, score, vector, source, ecosystem} */
    GPtrArray *gaps;        /* AdvisoryGap *: what is not covered; empty: all was judged */
    size_t packages;        /* judged */
    int64_t database_built; /* seconds; 0: there is no database */
} AdvisoryMatch;

/* Judges INVENTORY. DATABASE may be NULL: then all of it is a gap. Zero packages, an unknown
 * distribution and ecosystems without data are gaps: never a silent pass. */
AdvisoryMatch *advisory_match(const AdvisoryDatabase *database, const Inventory *inventory);
void advisory_match_free(AdvisoryMatch *match);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(AdvisoryMatch, advisory_match_free)

/* One finding "not-covered" (severity unknown) a gap, for reports. Appends to FINDINGS. */
void advisory_report_gaps(const AdvisoryMatch *match, GPtrArray *findings);
