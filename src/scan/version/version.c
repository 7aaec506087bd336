#include "scan/version/version.h"

#include "scan/version/scheme.h"

#include <string.h>

static const struct {
    const char *name;
    int (*compare)(const char *a, const char *b);
} schemes[] = {
    [VERSION_ALPINE] = {"alpine", alpine_compare},
    [VERSION_CRAN] = {"cran", cran_compare},
    [VERSION_DEBIAN] = {"debian", debian_compare},
    [VERSION_GO] = {"go", go_compare},
    [VERSION_HACKAGE] = {"hackage", hackage_compare},
    [VERSION_MAVEN] = {"maven", maven_compare},
    [VERSION_NUGET] = {"nuget", nuget_compare},
    [VERSION_PACKAGIST] = {"packagist", packagist_compare},
    [VERSION_PUB] = {"pub", pub_compare},
    [VERSION_PYPI] = {"pypi", pypi_compare},
    [VERSION_REDHAT] = {"redhat", redhat_compare},
    [VERSION_RUBYGEMS] = {"rubygems", rubygems_compare},
    [VERSION_SEMVER] = {"semver", semver_compare},
};

/* Ecosystems that are not named as their scheme. */
static const struct {
    const char *ecosystem;
    VersionScheme scheme;
} ecosystems[] = {
    {"almalinux", VERSION_REDHAT},   {"alpaquita", VERSION_ALPINE}, {"amazon", VERSION_REDHAT},
    {"azure linux", VERSION_REDHAT}, {"bitnami", VERSION_SEMVER},   {"chainguard", VERSION_ALPINE},
    {"crates.io", VERSION_SEMVER},   {"dpkg", VERSION_DEBIAN},      {"fedora", VERSION_REDHAT},
    {"gem", VERSION_RUBYGEMS},       {"golang", VERSION_GO},        {"hex", VERSION_SEMVER},
    {"mageia", VERSION_REDHAT},      {"npm", VERSION_SEMVER},       {"openeuler", VERSION_REDHAT},
    {"opensuse", VERSION_REDHAT},    {"oracle", VERSION_REDHAT},    {"red hat", VERSION_REDHAT},
    {"rocky linux", VERSION_REDHAT}, {"rpm", VERSION_REDHAT},       {"suse", VERSION_REDHAT},
    {"swifturl", VERSION_SEMVER},    {"ubuntu", VERSION_DEBIAN},    {"wolfi", VERSION_ALPINE},
    {"cargo", VERSION_SEMVER},       {"deb", VERSION_DEBIAN},       {"apk", VERSION_ALPINE},
    {"composer", VERSION_PACKAGIST},
};

bool version_scheme_parse(const char *ecosystem, VersionScheme *scheme)
{
    size_t length = strcspn(ecosystem, ":");
    for (size_t i = 0; i < G_N_ELEMENTS(schemes); i++) {
        if (strlen(schemes[i].name) != length ||
            g_ascii_strncasecmp(schemes[i].name, ecosystem, length) != 0)
            continue;
        *scheme = (VersionScheme) i;
        return true;
    }
    for (size_t i = 0; i < G_N_ELEMENTS(ecosystems); i++) {
        if (strlen(ecosystems[i].ecosystem) != length ||
            g_ascii_strncasecmp(ecosystems[i].ecosystem, ecosystem, length) != 0)
            continue;
        *scheme = ecosystems[i].scheme;
        return true;
    }
    return false;
}

int version_compare(VersionScheme scheme, const char *a, const char *b)
{
    return schemes[scheme].compare(a, b);
}

bool version_is_valid(VersionScheme scheme, const char *text)
{
    if (scheme == VERSION_PYPI)
        return pypi_is_valid(text);
    if (scheme == VERSION_PACKAGIST && g_str_has_prefix(text, "dev-"))
        return false;
    if (scheme == VERSION_GO && g_str_has_prefix(text, "go"))
        text += strlen("go");
    if (*text == 'v' || *text == 'V')
        text++;
    if (scheme == VERSION_REDHAT || scheme == VERSION_MAVEN)
        return g_ascii_isalnum(*text);
    return g_ascii_isdigit(*text);
}
