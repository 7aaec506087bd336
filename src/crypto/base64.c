#include "crypto/base64.h"

#include "base/error.h"

#include <string.h>

static int value_of(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == '+')
        return 62;
    return c == '/' ? 63 : -1;
}

static uint8_t *fail(const char *why, GError **error)
{
    g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID, "base64: %s", why);
    return NULL;
}

uint8_t *base64_decode(const char *text, gssize length, size_t *out_length, GError **error)
{
    size_t n = length < 0 ? strlen(text) : (size_t) length;
    if (n % 4 != 0)
        return fail("length is no multiple of four", error);

    size_t padding = 0;
    while (padding < 2 && padding < n && text[n - 1 - padding] == '=')
        padding++;
    g_autofree uint8_t *bytes = g_malloc(n / 4 * 3 + 1);
    size_t used = 0;
    uint32_t bits = 0;
    int held = 0;
    for (size_t i = 0; i < n - padding; i++) {
        int value = value_of(text[i]);
        if (value < 0)
            return fail("a character outside the alphabet", error);
        bits = bits << 6 | (uint32_t) value;
        held += 6;
        if (held >= 8) {
            held -= 8;
            bytes[used++] = (uint8_t) (bits >> held);
            bits &= (1U << held) - 1;
        }
    }
    if (bits != 0)
        return fail("bits left over at the end", error);
    bytes[used] = '\0';
    if (out_length != NULL)
        *out_length = used;
    return g_steal_pointer(&bytes);
}

char *base64_encode(const void *bytes, size_t length)
{
    return length == 0 ? g_strdup("") : g_base64_encode(bytes, length);
}
