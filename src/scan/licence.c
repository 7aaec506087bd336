#include "scan/licence.h"

#include <glib.h>
#include <string.h>

/* Ids of the SPDX list that packages really use. */
static const char *const ids[] = {
    "0BSD",
    "AFL-2.1",
    "AFL-3.0",
    "AGPL-3.0-only",
    "AGPL-3.0-or-later",
    "Apache-1.1",
    "Apache-2.0",
    "Artistic-1.0",
    "Artistic-1.0-Perl",
    "Artistic-2.0",
    "BlueOak-1.0.0",
    "BSD-1-Clause",
    "BSD-2-Clause",
    "BSD-2-Clause-Patent",
    "BSD-3-Clause",
    "BSD-3-Clause-LBNL",
    "BSD-4-Clause",
    "BSD-4-Clause-UC",
    "BSL-1.0",
    "bzip2-1.0.6",
    "CC-BY-3.0",
    "CC-BY-4.0",
    "CC-BY-SA-3.0",
    "CC-BY-SA-4.0",
    "CC0-1.0",
    "CDDL-1.0",
    "CPL-1.0",
    "curl",
    "ECL-2.0",
    "EPL-1.0",
    "EPL-2.0",
    "EUPL-1.1",
    "EUPL-1.2",
    "FTL",
    "GFDL-1.2-only",
    "GFDL-1.2-or-later",
    "GFDL-1.3-only",
    "GFDL-1.3-or-later",
    "GPL-1.0-only",
    "GPL-1.0-or-later",
    "GPL-2.0-only",
    "GPL-2.0-or-later",
    "GPL-3.0-only",
    "GPL-3.0-or-later",
    "HPND",
    "ICU",
    "IJG",
    "ImageMagick",
    "IPL-1.0",
    "ISC",
    "JSON",
    "LGPL-2.0-only",
    "LGPL-2.0-or-later",
    "LGPL-2.1-only",
    "LGPL-2.1-or-later",
    "LGPL-3.0-only",
    "LGPL-3.0-or-later",
    "Libpng",
    "libtiff",
    "LPPL-1.3c",
    "MIT",
    "MIT-0",
    "MIT-CMU",
    "MPL-1.0",
    "MPL-1.1",
    "MPL-2.0",
    "MS-PL",
    "MulanPSL-2.0",
    "NCSA",
    "NTP",
    "OFL-1.1",
    "OLDAP-2.8",
    "OpenSSL",
    "PHP-3.01",
    "PostgreSQL",
    "PSF-2.0",
    "Python-2.0",
    "QPL-1.0",
    "Ruby",
    "SGI-B-2.0",
    "SSPL-1.0",
    "TCL",
    "Unicode-3.0",
    "Unicode-DFS-2016",
    "Unlicense",
    "UPL-1.0",
    "Vim",
    "W3C",
    "WTFPL",
    "X11",
    "XFree86-1.1",
    "Zend-2.0",
    "Zlib",
    "zlib-acknowledgement",
    "ZPL-2.1",
};

static const char *const exceptions[] = {
    "Autoconf-exception-3.0",
    "Bison-exception-2.2",
    "Classpath-exception-2.0",
    "GCC-exception-3.1",
    "Libtool-exception",
    "Linux-syscall-note",
    "LLVM-exception",
    "OCaml-LGPL-linking-exception",
    "openvpn-openssl-exception",
};

/* Ids that were replaced, and names that leave no doubt. */
static const struct {
    const char *text, *id;
} meanings[] = {
    {"GPL-1.0", "GPL-1.0-only"},
    {"GPL-1.0+", "GPL-1.0-or-later"},
    {"GPL-2.0", "GPL-2.0-only"},
    {"GPL-2.0+", "GPL-2.0-or-later"},
    {"GPL-3.0", "GPL-3.0-only"},
    {"GPL-3.0+", "GPL-3.0-or-later"},
    {"LGPL-2.0", "LGPL-2.0-only"},
    {"LGPL-2.0+", "LGPL-2.0-or-later"},
    {"LGPL-2.1", "LGPL-2.1-only"},
    {"LGPL-2.1+", "LGPL-2.1-or-later"},
    {"LGPL-3.0", "LGPL-3.0-only"},
    {"LGPL-3.0+", "LGPL-3.0-or-later"},
    {"AGPL-3.0", "AGPL-3.0-only"},
    {"AGPL-3.0+", "AGPL-3.0-or-later"},
    {"MIT License", "MIT"},
    {"The MIT License", "MIT"},
    {"Apache 2.0", "Apache-2.0"},
    {"Apache License 2.0", "Apache-2.0"},
    {"Apache 2", "Apache-2.0"},
    {"Apache License, Version 2.0", "Apache-2.0"},
    {"Apache Software License 2.0", "Apache-2.0"},
    {"BSD 3-Clause", "BSD-3-Clause"},
    {"BSD 3-Clause License", "BSD-3-Clause"},
    {"3-Clause BSD License", "BSD-3-Clause"},
    {"BSD-3-Clause License", "BSD-3-Clause"},
    {"BSD 2-Clause", "BSD-2-Clause"},
    {"ISC License", "ISC"},
    {"MPL 2.0", "MPL-2.0"},
    {"PSF", "PSF-2.0"},
    {"PSFL", "PSF-2.0"},
    {"Unlicense", "Unlicense"},
    {"ZPL 2.1", "ZPL-2.1"},
};

