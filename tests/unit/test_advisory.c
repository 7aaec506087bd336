#include "base/error.h"
#include "base/file.h"
#include "scan/advisory.h"

#include <fcntl.h>
#include <string.h>

/* Records as sources publish them: events out of order, several records of one flaw, one that is
 * withdrawn. */
static const char records[] =
    "{\"id\":\"X-1\",\"modified\":\"2026-01-01T00:00:00Z\",\"aliases\":[\"CVE-2026-1\"],"
    "\"severity\":"
    "[{\"type\":\"CVSS_V3\",\"score\":\"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/"
    "A:H\"}],\"affected\":"
    "[{\"package\":{\"ecosystem\":\"PyPI\",\"name\":\"Flask_X\"},\"ranges\":[{\"type\":"
    "\"ECOSYSTEM\","
    "\"events\":[{\"introduced\":\"4.0\"},{\"fixed\":\"4.0.4\"},{\"introduced\":\"2.2\"},"
    "{\"fixed\":\"2.2.28\"}]}]}]}\n"
    "{\"id\":\"Y-1\",\"modified\":\"2026-02-01T00:00:00Z\",\"aliases\":[\"X-1\"],\"affected\":"
    "[{\"package\":{\"ecosystem\":\"PyPI\",\"name\":\"flask-x\"},\"versions\":[\"2.2.1\"]}]}\n"
    "{\"id\":\"Z-1\",\"modified\":\"2026-01-01T00:00:00Z\",\"withdrawn\":\"2026-01-02T00:00:00Z\","
    "\"affected\":[{\"package\":{\"ecosystem\":\"PyPI\",\"name\":\"flask-x\"},\"ranges\":[{"
    "\"type\":"
    "\"ECOSYSTEM\",\"events\":[{\"introduced\":\"0\"}]}]}]}\n"
    "{\"id\":\"L-1\",\"modified\":\"2026-01-01T00:00:00Z\",\"affected\":[{\"package\":{"
    "\"ecosystem\":"
    "\"PyPI\",\"name\":\"last\"},\"ranges\":[{\"type\":\"ECOSYSTEM\",\"events\":[{\"introduced\":"
    "\"0\"},"
    "{\"last_affected\":\"1.5\"}]}]}]}\n"
    "{\"id\":\"DSA-1\",\"modified\":\"2026-01-01T00:00:00Z\",\"upstream\":[\"CVE-2026-2\","
    "\"CVE-2026-3\"],\"affected\":[{\"package\":{\"ecosystem\":\"Debian:12\",\"name\":\"shadow\"},"
    "\"ranges\":[{\"type\":\"ECOSYSTEM\",\"events\":[{\"introduced\":\"0\"},"
    "{\"fixed\":\"1:4.13+dfsg1-1+deb12u1\"}]}]}]}\n";

static char *home;

static Inventory *inventory_of(const char *type, const char *name, const char *version)
{
    Inventory *inventory = g_new0(Inventory, 1);
    Package *package = g_new0(Package, 1);
    package->type = g_strdup(type);
    package->name = g_strdup(name);
    package->version = g_strdup(version);
    package->source = g_strdup("shadow");
    package->source_version = g_strdup(version);
    package->path = g_strdup("status");
    package->purl = g_strdup_printf("pkg:%s/%s@%s", type, name, version);
    inventory->packages = g_ptr_array_new();
    inventory->unreadable = findings_new();
    inventory->distribution =
        (Distribution){.id = g_strdup("debian"), .version_id = g_strdup("12")};
    g_ptr_array_add(inventory->packages, package);
    return inventory;
}

static void release(Inventory *inventory)
{
    for (guint i = 0; i < inventory->packages->len; i++) {
        Package *package = g_ptr_array_index(inventory->packages, i);
        char *owned[] = {package->type,   package->name,           package->version,
                         package->source, package->source_version, package->path,
                         package->purl,   (char *) package};
        for (size_t k = 0; k < G_N_ELEMENTS(owned); k++)
            g_free(owned[k]);
    }
    inventory_free(inventory);
}

static const struct {
    const char *label, *type, *name, *version;
    const char *found; /* "RULE>fixed …", sorted; "" nothing; "gap" not judged */
} rows[] = {
    {"second-branch", "pypi", "Flask.X", "4.0.1", "CVE-2026-1>4.0.4 "},
    {"first-branch", "pypi", "flask-x", "2.2.5", "CVE-2026-1>2.2.28 "},
    {"fixed", "pypi", "flask-x", "2.2.28", ""},
    {"between-branches", "pypi", "flask-x", "3.0", ""},
    {"before-all", "pypi", "flask-x", "1.0", ""},
    {"folded-aliases", "pypi", "flask-x", "2.2.1", "CVE-2026-1>2.2.28 "},
    {"last-affected", "pypi", "last", "1.5", "L-1> "},
    {"after-last-affected", "pypi", "last", "1.5.1", ""},
    {"unknown-package", "pypi", "other", "1.0", ""},
    {"version-without-order", "pypi", "flask-x", "main", "gap"},
    {"source-package", "deb", "login", "1:4.13+dfsg1-1",
     "CVE-2026-2>1:4.13+dfsg1-1+deb12u1 CVE-2026-3>1:4.13+dfsg1-1+deb12u1 "},
    {"source-package-fixed", "deb", "login", "1:4.13+dfsg1-1+deb12u1", ""},
    {"other-ecosystem", "cargo", "flask-x", "4.0.1", "gap"},
};

