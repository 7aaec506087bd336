/* A small record, altered in every way that SQL allows: verify names the entry each time. */
#include "base/error.h"
#include "base/file.h"
#include "crypto/note.h"
#include "format/json.h"
#include "ledger/ledger.h"

#include <fcntl.h>
#include <string.h>

#define NAME "test/ledger"
#define DIGEST "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

typedef struct {
    char *home, *verifier;
    State *state;
    PrivateKey *key;
    LedgerSigner signer;
    Ledger *ledger;
} Fixture;

static char *sign(void *self, const char *text, GError **error)
{
    return note_sign(text, NAME, self, error);
}

static void set_up(Fixture *f, const void *data)
{
    g_autoptr(GError) error = NULL;
    f->home = file_make_temporary_folder(g_get_tmp_dir(), "slipway-ledger", &error);
    f->state = state_open(f->home, &error);
    g_assert_no_error(error);
    f->key = private_key_generate(KEY_ED25519, &error);
    g_autoptr(PublicKey) public_key = private_key_public(f->key);
    f->verifier = note_verifier_key(NAME, public_key);
    f->signer = (LedgerSigner){sign, f->key};
    f->ledger = ledger_open(f->state, &f->signer, &error);
    g_assert_no_error(error);
}

static void tear_down(Fixture *f, const void *data)
{
    ledger_close(f->ledger);
    state_close(f->state);
    private_key_free(f->key);
    file_remove_tree(AT_FDCWD, f->home, NULL);
    g_free(f->home);
    g_free(f->verifier);
}

static int64_t add(Fixture *f, int number)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *object = g_strdup_printf("object-%d", number);
    g_autofree char *key = g_strdup_printf("key-%d", number);
    g_autoptr(json_t) detail =
        json_pack("{s:s, s:i, s:[s, s]}", "image", DIGEST, "count", number, "people", "ana", "bo");
    LedgerEntry entry = {.actor = "engine",
                         .action = number % 2 == 0 ? "evidence" : "deploy",
                         .object = object,
                         .result = "passed",
                         .detail = detail,
                         .key = key};
    int64_t seq = ledger_append(f->ledger, &entry, &error);
    g_assert_no_error(error);
    return seq;
}

static void add_many(Fixture *f, int count)
{
    for (int i = 0; i < count; i++)
        g_assert_cmpint(add(f, i), ==, i);
}

static void test_append(Fixture *f, const void *data)
{
    add_many(f, 9);
    g_assert_cmpint(add(f, 4), ==, 4); /* the same key: the same entry */
    g_autoptr(GError) error = NULL;
    g_assert_cmpint(ledger_size(f->ledger, &error), ==, 9);
    int64_t size = 0;
    g_assert_true(ledger_verify(f->ledger, NULL, NULL, &size, &error));
    g_assert_no_error(error);
    g_assert_cmpint(size, ==, 9);

    g_autoptr(json_t) about = ledger_query(f->ledger, "object-3", NULL, &error);
    g_assert_cmpuint(json_array_size(about), ==, 1);
    g_assert_cmpstr(json_get_string(json_array_get(about, 0), "action"), ==, "deploy");
    g_autoptr(json_t) image = ledger_query(f->ledger, DIGEST, "evidence", &error);
    g_assert_cmpuint(json_array_size(image), ==, 5);
    g_autoptr(json_t) bo = ledger_query(f->ledger, "bo", NULL, &error);
    g_assert_cmpuint(json_array_size(bo), ==, 9);
    g_autoptr(json_t) all = ledger_query(f->ledger, NULL, NULL, &error);
    g_assert_cmpuint(json_array_size(all), ==, 9);
    g_autoptr(json_t) none = ledger_query(f->ledger, "nothing", NULL, &error);
    g_assert_cmpuint(json_array_size(none), ==, 0);
    g_autofree char *found = ledger_find_object(f->ledger, "0123456789ab", &error);
    g_assert_cmpstr(found, ==, DIGEST);
    g_autofree char *many = ledger_find_object(f->ledger, "object", &error);
    g_assert_null(many);
    g_assert_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_NOT_FOUND);
}

