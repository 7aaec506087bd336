#include "scan/version/version.h"

#include <string.h>

static const struct {
    const char *label;
    VersionScheme scheme;
    const char *a;
    int order;
    const char *b;
} rows[] = {
    {"debian-tilde", VERSION_DEBIAN, "1.0~rc1-1", -1, "1.0-1"},
    {"debian-epoch", VERSION_DEBIAN, "1:0.1", 1, "9.9"},
    {"debian-no-revision", VERSION_DEBIAN, "1.0", 0, "1.0-0"},
    {"debian-number", VERSION_DEBIAN, "1.9", -1, "1.10"},
    {"debian-security", VERSION_DEBIAN, "5.2-1+deb12u1", -1, "5.2-1+deb12u2"},
    {"debian-long-number", VERSION_DEBIAN, "99999999999999999999", -1, "100000000000000000000"},
    {"apk-suffix", VERSION_ALPINE, "1.2_rc1", -1, "1.2"},
    {"apk-patch", VERSION_ALPINE, "1.2_p1", 1, "1.2"},
    {"apk-build", VERSION_ALPINE, "1.2-r9", -1, "1.2-r10"},
    {"apk-leading-zero", VERSION_ALPINE, "1.05", -1, "1.1"},
    {"apk-malformed-below", VERSION_ALPINE, "1.2_what", -1, "1.2"},
    {"rpm-caret", VERSION_REDHAT, "1.0^git1-1", 1, "1.0-1"},
    {"rpm-epoch", VERSION_REDHAT, "1:1.0-1", 1, "2.0-1"},
    {"rpm-release", VERSION_REDHAT, "1.0-1.el9", -1, "1.0-1.el9_2"},
    {"semver-prerelease", VERSION_SEMVER, "1.0.0-beta.2", -1, "1.0.0-beta.11"},
    {"semver-build", VERSION_SEMVER, "1.0.0+a", 0, "1.0.0+b"},
    {"semver-v", VERSION_SEMVER, "v1.2.3", 0, "1.2.3"},
    {"pub-build", VERSION_PUB, "1.0.0+a", -1, "1.0.0+b"},
    {"go-toolchain", VERSION_GO, "go1.22rc1", -1, "go1.22.0"},
    {"go-pseudo", VERSION_GO, "v0.0.0-20200101000000-aaaaaaaaaaaa", -1,
     "v0.0.0-20210101000000-000000000000"},
    {"pypi-zeros", VERSION_PYPI, "1.0", 0, "1"},
    {"pypi-dev", VERSION_PYPI, "1.0.dev1", -1, "1.0a1"},
    {"pypi-post", VERSION_PYPI, "1.0.post1", 1, "1.0"},
    {"pypi-spelling", VERSION_PYPI, "1.0-alpha-1", 0, "1.0a1"},
    {"pypi-local", VERSION_PYPI, "1.0+cpu", 1, "1.0"},
    {"pypi-legacy", VERSION_PYPI, "0.9-fearow", -1, "0.1"},
    {"maven-snapshot", VERSION_MAVEN, "1.0-SNAPSHOT", -1, "1.0"},
    {"maven-final", VERSION_MAVEN, "1.0.Final", 0, "1.0"},
    {"maven-number-over-list", VERSION_MAVEN, "1-1", -1, "1.1"},
    {"gem-prerelease", VERSION_RUBYGEMS, "1.0.a", -1, "1.0"},
    {"gem-zeros", VERSION_RUBYGEMS, "1.0.0.a", 0, "1.a"},
    {"gem-platform-dash", VERSION_RUBYGEMS, "1.0-1", -1, "1.0"},
    {"nuget-fourth", VERSION_NUGET, "1.0.0.1", 1, "1.0.0"},
    {"nuget-case", VERSION_NUGET, "1.0.0-BETA", 0, "1.0.0-beta"},
    {"composer-patch", VERSION_PACKAGIST, "1.0-p1", 1, "1.0"},
    {"composer-branch", VERSION_PACKAGIST, "dev-main", -1, "0.1"},
    {"empty", VERSION_SEMVER, "", -1, "0.0.1"},
};

