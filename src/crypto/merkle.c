#include "crypto/merkle.h"

#include <string.h>

MerkleHash merkle_leaf(const void *bytes, size_t length)
{
    g_autoptr(Hash) hash = hash_new(HASH_SHA256);
    hash_update(hash, "\x00", 1);
    hash_update(hash, bytes, length);
    MerkleHash leaf;
    hash_finish(hash, leaf.bytes);
    return leaf;
}

static MerkleHash node(const MerkleHash *left, const MerkleHash *right)
{
    uint8_t bytes[1 + 2 * HASH_SHA256_LENGTH] = {0x01};
    memcpy(bytes + 1, left->bytes, HASH_SHA256_LENGTH);
    memcpy(bytes + 1 + HASH_SHA256_LENGTH, right->bytes, HASH_SHA256_LENGTH);
    MerkleHash parent;
    hash_bytes(HASH_SHA256, bytes, sizeof bytes, parent.bytes);
    return parent;
}

bool merkle_equal(const MerkleHash *a, const MerkleHash *b)
{
    return memcmp(a->bytes, b->bytes, HASH_SHA256_LENGTH) == 0;
}

size_t merkle_edge_length(uint64_t size)
{
    return (size_t) __builtin_popcountll(size);
}

void merkle_append(MerkleTree *tree, const MerkleHash *leaf)
{
    size_t used = merkle_edge_length(tree->size);
    MerkleHash hash = *leaf;
    /* Like carrying in a binary addition: equal subtrees join. */
    for (uint64_t bits = tree->size; (bits & 1) != 0; bits >>= 1)
        hash = node(&tree->edge[--used], &hash);
    tree->edge[used] = hash;
    tree->size++;
}

MerkleHash merkle_root(const MerkleTree *tree)
{
    MerkleHash root;
    size_t used = merkle_edge_length(tree->size);
    if (used == 0) {
        hash_bytes(HASH_SHA256, "", 0, root.bytes);
        return root;
    }
    root = tree->edge[--used];
    while (used > 0) {
        used--;
        root = node(&tree->edge[used], &root);
    }
    return root;
}

/* The largest power of two below SIZE (> 1). */
static uint64_t split(uint64_t size)
{
    return UINT64_C(1) << (63 - __builtin_clzll(size - 1));
}

static MerkleHash root_of(const MerkleHash *leaves, uint64_t size)
{
    MerkleTree tree = {0};
    for (uint64_t i = 0; i < size; i++)
        merkle_append(&tree, &leaves[i]);
    return merkle_root(&tree);
}

static void add_inclusion(GArray *proof, const MerkleHash *leaves, uint64_t size, uint64_t index)
{
    if (size == 1)
        return;
    uint64_t k = split(size);
    MerkleHash sibling;
    if (index < k) {
        add_inclusion(proof, leaves, k, index);
        sibling = root_of(leaves + k, size - k);
    } else {
        add_inclusion(proof, leaves + k, size - k, index - k);
        sibling = root_of(leaves, k);
    }
    g_array_append_val(proof, sibling);
}

GArray *merkle_inclusion_proof(const MerkleHash *leaves, uint64_t size, uint64_t index)
{
    g_assert(index < size);
    GArray *proof = g_array_new(FALSE, FALSE, sizeof(MerkleHash));
    add_inclusion(proof, leaves, size, index);
    return proof;
}

/* SUBPROOF of RFC 6962 section 2.1.2; WHOLE: the verifier knows the old tree's root itself. */
static void add_consistency(GArray *proof, const MerkleHash *leaves, uint64_t size,
                            uint64_t old_size, bool whole)
{
    if (old_size == size) {
        if (!whole) {
            MerkleHash root = root_of(leaves, size);
            g_array_append_val(proof, root);
        }
        return;
    }
    uint64_t k = split(size);
    MerkleHash sibling;
    if (old_size <= k) {
        add_consistency(proof, leaves, k, old_size, whole);
        sibling = root_of(leaves + k, size - k);
    } else {
        add_consistency(proof, leaves + k, size - k, old_size - k, false);
        sibling = root_of(leaves, k);
    }
    g_array_append_val(proof, sibling);
}

GArray *merkle_consistency_proof(const MerkleHash *leaves, uint64_t size, uint64_t old_size)
{
    g_assert(old_size > 0 && old_size <= size);
    GArray *proof = g_array_new(FALSE, FALSE, sizeof(MerkleHash));
    add_consistency(proof, leaves, size, old_size, true);
    return proof;
}

/* RFC 9162 section 2.1.3.2. */
bool merkle_check_inclusion(const MerkleHash *leaf, uint64_t index, uint64_t size,
                            const MerkleHash *proof, size_t length, const MerkleHash *root)
{
    if (index >= size)
        return false;
    uint64_t at = index, last = size - 1;
    MerkleHash hash = *leaf;
    for (size_t i = 0; i < length; i++) {
        if (last == 0)
            return false;
        if ((at & 1) != 0 || at == last) {
            hash = node(&proof[i], &hash);
            while ((at & 1) == 0 && at != 0) {
                at >>= 1;
                last >>= 1;
            }
        } else {
            hash = node(&hash, &proof[i]);
        }
        at >>= 1;
        last >>= 1;
    }
    return last == 0 && merkle_equal(&hash, root);
}

/* RFC 9162 section 2.1.4.2. */
bool merkle_check_consistency(uint64_t old_size, const MerkleHash *old_root, uint64_t size,
                              const MerkleHash *root, const MerkleHash *proof, size_t length)
{
    if (old_size == 0 || old_size > size)
        return false;
    if (old_size == size)
        return length == 0 && merkle_equal(old_root, root);

    bool power = (old_size & (old_size - 1)) == 0;
    if (!power && length == 0)
        return false;
    size_t i = 0;
    MerkleHash old_hash = power ? *old_root : proof[i++];
    MerkleHash hash = old_hash;
    uint64_t at = old_size - 1, last = size - 1;
    while ((at & 1) != 0) {
        at >>= 1;
        last >>= 1;
    }
    for (; i < length; i++) {
        if (last == 0)
            return false;
        if ((at & 1) != 0 || at == last) {
            old_hash = node(&proof[i], &old_hash);
            hash = node(&proof[i], &hash);
            while ((at & 1) == 0 && at != 0) {
                at >>= 1;
                last >>= 1;
            }
        } else {
            hash = node(&hash, &proof[i]);
        }
        at >>= 1;
        last >>= 1;
    }
    return last == 0 && merkle_equal(&old_hash, old_root) && merkle_equal(&hash, root);
}
