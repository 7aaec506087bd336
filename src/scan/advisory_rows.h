/* advisory_rows.h - the rows of an open database, for the rest of this room. An index beyond its
 * table gives an empty row: a damaged file never leads outside it. */
#pragma once

#include "scan/advisory.h"
#include "scan/advisory_format.h"

size_t advisory_row_count(const AdvisoryDatabase *database, AdvisoryTable table);
const SourceRow *advisory_source(const AdvisoryDatabase *database, uint32_t index);
const RecordRow *advisory_record(const AdvisoryDatabase *database, uint32_t index);
const AffectedRow *advisory_affected(const AdvisoryDatabase *database, uint32_t index);
const RangeRow *advisory_range(const AdvisoryDatabase *database, uint32_t index);
const EventRow *advisory_event(const AdvisoryDatabase *database, uint32_t index);
const KeyRow *advisory_key(const AdvisoryDatabase *database, uint32_t index);
const char *advisory_string(const AdvisoryDatabase *database, uint32_t offset);
/* String INDEX of a list. */
const char *advisory_list_string(const AdvisoryDatabase *database, uint32_t index);

/* The key of (ECOSYSTEM, NAME); NULL: nothing is known of it. */
const KeyRow *advisory_find_key(const AdvisoryDatabase *database, const char *ecosystem,
                                const char *name);
/* Whether any package of ECOSYSTEM is known. */
bool advisory_has_ecosystem(const AdvisoryDatabase *database, const char *ecosystem);
