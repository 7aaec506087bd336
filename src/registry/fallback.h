/* fallback.h - referrers at registries without that API: an index under the tag "sha256-HEX" lists
 * the manifests whose subject has that digest. Keeping it is the client's duty. */
#pragma once

#include "oci/manifest.h"
#include "registry/client.h"

/* "sha256-<hex>" for DIGEST: the algorithm cut to 32, the rest to 64 characters. */
char *fallback_tag(const char *digest);

/* Lists manifest DIGEST of SIZE bytes, which is MANIFEST, under its subject; no matter how often.
 */
bool fallback_add_referrer(RegistryClient *client, const char *digest, int64_t size,
                           const Manifest *manifest, GError **error);
