/* unit_spec.h - a UnitSpec as JSON: whole on its way to the shim (through a pipe, with secrets),
 * and without environment values and secrets on disk. */
#pragma once

#include "container/unit.h"

typedef struct {
    UnitSpec spec; /* points into JSON and OWNED */
    json_t *json;
    GPtrArray *owned;
} UnitSpecCopy;

json_t *unit_spec_format(const UnitSpec *spec);

/* What may lie on disk of the JSON of unit_spec_format. */
json_t *unit_spec_without_secrets(const json_t *json);

/* Takes JSON. INVALID when it is none of unit_spec_format. */
UnitSpecCopy *unit_spec_parse(json_t *json, GError **error);

/* The bytes of secret NAME, for the caller to free. */
char *unit_spec_secret(const UnitSpecCopy *copy, const char *name, size_t *length);

bool unit_id_check(const char *id, GError **error);

void unit_spec_copy_free(UnitSpecCopy *copy);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(UnitSpecCopy, unit_spec_copy_free)
