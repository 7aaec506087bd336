/* advisory_builder.h - advisories gathered in memory and written as one file. */
#pragma once

#include "scan/advisory.h"
#include "scan/advisory_format.h"

typedef struct {
    GArray *sources, *records, *affected, *ranges, *events, *keys;
    GArray *lists; /* uint32_t */
    GString *strings;
    GHashTable *string_offsets; /* text → offset */
    GHashTable *key_indexes;    /* "ecosystem\nname" → index */
} AdvisoryBuilder;

AdvisoryBuilder *advisory_builder_new(void);
void advisory_builder_free(AdvisoryBuilder *builder);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(AdvisoryBuilder, advisory_builder_free)

/* The offset of TEXT in the pool; NULL and "" are 0. */
uint32_t advisory_builder_string(AdvisoryBuilder *builder, const char *text);
/* The key's index, made when it is new. */
uint32_t advisory_builder_key(AdvisoryBuilder *builder, const char *ecosystem, const char *name);

/* Takes over what DATABASE has from sources that REPLACED (a set of names) does not hold. */
void advisory_builder_add_database(AdvisoryBuilder *builder, const AdvisoryDatabase *database,
                                   GHashTable *replaced);

/* Writes HOME/advisories.db anew. */
bool advisory_builder_write(AdvisoryBuilder *builder, const char *home, GError **error);
