#include "scan/purl.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define QUALIFIERS_MAX 8

/* Letters, digits and a few marks stay; all else is percent-encoded. `/` only parts a namespace. */
static void append_encoded(GString *out, const char *text, bool keep_slash)
{
    for (const unsigned char *p = (const unsigned char *) text; *p != '\0'; p++) {
        if (g_ascii_isalnum(*p) || strchr(".-_~:", *p) != NULL || (keep_slash && *p == '/'))
            g_string_append_c(out, (char) *p);
        else
            g_string_append_printf(out, "%%%02X", *p);
    }
}

char *purl_normal_pypi_name(const char *name)
{
    GString *out = g_string_new(NULL);
    for (const char *p = name; *p != '\0'; p++) {
        if (strchr("-_.", *p) == NULL)
            g_string_append_c(out, g_ascii_tolower(*p));
        else if (p == name || strchr("-_.", p[-1]) == NULL)
            g_string_append_c(out, '-');
    }
    return g_string_free(out, FALSE);
}

static int by_key(const void *a, const void *b)
{
    return strcmp(((const PurlQualifier *) a)->key, ((const PurlQualifier *) b)->key);
}

static void append_qualifiers(GString *out, const PurlQualifier *qualifiers)
{
    PurlQualifier sorted[QUALIFIERS_MAX];
    size_t count = 0;
    for (; qualifiers != NULL && qualifiers->key != NULL; qualifiers++) {
        g_assert(count < QUALIFIERS_MAX);
        if (qualifiers->value != NULL && *qualifiers->value != '\0')
            sorted[count++] = *qualifiers;
    }
    qsort(sorted, count, sizeof sorted[0], by_key);
    for (size_t i = 0; i < count; i++) {
        g_string_append_printf(out, "%c%s=", i == 0 ? '?' : '&', sorted[i].key);
        append_encoded(out, sorted[i].value, true);
    }
}

/* Types whose names and namespaces are compared in lower case. */
static bool folds(const char *type)
{
    static const char *const types[] = {"deb", "apk", "composer", "github", "bitbucket"};
    for (size_t i = 0; i < G_N_ELEMENTS(types); i++)
        if (strcmp(types[i], type) == 0)
            return true;
    return false;
}

char *purl_build(const char *type, const char *group, const char *name, const char *version,
                 const PurlQualifier *qualifiers)
{
    bool fold = folds(type);
    g_autofree char *folded_group = group == NULL ? NULL
                                    : fold        ? g_ascii_strdown(group, -1)
                                                  : g_strdup(group);
    g_autofree char *folded_name = strcmp(type, "pypi") == 0 ? purl_normal_pypi_name(name)
                                   : fold                    ? g_ascii_strdown(name, -1)
                                                             : g_strdup(name);
    GString *out = g_string_new("pkg:");
    g_string_append(out, type);
    if (folded_group != NULL && *folded_group != '\0') {
        g_string_append_c(out, '/');
        append_encoded(out, folded_group, true);
    }
    g_string_append_c(out, '/');
    append_encoded(out, folded_name, false);
    if (version != NULL && *version != '\0') {
        g_string_append_c(out, '@');
        append_encoded(out, version, false);
    }
    append_qualifiers(out, qualifiers);
    return g_string_free(out, FALSE);
}
