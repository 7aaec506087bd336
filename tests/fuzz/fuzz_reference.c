/* The whole and the familiar form of a reference are the same reference. */
#include "model/reference.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_same(const char *text, const char *canonical)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Reference) reference = reference_parse(text, &error);
    g_assert_no_error(error);
    g_autofree char *again = reference_format(reference);
    g_assert_cmpstr(again, ==, canonical);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autofree char *text = g_strndup((const char *) data, size);
    g_autoptr(Reference) reference = reference_parse(text, NULL);
    if (reference == NULL)
        return 0;
    g_autofree char *canonical = reference_format(reference);
    check_same(canonical, canonical);
    g_autofree char *familiar = reference_familiar(reference);
    check_same(familiar, canonical);
    g_assert_true(reference_is_path(reference->path));
    g_assert_true(reference->tag == NULL || reference_is_tag(reference->tag));
    return 0;
}
