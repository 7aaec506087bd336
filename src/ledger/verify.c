#include "base/error.h"
#include "crypto/note.h"
#include "format/json.h"
#include "ledger/record.h"

#include <string.h>

/* A checkpoint to hold against the record, and whether it fitted. */
typedef struct {
    Checkpoint *checkpoint;
    const char *where; /* "kept outside" or "stored" */
} Witness;

static void witness_free(gpointer data)
{
    Witness *witness = data;
    checkpoint_free(witness->checkpoint);
    g_free(witness);
}

/* One walk over the record. */
typedef struct {
    Ledger *ledger;
    GPtrArray *witnesses; /* by size */
    guint next;           /* witness */
    uint64_t proven;      /* entries that the last fitting witness covers */
    Head seen;
    char last_time[40];
    Statement *mentions;
    bool mention_there;
} Walk;

static void walk_clear(Walk *walk)
{
    statement_free(walk->mentions);
    g_clear_pointer(&walk->witnesses, g_ptr_array_unref);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Walk, walk_clear)

G_GNUC_PRINTF(2, 3) static bool wrong(GError **error, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    g_autofree char *text = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_DENIED, "the record was tampered with: %s",
                text);
    return false;
}

static bool add_witness(GPtrArray *witnesses, const Ledger *ledger, const char *note,
                        const char *public_key, const char *where, GError **error)
{
    g_autofree char *text =
        public_key != NULL ? note_verify(note, public_key, error) : note_text(note, error);
    g_autoptr(Checkpoint) checkpoint = text != NULL ? checkpoint_parse(text, error) : NULL;
    if (checkpoint == NULL) {
        g_prefix_error(error, "checkpoint %s: ", where);
        return false;
    }
    if (!g_str_equal(checkpoint->origin, ledger->origin)) {
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_DENIED,
                    "checkpoint %s is of '%s', this ledger is '%s'", where, checkpoint->origin,
                    ledger->origin);
        return false;
    }
    Witness *witness = g_new(Witness, 1);
    *witness = (Witness){g_steal_pointer(&checkpoint), where};
    g_ptr_array_add(witnesses, witness);
    return true;
}

static int by_size(const void *a, const void *b)
{
    const Witness *x = *(Witness *const *) a, *y = *(Witness *const *) b;
    if (x->checkpoint->size == y->checkpoint->size)
        return 0;
    return x->checkpoint->size < y->checkpoint->size ? -1 : 1;
}

static GPtrArray *collect_witnesses(Ledger *ledger, const char *checkpoint, const char *public_key,
                                    GError **error)
{
    g_autoptr(GPtrArray) witnesses = g_ptr_array_new_with_free_func(witness_free);
    if (checkpoint != NULL &&
        !add_witness(witnesses, ledger, checkpoint, public_key, "kept outside", error))
        return NULL;
    g_autoptr(Statement) rows = database_prepare(
        ledger->database, error, "SELECT note FROM ledger_checkpoint ORDER BY size", "");
    if (rows == NULL)
        return NULL;
    g_autoptr(GError) trouble = NULL;
    while (statement_step(rows, &trouble))
        if (!add_witness(witnesses, ledger, statement_text(rows, 0), public_key, "stored", error))
            return NULL;
    if (trouble != NULL) {
        g_propagate_error(error, g_steal_pointer(&trouble));
        return NULL;
    }
    g_ptr_array_sort(witnesses, by_size);
    return g_steal_pointer(&witnesses);
}

/* Holds the witnesses of the present size against the present root. */
static bool check_witnesses(Walk *walk, GError **error)
{
    for (; walk->next < walk->witnesses->len; walk->next++) {
        const Witness *witness = walk->witnesses->pdata[walk->next];
        if (witness->checkpoint->size != walk->seen.tree.size)
            return true;
        MerkleHash root = merkle_root(&walk->seen.tree);
        if (memcmp(root.bytes, witness->checkpoint->root, sizeof root.bytes) != 0)
            return wrong(error,
                         "the checkpoint %s of %" G_GUINT64_FORMAT
                         " entries does not fit; an entry from %" G_GUINT64_FORMAT
                         " to %" G_GUINT64_FORMAT " was changed",
                         witness->where, walk->seen.tree.size, walk->proven,
                         walk->seen.tree.size - 1);
        walk->proven = walk->seen.tree.size;
    }
    return true;
}

/* The rows of ledger_mention for entry SEQ are what its body gives, no more and no less. */
static bool check_mentions(Walk *walk, int64_t seq, const json_t *body, GError **error)
{
    g_autoptr(GPtrArray) expected = entry_mentions(body);
    g_autoptr(GError) trouble = NULL;
    for (guint i = 0; i < expected->len; i++) {
        if (!walk->mention_there || statement_integer(walk->mentions, 0) != seq ||
            !g_str_equal(statement_text(walk->mentions, 1), expected->pdata[i]))
            return wrong(error,
                         "entry %" G_GINT64_FORMAT
                         " speaks of '%s', the index of the ledger does not say so",
                         seq, (const char *) expected->pdata[i]);
        walk->mention_there = statement_step(walk->mentions, &trouble);
        if (trouble != NULL) {
            g_propagate_error(error, g_steal_pointer(&trouble));
            return false;
        }
    }
    if (walk->mention_there && statement_integer(walk->mentions, 0) <= seq)
        return wrong(error,
                     "the index of the ledger says that entry %" G_GINT64_FORMAT
                     " speaks of '%s'; it does not",
                     statement_integer(walk->mentions, 0), statement_text(walk->mentions, 1));
    return true;
}

