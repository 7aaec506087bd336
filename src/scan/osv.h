/* osv.h - one record of the OSV schema (ossf.github.io/osv-schema) into a builder. */
#pragma once

#include "scan/advisory_builder.h"

#include <jansson.h>

/* Adds RECORD as of source SOURCE. False when it is withdrawn, malformed or has nothing that can be
 * matched here. */
bool osv_add_record(AdvisoryBuilder *builder, const json_t *record, uint32_t source);
