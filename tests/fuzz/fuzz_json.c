/* What parses has one canonical form, and one compact form: both parse to the same value. */
#include "format/json.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_same(const json_t *value, const char *text)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(json_t) again = json_parse("again", text, strlen(text), &error);
    g_assert_no_error(error);
    g_assert_true(json_equal(value, again));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autoptr(json_t) value = json_parse("fuzz", (const char *) data, size, NULL);
    if (value == NULL)
        return 0;
    g_autofree char *compact = json_compact(value);
    check_same(value, compact);
    g_autofree char *canonical = json_canonical(value, NULL);
    if (canonical == NULL)
        return 0;
    check_same(value, canonical);
    g_autoptr(json_t) again = json_parse("again", canonical, strlen(canonical), NULL);
    g_autofree char *twice = json_canonical(again, NULL);
    g_assert_cmpstr(canonical, ==, twice);
    return 0;
}
