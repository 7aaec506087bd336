#include "ledger/ledger.h"

#include "base/clock.h"
#include "base/error.h"
#include "crypto/base64.h"
#include "crypto/note.h"
#include "format/json.h"
#include "ledger/record.h"

#include <openssl/rand.h>
#include <string.h>

#define BODY_LIMIT (1024 * 1024)
#define MENTION_LIMIT 256 /* longer strings are prose, nobody looks for them by name */
#define CHAIN_PREFIX "chain "

void chain_extend(uint8_t chain[CHAIN_LENGTH], const char *body, size_t length)
{
    g_autoptr(Hash) hash = hash_new(HASH_SHA256);
    hash_update(hash, chain, CHAIN_LENGTH);
    hash_update(hash, body, length);
    hash_finish(hash, chain);
}

bool head_read(Database *database, Head *head, GError **error)
{
    g_autoptr(Statement) row = database_prepare(
        database, error, "SELECT size, time, chain, edge FROM ledger_head WHERE id = 0", "");
    g_autoptr(GError) trouble = NULL;
    if (row == NULL)
        return false;
    if (!statement_step(row, &trouble)) {
        if (trouble != NULL)
            g_propagate_error(error, g_steal_pointer(&trouble));
        else
            g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_DENIED,
                        "the ledger's head is missing: the record was tampered with");
        return false;
    }
    *head = (Head){.size = statement_integer(row, 0), .time = statement_integer(row, 1)};
    size_t chain_length, edge_length;
    const void *chain = statement_blob(row, 2, &chain_length);
    const void *edge = statement_blob(row, 3, &edge_length);
    if (head->size < 0 || chain_length != CHAIN_LENGTH ||
        edge_length != merkle_edge_length((uint64_t) head->size) * sizeof(MerkleHash)) {
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_DENIED,
                    "the ledger's head is malformed: the record was tampered with");
        return false;
    }
    memcpy(head->chain, chain, CHAIN_LENGTH);
    head->tree.size = (uint64_t) head->size;
    if (edge_length > 0)
        memcpy(head->tree.edge, edge, edge_length);
    return true;
}

static bool head_write(Database *database, const Head *head, GError **error)
{
    return database_run(
        database, error,
        "UPDATE ledger_head SET size = ?, time = ?, chain = ?, edge = ? WHERE id = 0", "iibb",
        head->size, head->time, (const void *) head->chain, (size_t) CHAIN_LENGTH,
        (const void *) head->tree.edge, merkle_edge_length(head->tree.size) * sizeof(MerkleHash));
}

/* The first opening names the ledger; a second process finds the row made. */
static bool ensure_head(Database *database, GError **error)
{
    uint8_t random[8], zero[CHAIN_LENGTH] = {0};
    RAND_bytes(random, sizeof random);
    g_autofree char *hex = hash_format_hex(random, sizeof random);
    g_autofree char *origin = g_strdup_printf("slipway/ledger/%s", hex);
    return database_run(
        database, error,
        "INSERT INTO ledger_head SELECT 0, ?, 0, ?, zeroblob(0), 0 "
        "WHERE NOT EXISTS(SELECT 1 FROM ledger_head) AND NOT EXISTS(SELECT 1 FROM ledger_entry)",
        "sb", origin, (const void *) zero, (size_t) CHAIN_LENGTH);
}

static char *read_origin(Database *database, GError **error)
{
    return database_read_text(database, error, "SELECT origin FROM ledger_head WHERE id = 0", "");
}

/* The checkpoint text for SIZE entries that end with CHAIN under ROOT. */
static char *record_checkpoint_text(const Ledger *ledger, uint64_t size,
                                    const uint8_t chain[CHAIN_LENGTH], const MerkleHash *root)
{
    g_autofree char *encoded = base64_encode(chain, CHAIN_LENGTH);
    g_autofree char *extension = g_strconcat(CHAIN_PREFIX, encoded, NULL);
    return checkpoint_format(ledger->origin, size, root->bytes, extension);
}

/* The chain value that a checkpoint's extension names; false when it names none. */
static bool record_checkpoint_chain(char **extensions, uint8_t chain[CHAIN_LENGTH])
{
    for (char **line = extensions; *line != NULL; line++) {
        if (!g_str_has_prefix(*line, CHAIN_PREFIX))
            continue;
        size_t length;
        g_autofree uint8_t *bytes = base64_decode(*line + strlen(CHAIN_PREFIX), -1, &length, NULL);
        if (bytes == NULL || length != CHAIN_LENGTH)
            return false;
        memcpy(chain, bytes, CHAIN_LENGTH);
        return true;
    }
    return false;
}

