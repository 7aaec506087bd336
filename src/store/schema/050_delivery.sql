CREATE TABLE project(
    name TEXT PRIMARY KEY,
    repository TEXT NOT NULL,          -- folder it was first shipped from
    default_branch TEXT,
    created_at INTEGER NOT NULL
) STRICT;

-- A policy version is in force, proposed (waits for people) or past.
CREATE TABLE policy(
    project TEXT NOT NULL REFERENCES project(name),
    version INTEGER NOT NULL,
    document TEXT NOT NULL,            -- canonical JSON
    digest TEXT NOT NULL,              -- sha256 of it
    source_commit TEXT NOT NULL,
    status TEXT NOT NULL CHECK(status IN ('in_force', 'proposed', 'past')),
    created_at INTEGER NOT NULL,
    PRIMARY KEY(project, version)
) STRICT;
CREATE UNIQUE INDEX policy_in_force ON policy(project) WHERE status = 'in_force';

CREATE TABLE policy_acceptance(
    project TEXT NOT NULL,
    version INTEGER NOT NULL,
    person TEXT NOT NULL,
    statement TEXT NOT NULL,
    signature TEXT NOT NULL,
    PRIMARY KEY(project, version, person),
    FOREIGN KEY(project, version) REFERENCES policy(project, version)
) STRICT;

-- An image that a run built from a commit, with the settings it was built under.
CREATE TABLE release(
    project TEXT NOT NULL REFERENCES project(name),
    digest TEXT NOT NULL,
    commit_id TEXT NOT NULL,
    version TEXT,                      -- vX.Y.Z when the commit has such a tag
    settings TEXT NOT NULL,            -- normal form of slipway.yml, canonical JSON
    settings_digest TEXT NOT NULL,
    migrations_digest TEXT NOT NULL,   -- "" when there are none
    people TEXT NOT NULL,              -- JSON: author, committer, co-authors, requester e-mails
    run TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY(project, digest)
) STRICT;

CREATE TABLE environment(
    project TEXT NOT NULL REFERENCES project(name),
    name TEXT NOT NULL,
    serving TEXT,                      -- deployment that has the traffic
    last_good TEXT,                    -- last that succeeded
    fence INTEGER NOT NULL DEFAULT 0,  -- grows with each taking of the lock
    lock TEXT,                         -- deployment that holds it
    PRIMARY KEY(project, name)
) STRICT;

CREATE TABLE deployment(
    id TEXT PRIMARY KEY,
    project TEXT NOT NULL,
    environment TEXT NOT NULL,
    digest TEXT NOT NULL,
    config_digest TEXT NOT NULL,
    migrations_digest TEXT NOT NULL,
    idempotency_key TEXT NOT NULL UNIQUE,
    reason TEXT NOT NULL,              -- deploy | rollback
    of TEXT,                           -- what a rollback takes back
    run TEXT,
    requested_by TEXT NOT NULL,
    state TEXT NOT NULL,
    message TEXT,
    fence INTEGER NOT NULL DEFAULT 0,
    previous TEXT,                     -- deployment that served when this one began
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    FOREIGN KEY(project, digest) REFERENCES release(project, digest)
) STRICT;
CREATE INDEX deployment_by_environment ON deployment(project, environment, created_at);

-- Intent (the row) and outcome (result) of each side effect.
CREATE TABLE deployment_step(
    deployment TEXT NOT NULL REFERENCES deployment(id),
    name TEXT NOT NULL,
    started_at INTEGER NOT NULL,
    ended_at INTEGER,
    result TEXT,                       -- done | failed
    detail TEXT,                       -- JSON
    PRIMARY KEY(deployment, name)
) STRICT;

CREATE TABLE approval(
    deployment TEXT NOT NULL REFERENCES deployment(id),
    person TEXT NOT NULL,
    decision TEXT NOT NULL,            -- approved | rejected
    statement TEXT NOT NULL,
    signature TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY(deployment, person)
) STRICT;
