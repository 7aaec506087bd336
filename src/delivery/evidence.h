/* evidence.h - what is known of a commit or a digest, as entries of the record.
 *
 * Written only by the engine that ran or parsed a check. An entry: action "evidence", object the
 * commit or digest, result passed | failed | warned, detail {"kind",…} with figures as integers. */
#pragma once

#include "delivery/delivery.h"

/* Records evidence of KIND about OBJECT. DETAIL (taken; may be NULL) gets "kind". KEY makes it
 * idempotent; NULL: always a new entry. Gives its number, -1 on error. */
int64_t evidence_record(Delivery *delivery, const char *kind, const char *object,
                        const char *result, json_t *detail, const char *key, GError **error);

/* The newest entry of KIND about OBJECT, with detail member KEY equal to VALUE when KEY is given.
 * NULL without error: there is none. */
json_t *evidence_latest(Delivery *delivery, const char *kind, const char *object, const char *key,
                        const char *value, GError **error);
