-- Layers that build steps made, by the digest of all that the step depended on: its instruction,
-- the result of the step before, environment, user, folder, content of the files it takes.
CREATE TABLE build_layer(
    key TEXT PRIMARY KEY,
    clamp_time INTEGER NOT NULL,      -- no time in the layer is later; -1: times are as they were
    media_type TEXT NOT NULL,
    digest TEXT NOT NULL,             -- a blob, which may have been pruned
    size INTEGER NOT NULL,
    diff_id TEXT NOT NULL,
    made_at TEXT NOT NULL             -- RFC 3339
) STRICT, WITHOUT ROWID;

-- The inputs with which the step at a place of a Dockerfile last ran: what --explain compares.
CREATE TABLE build_step(
    place TEXT PRIMARY KEY,           -- digest of context, file, stage and number of the step
    inputs TEXT NOT NULL              -- JSON object: name to text or digest; never a value
) STRICT, WITHOUT ROWID;