static void test_refused(Fixture *f, const void *data)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(json_t) real = json_pack("{s:f}", "ratio", 0.5);
    LedgerEntry entry = {.actor = "engine", .action = "evidence", .detail = real};
    g_assert_cmpint(ledger_append(f->ledger, &entry, &error), ==, -1);
    g_assert_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INTERNAL);
    g_clear_error(&error);
    LedgerEntry bytes = {.actor = "engine", .action = "evidence", .object = "\xff"};
    g_assert_cmpint(ledger_append(f->ledger, &bytes, &error), ==, -1);
    g_assert_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID);
    g_assert_cmpint(ledger_size(f->ledger, NULL), ==, 0);
}

/* Rolled back with the caller's transaction, and the next entry takes its place. */
static void test_transaction(Fixture *f, const void *data)
{
    add_many(f, 3);
    g_autoptr(GError) error = NULL;
    g_assert_true(database_begin(f->state->database, &error));
    g_assert_cmpint(add(f, 7), ==, 3);
    database_rollback(f->state->database);
    g_assert_cmpint(ledger_size(f->ledger, NULL), ==, 3);
    g_assert_cmpint(add(f, 8), ==, 3);
    g_assert_true(ledger_verify(f->ledger, NULL, NULL, NULL, &error));
    g_assert_no_error(error);
}

#define UNLOCK                                                                                     \
    "DROP TRIGGER ledger_entry_stays; DROP TRIGGER ledger_entry_is_kept;"                          \
    "CREATE TEMP TABLE taken AS SELECT seq, body, chain FROM main.ledger_entry;"

static const struct {
    const char *label, *sql, *message;
} tampers[] = {
    {"body", "UPDATE ledger_entry SET body = replace(body, 'passed', 'failed') WHERE seq = 4",
     "entry 4 does not continue the chain"},
    {"number-in-body",
     "UPDATE ledger_entry SET body = replace(body, '\"seq\":4', '\"seq\":5') WHERE seq = 4",
     "entry 4 does not continue the chain"},
    {"time", "UPDATE ledger_entry SET body = replace(body, 'T', 't') WHERE seq = 0",
     "entry 0 does not continue the chain"},
    {"blank-added", "UPDATE ledger_entry SET body = body || ' ' WHERE seq = 8",
     "entry 8 does not continue the chain"},
    {"chain", "UPDATE ledger_entry SET chain = zeroblob(32) WHERE seq = 5",
     "entry 5 does not continue the chain"},
    {"chain-short", "UPDATE ledger_entry SET chain = zeroblob(31) WHERE seq = 5",
     "entry 5 does not continue the chain"},
    {"removed-first", "DELETE FROM ledger_entry WHERE seq = 0", "entry 0 is missing"},
    {"removed-middle", "DELETE FROM ledger_entry WHERE seq = 4", "entry 4 is missing"},
    {"removed-last",
     "DELETE FROM ledger_entry WHERE seq = 8; DELETE FROM ledger_mention WHERE seq = 8",
     "1 entries are missing at the end, from entry 8"},
    {"removed-all", "DELETE FROM ledger_entry; DELETE FROM ledger_mention",
     "9 entries are missing at the end, from entry 0"},
    {"removed-and-closed-up",
     "DELETE FROM ledger_entry WHERE seq = 4; UPDATE ledger_entry SET seq = seq - 1 WHERE seq > 4",
     "entry 4 does not continue the chain"},
    {"reordered",
     "UPDATE ledger_entry SET seq = 99 WHERE seq = 2; UPDATE ledger_entry SET seq = 2 WHERE seq = "
     "3;"
     "UPDATE ledger_entry SET seq = 3 WHERE seq = 99",
     "entry 2 does not continue the chain"},
    {"bodies-swapped",
     "UPDATE ledger_entry SET body = replace(body, 'key-', 'kay-') WHERE seq IN (6, 7);"
     "UPDATE ledger_entry SET body = (SELECT replace(body, 'kay-', 'key-') FROM taken WHERE "
     "taken.seq = 13 - ledger_entry.seq) WHERE seq IN (6, 7)",
     "entry 6 does not continue the chain"},
    {"put-in",
     "INSERT INTO ledger_entry(seq, body, chain) SELECT 9, replace(body, 'key-', 'new-'), chain "
     "FROM ledger_entry WHERE seq = 8",
     "entry 9 does not continue the chain"},
    {"head-size", "UPDATE ledger_head SET size = 10", "missing at the end"},
    {"head-chain", "UPDATE ledger_head SET chain = zeroblob(32)", "the stored end (9 entries)"},
    {"head-edge", "UPDATE ledger_head SET edge = zeroblob(64)", "the stored end (9 entries)"},
    {"head-gone", "DELETE FROM ledger_head", "head is missing"},
    {"mention-gone", "DELETE FROM ledger_mention WHERE seq = 3 AND value = 'object-3'",
     "entry 3 speaks of 'object-3', the index of the ledger does not say so"},
    {"mention-changed",
     "UPDATE ledger_mention SET value = 'x' WHERE seq = 3 AND value = 'object-3'",
     "entry 3 speaks of 'object-3', the index of the ledger does not say so"},
    {"mention-added", "INSERT INTO ledger_mention VALUES(3, 'zzz')",
     "the index of the ledger says that entry 3 speaks of 'zzz'; it does not"},
    {"mention-beyond", "INSERT INTO ledger_mention VALUES(12, 'zzz')",
     "the index of the ledger speaks of entry 12, which is not there"},
};

