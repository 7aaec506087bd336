/* digest.h - the name of some bytes, "algorithm:hex".
 *
 * Pure text: nothing here reads or hashes the bytes. */
#pragma once

#include <glib.h>
#include <stdbool.h>

typedef struct {
    const char *algorithm; /* "sha256" or "sha512"; static, never freed */
    char *hex;             /* lower case, of the algorithm's length */
} Digest;

/* Parses TEXT. NULL with SLIPWAY_ERROR_INVALID where it is no digest of a known
 * algorithm; the message quotes TEXT and says which part is wrong. */
Digest *digest_parse(const char *text, GError **error);

/* The text of DIGEST, for the caller to free. */
char *digest_format(const Digest *digest);

bool digest_equal(const Digest *a, const Digest *b);

void digest_free(Digest *digest);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Digest, digest_free)
