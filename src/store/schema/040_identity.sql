-- People. Nobody is deleted: name, addresses and keys stay with whom they belonged to.
CREATE TABLE person(
    name TEXT PRIMARY KEY,
    external INTEGER NOT NULL,        -- 1: known as an author, never approves
    enrolled_at INTEGER NOT NULL,     -- seconds since 1970, as all times here
    removed_at INTEGER
) STRICT, WITHOUT ROWID;

CREATE TABLE person_email(
    email TEXT PRIMARY KEY,           -- lower case
    person TEXT NOT NULL REFERENCES person(name)
) STRICT, WITHOUT ROWID;
CREATE INDEX person_email_by_person ON person_email(person);

CREATE TABLE person_role(
    person TEXT NOT NULL REFERENCES person(name),
    role TEXT NOT NULL,
    PRIMARY KEY(person, role)
) STRICT, WITHOUT ROWID;

CREATE TABLE person_key(
    fingerprint TEXT PRIMARY KEY,     -- one for a key, whatever form it was given in
    person TEXT NOT NULL REFERENCES person(name),
    kind TEXT NOT NULL,
    text TEXT NOT NULL,               -- OpenSSH's one line
    added_at INTEGER NOT NULL,
    removed_at INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX person_key_by_person ON person_key(person, added_at);

-- Secrets at rest: keys/master.key wraps a data key a project, that seals the values.
-- Both columns read "v1:KEY-ID:BASE64(nonce, ciphertext)".
CREATE TABLE secret_data_key(
    project TEXT PRIMARY KEY,
    wrapped TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE secret(
    project TEXT NOT NULL REFERENCES secret_data_key(project),
    environment TEXT NOT NULL,        -- "": for all of the project
    name TEXT NOT NULL,
    version INTEGER NOT NULL,
    sealed TEXT NOT NULL,
    set_at INTEGER NOT NULL,
    PRIMARY KEY(project, environment, name)
) STRICT, WITHOUT ROWID;