static void test_tamper(Fixture *f, const void *data)
{
    size_t i = GPOINTER_TO_SIZE(data);
    add_many(f, 9);
    g_autoptr(GError) error = NULL;
    g_autofree char *sql = g_strconcat(UNLOCK, tampers[i].sql, NULL);
    g_assert_true(database_execute(f->state->database, sql, &error));
    g_assert_no_error(error);
    g_assert_false(ledger_verify(f->ledger, NULL, NULL, NULL, &error));
    g_assert_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_DENIED);
    g_assert_nonnull(error != NULL ? strstr(error->message, tampers[i].message) : NULL);
    if (error != NULL)
        g_test_message("%s", error->message);
}

/* Every byte of every body, and of every chain value. */
static void test_each_byte(Fixture *f, const void *data)
{
    add_many(f, 4);
    g_autoptr(GError) error = NULL;
    /* Computed columns would refuse a body that is no JSON; the file itself can hold one. */
    g_assert_true(database_execute(f->state->database,
                                   UNLOCK "DROP TABLE ledger_entry; CREATE TABLE ledger_entry AS "
                                          "SELECT * FROM taken",
                                   &error));
    g_assert_no_error(error);
    size_t tried = 0, named = 0;
    for (int64_t seq = 0; seq < 4; seq++) {
        g_autofree char *body = ledger_entry_text(f->ledger, seq, NULL);
        size_t length = strlen(body);
        g_autofree char *name = g_strdup_printf("entry %d does not continue", (int) seq);
        for (size_t at = 0; at < length; at++, tried++) {
            body[at] ^= 1;
            g_assert_true(database_run(f->state->database, NULL,
                                       "UPDATE ledger_entry SET body = ? WHERE seq = ?", "si", body,
                                       seq));
            g_autoptr(GError) found = NULL;
            named += !ledger_verify(f->ledger, NULL, NULL, NULL, &found) &&
                     strstr(found->message, name) != NULL;
            body[at] ^= 1;
        }
        g_assert_true(database_run(f->state->database, NULL,
                                   "UPDATE ledger_entry SET body = ? WHERE seq = ?", "si", body,
                                   seq));
    }
    g_assert_cmpuint(tried, >, 800);
    g_assert_cmpuint(named, ==, tried);
    g_assert_true(ledger_verify(f->ledger, NULL, NULL, NULL, &error));
    g_assert_no_error(error);
}

