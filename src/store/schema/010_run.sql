-- One run of the path (ship) or of a pipeline file (run).
CREATE TABLE run(
    id TEXT PRIMARY KEY,
    project TEXT NOT NULL,
    kind TEXT NOT NULL,               -- ship | run | deploy
    commit_id TEXT,
    requested_by TEXT NOT NULL,
    started_at INTEGER NOT NULL,      -- ns since 1970
    ended_at INTEGER,
    result TEXT                       -- NULL while it is under way
) STRICT;
CREATE INDEX run_by_project ON run(project, started_at);

-- One stage of a run: intent is the row, outcome its result.
CREATE TABLE run_stage(
    run TEXT NOT NULL REFERENCES run(id),
    name TEXT NOT NULL,
    started_at INTEGER NOT NULL,
    ended_at INTEGER,
    result TEXT,                      -- done | failed | skipped
    detail TEXT,                      -- JSON
    PRIMARY KEY(run, name)
) STRICT;
