/* range.h - the Range header of a request for content, and Content-Range of an upload. Pure text.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

typedef enum {
    RANGE_WHOLE, /* none asked, or several: the whole content is the answer */
    RANGE_PART,
    RANGE_UNSATISFIABLE, /* malformed, inverted or behind the end */
} RangeKind;

/* What HEADER ("bytes=0-99"; NULL: none) means for content of SIZE bytes. */
RangeKind range_parse(const char *header, int64_t size, int64_t *offset, int64_t *length);

/* "FIRST-LAST" of a chunk; "bytes FIRST-LAST/…" is tolerated. */
bool range_parse_chunk(const char *header, int64_t *first, int64_t *last);