/* The end is cut off together with everything in the database that knew of it: only a checkpoint
 * that is kept outside tells. */
static void test_cut(Fixture *f, const void *data)
{
    add_many(f, 5);
    g_autofree char *path = g_build_filename(f->home, "state.db", NULL);
    g_autofree char *saved = g_build_filename(f->home, "saved.db", NULL);
    g_autoptr(GError) error = NULL;
    g_autofree char *copy = g_strdup_printf("VACUUM INTO '%s'", saved);
    g_assert_true(database_execute(f->state->database, copy, &error));
    g_assert_no_error(error);
    g_assert_cmpint(add(f, 5), ==, 5);
    g_assert_cmpint(add(f, 6), ==, 6);
    g_autofree char *outside = ledger_checkpoint(f->ledger, &error);
    g_assert_no_error(error);
    g_assert_true(ledger_verify(f->ledger, outside, f->verifier, NULL, &error));
    g_assert_no_error(error);

    g_autofree char *other_home = file_make_temporary_folder(f->home, "old", NULL);
    g_autofree char *other_path = g_build_filename(other_home, "state.db", NULL);
    g_assert_cmpint(rename(saved, other_path), ==, 0);
    g_autoptr(State) old = state_open(other_home, &error);
    g_autoptr(Ledger) ledger = ledger_open(old, &f->signer, &error);
    g_assert_true(ledger_verify(ledger, NULL, NULL, NULL, &error));
    g_assert_false(ledger_verify(ledger, outside, f->verifier, NULL, &error));
    g_assert_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_DENIED);
    g_assert_nonnull(strstr(error->message,
                            "missing at the end, from entry 5: the checkpoint kept outside saw 7"));
    g_clear_error(&error);

    /* The same length again, with other entries. */
    LedgerEntry other = {.actor = "engine", .action = "evidence", .object = "forged"};
    g_assert_cmpint(ledger_append(ledger, &other, NULL), ==, 5);
    g_assert_cmpint(ledger_append(ledger, &other, NULL), ==, 6);
    g_assert_true(ledger_verify(ledger, NULL, NULL, NULL, &error));
    g_assert_false(ledger_verify(ledger, outside, f->verifier, NULL, &error));
    g_assert_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_DENIED);
    g_assert_nonnull(strstr(error->message, "does not fit"));
}

static void test_checkpoint(Fixture *f, const void *data)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *empty = ledger_checkpoint(f->ledger, &error);
    g_assert_no_error(error);
    g_assert_true(ledger_verify(f->ledger, empty, f->verifier, NULL, &error));
    add_many(f, 3);
    g_autofree char *note = ledger_checkpoint(f->ledger, &error);
    g_assert_cmpint(add(f, 3), ==, 3);
    g_assert_true(ledger_verify(f->ledger, note, f->verifier, NULL, &error));
    g_assert_no_error(error);

    g_autoptr(PrivateKey) stranger = private_key_generate(KEY_ED25519, NULL);
    g_autoptr(PublicKey) stranger_public = private_key_public(stranger);
    g_autofree char *wrong = note_verifier_key(NAME, stranger_public);
    g_assert_false(ledger_verify(f->ledger, note, wrong, NULL, &error));
    g_assert_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_DENIED);
    g_clear_error(&error);

    /* A forged stored checkpoint keeps the ledger from being opened for writing. */
    g_assert_true(database_execute(
        f->state->database, UNLOCK "UPDATE ledger_entry SET chain = zeroblob(32) WHERE seq = 2",
        &error));
    g_autoptr(Ledger) again = ledger_open(f->state, &f->signer, &error);
    g_assert_null(again);
    g_assert_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_DENIED);
}

