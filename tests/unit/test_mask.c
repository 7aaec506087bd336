#include "pipeline/mask.h"

#include <string.h>

typedef struct {
    const char *label, *secret, *text, *masked;
} Case;

static const Case cases[] = {
    {"plain", "s3cr3t", "a s3cr3t b", "a *** b"},
    {"twice", "s3cr3t", "s3cr3ts3cr3t", "***"},
    {"overlap", "abab", "xababab", "x***"},
    {"line", "first-line\nsecond-line", "x second-line y", "x *** y"},
    {"both-lines", "first-line\nsecond-line", "first-line\nsecond-line", "***"},
    {"base64", "correct horse", "Y29ycmVjdCBob3JzZQ==", "***=="},
    {"base64-inside", "correct horse", "dXNlcjpjb3JyZWN0IGhvcnNl", "dXNlcjp***"},
    {"json", "a\"b\\c", "{\"k\": \"a\\\"b\\\\c\"}", "{\"k\": \"***\"}"},
    {"uri", "p@ss word", "https://u:p%40ss%20word@h", "https://u:***@h"},
    {"xml", "a<b>&c", "<v>a&lt;b&gt;&amp;c</v>", "<v>***</v>"},
    {"shell", "it's mine", "echo 'it'\\''s mine'", "echo '***'"},
    {"expression", "it's mine", "'it''s mine'", "'***'"},
    {"none", "s3cr3t", "nothing here", "nothing here"},
};

static void test_case(const void *data)
{
    const Case *c = data;
    g_autoptr(Mask) mask = mask_new();
    mask_add(mask, "");
    mask_add(mask, c->secret);
    g_autofree char *whole = mask_text(mask, c->text);
    g_assert_cmpstr(whole, ==, c->masked);

    /* Cut anywhere, the stream says the same. */
    for (size_t cut = 0; cut <= strlen(c->text); cut++) {
        MaskStream stream;
        g_autoptr(GString) out = g_string_new(NULL);
        mask_stream_init(&stream, mask);
        mask_stream_feed(&stream, c->text, cut, out);
        g_assert_null(strstr(out->str, c->secret));
        mask_stream_feed(&stream, c->text + cut, strlen(c->text) - cut, out);
        mask_stream_flush(&stream, out);
        mask_stream_clear(&stream);
        g_assert_cmpstr(out->str, ==, c->masked);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_set_nonfatal_assertions();
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *path = g_strdup_printf("/mask/%s", cases[i].label);
        g_test_add_data_func(path, &cases[i], test_case);
    }
    return g_test_run();
}
