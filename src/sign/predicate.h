/* predicate.h - what attestations are called: short names and their URIs. */
#pragma once

#include <jansson.h>

#define PREDICATE_SLSA_V1 "https://slsa.dev/provenance/v1"
#define PREDICATE_SLSA_V02 "https://slsa.dev/provenance/v0.2"
#define PREDICATE_CUSTOM "https://cosign.sigstore.dev/attestation/v1"

/* The URI of a short name ("slsaprovenance1", "spdxjson", "vuln" …) or of a URI itself; NULL for
 * neither. Static or NAME. */
const char *predicate_type_of(const char *name);
/* "slsaprovenance, …", for messages. */
char *predicate_type_names(void);