static void test_proof(Fixture *f, const void *data)
{
    add_many(f, 11);
    g_autoptr(GError) error = NULL;
    g_autofree char *early = ledger_checkpoint(f->ledger, &error);
    for (int i = 11; i < 20; i++)
        add(f, i);
    for (int64_t seq = 0; seq < 20; seq++) {
        g_autoptr(json_t) proof = ledger_proof(f->ledger, seq, &error);
        g_assert_no_error(error);
        g_autoptr(json_t) entry = ledger_check_proof(proof, f->verifier, &error);
        g_assert_no_error(error);
        g_assert_cmpint(json_get_integer(entry, "seq", -1), ==, seq);

        g_autofree char *text = g_strdup(json_get_string(proof, "entry"));
        text[strlen(text) - 3] ^= 1;
        json_object_set_new(proof, "entry", json_string(text));
        g_autoptr(json_t) forged = ledger_check_proof(proof, f->verifier, &error);
        g_assert_null(forged);
        g_assert_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_DENIED);
        g_clear_error(&error);
    }
    g_autoptr(json_t) none = ledger_proof(f->ledger, 20, &error);
    g_assert_null(none);
    g_assert_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_NOT_FOUND);
    g_clear_error(&error);

    g_autoptr(json_t) consistency = ledger_consistency(f->ledger, early, &error);
    g_assert_no_error(error);
    g_assert_true(ledger_check_consistency(consistency, f->verifier, &error));
    g_assert_no_error(error);
    json_array_remove(json_object_get(consistency, "hashes"), 0);
    g_assert_false(ledger_check_consistency(consistency, f->verifier, &error));
    g_assert_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_DENIED);
}

#define MANY 100000

/* Only with -m perf: how long a large record takes. */
static void test_speed(Fixture *f, const void *data)
{
    if (!g_test_perf()) {
        g_test_skip("runs with -m perf");
        return;
    }
    g_autoptr(GError) error = NULL;
    g_autoptr(GTimer) timer = g_timer_new();
    g_assert_true(database_begin(f->state->database, &error));
    for (int i = 0; i < MANY; i++)
        add(f, i);
    g_assert_true(database_commit(f->state->database, &error));
    g_test_message("%d appends in one transaction: %.3f s", MANY, g_timer_elapsed(timer, NULL));
    g_timer_start(timer);
    g_assert_true(ledger_verify(f->ledger, NULL, NULL, NULL, &error));
    g_assert_no_error(error);
    g_test_message("verify of %d entries: %.3f s", MANY, g_timer_elapsed(timer, NULL));
    g_timer_start(timer);
    g_autoptr(json_t) proof = ledger_proof(f->ledger, 77777, &error);
    g_test_message("proof: %.3f s", g_timer_elapsed(timer, NULL));
    g_timer_start(timer);
    for (int i = MANY; i < MANY + 200; i++)
        add(f, i);
    g_test_message("200 appends, one transaction each: %.3f s", g_timer_elapsed(timer, NULL));
}

#define ADD(path, function) g_test_add(path, Fixture, NULL, set_up, function, tear_down)

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_set_nonfatal_assertions();
    ADD("/ledger/append", test_append);
    ADD("/ledger/refused", test_refused);
    ADD("/ledger/transaction", test_transaction);
    ADD("/ledger/each-byte", test_each_byte);
    ADD("/ledger/cut", test_cut);
    ADD("/ledger/checkpoint", test_checkpoint);
    ADD("/ledger/proof", test_proof);
    ADD("/ledger/speed", test_speed);
    for (size_t i = 0; i < G_N_ELEMENTS(tampers); i++) {
        g_autofree char *path = g_strdup_printf("/ledger/tamper/%s", tampers[i].label);
        g_test_add(path, Fixture, GSIZE_TO_POINTER(i), set_up, test_tamper, tear_down);
    }
    return g_test_run();
}
