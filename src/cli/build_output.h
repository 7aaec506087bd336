/* build_output.h - what `slipway build --output` writes beside the local store. */
#pragma once

#include "oci/image.h"

/* Whether SPEC ("type=oci,dest=FILE") is one; a usage error else. */
bool build_output_check(const char *spec, GError **error);

/* Writes IMAGE as SPEC says. TAGS (NULL-terminated, may be NULL) are the names it gets there. */
bool build_output_write(ContentStore *store, const Image *image, const char *spec,
                        const char *const *tags, GError **error);
