/* merkle.h - the tree of RFC 6962: roots that grow in O(log n), inclusion and consistency proofs.
 *
 * leaf = SHA-256(0x00, bytes), node = SHA-256(0x01, left, right), split at the largest power of two
 * below the size. */
#pragma once

#include "crypto/hash.h"

typedef struct {
    uint8_t bytes[HASH_SHA256_LENGTH];
} MerkleHash;

/* 2^63 entries have no deeper tree. */
#define MERKLE_DEPTH_MAX 63

/* The right edge: one hash for each one-bit of the size, the largest subtree first. */
typedef struct {
    uint64_t size;
    MerkleHash edge[MERKLE_DEPTH_MAX];
} MerkleTree;

MerkleHash merkle_leaf(const void *bytes, size_t length);
bool merkle_equal(const MerkleHash *a, const MerkleHash *b);

void merkle_append(MerkleTree *tree, const MerkleHash *leaf);
MerkleHash merkle_root(const MerkleTree *tree);
/* How many hashes of EDGE are in use. */
size_t merkle_edge_length(uint64_t size);

/* Proofs from all SIZE leaves: an array of MerkleHash. INDEX < SIZE; 0 < OLD_SIZE <= SIZE. */
GArray *merkle_inclusion_proof(const MerkleHash *leaves, uint64_t size, uint64_t index);
GArray *merkle_consistency_proof(const MerkleHash *leaves, uint64_t size, uint64_t old_size);

/* LEAF stands at INDEX of the tree of SIZE with ROOT. False also for an index outside, size 0 and
 * a proof of another length. */
bool merkle_check_inclusion(const MerkleHash *leaf, uint64_t index, uint64_t size,
                            const MerkleHash *proof, size_t length, const MerkleHash *root);
/* The tree of OLD_SIZE with OLD_ROOT is the beginning of that of SIZE with ROOT. False also for
 * OLD_SIZE 0 or above SIZE. */
bool merkle_check_consistency(uint64_t old_size, const MerkleHash *old_root, uint64_t size,
                              const MerkleHash *root, const MerkleHash *proof, size_t length);