/* What was last given out must be the beginning of what is there, or nothing may be added. One
 * look at one row: the whole is what ledger_verify is for. */
static bool check_last_checkpoint(Ledger *ledger, GError **error)
{
    g_autoptr(Statement) row = database_prepare(
        ledger->database, error,
        "SELECT c.note, c.size, e.chain FROM ledger_checkpoint c "
        "LEFT JOIN ledger_entry e ON e.seq = c.size - 1 ORDER BY c.size DESC LIMIT 1",
        "");
    if (row == NULL)
        return false;
    g_autoptr(GError) trouble = NULL;
    if (!statement_step(row, &trouble)) {
        if (trouble != NULL)
            g_propagate_error(error, g_steal_pointer(&trouble));
        return trouble == NULL;
    }
    if (statement_integer(row, 1) == 0)
        return true;
    g_autofree char *text = note_text(statement_text(row, 0), NULL);
    g_autoptr(Checkpoint) checkpoint = text != NULL ? checkpoint_parse(text, NULL) : NULL;
    uint8_t chain[CHAIN_LENGTH];
    size_t length;
    const void *stored = statement_blob(row, 2, &length);
    if (checkpoint != NULL && checkpoint->size == (uint64_t) statement_integer(row, 1) &&
        record_checkpoint_chain(checkpoint->extensions, chain) && length == CHAIN_LENGTH &&
        memcmp(stored, chain, CHAIN_LENGTH) == 0)
        return true;
    g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_DENIED,
                "the ledger does not continue its last checkpoint (%" G_GINT64_FORMAT
                " entries): it was tampered with; see `slipway audit verify`",
                statement_integer(row, 1));
    return false;
}

Ledger *ledger_open(State *state, const LedgerSigner *signer, GError **error)
{
    g_autoptr(Ledger) ledger = g_new0(Ledger, 1);
    ledger->database = state->database;
    if (signer != NULL)
        ledger->signer = *signer;
    g_autoptr(GError) trouble = NULL;
    ledger->origin = read_origin(state->database, &trouble);
    if (ledger->origin == NULL && trouble == NULL && ensure_head(state->database, &trouble))
        ledger->origin = read_origin(state->database, &trouble);
    if (trouble != NULL) {
        g_propagate_error(error, g_steal_pointer(&trouble));
        return NULL;
    }
    /* Entries without a head: verify says so, nothing is added. */
    if (ledger->origin == NULL)
        ledger->origin = g_strdup("");
    if (signer != NULL && !check_last_checkpoint(ledger, error))
        return NULL;
    return g_steal_pointer(&ledger);
}

void ledger_close(Ledger *ledger)
{
    if (ledger == NULL)
        return;
    g_free(ledger->origin);
    g_free(ledger);
}

static void collect(const json_t *value, GPtrArray *found)
{
    const char *key;
    json_t *item;
    size_t index;
    if (json_is_string(value)) {
        size_t length = json_string_length(value);
        if (length > 0 && length <= MENTION_LIMIT)
            g_ptr_array_add(found, (gpointer) json_string_value(value));
    } else if (json_is_array(value)) {
        json_array_foreach(value, index, item) collect(item, found);
    } else if (json_is_object(value)) {
        json_object_foreach((json_t *) value, key, item) collect(item, found);
    }
}

static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(char *const *) a, *(char *const *) b);
}

GPtrArray *entry_mentions(const json_t *body)
{
    g_autoptr(GPtrArray) all = g_ptr_array_new();
    collect(json_object_get(body, "object"), all);
    collect(json_object_get(body, "actor"), all);
    collect(json_object_get(body, "detail"), all);
    g_ptr_array_sort(all, compare_texts);
    GPtrArray *once = g_ptr_array_new();
    for (guint i = 0; i < all->len; i++)
        if (i == 0 || !g_str_equal(all->pdata[i], all->pdata[i - 1]))
            g_ptr_array_add(once, all->pdata[i]);
    return once;
}

/* 0 or more: the entry that KEY already made; -1: none; -2: error. */
static int64_t find_key(Database *database, const char *key, GError **error)
{
    if (key == NULL)
        return -1;
    g_autoptr(Statement) row =
        database_prepare(database, error, "SELECT seq FROM ledger_entry WHERE key = ?", "s", key);
    if (row == NULL)
        return -2;
    g_autoptr(GError) trouble = NULL;
    if (statement_step(row, &trouble))
        return statement_integer(row, 0);
    if (trouble == NULL)
        return -1;
    g_propagate_error(error, g_steal_pointer(&trouble));
    return -2;
}

