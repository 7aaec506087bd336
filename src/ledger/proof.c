#include "base/error.h"
#include "crypto/base64.h"
#include "crypto/note.h"
#include "format/json.h"
#include "ledger/record.h"

#include <string.h>

#define PROOF_TYPE "slipway/ledger-proof/v1"
#define CONSISTENCY_TYPE "slipway/ledger-consistency/v1"

static void *invalid(const char *why, GError **error)
{
    g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID, "ledger proof: %s", why);
    return NULL;
}

static void *denied(const char *why, GError **error)
{
    g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_DENIED, "ledger proof: %s", why);
    return NULL;
}

/* The leaves of the first SIZE entries, read anew from their bodies. */
static GArray *read_leaves(Ledger *ledger, int64_t size, GError **error)
{
    g_autoptr(Statement) rows =
        database_prepare(ledger->database, error,
                         "SELECT body FROM ledger_entry WHERE seq < ? ORDER BY seq", "i", size);
    if (rows == NULL)
        return NULL;
    g_autoptr(GArray) leaves = g_array_new(FALSE, FALSE, sizeof(MerkleHash));
    g_autoptr(GError) trouble = NULL;
    while (statement_step(rows, &trouble)) {
        const char *text = statement_text(rows, 0);
        MerkleHash leaf = merkle_leaf(text, strlen(text));
        g_array_append_val(leaves, leaf);
    }
    if (trouble != NULL) {
        g_propagate_error(error, g_steal_pointer(&trouble));
        return NULL;
    }
    if (leaves->len != (guint64) size)
        return denied("entries are missing; see `slipway audit verify`", error);
    return g_steal_pointer(&leaves);
}

static json_t *encode_hashes(const GArray *hashes)
{
    json_t *list = json_array();
    for (guint i = 0; i < hashes->len; i++) {
        g_autofree char *text =
            base64_encode(g_array_index(hashes, MerkleHash, i).bytes, HASH_SHA256_LENGTH);
        json_array_append_new(list, json_string(text));
    }
    return list;
}

static bool decode_hashes(const json_t *list, MerkleHash *hashes, size_t *length)
{
    *length = json_array_size(list);
    if (!json_is_array(list) || *length > 2 * MERKLE_DEPTH_MAX)
        return false;
    for (size_t i = 0; i < *length; i++) {
        const char *text = json_string_value(json_array_get(list, i));
        size_t n;
        g_autofree uint8_t *bytes = text != NULL ? base64_decode(text, -1, &n, NULL) : NULL;
        if (bytes == NULL || n != HASH_SHA256_LENGTH)
            return false;
        memcpy(hashes[i].bytes, bytes, HASH_SHA256_LENGTH);
    }
    return true;
}

static Checkpoint *open_note(const char *note, const char *verifier_key, GError **error)
{
    if (note == NULL)
        return invalid("a checkpoint is missing", error);
    g_autofree char *text =
        verifier_key != NULL ? note_verify(note, verifier_key, error) : note_text(note, error);
    return text != NULL ? checkpoint_parse(text, error) : NULL;
}

/* The tree that proofs are taken from. */
typedef struct {
    char *note;
    Checkpoint *checkpoint;
    GArray *leaves;
} Tree;

static void tree_clear(Tree *tree)
{
    g_free(tree->note);
    checkpoint_free(tree->checkpoint);
    g_clear_pointer(&tree->leaves, g_array_unref);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Tree, tree_clear)

static bool tree_read(Ledger *ledger, Tree *tree, GError **error)
{
    tree->note = ledger_checkpoint(ledger, error);
    tree->checkpoint = tree->note != NULL ? open_note(tree->note, NULL, error) : NULL;
    tree->leaves = tree->checkpoint != NULL
                       ? read_leaves(ledger, (int64_t) tree->checkpoint->size, error)
                       : NULL;
    return tree->leaves != NULL;
}

static json_t *prove(Ledger *ledger, const Tree *tree, int64_t seq, GError **error)
{
    g_autofree char *entry = ledger_entry_text(ledger, seq, error);
    if (entry == NULL)
        return NULL;
    if ((uint64_t) seq >= tree->checkpoint->size)
        return denied("the entry is not in the tree; see `slipway audit verify`", error);
    g_autoptr(GArray) hashes = merkle_inclusion_proof(
        (const MerkleHash *) (void *) tree->leaves->data, tree->checkpoint->size, (uint64_t) seq);
    return json_pack("{s:s, s:I, s:I, s:s, s:o, s:s}", "type", PROOF_TYPE, "seq", (json_int_t) seq,
                     "size", (json_int_t) tree->checkpoint->size, "entry", entry, "hashes",
                     encode_hashes(hashes), "checkpoint", tree->note);
}