static bool check_entry(Walk *walk, int64_t seq, const char *text, size_t length, const void *chain,
                        size_t chain_length, GError **error)
{
    int64_t expected = walk->seen.size;
    if (seq != expected)
        return wrong(error, "entry %" G_GINT64_FORMAT " is missing", expected);
    chain_extend(walk->seen.chain, text, length);
    if (chain_length != CHAIN_LENGTH || memcmp(chain, walk->seen.chain, CHAIN_LENGTH) != 0)
        return wrong(error,
                     "entry %" G_GINT64_FORMAT
                     " does not continue the chain: it was changed, moved or put in",
                     seq);
    g_autoptr(json_t) body = json_parse("entry", text, length, NULL);
    const char *time = body != NULL ? json_get_string(body, "time") : NULL;
    if (time == NULL || json_get_integer(body, "seq", -1) != seq)
        return wrong(
            error, "entry %" G_GINT64_FORMAT " is not what was written as entry %" G_GINT64_FORMAT,
            seq, seq);
    if (strcmp(time, walk->last_time) < 0)
        return wrong(error, "entry %" G_GINT64_FORMAT " is older than the one before it", seq);
    g_strlcpy(walk->last_time, time, sizeof walk->last_time);
    if (!check_mentions(walk, seq, body, error))
        return false;
    MerkleHash leaf = merkle_leaf(text, length);
    merkle_append(&walk->seen.tree, &leaf);
    walk->seen.size++;
    return check_witnesses(walk, error);
}

static bool walk_entries(Walk *walk, GError **error)
{
    g_autoptr(Statement) rows =
        database_prepare(walk->ledger->database, error,
                         "SELECT seq, body, chain FROM ledger_entry ORDER BY seq", "");
    walk->mentions =
        database_prepare(walk->ledger->database, error,
                         "SELECT seq, value FROM ledger_mention ORDER BY seq, value", "");
    if (rows == NULL || walk->mentions == NULL)
        return false;
    g_autoptr(GError) trouble = NULL;
    walk->mention_there = statement_step(walk->mentions, &trouble);
    while (trouble == NULL && statement_step(rows, &trouble)) {
        size_t length, chain_length;
        const char *text = statement_blob(rows, 1, &length); /* with bytes behind a NUL, if any */
        const void *chain = statement_blob(rows, 2, &chain_length);
        if (!check_entry(walk, statement_integer(rows, 0), text != NULL ? text : "", length, chain,
                         chain_length, error))
            return false;
    }
    if (trouble != NULL) {
        g_propagate_error(error, g_steal_pointer(&trouble));
        return false;
    }
    if (walk->mention_there)
        return wrong(error,
                     "the index of the ledger speaks of entry %" G_GINT64_FORMAT
                     ", which is not there",
                     statement_integer(walk->mentions, 0));
    return true;
}

static bool check_end(Walk *walk, GError **error)
{
    Head head;
    if (!head_read(walk->ledger->database, &head, error))
        return false;
    const Head *seen = &walk->seen;
    if (head.size > seen->size)
        return wrong(error,
                     "%" G_GINT64_FORMAT
                     " entries are missing at the end, from entry %" G_GINT64_FORMAT,
                     head.size - seen->size, seen->size);
    if (walk->next < walk->witnesses->len) {
        const Witness *witness = walk->witnesses->pdata[walk->next];
        return wrong(error,
                     "entries are missing at the end, from entry %" G_GINT64_FORMAT
                     ": the checkpoint %s saw %" G_GUINT64_FORMAT,
                     seen->size, witness->where, witness->checkpoint->size);
    }
    MerkleHash root = merkle_root(&seen->tree), stored = merkle_root(&head.tree);
    if (head.size != seen->size || memcmp(head.chain, seen->chain, CHAIN_LENGTH) != 0 ||
        !merkle_equal(&root, &stored))
        return wrong(error,
                     "the stored end (%" G_GINT64_FORMAT
                     " entries) is not the end of the entries (%" G_GINT64_FORMAT ")",
                     head.size, seen->size);
    return true;
}

static bool verify(Ledger *ledger, const char *checkpoint, const char *public_key, int64_t *size,
                   GError **error)
{
    g_auto(Walk) walk = {.ledger = ledger};
    walk.witnesses = collect_witnesses(ledger, checkpoint, public_key, error);
    if (walk.witnesses == NULL || !check_witnesses(&walk, error) || !walk_entries(&walk, error) ||
        !check_end(&walk, error))
        return false;
    if (size != NULL)
        *size = walk.seen.size;
    return true;
}

bool ledger_verify(Ledger *ledger, const char *checkpoint, const char *public_key, int64_t *size,
                   GError **error)
{
    if (!record_begin_reading(ledger, error))
        return false;
    bool ok = verify(ledger, checkpoint, public_key, size, error);
    record_end_reading(ledger);
    return ok;
}
