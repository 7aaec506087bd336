#include "base/fd.h"
#include "crypto/hash.h"

#include <stdio.h>
#include <string.h>

#define ABC_256 "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define ABC_512                                                                                    \
    "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"                             \
    "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"
#define EMPTY_256 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

/* FIPS 180-4 examples. */
static const struct {
    const char *label;
    HashAlgorithm algorithm;
    const char *text, *hex;
} rows[] = {
    {"sha256-abc", HASH_SHA256, "abc", ABC_256},
    {"sha256-empty", HASH_SHA256, "", EMPTY_256},
    {"sha512-abc", HASH_SHA512, "abc", ABC_512},
};

static void test_row(const void *data)
{
    size_t i = GPOINTER_TO_SIZE(data);
    size_t length = strlen(rows[i].text);
    g_autofree char *digest = g_strconcat(hash_name(rows[i].algorithm), ":", rows[i].hex, NULL);

    g_autofree char *hex = hash_hex(rows[i].algorithm, rows[i].text, length);
    g_assert_cmpstr(hex, ==, rows[i].hex);
    g_autofree char *at_once = hash_digest(rows[i].algorithm, rows[i].text, length);
    g_assert_cmpstr(at_once, ==, digest);

    g_autoptr(Hash) hash = hash_new(rows[i].algorithm);
    for (size_t k = 0; k < length; k++)
        hash_update(hash, rows[i].text + k, 1);
    g_autoptr(Hash) twin = hash_copy(hash);
    g_autofree char *streamed = hash_finish_digest(hash);
    g_assert_cmpstr(streamed, ==, digest);
    hash_update(twin, "x", 1);
    g_autofree char *other = hash_finish_hex(twin);
    g_assert_cmpstr(other, !=, rows[i].hex);

    FILE *file = tmpfile();
    g_assert_nonnull(file);
    fputs(rows[i].text, file);
    rewind(file);
    g_autoptr(GError) error = NULL;
    int64_t size = -1;
    g_autofree char *of_file = hash_fd(rows[i].algorithm, fileno(file), &size, &error);
    g_assert_no_error(error);
    g_assert_cmpstr(of_file, ==, digest);
    g_assert_cmpint(size, ==, (int64_t) length);
    fclose(file);
}

static void test_names(void)
{
    HashAlgorithm algorithm = HASH_SHA256;
    g_assert_true(hash_parse_name("sha512:ab", 6, &algorithm));
    g_assert_cmpint(algorithm, ==, HASH_SHA512);
    g_assert_false(hash_parse_name("sha51", 5, &algorithm));
    g_assert_false(hash_parse_name("md5", 3, &algorithm));
}

static void test_bad_descriptor(void)
{
    g_autoptr(GError) error = NULL;
    g_assert_null(hash_fd(HASH_SHA256, -1, NULL, &error));
    g_assert_nonnull(error);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_set_nonfatal_assertions();

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *path = g_strdup_printf("/hash/%s", rows[i].label);
        g_test_add_data_func(path, GSIZE_TO_POINTER(i), test_row);
    }
    g_test_add_func("/hash/names", test_names);
    g_test_add_func("/hash/bad-descriptor", test_bad_descriptor);
    return g_test_run();
}