static const char *find(const char *const *table, size_t count, const char *text)
{
    for (size_t i = 0; i < count; i++)
        if (g_ascii_strcasecmp(table[i], text) == 0)
            return table[i];
    return NULL;
}

static const char *meaning(const char *text)
{
    for (size_t i = 0; i < G_N_ELEMENTS(meanings); i++)
        if (g_ascii_strcasecmp(meanings[i].text, text) == 0)
            return meanings[i].id;
    return find(ids, G_N_ELEMENTS(ids), text);
}

static bool is_operator(const char *word)
{
    return strcmp(word, "AND") == 0 || strcmp(word, "OR") == 0 || strcmp(word, "WITH") == 0;
}

/* Puts blanks around brackets, so that words can be split at blanks. */
static char **words_of(const char *text)
{
    g_autoptr(GString) spaced = g_string_new(NULL);
    for (const char *p = text; *p != '\0'; p++) {
        if (*p == '(' || *p == ')')
            g_string_append_printf(spaced, " %c ", *p);
        else
            g_string_append_c(spaced, *p);
    }
    return g_strsplit(spaced->str, " ", -1);
}

/* Appends WORD to OUT when it may stand there; WANTS_ID says whether an id is due. */
static bool take(GString *out, const char *word, bool *wants_id, bool *wants_exception, int *depth)
{
    const char *use = word;
    if (strcmp(word, "(") == 0) {
        (*depth)++;
        if (!*wants_id)
            return false;
    } else if (strcmp(word, ")") == 0) {
        if (*wants_id || --*depth < 0)
            return false;
    } else if (is_operator(word)) {
        if (*wants_id)
            return false;
        *wants_id = true;
        *wants_exception = strcmp(word, "WITH") == 0;
    } else {
        use = *wants_exception ? find(exceptions, G_N_ELEMENTS(exceptions), word) : meaning(word);
        if (use == NULL || !*wants_id)
            return false;
        *wants_id = *wants_exception = false;
    }
    bool tight = out->len == 0 || g_str_has_suffix(out->str, "(") || strcmp(word, ")") == 0;
    g_string_append_printf(out, "%s%s", tight ? "" : " ", use);
    return true;
}

char *licence_expression(const char *text)
{
    g_autofree char *trimmed = g_strstrip(g_strdup(text));
    const char *whole = meaning(trimmed);
    if (whole != NULL)
        return g_strdup(whole);
    g_auto(GStrv) words = words_of(trimmed);
    g_autoptr(GString) out = g_string_new(NULL);
    bool wants_id = true, wants_exception = false;
    int depth = 0;
    for (char **word = words; *word != NULL; word++)
        if (**word != '\0' && !take(out, *word, &wants_id, &wants_exception, &depth))
            return NULL;
    return wants_id || depth != 0 ? NULL : g_strdup(out->str);
}

bool licence_is_single(const char *expression)
{
    return strpbrk(expression, " (") == NULL;
}

char *licence_reference(const char *text)
{
    GString *out = g_string_new("LicenseRef-");
    for (const char *p = text; *p != '\0' && out->len < 80; p++) {
        if (g_ascii_isalnum(*p) || *p == '.')
            g_string_append_c(out, *p);
        else if (!g_str_has_suffix(out->str, "-"))
            g_string_append_c(out, '-');
    }
    /* Texts that only differ elsewhere are kept apart. */
    g_autofree char *hash = g_compute_checksum_for_string(G_CHECKSUM_SHA256, text, -1);
    g_string_append_printf(out, "-%.8s", hash);
    return g_string_free(out, FALSE);
}
