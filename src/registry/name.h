/* name.h - what may be a repository, a tag or a digest in the distribution API (version 1.1).
 *
 * Pure text. Local names with a host in front are model/reference.h's. */
#pragma once

#include <glib.h>
#include <stdbool.h>

#define REGISTRY_NAME_LIMIT 255
#define REGISTRY_TAG_LIMIT 128

/* "orders", "team/orders-api": lower-case words joined by '.', '_', '__' or dashes, in parts. */
bool registry_name_is_valid(const char *name);

bool registry_tag_is_valid(const char *tag);

/* A digest of a known algorithm with the right number of lower-case hex digits. */
bool registry_digest_is_valid(const char *digest);

/* The tag that stands for the referrers of DIGEST at servers without that API: "sha256-<hex>",
 * the algorithm cut to 32 and the rest to 64 characters. */
char *registry_fallback_tag(const char *digest);
