#include "base/error.h"
#include "net/http_url.h"

#include <string.h>

typedef struct {
    const char *label, *base, *reference, *result; /* NULL: refused */
} ResolveCase;

static const ResolveCase resolves[] = {
    {"path", "http://a:5000/v2/x/", "/v2/y?z=1", "http://a:5000/v2/y?z=1"},
    {"absolute", "http://a/v2/", "https://b:1/c", "https://b:1/c"},
    {"no-scheme", "https://a/v2/", "//b/c", "https://b/c"},
    {"relative", "http://a/v2/x/y?q", "z?w=/", "http://a/v2/x/z?w=/"},
    {"query", "http://a/v2/x?q", "?w", "http://a/v2/x?w"},
    {"bare-host", "http://a", "b", "http://a/b"},
    {"other-scheme", "http://a/", "file:///etc/passwd", NULL},
    {"script", "http://a/", "javascript:x", NULL},
    {"blank", "http://a/", "/a b", NULL},
    {"line-end", "http://a/", "/a\r\nX: y", NULL},
    {"user", "http://a/", "http://user@b/", NULL},
    {"user-no-scheme", "http://a/", "//user@b/", NULL},
    {"base-file", "file:///a", "/b", NULL},
};

static void test_resolve(const void *data)
{
    const ResolveCase *c = data;
    g_autoptr(GError) error = NULL;
    g_autofree char *result = http_url_resolve(c->base, c->reference, &error);
    g_assert_cmpstr(result, ==, c->result);
    g_assert_cmpint(error != NULL, ==, c->result == NULL);
}

static void test_decode(void)
{
    static const struct {
        const char *text, *result;
        bool form;
    } rows[] = {
        {"abc", "abc", false},  {"a%2Fb", "a/b", false}, {"a%2fb", "a/b", false},
        {"a+b", "a+b", false},  {"a+b", "a b", true},    {"%C3%A9", "\xc3\xa9", false},
        {"a%", NULL, false},    {"a%2", NULL, false},    {"a%2g", NULL, false},
        {"a%00b", NULL, false}, {"", "", false},         {"%25", "%", false},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        size_t length = strlen(rows[i].text);
        g_autofree char *exact = g_memdup2(rows[i].text, length);
        g_autofree char *result = http_url_decode(exact, length, rows[i].form);
        g_assert_cmpstr(result, ==, rows[i].result);
    }
}

static void test_query(void)
{
    g_autoptr(GPtrArray) query = http_query_parse("tag=a&tag=b&digest=sha256%3Aff&empty=&bare");
    g_assert_nonnull(query);
    g_assert_cmpuint(query->len, ==, 5);
    g_assert_cmpstr(http_query_find(query, "tag"), ==, "a");
    g_assert_cmpstr(http_query_find(query, "digest"), ==, "sha256:ff");
    g_assert_cmpstr(http_query_find(query, "empty"), ==, "");
    g_assert_cmpstr(http_query_find(query, "bare"), ==, "");
    g_assert_cmpstr(http_query_find(query, "none"), ==, NULL);
    g_assert_null(http_query_parse("a=%zz"));
    g_autoptr(GPtrArray) none = http_query_parse(NULL);
    g_assert_cmpuint(none->len, ==, 0);
}

static void test_hosts(void)
{
    static const struct {
        const char *host;
        bool loopback, inward;
    } rows[] = {
        {"localhost", true, true},
        {"127.0.0.1:5000", true, true},
        {"127.9.9.9", true, true},
        {"[::1]:5000", true, true},
        {"localhost.example", false, false},
        {"10.0.0.1", false, true},
        {"172.16.0.1", false, true},
        {"172.32.0.1", false, false},
        {"192.168.1.1:80", false, true},
        {"169.254.169.254", false, true},
        {"[fe80::1]", false, true},
        {"[fd00::1]", false, true},
        {"[::ffff:10.0.0.1]", false, true},
        {"[2001:db8::1]", false, false},
        {"registry.example", false, false},
        {"8.8.8.8", false, false},
        {"0.0.0.0", false, true},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_test_message("%s", rows[i].host);
        g_assert_cmpint(http_host_is_loopback(rows[i].host), ==, rows[i].loopback);
        g_assert_cmpint(http_host_is_private_literal(rows[i].host), ==, rows[i].inward);
    }
    g_autofree char *a = http_url_origin("http://Example.com/x", NULL);
    g_autofree char *b = http_url_origin("https://example.com?x", NULL);
    g_autofree char *c = http_url_origin("https://[::1]:5000/", NULL);
    g_assert_cmpstr(a, ==, "http://example.com:80");
    g_assert_cmpstr(b, ==, "https://example.com:443");
    g_assert_cmpstr(c, ==, "https://[::1]:5000");
    g_assert_true(http_url_same_host("http://a:1/x", "https://A/y"));
    g_assert_false(http_url_same_host("http://a/x", "http://ab/y"));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_set_nonfatal_assertions();

    for (size_t i = 0; i < G_N_ELEMENTS(resolves); i++) {
        g_autofree char *path = g_strdup_printf("/http_url/resolve/%s", resolves[i].label);
        g_test_add_data_func(path, &resolves[i], test_resolve);
    }
    g_test_add_func("/http_url/decode", test_decode);
    g_test_add_func("/http_url/query", test_query);
    g_test_add_func("/http_url/hosts", test_hosts);
    return g_test_run();
}
