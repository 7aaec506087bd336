/* purl.h - package URLs, "pkg:TYPE/NAMESPACE/NAME@VERSION?QUALIFIERS"; package-url/purl-spec. */
#pragma once

#include <glib.h>

/* A qualifier; one with an empty or NULL value is left out. */
typedef struct {
    const char *key, *value;
} PurlQualifier;

/* The canonical text. GROUP and VERSION may be NULL; what a type folds (letter case, underscores)
 * is folded. QUALIFIERS may be in any order and end with a NULL key; NULL: none. */
char *purl_build(const char *type, const char *group, const char *name, const char *version,
                 const PurlQualifier *qualifiers);

/* A Python project's name in normal form (PEP 503). */
char *purl_normal_pypi_name(const char *name);
