#include "base/file.h"
#include "scan/inventory.h"
#include "scan/licence.h"
#include "scan/purl.h"
#include "scan/sbom.h"

#include <fcntl.h>
#include <jansson.h>
#include <string.h>

typedef struct {
    const char *path, *text;
} TestFile;

/* A folder of FILES; *FOLDER is removed by drop(). */
static char *make(const TestFile *files, size_t count)
{
    char *folder = file_make_temporary_folder(g_get_tmp_dir(), "inventory", NULL);
    for (size_t i = 0; i < count; i++) {
        g_autofree char *path = g_build_filename(folder, files[i].path, NULL);
        g_autofree char *parent = g_path_get_dirname(path);
        g_assert_true(file_make_folders(parent, 0755, NULL));
        g_assert_true(g_file_set_contents(path, files[i].text, -1, NULL));
    }
    return folder;
}

static void drop(char *folder)
{
    file_remove_tree(AT_FDCWD, folder, NULL);
    g_free(folder);
}

static void expect(const TestFile *files, size_t count, const char *purls, guint unreadable)
{
    char *folder = make(files, count);
    g_autoptr(GError) error = NULL;
    g_autoptr(Inventory) inventory = inventory_of_folder(folder, INVENTORY_AUTO, &error);
    g_assert_no_error(error);
    if (inventory != NULL) {
        g_autofree char *text = sbom_write(inventory, SBOM_PURL, 0);
        g_assert_cmpstr(text, ==, purls);
        g_assert_cmpuint(inventory->unreadable->len, ==, unreadable);
    }
    drop(folder);
}

static const TestFile debian[] = {
    {"etc/os-release", "ID=debian\nVERSION_ID=\"12\"\nPRETTY_NAME='Debian 12'\n"},
    {"var/lib/dpkg/status",
     "Package: bash\nStatus: install ok installed\nArchitecture: amd64\nVersion: 5.2-2+b1\n"
     "Source: bash (5.2-2)\nDescription: shell\n more of it: Package: no\n\n"
     "Package: gone\nStatus: deinstall ok config-files\nArchitecture: amd64\nVersion: 1\n\n"
     "Package: python3-six\nStatus: install ok installed\nArchitecture: all\nVersion: 1.16-4\n"
     "Source: six\n"},
    {"var/lib/dpkg/info/python3-six.list",
     "/.\n/usr/lib/python3/dist-packages/six-1.16.egg-info\n"},
    {"usr/lib/python3/dist-packages/six-1.16.egg-info", "Name: six\nVersion: 1.16.0\n\nbody\n"},
    {"opt/app/lib/Zope_X-5.dist-info/METADATA", "Name: Zope_X\nVersion: 5.0\nLicense: ZPL 2.1\n"},
    {"srv/node_modules/@a/b/package.json", "{\"name\":\"@a/b\",\"version\":\"1.0.0\"}"},
    {"srv/node_modules/@a/b/esm/package.json", "{\"type\":\"module\"}"},
    {"srv/package-lock.json", "{\"packages\":{\"node_modules/c\":{\"version\":\"9.9.9\"}}}"},
};

static void test_debian(void)
{
    expect(debian, G_N_ELEMENTS(debian),
           "pkg:deb/debian/bash@5.2-2%2Bb1?arch=amd64&distro=debian-12&upstream=bash%405.2-2\n"
           "pkg:deb/debian/python3-six@1.16-4?arch=all&distro=debian-12&upstream=six\n"
           "pkg:npm/%40a/b@1.0.0\npkg:pypi/six@1.16.0\npkg:pypi/zope-x@5.0\n",
           0);
}

static void test_owner(void)
{
    char *folder = make(debian, G_N_ELEMENTS(debian));
    g_autoptr(Inventory) inventory = inventory_of_folder(folder, INVENTORY_ROOT, NULL);
    for (guint i = 0; inventory != NULL && i < inventory->packages->len; i++) {
        const Package *package = g_ptr_array_index(inventory->packages, i);
        bool owned = strcmp(package->type, "pypi") == 0 && strcmp(package->name, "six") == 0;
        g_assert_cmpint(package->owner != NULL, ==, owned);
    }
    drop(folder);
}

static void test_alpine(void)
{
    static const TestFile files[] = {
        {"etc/os-release", "ID=alpine\nVERSION_ID=3.18.4\n"},
        {"lib/apk/db/installed",
         "C:Q1x=\nP:musl-utils\nV:1.2.4-r2\nA:x86_64\no:musl\nL:MIT\nF:bin\n"
         "R:ldd\n\nP:zlib\nV:1.2.13-r1\nA:x86_64\no:zlib\n"}};
    expect(files, G_N_ELEMENTS(files),
           "pkg:apk/alpine/musl-utils@1.2.4-r2?arch=x86_64&distro=alpine-3.18.4&upstream=musl\n"
           "pkg:apk/alpine/zlib@1.2.13-r1?arch=x86_64&distro=alpine-3.18.4\n",
           0);
}