static json_t *make_body(const LedgerEntry *entry, int64_t seq, int64_t time)
{
    g_autofree char *when = clock_format_ns(time);
    json_t *body = json_pack("{s:I, s:s, s:s, s:s, s:s, s:s}", "seq", (json_int_t) seq, "time",
                             when, "actor", entry->actor, "action", entry->action, "object",
                             entry->object != NULL ? entry->object : "", "result",
                             entry->result != NULL ? entry->result : "");
    if (body != NULL && entry->detail != NULL)
        json_object_set(body, "detail", entry->detail);
    if (body != NULL && entry->key != NULL)
        json_object_set_new(body, "key", json_string(entry->key));
    return body;
}

static bool insert(Database *database, int64_t seq, const char *text, const json_t *body,
                   const Head *head, GError **error)
{
    if (!database_run(database, error, "INSERT INTO ledger_entry(seq, body, chain) VALUES(?, ?, ?)",
                      "isb", seq, text, (const void *) head->chain, (size_t) CHAIN_LENGTH))
        return false;
    g_autoptr(GPtrArray) mentions = entry_mentions(body);
    for (guint i = 0; i < mentions->len; i++)
        if (!database_run(database, error, "INSERT INTO ledger_mention(seq, value) VALUES(?, ?)",
                          "is", seq, (const char *) mentions->pdata[i]))
            return false;
    return true;
}

static int64_t append(Database *database, const LedgerEntry *entry, GError **error)
{
    int64_t earlier = find_key(database, entry->key, error);
    if (earlier != -1)
        return earlier < 0 ? -1 : earlier;
    Head head;
    if (!head_read(database, &head, error))
        return -1;
    int64_t seq = head.size;
    head.time = MAX(clock_now_ns(), head.time); /* a clock set back must not reorder the record */
    g_autoptr(json_t) body = make_body(entry, seq, head.time);
    if (body == NULL) {
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID,
                    "ledger entry '%s': its texts must be UTF-8", entry->action);
        return -1;
    }
    g_autofree char *text = json_canonical(body, error);
    if (text == NULL) {
        g_prefix_error(error, "ledger entry '%s': ", entry->action);
        return -1;
    }
    size_t length = strlen(text);
    if (length > BODY_LIMIT) {
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID,
                    "ledger entry '%s': larger than %d bytes", entry->action, BODY_LIMIT);
        return -1;
    }
    chain_extend(head.chain, text, length);
    MerkleHash leaf = merkle_leaf(text, length);
    merkle_append(&head.tree, &leaf);
    head.size = seq + 1;
    if (!insert(database, seq, text, body, &head, error) || !head_write(database, &head, error))
        return -1;
    return seq;
}

int64_t ledger_append(Ledger *ledger, const LedgerEntry *entry, GError **error)
{
    g_assert(entry->actor != NULL && entry->action != NULL);
    if (!database_begin(ledger->database, error))
        return -1;
    int64_t seq = append(ledger->database, entry, error);
    if (seq < 0) {
        database_rollback(ledger->database);
        return -1;
    }
    return database_commit(ledger->database, error) ? seq : -1;
}

int64_t ledger_size(Ledger *ledger, GError **error)
{
    Head head;
    return head_read(ledger->database, &head, error) ? head.size : -1;
}

char *ledger_checkpoint(Ledger *ledger, GError **error)
{
    if (ledger->signer.sign == NULL) {
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INTERNAL,
                    "a ledger opened for reading signs no checkpoint");
        return NULL;
    }
    Head head;
    if (!head_read(ledger->database, &head, error))
        return NULL;
    MerkleHash root = merkle_root(&head.tree);
    g_autofree char *text = record_checkpoint_text(ledger, (uint64_t) head.size, head.chain, &root);
    g_autofree char *note = ledger->signer.sign(ledger->signer.self, text, error);
    if (note == NULL)
        return NULL;
    if (!database_run(ledger->database, error,
                      "INSERT OR IGNORE INTO ledger_checkpoint(size, note) VALUES(?, ?)", "is",
                      head.size, note))
        return NULL;
    return g_steal_pointer(&note);
}

/* A savepoint outside a transaction reads like BEGIN DEFERRED: one snapshot, no write lock. */
bool record_begin_reading(Ledger *ledger, GError **error)
{
    return database_execute(ledger->database, "SAVEPOINT ledger_reading", error);
}

void record_end_reading(Ledger *ledger)
{
    database_execute(ledger->database, "RELEASE ledger_reading", NULL);
}
