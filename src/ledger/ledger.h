/* ledger.h - the record: a chain of entries that cannot be changed, cut or reordered unnoticed.
 *
 * Entry = canonical JSON (sorted keys, no blanks, integers only). Chain: SHA-256(previous ||
 * bytes). Tree: RFC 6962. Checkpoints are signed notes (C2SP), entries are not signed. Secret
 * values never enter: callers give names and digests. */
#pragma once

#include "store/state.h"

#include <jansson.h>

typedef struct Ledger Ledger;

/* Signs a checkpoint's text; handed down by whoever owns the key. Returns the whole signed note. */
typedef struct {
    char *(*sign)(void *self, const char *text, GError **error);
    void *self;
} LedgerSigner;

/* SIGNER may be NULL for readers. */
Ledger *ledger_open(State *state, const LedgerSigner *signer, GError **error);
void ledger_close(Ledger *ledger);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Ledger, ledger_close)

typedef struct {
    const char *actor;  /* "person:ana", "engine", "local:root" */
    const char *action; /* "evidence", "deploy", "approve", "image.built", "policy.adopted" … */
    const char *object; /* digest, commit or environment it is about */
    const char *result; /* "done", "passed", "failed", "approved" … */
    json_t *detail;     /* borrowed; strings, integers, booleans, arrays, objects; may be NULL */
    const char *key;    /* idempotency: a second append with this key gives the first's seq */
} LedgerEntry;

/* Appends inside the caller's transaction on STATE's database when there is one, else in one of
 * its own. Gives the entry's number (from 0), -1 on error. */
int64_t ledger_append(Ledger *ledger, const LedgerEntry *entry, GError **error);

/* Number of entries. */
int64_t ledger_size(Ledger *ledger, GError **error);

/* The entries as JSON objects {seq,time,actor,action,object,result,detail…}, oldest first, that are
 * about OBJECT or mention it in their detail (NULL: all); ACTION NULL: any. An array. */
json_t *ledger_query(Ledger *ledger, const char *object, const char *action, GError **error);

/* A signed checkpoint of the present end. */
char *ledger_checkpoint(Ledger *ledger, GError **error);

/* Recomputes everything. CHECKPOINT (text of a signed note kept outside) may be NULL; PUBLIC_KEY
 * checks its signature (NULL: not checked). DENIED, naming the first wrong entry, when the record
 * was changed, cut or reordered. *SIZE: how many entries were verified. */
bool ledger_verify(Ledger *ledger, const char *checkpoint, const char *public_key, int64_t *size,
                   GError **error);

/* The canonical bytes of entry SEQ; NOT_FOUND when there is none. */
char *ledger_entry_text(Ledger *ledger, int64_t seq, GError **error);

/* The one name in the record that begins with PREFIX (a digest's algorithm may be left out):
 * a commit from its first digits. NOT_FOUND when there is none, or more than one. */
char *ledger_find_object(Ledger *ledger, const char *prefix, GError **error);

/* The proof that entry SEQ is in the record, checkable without it: {"type":
 * "slipway/ledger-proof/v1","seq","size","entry" (its bytes as text),"hashes" (base64),
 * "checkpoint" (a signed note)}. */
json_t *ledger_proof(Ledger *ledger, int64_t seq, GError **error);

/* The same for each of ENTRIES (as ledger_query gives them), under one checkpoint: an array. */
json_t *ledger_proofs(Ledger *ledger, const json_t *entries, GError **error);

/* PROOF holds under VERIFIER_KEY ("NAME+KEYID+BASE64"). Gives the entry it proves. DENIED when it
 * does not hold, INVALID when it is none. */
json_t *ledger_check_proof(const json_t *proof, const char *verifier_key, GError **error);

/* The proof that the tree of CHECKPOINT (a note given out earlier) is the beginning of the present
 * one: {"type":"slipway/ledger-consistency/v1","from" (note),"to" (note),"hashes"}. */
json_t *ledger_consistency(Ledger *ledger, const char *checkpoint, GError **error);
bool ledger_check_consistency(const json_t *proof, const char *verifier_key, GError **error);
