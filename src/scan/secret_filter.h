/* secret_filter.h - what looks like a secret and is none: placeholders, references, names. */
#pragma once

#include "scan/secret_rules.h"

/* Bits a character, over the bytes of TEXT. */
double secret_entropy(const char *text, size_t length);

/* Whether a match of RULE counts. NAME is what stands before the secret, back to the beginning of
 * the identifier. */
bool secret_counts(const SecretRule *rule, const char *secret, size_t length, const char *name,
                   size_t name_length);
