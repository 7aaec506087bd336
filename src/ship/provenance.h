/* provenance.h - how an image came to be, as a SLSA v1 predicate (https://slsa.dev/provenance/v1).
 */
#pragma once

#include "delivery/release.h"
#include "ship/source.h"

#define PREDICATE_PROVENANCE "https://slsa.dev/provenance/v1"
#define PREDICATE_SPDX "https://spdx.dev/Document"

/* NEW reference. STARTED and ENDED in ns since 1970. */
json_t *provenance_predicate(const Source *source, const Release *release, const char *run,
                             int64_t started, int64_t ended);
