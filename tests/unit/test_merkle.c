#include "base/error.h"
#include "crypto/merkle.h"
#include "crypto/note.h"

#include <string.h>

/* Roots of the leaves "a", "b", "c"; computed by other implementations. */
static const char *const roots[] = {
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "022a6979e6dab7aa5ae4c3e5e45f7e977112a7e63593820dbec1ec738a24f93c",
    "b137985ff484fb600db93107c77b0365c80d78f5b429ded0fd97361d077999eb",
    "36642e73c2540ab121e3a6bf9545b0a24982cd830eb13d3cd19de3ce6c021ec1",
};

static void test_roots(void)
{
    MerkleTree tree = {0};
    for (size_t i = 0; i < G_N_ELEMENTS(roots); i++) {
        MerkleHash root = merkle_root(&tree);
        g_autofree char *hex = hash_format_hex(root.bytes, sizeof root.bytes);
        g_assert_cmpstr(hex, ==, roots[i]);
        MerkleHash leaf = merkle_leaf(&"abc"[i], 1);
        merkle_append(&tree, &leaf);
    }
}

#define SIZE_MAX_TESTED 40

/* Every pair of index and size: the proof holds, and none of its neighbours does. */
static void test_inclusion(void)
{
    MerkleHash leaves[SIZE_MAX_TESTED];
    MerkleTree tree = {0};
    for (uint64_t i = 0; i < SIZE_MAX_TESTED; i++) {
        leaves[i] = merkle_leaf(&i, sizeof i);
        merkle_append(&tree, &leaves[i]);
        uint64_t size = i + 1;
        MerkleHash root = merkle_root(&tree);
        for (uint64_t at = 0; at < size; at++) {
            g_autoptr(GArray) proof = merkle_inclusion_proof(leaves, size, at);
            const MerkleHash *hashes = (const MerkleHash *) (void *) proof->data;
            size_t n = proof->len;
            g_assert_true(merkle_check_inclusion(&leaves[at], at, size, hashes, n, &root));
            g_assert_false(
                merkle_check_inclusion(&leaves[at], (at + 1) % (size + 1), size, hashes, n, &root));
            g_assert_false(merkle_check_inclusion(&leaves[at], UINT64_MAX, size, hashes, n, &root));
            g_assert_false(merkle_check_inclusion(&leaves[at], at, 0, hashes, n, &root));
            if (n == 0)
                continue;
            g_assert_false(merkle_check_inclusion(&leaves[at], at, size, hashes, n - 1, &root));
            g_assert_false(
                merkle_check_inclusion(&leaves[(at + 1) % size], at, size, hashes, n, &root));
            g_array_index(proof, MerkleHash, n - 1).bytes[0] ^= 1;
            g_assert_false(merkle_check_inclusion(&leaves[at], at, size, hashes, n, &root));
        }
    }
}

static void test_consistency(void)
{
    MerkleHash leaves[SIZE_MAX_TESTED], root_of[SIZE_MAX_TESTED + 1];
    MerkleTree tree = {0};
    root_of[0] = merkle_root(&tree);
    for (uint64_t i = 0; i < SIZE_MAX_TESTED; i++) {
        leaves[i] = merkle_leaf(&i, sizeof i);
        merkle_append(&tree, &leaves[i]);
        root_of[i + 1] = merkle_root(&tree);
    }
    for (uint64_t size = 1; size <= SIZE_MAX_TESTED; size++) {
        for (uint64_t old = 1; old <= size; old++) {
            g_autoptr(GArray) proof = merkle_consistency_proof(leaves, size, old);
            const MerkleHash *hashes = (const MerkleHash *) (void *) proof->data;
            size_t n = proof->len;
            g_assert_true(
                merkle_check_consistency(old, &root_of[old], size, &root_of[size], hashes, n));
            g_assert_false(
                merkle_check_consistency(old, &root_of[old - 1], size, &root_of[size], hashes, n));
            g_assert_false(
                merkle_check_consistency(0, &root_of[0], size, &root_of[size], hashes, n));
            g_assert_false(
                merkle_check_consistency(size + 1, &root_of[old], size, &root_of[size], hashes, n));
            if (n > 0)
                g_assert_false(merkle_check_consistency(old, &root_of[old], size, &root_of[size],
                                                        hashes, n - 1));
        }
    }
}

