#include "base/error.h"
#include "model/digest.h"

#define HEX64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

typedef struct {
    const char *label;
    const char *text;
    const char *message; /* NULL: it parses, and formats to the same text */
} Case;

static const Case cases[] = {
    {"sha256", "sha256:" HEX64, NULL},
    {"sha512", "sha512:" HEX64 HEX64, NULL},
    {"empty", "", "digest '': expected algorithm:hex"},
    {"no-hex", "sha256:", "digest 'sha256:': wrong length for its algorithm"},
    {"prefix-of-a-name", "sha:" HEX64, "digest 'sha:" HEX64 "': unknown algorithm"},
    {"capital",
     "sha256:A123456789abcdef0123456789abcdef"
     "0123456789abcdef0123456789abcdef",
     "digest 'sha256:A123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef': "
     "hex digits must be 0-9 and a-f"},
};

static void test_case(const void *data)
{
    const Case *c = data;
    g_autoptr(GError) error = NULL;
    g_autoptr(Digest) digest = digest_parse(c->text, &error);

    if (digest == NULL) {
        g_assert_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID);
        g_assert_cmpstr(error != NULL ? error->message : NULL, ==, c->message);
        return;
    }
    g_autofree char *again = digest_format(digest);
    g_assert_no_error(error);
    g_assert_null(c->message);
    g_assert_cmpstr(again, ==, c->text);
    g_assert_true(digest_equal(digest, digest));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_set_nonfatal_assertions(); /* one failing row does not hide the next */

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *path = g_strdup_printf("/digest/%s", cases[i].label);
        g_test_add_data_func(path, &cases[i], test_case);
    }
    return g_test_run();
}
