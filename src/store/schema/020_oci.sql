-- What the content store's blobs mean. The bytes themselves are files, store/blobs/ALGORITHM/HEX:
-- a blob is there exactly when its file is, and the time of its last put or content_keep is the
-- file's mtime, so putting a blob costs no transaction. Collection takes store/lock for itself for
-- each digest, puts take it shared; a blob younger than an hour is never collected.
--
-- Visibility is never deduplicated: a digest may be read in a repository only when that repository
-- has a repository_blob or manifest row for it.

-- A repository by its canonical name, domain first: "registry.local/orders",
-- "docker.io/library/debian". The embedded registry serves exactly those of registry.local, without
-- that prefix: /v2/orders/… is "registry.local/orders".
CREATE TABLE repository(
    name TEXT PRIMARY KEY,
    created_at INTEGER NOT NULL       -- seconds since 1970, as all times here
) STRICT, WITHOUT ROWID;

-- Blobs (configs, layers) that may be read in a repository: uploaded, mounted, or of a manifest.
CREATE TABLE repository_blob(
    repository TEXT NOT NULL REFERENCES repository(name),
    digest TEXT NOT NULL,
    size INTEGER NOT NULL,
    linked_at INTEGER NOT NULL,
    PRIMARY KEY(repository, digest)
) STRICT, WITHOUT ROWID;
CREATE INDEX repository_blob_by_digest ON repository_blob(digest);

-- Manifests and indexes of a repository; their bytes are blobs, too.
CREATE TABLE manifest(
    repository TEXT NOT NULL REFERENCES repository(name),
    digest TEXT NOT NULL,
    media_type TEXT NOT NULL,
    size INTEGER NOT NULL,
    subject TEXT,                     -- digest this one refers to, which need not be there
    artifact_type TEXT,               -- its artifactType, else its config's media type
    annotations TEXT,                 -- JSON object, for referrers; NULL: none
    pushed_at INTEGER NOT NULL,
    PRIMARY KEY(repository, digest)
) STRICT, WITHOUT ROWID;
CREATE INDEX manifest_by_digest ON manifest(digest);
CREATE INDEX manifest_by_subject ON manifest(repository, subject) WHERE subject IS NOT NULL;

-- What a manifest needs to be complete. Inserted in the transaction that checks the children.
CREATE TABLE manifest_edge(
    repository TEXT NOT NULL,
    parent TEXT NOT NULL,
    child TEXT NOT NULL,
    kind TEXT NOT NULL,               -- config | layer | manifest
    PRIMARY KEY(repository, parent, child, kind),
    FOREIGN KEY(repository, parent) REFERENCES manifest(repository, digest) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE INDEX manifest_edge_by_child ON manifest_edge(child);

CREATE TABLE tag(
    repository TEXT NOT NULL,
    name TEXT NOT NULL,
    digest TEXT NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY(repository, name),
    FOREIGN KEY(repository, digest) REFERENCES manifest(repository, digest) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE INDEX tag_by_digest ON tag(digest);

-- A client was told that DIGEST is here (upload, mount, HEAD for one who may push), so it will not
-- send it again: it stays until then, linked or not.
CREATE TABLE lease(
    repository TEXT NOT NULL,
    digest TEXT NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY(repository, digest)
) STRICT, WITHOUT ROWID;
CREATE INDEX lease_by_digest ON lease(digest);

-- Held for a reason outside of any repository: a deployed release, a build cache's result.
CREATE TABLE pin(
    holder TEXT NOT NULL,             -- "release:…", "cache:…"
    digest TEXT NOT NULL,             -- a manifest, with all it needs, or a single blob
    PRIMARY KEY(holder, digest)
) STRICT, WITHOUT ROWID;
CREATE INDEX pin_by_digest ON pin(digest);

-- An upload session of the registry; its bytes are the file store/ingest/ID.
CREATE TABLE upload(
    id TEXT PRIMARY KEY,
    repository TEXT NOT NULL,
    size INTEGER NOT NULL,            -- bytes that are durable
    algorithm TEXT NOT NULL DEFAULT 'sha256',
    started_at INTEGER NOT NULL,
    touched_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