static void test_locks(void)
{
    static const TestFile files[] = {
        {"requirements.txt", "# c\nflask[async]==2.0.1 ; python_version > '3'\nloose>=1\n-r x\n"},
        {"poetry.lock", "[[package]]\nname = \"attrs\"\nversion = \"23.1.0\"\n\n[metadata]\n"
                        "name = \"no\"\nversion = \"1\"\n"},
        {"uv.lock", "[[package]]\nname = \"me\"\nversion = \"0\"\nsource = { editable = \".\" }\n"},
        {"web/package-lock.json",
         "{\"lockfileVersion\":3,\"packages\":{\"\":{\"version\":\"1.0.0\"},"
         "\"node_modules/a\":{\"version\":\"1.2.3\"},"
         "\"node_modules/b/node_modules/alias\":{\"name\":\"@x/y\",\"version\":\"2.0.0\"},"
         "\"node_modules/l\":{\"link\":true}}}"},
        {"old/package-lock.json",
         "{\"dependencies\":{\"d\":{\"version\":\"1.0.0\",\"dependencies\":"
         "{\"e\":{\"version\":\"npm:f@3.0.0\"}}}}}"},
        {"y/yarn.lock", "# yarn lockfile v1\n\n\"@s/p@^1.0\", \"@s/p@^1.1\":\n  version \"1.1.5\"\n"
                        "q@^2:\n  version \"2.0.0\"\n"},
        {"z/yarn.lock", "__metadata:\n  version: 6\n\n\"r@npm:^1.0.0\":\n  version: 1.0.7\n"
                        "  resolution: \"r@npm:1.0.7\"\n\n\"w@workspace:.\":\n"
                        "  version: 0.0.0-use.local\n"},
        {"p/pnpm-lock.yaml", "lockfileVersion: '9.0'\npackages:\n  '@t/u@1.0.0(v@2.0.0)': {}\n"
                             "  x@3.0.1:\n    resolution: {integrity: a}\n"},
        {"Cargo.lock", "[[package]]\nname = \"me\"\nversion = \"0.1.0\"\n\n[[package]]\n"
                       "name = \"serde\"\nversion = \"1.0.1\"\nsource = \"registry+x\"\n"},
        {"go.mod", "module m\n\ngo 1.21\n\nrequire (\n\tgithub.com/a/b v1.2.3 // indirect\n)\n"
                   "require golang.org/x/text v0.3.0\n"},
        {"node_modules/never/package.json", "{\"name\":\"never\",\"version\":\"1.0.0\"}"},
        {"broken/package-lock.json", "{"},
    };
    expect(files, G_N_ELEMENTS(files),
           "pkg:cargo/serde@1.0.1\npkg:golang/github.com/a/b@v1.2.3\n"
           "pkg:golang/golang.org/x/text@v0.3.0\npkg:npm/%40s/p@1.1.5\npkg:npm/%40t/u@1.0.0\n"
           "pkg:npm/%40x/y@2.0.0\npkg:npm/a@1.2.3\npkg:npm/d@1.0.0\npkg:npm/f@3.0.0\n"
           "pkg:npm/q@2.0.0\npkg:npm/r@1.0.7\npkg:npm/x@3.0.1\npkg:pypi/attrs@23.1.0\n"
           "pkg:pypi/flask@2.0.1\n",
           1);
}

/* The same inventory gives the same bytes; what readers rely on is there. */
static void test_documents(void)
{
    char *folder = make(debian, G_N_ELEMENTS(debian));
    g_autoptr(Inventory) inventory = inventory_of_folder(folder, INVENTORY_AUTO, NULL);
    g_autofree char *one = sbom_write(inventory, SBOM_SPDX_JSON, 1);
    g_autofree char *two = sbom_write(inventory, SBOM_SPDX_JSON, 1);
    g_assert_cmpstr(one, ==, two);
    json_t *spdx = json_loads(one, JSON_REJECT_DUPLICATES, NULL);
    g_assert_cmpstr(json_string_value(json_object_get(spdx, "spdxVersion")), ==, "SPDX-2.3");
    g_assert_cmpuint(json_array_size(json_object_get(spdx, "packages")), ==, 6);
    json_decref(spdx);
    g_autofree char *three = sbom_write(inventory, SBOM_CYCLONEDX_JSON, 1);
    json_t *cyclonedx = json_loads(three, JSON_REJECT_DUPLICATES, NULL);
    g_assert_cmpstr(json_string_value(json_object_get(cyclonedx, "specVersion")), ==, "1.6");
    g_assert_cmpuint(json_array_size(json_object_get(cyclonedx, "components")), ==, 6);
    json_decref(cyclonedx);
    drop(folder);
}

static const struct {
    const char *label, *text, *expression;
} licences[] = {
    {"id", "MIT", "MIT"},
    {"case", "apache-2.0", "Apache-2.0"},
    {"meaning", "MIT License", "MIT"},
    {"old-id", "GPL-2.0+", "GPL-2.0-or-later"},
    {"expression", "(MIT OR Apache-2.0) AND BSD-3-Clause", "(MIT OR Apache-2.0) AND BSD-3-Clause"},
    {"exception", "GPL-2.0-or-later WITH Classpath-exception-2.0",
     "GPL-2.0-or-later WITH Classpath-exception-2.0"},
    {"words", "see the file", NULL},
    {"dangling", "MIT AND", NULL},
    {"bracket", "(MIT", NULL},
    {"empty", "", NULL},
};

static void test_licence(const void *data)
{
    size_t i = GPOINTER_TO_SIZE(data);
    g_autofree char *expression = licence_expression(licences[i].text);
    g_assert_cmpstr(expression, ==, licences[i].expression);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_set_nonfatal_assertions();

    g_test_add_func("/inventory/debian", test_debian);
    g_test_add_func("/inventory/owner", test_owner);
    g_test_add_func("/inventory/alpine", test_alpine);
    g_test_add_func("/inventory/locks", test_locks);
    g_test_add_func("/inventory/documents", test_documents);
    for (size_t i = 0; i < G_N_ELEMENTS(licences); i++) {
        g_autofree char *path = g_strdup_printf("/licence/%s", licences[i].label);
        g_test_add_data_func(path, GSIZE_TO_POINTER(i), test_licence);
    }
    return g_test_run();
}