json_t *ledger_proof(Ledger *ledger, int64_t seq, GError **error)
{
    g_autofree char *entry =
        ledger_entry_text(ledger, seq, error); /* before a checkpoint is made */
    g_auto(Tree) tree = {0};
    if (entry == NULL || !tree_read(ledger, &tree, error))
        return NULL;
    return prove(ledger, &tree, seq, error);
}

json_t *ledger_proofs(Ledger *ledger, const json_t *entries, GError **error)
{
    g_auto(Tree) tree = {0};
    if (!tree_read(ledger, &tree, error))
        return NULL;
    g_autoptr(json_t) proofs = json_array();
    size_t index;
    json_t *entry;
    json_array_foreach(entries, index, entry)
    {
        json_t *proof = prove(ledger, &tree, json_get_integer(entry, "seq", -1), error);
        if (proof == NULL)
            return NULL;
        json_array_append_new(proofs, proof);
    }
    return g_steal_pointer(&proofs);
}

json_t *ledger_check_proof(const json_t *proof, const char *verifier_key, GError **error)
{
    const char *type = json_get_string(proof, "type");
    const char *entry = json_get_string(proof, "entry");
    gint64 seq = json_get_integer(proof, "seq", -1);
    MerkleHash hashes[2 * MERKLE_DEPTH_MAX];
    size_t length;
    if (type == NULL || !g_str_equal(type, PROOF_TYPE) || entry == NULL || seq < 0 ||
        !decode_hashes(json_object_get(proof, "hashes"), hashes, &length))
        return invalid("expected an object of type '" PROOF_TYPE "'", error);
    g_autoptr(Checkpoint) checkpoint =
        open_note(json_get_string(proof, "checkpoint"), verifier_key, error);
    if (checkpoint == NULL)
        return NULL;
    if (json_get_integer(proof, "size", -1) != (gint64) checkpoint->size)
        return denied("its size is not the checkpoint's", error);

    MerkleHash leaf = merkle_leaf(entry, strlen(entry)), root;
    memcpy(root.bytes, checkpoint->root, sizeof root.bytes);
    if (!merkle_check_inclusion(&leaf, (uint64_t) seq, checkpoint->size, hashes, length, &root))
        return denied("the entry is not in the record that the checkpoint signs", error);
    g_autoptr(json_t) body = json_parse("entry", entry, strlen(entry), error);
    if (body == NULL)
        return NULL;
    if (json_get_integer(body, "seq", -1) != seq)
        return denied("the entry has another number", error);
    return g_steal_pointer(&body);
}

json_t *ledger_consistency(Ledger *ledger, const char *from, GError **error)
{
    g_autoptr(Checkpoint) old = open_note(from, NULL, error);
    g_autofree char *note = old != NULL ? ledger_checkpoint(ledger, error) : NULL;
    g_autoptr(Checkpoint) now = note != NULL ? open_note(note, NULL, error) : NULL;
    if (now == NULL)
        return NULL;
    if (old->size == 0 || old->size > now->size)
        return denied("the earlier checkpoint is empty or longer than the record", error);
    g_autoptr(GArray) leaves = read_leaves(ledger, (int64_t) now->size, error);
    if (leaves == NULL)
        return NULL;
    g_autoptr(GArray) hashes =
        merkle_consistency_proof((const MerkleHash *) (void *) leaves->data, now->size, old->size);
    return json_pack("{s:s, s:s, s:s, s:o}", "type", CONSISTENCY_TYPE, "from", from, "to", note,
                     "hashes", encode_hashes(hashes));
}

bool ledger_check_consistency(const json_t *proof, const char *verifier_key, GError **error)
{
    const char *type = json_get_string(proof, "type");
    MerkleHash hashes[2 * MERKLE_DEPTH_MAX];
    size_t length;
    if (type == NULL || !g_str_equal(type, CONSISTENCY_TYPE) ||
        !decode_hashes(json_object_get(proof, "hashes"), hashes, &length))
        return invalid("expected an object of type '" CONSISTENCY_TYPE "'", error) != NULL;
    g_autoptr(Checkpoint) old = open_note(json_get_string(proof, "from"), verifier_key, error);
    if (old == NULL)
        return false;
    g_autoptr(Checkpoint) now = open_note(json_get_string(proof, "to"), verifier_key, error);
    if (now == NULL)
        return false;
    if (!g_str_equal(old->origin, now->origin))
        return denied("the two checkpoints are of different ledgers", error) != NULL;
    MerkleHash old_root, root;
    memcpy(old_root.bytes, old->root, sizeof root.bytes);
    memcpy(root.bytes, now->root, sizeof root.bytes);
    if (!merkle_check_consistency(old->size, &old_root, now->size, &root, hashes, length))
        return denied("the later record does not begin with the earlier one", error) != NULL;
    return true;
}