static int sign(int order)
{
    return (order > 0) - (order < 0);
}

static void test_row(const void *data)
{
    size_t i = GPOINTER_TO_SIZE(data);
    g_assert_cmpint(sign(version_compare(rows[i].scheme, rows[i].a, rows[i].b)), ==, rows[i].order);
    g_assert_cmpint(sign(version_compare(rows[i].scheme, rows[i].b, rows[i].a)), ==,
                    -rows[i].order);
}

/* Sorting must not depend on where one starts: every triple of odd texts is in order. */
static void test_total_order(void)
{
    static const char *const texts[] = {"",     "0",   "1",      "1.0",  "1-1", "1.a",    "a",
                                        "~",    "1~1", "1.0.0-", "v1.0", "1_2", "1.0rc1", "1-r1",
                                        "1.0+", ".",   "-",      "1..2", "01",  "1.00",   "1a1"};
    for (int s = VERSION_ALPINE; s <= VERSION_SEMVER; s++)
        for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
            g_assert_cmpint(version_compare((VersionScheme) s, texts[i], texts[i]), ==, 0);
            for (size_t j = 0; j < G_N_ELEMENTS(texts); j++)
                g_assert_cmpint(sign(version_compare((VersionScheme) s, texts[i], texts[j])), ==,
                                -sign(version_compare((VersionScheme) s, texts[j], texts[i])));
        }
}

static void test_ecosystem(void)
{
    VersionScheme scheme = VERSION_SEMVER;
    g_assert_true(version_scheme_parse("Debian:12", &scheme));
    g_assert_cmpint(scheme, ==, VERSION_DEBIAN);
    g_assert_true(version_scheme_parse("PyPI", &scheme));
    g_assert_cmpint(scheme, ==, VERSION_PYPI);
    g_assert_true(version_scheme_parse("AlmaLinux:9", &scheme));
    g_assert_cmpint(scheme, ==, VERSION_REDHAT);
    g_assert_false(version_scheme_parse("Debianish", &scheme));
}

/* A folder of published orderings ("A < B" lines), where there is one. */
static void check_line(const char *file, VersionScheme scheme, const char *line)
{
    g_auto(GStrv) words = g_strsplit(line, " ", 3);
    if (*line == '#' || g_str_has_prefix(line, "//") || g_strv_length(words) != 3)
        return;
    int order = *words[1] == '<' ? -1 : *words[1] == '>' ? 1 : 0;
    if (sign(version_compare(scheme, words[0], words[2])) != order)
        g_test_message("%s: %s", file, line);
    g_assert_cmpint(sign(version_compare(scheme, words[0], words[2])), ==, order);
}

static void test_published(void)
{
    g_autofree char *folder =
        g_build_filename(g_getenv("SOURCE_ROOT") != NULL ? g_getenv("SOURCE_ROOT") : ".", "..",
                         "shared", "data", "version-compare", NULL);
    g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
    if (dir == NULL) {
        g_test_skip("no published orderings beside the source");
        return;
    }
    for (const char *name; (name = g_dir_read_name(dir)) != NULL;) {
        g_autofree char *ecosystem = g_strndup(name, strcspn(name, "-"));
        VersionScheme scheme = VERSION_SEMVER;
        if (!g_str_has_suffix(name, ".txt") || !version_scheme_parse(ecosystem, &scheme))
            continue;
        g_autofree char *path = g_build_filename(folder, name, NULL), *text = NULL;
        g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
        g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
        for (char **line = lines; *line != NULL; line++)
            check_line(name, scheme, g_strstrip(*line));
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_set_nonfatal_assertions();

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *path = g_strdup_printf("/version/%s", rows[i].label);
        g_test_add_data_func(path, GSIZE_TO_POINTER(i), test_row);
    }
    g_test_add_func("/version/total-order", test_total_order);
    g_test_add_func("/version/ecosystem", test_ecosystem);
    g_test_add_func("/version/published", test_published);
    return g_test_run();
}
