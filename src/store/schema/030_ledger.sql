-- The record. What an entry says is in its body alone; the columns below it are read from it.
CREATE TABLE ledger_entry(
    seq INTEGER PRIMARY KEY,          -- from 0, without gaps
    body TEXT NOT NULL,               -- canonical JSON
    chain BLOB NOT NULL,              -- SHA-256(chain of seq-1, body); 32 zero bytes before seq 0
    action TEXT GENERATED ALWAYS AS (json_extract(body, '$.action')) VIRTUAL,
    key TEXT GENERATED ALWAYS AS (json_extract(body, '$.key')) VIRTUAL
) STRICT;
CREATE INDEX ledger_entry_by_action ON ledger_entry(action, seq);
CREATE UNIQUE INDEX ledger_entry_by_key ON ledger_entry(key) WHERE key IS NOT NULL;
CREATE TRIGGER ledger_entry_stays BEFORE UPDATE ON ledger_entry
BEGIN SELECT RAISE(ABORT, 'entries of the ledger are never changed'); END;
CREATE TRIGGER ledger_entry_is_kept BEFORE DELETE ON ledger_entry
BEGIN SELECT RAISE(ABORT, 'entries of the ledger are never deleted'); END;

-- Which entries speak of a digest, commit, environment, person: made from the bodies.
CREATE TABLE ledger_mention(
    seq INTEGER NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY(seq, value)
) STRICT, WITHOUT ROWID;
CREATE INDEX ledger_mention_by_value ON ledger_mention(value, seq);

-- The end: one row.
CREATE TABLE ledger_head(
    id INTEGER PRIMARY KEY CHECK(id = 0),
    origin TEXT NOT NULL,             -- name of this ledger in checkpoints
    size INTEGER NOT NULL,
    chain BLOB NOT NULL,
    edge BLOB NOT NULL,               -- right edge of the RFC 6962 tree, 32 bytes a hash
    time INTEGER NOT NULL             -- ns since 1970 of the last entry; times never decrease
) STRICT;

-- Checkpoints that were given out.
CREATE TABLE ledger_checkpoint(
    size INTEGER PRIMARY KEY,
    note TEXT NOT NULL
) STRICT;
