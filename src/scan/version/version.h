/* version.h - which of two versions is newer, by the rules of each packaging system.
 *
 * Every comparison is total: malformed text has a place too (mostly below what is well formed), so
 * that sorting never fails. Numbers may have any length. */
#pragma once

#include <glib.h>
#include <stdbool.h>

typedef enum {
    VERSION_ALPINE,    /* apk */
    VERSION_CRAN,      /* R */
    VERSION_DEBIAN,    /* dpkg */
    VERSION_GO,        /* SemVer after v; toolchain names */
    VERSION_HACKAGE,   /* Haskell */
    VERSION_MAVEN,     /* Maven's ComparableVersion */
    VERSION_NUGET,     /* SemVer with a fourth number, letter case ignored */
    VERSION_PACKAGIST, /* Composer */
    VERSION_PUB,       /* SemVer where builds are ordered */
    VERSION_PYPI,      /* PEP 440, and the older free form below it */
    VERSION_REDHAT,    /* rpm */
    VERSION_RUBYGEMS,  /* Gem::Version */
    VERSION_SEMVER,    /* SemVer 2.0: npm, cargo, hex, swift */
} VersionScheme;

/* The scheme of an ecosystem, by its OSV name with or without a release ("Debian:12", "PyPI",
 * "crates.io") or by the scheme's own name ("debian", "semver"). Letter case does not count. */
bool version_scheme_parse(const char *ecosystem, VersionScheme *scheme);

/* < 0, 0 or > 0, as strcmp. */
int version_compare(VersionScheme scheme, const char *a, const char *b);

/* Whether TEXT is of the form SCHEME defines: what is not should not be judged. */
bool version_is_valid(VersionScheme scheme, const char *text);
