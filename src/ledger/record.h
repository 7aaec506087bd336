/* record.h - how entries lie in the database; for this room's files only. */
#pragma once

#include "crypto/merkle.h"
#include "ledger/ledger.h"

struct Ledger {
    Database *database; /* the state's */
    LedgerSigner signer;
    char *origin;
};

#define CHAIN_LENGTH HASH_SHA256_LENGTH

/* The end of the record. */
typedef struct {
    int64_t size, time;
    uint8_t chain[CHAIN_LENGTH];
    MerkleTree tree;
} Head;

bool head_read(Database *database, Head *head, GError **error);

/* CHAIN becomes the chain value of the entry BODY that follows it. */
void chain_extend(uint8_t chain[CHAIN_LENGTH], const char *body, size_t length);

/* What entry BODY speaks of: object, actor, and the strings in its detail, each once, sorted as
 * bytes. Borrowed texts. */
GPtrArray *entry_mentions(const json_t *body);

/* All reads until record_end_reading see one moment. */
bool record_begin_reading(Ledger *ledger, GError **error);
void record_end_reading(Ledger *ledger);
