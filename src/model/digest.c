#include "model/digest.h"

#include "base/error.h"

#include <string.h>

static const struct {
    const char *name;
    size_t hex_length;
} algorithms[] = {
    {"sha256", 64},
    {"sha512", 128},
};

static bool is_lower_hex(const char *s)
{
    return s[strspn(s, "0123456789abcdef")] == '\0';
}

static Digest *fail(const char *text, const char *why, GError **error)
{
    g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID, "digest '%s': %s", text, why);
    return NULL;
}

Digest *digest_parse(const char *text, GError **error)
{
    const char *colon = strchr(text, ':');
    if (colon == NULL)
        return fail(text, "expected algorithm:hex", error);

    for (size_t i = 0; i < G_N_ELEMENTS(algorithms); i++) {
        const char *name = algorithms[i].name;
        if (strlen(name) != (size_t) (colon - text) || !g_str_has_prefix(text, name))
            continue;

        const char *hex = colon + 1;
        if (strlen(hex) != algorithms[i].hex_length)
            return fail(text, "wrong length for its algorithm", error);
        if (!is_lower_hex(hex))
            return fail(text, "hex digits must be 0-9 and a-f", error);

        Digest *digest = g_new(Digest, 1);
        *digest = (Digest){.algorithm = name, .hex = g_strdup(hex)};
        return digest;
    }
    return fail(text, "unknown algorithm", error);
}

char *digest_format(const Digest *digest)
{
    return g_strdup_printf("%s:%s", digest->algorithm, digest->hex);
}

bool digest_equal(const Digest *a, const Digest *b)
{
    return strcmp(a->algorithm, b->algorithm) == 0 && strcmp(a->hex, b->hex) == 0;
}

void digest_free(Digest *digest)
{
    if (digest == NULL)
        return;
    g_free(digest->hex);
    g_free(digest);
}