/* RFC 8032 section 7.1, test 1: the key of the note below. */
static PrivateKey *fixed_key(void)
{
    static const char pem[] = "-----BEGIN PRIVATE KEY-----\n"
                              "MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n"
                              "-----END PRIVATE KEY-----\n";
    return private_key_parse("fixed", pem, NULL, NULL);
}

static void test_note(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(PrivateKey) key = fixed_key();
    g_autoptr(PublicKey) public_key = private_key_public(key);
    g_autofree char *verifier = note_verifier_key("example.com/log", public_key);
    g_assert_nonnull(verifier);
    MerkleHash root = merkle_leaf("a", 1);
    g_autofree char *text = checkpoint_format("example.com/log", 1, root.bytes, "more 1");
    g_autofree char *note = note_sign(text, "example.com/log", key, &error);
    g_assert_no_error(error);
    g_autofree char *again = note_verify(note, verifier, &error);
    g_assert_no_error(error);
    g_assert_cmpstr(again, ==, text);
    g_autoptr(Checkpoint) checkpoint = checkpoint_parse(again, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(checkpoint->size, ==, 1);
    g_assert_cmpmem(checkpoint->root, 32, root.bytes, 32);
    g_assert_cmpstr(checkpoint->extensions[0], ==, "more 1");

    /* A line of a signer we do not know changes nothing. */
    g_autofree char *more = g_strconcat(note, "\xe2\x80\x94 other AAAAAAAA\n", NULL);
    g_autofree char *still = note_verify(more, verifier, &error);
    g_assert_no_error(error);
    g_assert_cmpstr(still, ==, text);

    size_t accepted = 0, length = strlen(note);
    for (size_t i = 0; i < length; i++) {
        char before = note[i];
        note[i] = (char) (before ^ 1);
        g_autofree char *wrong = note_verify(note, verifier, NULL);
        accepted += wrong != NULL;
        note[i] = before;
    }
    g_assert_cmpuint(accepted, ==, 0);
}

static const struct {
    const char *label, *text;
} bad_checkpoints[] = {
    {"empty", ""},
    {"no-size", "origin\n"},
    {"no-root", "origin\n1\n"},
    {"leading-zero", "origin\n01\nbjQLnP+zepicpUTmu3gKLHiQHT+zNzh2hRGjBhevoB0=\n"},
    {"negative", "origin\n-1\nbjQLnP+zepicpUTmu3gKLHiQHT+zNzh2hRGjBhevoB0=\n"},
    {"overflow", "origin\n99999999999999999999\nbjQLnP+zepicpUTmu3gKLHiQHT+zNzh2hRGjBhevoB0=\n"},
    {"short-root", "origin\n1\nbjQLnA==\n"},
    {"no-origin", "\n1\nbjQLnP+zepicpUTmu3gKLHiQHT+zNzh2hRGjBhevoB0=\n"},
};

static void test_bad_checkpoint(const void *data)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Checkpoint) checkpoint =
        checkpoint_parse(bad_checkpoints[GPOINTER_TO_SIZE(data)].text, &error);
    g_assert_null(checkpoint);
    g_assert_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_set_nonfatal_assertions();
    g_test_add_func("/merkle/roots", test_roots);
    g_test_add_func("/merkle/inclusion", test_inclusion);
    g_test_add_func("/merkle/consistency", test_consistency);
    g_test_add_func("/note/signed", test_note);
    for (size_t i = 0; i < G_N_ELEMENTS(bad_checkpoints); i++) {
        g_autofree char *path = g_strdup_printf("/checkpoint/%s", bad_checkpoints[i].label);
        g_test_add_data_func(path, GSIZE_TO_POINTER(i), test_bad_checkpoint);
    }
    return g_test_run();
}
