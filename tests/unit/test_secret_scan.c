/* Samples are put together here, so that no scanner finds them in this file. */
#include "scan/keyword_index.h"
#include "scan/secret_scan.h"

#include <string.h>

#define RANDOM36 "x7Qk2mVw9RtLpZ4sNc8bYhD3fGj6KvT1uEa5"
#define HEX32                                                                                      \
    "9f86d081884c7d65"                                                                             \
    "9a2feaa0c55ad015"

static const struct {
    const char *label, *path, *before, *secret, *after;
    const char *rule; /* NULL: quiet */
} rows[] = {
    {"github", "a.py", "t = '",
     "gh"
     "p_" RANDOM36,
     "'", "github-pat"},
    {"github-inside-a-word", "a.py", "t = 'x",
     "gh"
     "p_" RANDOM36,
     "'", NULL},
    {"github-placeholder", "a.py", "",
     "gh"
     "p_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
     "", NULL},
    {"assigned", "a.yml", "heroku_key: ", "01ab2c3d-4e5f-6071-8293-a4b5c6d7e8f9", "\n",
     "heroku-api-key"},
    {"not-assigned", "a.yml", "order: ", "01ab2c3d-4e5f-6071-8293-a4b5c6d7e8f9", "\n", NULL},
    {"generic", "a.env", "SERVICE_TOKEN=", "k3Jq9ZtX7vPw2LmN8sRb", "\n", "generic-api-key"},
    {"generic-name", "a.env", "PUBLIC_KEY=", "k3Jq9ZtX7vPw2LmN8sRb", "\n", NULL},
    {"generic-variable", "a.env", "SERVICE_TOKEN=", "${SERVICE_TOKEN_9}", "\n", NULL},
    {"url", "a.env", "DB=postgres://app:", "v9Kq3ZtX7w", "@db/app", "url-password"},
    {"url-variable", "a.env", "DB=postgres://app:", "${PASSWORD}", "@db/app", NULL},
    {"path-rule", "deep/key.p12", "", "", "", "pkcs12-file"},
    {"other-path", "a.xml", "<add key=\"Password\" value=\"", "S3cretOfMine1", "\" />", NULL},
    {"path-and-text", "nuget.config", "<add key=\"Password\" value=\"", "S3cretOfMine1", "\" />",
     "nuget-config-password"},
    {"sentry", "a.py", "sentry = '", HEX32 HEX32, "'", "sentry-access-token"},
};

static void test_row(const void *data)
{
    size_t i = GPOINTER_TO_SIZE(data);
    g_autofree char *text =
        g_strdup_printf("first line\n%s%s%s", rows[i].before, rows[i].secret, rows[i].after);
    g_autoptr(GPtrArray) findings = findings_new();
    secret_scan_bytes(rows[i].path, text, strlen(text), findings);
    g_assert_cmpuint(findings->len, ==, rows[i].rule != NULL ? 1 : 0);
    if (findings->len == 0)
        return;
    const Finding *finding = g_ptr_array_index(findings, 0);
    g_assert_cmpstr(finding->rule, ==, rows[i].rule);
    g_assert_cmpint(finding->line, ==, *rows[i].secret != '\0' ? 2 : 1);
    if (strlen(rows[i].secret) > 4) {
        g_assert_null(strstr(finding->message, rows[i].secret));
        g_assert_null(strstr(finding->detail, rows[i].secret));
    }
}

static GPtrArray *scan(const char *text)
{
    GPtrArray *findings = findings_new();
    secret_scan_bytes("a.txt", text, strlen(text), findings);
    return findings;
}

