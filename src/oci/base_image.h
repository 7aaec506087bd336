/* base_image.h - base images made from a distribution's own packages, by mmdebstrap.
 *
 * The same packages give the same bytes, on every machine and as any user: times are clamped to the
 * newest of the archive's Release files (or SOURCE_DATE_EPOCH), and what a machine leaves behind
 * (caches, lists, logs, names) is left out. */
#pragma once

#include "oci/image.h"

#define BASE_IMAGE_NAMES                                                                           \
    "debian:{bullseye,bookworm,trixie}[-slim], debian:{11,12,13}[-slim], "                         \
    "ubuntu:{jammy,noble,22.04,24.04}"

/* Makes the base image NAME ("debian:bookworm-slim") and tags it; its manifest digest. Without
 * FORCE one that is there is the answer. INVALID for a name it does not know how to make. */
char *base_image_make(ContentStore *store, const char *name, bool force, GError **error);