static void test_match(const void *data)
{
    size_t i = GPOINTER_TO_SIZE(data);
    g_autoptr(AdvisoryDatabase) database = advisory_database_open(home, NULL);
    Inventory *inventory = inventory_of(rows[i].type, rows[i].name, rows[i].version);
    g_autoptr(AdvisoryMatch) match = advisory_match(database, inventory);
    g_autoptr(GString) found = g_string_new(match->gaps->len > 0 ? "gap" : NULL);
    for (guint k = 0; k < match->findings->len; k++) {
        const Finding *finding = g_ptr_array_index(match->findings, k);
        const char *to = finding->mend != NULL ? strstr(finding->mend, " to ") + 4 : "";
        g_string_append_printf(found, "%s>%s ", finding->rule, to);
    }
    g_assert_cmpstr(found->str, ==, rows[i].found);
    release(inventory);
}

static void test_severity(void)
{
    g_autoptr(AdvisoryDatabase) database = advisory_database_open(home, NULL);
    Inventory *inventory = inventory_of("pypi", "flask-x", "2.2.1");
    g_autoptr(AdvisoryMatch) match = advisory_match(database, inventory);
    g_assert_cmpuint(match->findings->len, ==, 1);
    const Finding *finding = g_ptr_array_index(match->findings, 0);
    g_assert_cmpint(finding->severity, ==, SEVERITY_CRITICAL);
    g_assert_cmpstr(finding->aliases[0], ==, "X-1");
    g_assert_cmpstr(finding->aliases[1], ==, "Y-1");
    release(inventory);
}

static void test_no_database(void)
{
    Inventory *inventory = inventory_of("pypi", "flask-x", "2.2.1");
    g_autoptr(AdvisoryMatch) match = advisory_match(NULL, inventory);
    g_assert_cmpuint(match->gaps->len, ==, 1);
    g_autoptr(GPtrArray) findings = findings_new();
    advisory_report_gaps(match, findings);
    g_assert_cmpuint(findings->len, ==, 1);
    release(inventory);
}

/* An import again takes the place of the file's old records, and of no others. */
static void test_import_again(void)
{
    g_autofree char *other = g_build_filename(home, "other.json", NULL);
    g_file_set_contents(other,
                        "{\n \"id\": \"O-1\",\n \"modified\": \"2026-01-01T00:00:00Z\",\n"
                        " \"affected\": [{\"package\": {\"ecosystem\": \"npm\", \"name\": \"o\"},\n"
                        "  \"versions\": [\"1.0.0\"]}]\n}\n",
                        -1, NULL);
    const char *const paths[] = {other, NULL};
    g_autoptr(GError) error = NULL;
    for (int i = 0; i < 2; i++) {
        g_assert_true(advisory_import(home, paths, &error));
        g_assert_no_error(error);
    }
    g_autoptr(AdvisoryDatabase) database = advisory_database_open(home, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(advisory_database_count(database), ==, 5);
    g_autoptr(GPtrArray) sources = advisory_database_sources(database);
    g_assert_cmpuint(sources->len, ==, 2);
    g_auto(GStrv) ecosystems = advisory_database_ecosystems(database);
    g_autofree char *list = g_strjoinv(" ", ecosystems);
    g_assert_cmpstr(list, ==, "Debian:12 PyPI npm");
}

static void test_damaged(void)
{
    g_autofree char *folder = file_make_temporary_folder(g_get_tmp_dir(), "advisory", NULL);
    g_autofree char *from = g_build_filename(home, "advisories.db", NULL);
    g_autofree char *to = g_build_filename(folder, "advisories.db", NULL), *bytes = NULL;
    gsize length = 0;
    g_assert_true(g_file_get_contents(from, &bytes, &length, NULL));
    const gsize cuts[] = {0, 100, length / 2, length - 1};
    for (size_t i = 0; i < G_N_ELEMENTS(cuts); i++) {
        g_file_set_contents(to, bytes, (gssize) cuts[i], NULL);
        g_autoptr(GError) error = NULL;
        g_assert_null(advisory_database_open(folder, &error));
        g_assert_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID);
    }
    bytes[length / 2] ^= 1;
    g_file_set_contents(to, bytes, (gssize) length, NULL);
    g_autoptr(GError) error = NULL;
    g_assert_null(advisory_database_open(folder, &error));
    g_assert_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID);
    file_remove_tree(AT_FDCWD, folder, NULL);
}

static void test_no_records(void)
{
    g_autofree char *path = g_build_filename(home, "junk.json", NULL);
    const char *const paths[] = {path, NULL};
    static const char *const texts[] = {"", "{}", "[1,2]", "not json", "{\"id\":"};
    for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
        g_autoptr(GError) error = NULL;
        g_file_set_contents(path, texts[i], -1, NULL);
        g_assert_false(advisory_import(home, paths, &error));
        g_assert_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_set_nonfatal_assertions();

    home = file_make_temporary_folder(g_get_tmp_dir(), "advisory", NULL);
    g_autofree char *path = g_build_filename(home, "records.jsonl", NULL);
    const char *const paths[] = {path, NULL};
    g_assert_true(g_file_set_contents(path, records, -1, NULL));
    g_assert_true(advisory_import(home, paths, NULL));

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *name = g_strdup_printf("/advisory/match/%s", rows[i].label);
        g_test_add_data_func(name, GSIZE_TO_POINTER(i), test_match);
    }
    g_test_add_func("/advisory/severity", test_severity);
    g_test_add_func("/advisory/no-database", test_no_database);
    g_test_add_func("/advisory/import-again", test_import_again);
    g_test_add_func("/advisory/damaged", test_damaged);
    g_test_add_func("/advisory/no-records", test_no_records);
    int status = g_test_run();
    file_remove_tree(AT_FDCWD, home, NULL);
    g_free(home);
    return status;
}