static void test_allowed(void)
{
    static const char *const comments[] = {"# slipway:allow", "// gitleaks:allow",
                                           "# pragma: allowlist secret", "# trufflehog:ignore"};
    for (size_t i = 0; i < G_N_ELEMENTS(comments); i++) {
        g_autofree char *text = g_strdup_printf("a '%s' %s\n",
                                                "gh"
                                                "p_" RANDOM36,
                                                comments[i]);
        g_autoptr(GPtrArray) findings = scan(text);
        g_assert_cmpuint(findings->len, ==, 1);
        g_assert_nonnull(((Finding *) g_ptr_array_index(findings, 0))->suppressed);
    }
    g_autoptr(GPtrArray) next = scan("# pragma: allowlist nextline secret\n'"
                                     "gh"
                                     "p_" RANDOM36 "'\n");
    g_assert_nonnull(((Finding *) g_ptr_array_index(next, 0))->suppressed);
}

static void test_decoded(void)
{
    const char *secret = "token: gh"
                         "p_" RANDOM36 " ";
    g_autofree char *once = g_base64_encode((const guchar *) secret, strlen(secret));
    g_autofree char *twice = g_base64_encode((const guchar *) once, strlen(once));
    g_autofree char *text = g_strdup_printf("one\ntwo: %s\n", twice);
    g_autoptr(GPtrArray) findings = scan(text);
    g_assert_cmpuint(findings->len, ==, 1);
    if (findings->len == 0)
        return;
    const Finding *finding = g_ptr_array_index(findings, 0);
    g_assert_cmpstr(finding->rule, ==, "github-pat");
    g_assert_cmpint(finding->line, ==, 2);
    g_assert_cmpint(finding->column, ==, 6);
}

/* A strong secret keeps its fingerprint where it moves; a weak one tells nothing of itself. */
static void test_fingerprint(void)
{
    g_autoptr(GPtrArray) one = scan("'gh"
                                    "p_" RANDOM36 "'\n");
    g_autoptr(GPtrArray) other = scan("\n\n  x = 'gh"
                                      "p_" RANDOM36 "'\n");
    g_assert_cmpstr(((Finding *) g_ptr_array_index(one, 0))->fingerprint, ==,
                    ((Finding *) g_ptr_array_index(other, 0))->fingerprint);
    g_autoptr(GPtrArray) weak = scan("curl -u 'ana:abcdef1' https://h\n");
    g_autoptr(GPtrArray) weaker = scan("curl -u 'ana:abcdef2' https://h\n");
    g_assert_cmpuint(weak->len, ==, 1);
    g_assert_cmpstr(((Finding *) g_ptr_array_index(weak, 0))->fingerprint, ==,
                    ((Finding *) g_ptr_array_index(weaker, 0))->fingerprint);
}

static void test_binary(void)
{
    const char bytes[] = "\0gh"
                         "p_" RANDOM36 " ";
    g_autoptr(GPtrArray) findings = findings_new();
    secret_scan_bytes("a.bin", bytes, sizeof bytes, findings);
    g_assert_cmpuint(findings->len, ==, 0);
}

static void count(void *data, guint value, size_t start)
{
    g_string_append_printf(data, "%u@%zu ", value, start);
}

static void test_keywords(void)
{
    KeywordIndex *index = keyword_index_new();
    keyword_index_add(index, "he", 1);
    keyword_index_add(index, "she", 2);
    keyword_index_add(index, "hers", 3);
    g_autoptr(GString) hits = g_string_new(NULL);
    keyword_index_search(index, "uSHErs", 6, count, hits);
    g_assert_cmpstr(hits->str, ==, "2@1 1@2 3@2 ");
    keyword_index_free(index);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_set_nonfatal_assertions();

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *path = g_strdup_printf("/secret/%s", rows[i].label);
        g_test_add_data_func(path, GSIZE_TO_POINTER(i), test_row);
    }
    g_test_add_func("/secret/allowed", test_allowed);
    g_test_add_func("/secret/decoded", test_decoded);
    g_test_add_func("/secret/fingerprint", test_fingerprint);
    g_test_add_func("/secret/binary", test_binary);
    g_test_add_func("/secret/keywords", test_keywords);
    return g_test_run();
}
