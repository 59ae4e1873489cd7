-- Runs and their journals.
--
-- Ids are UUIDs of 16 bytes, digests SHA-256, times microseconds since 1970.

CREATE TABLE tenants (
    id INTEGER NOT NULL PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
) STRICT;
INSERT INTO tenants (id, name) VALUES (1, 'default');

-- Texts and results by their digest, in parts of 1 MiB: scripts, and what is too large for an entry of a journal.
CREATE TABLE blobs (
    tenant INTEGER NOT NULL,
    digest BLOB NOT NULL,
    part INTEGER NOT NULL,
    bytes BLOB NOT NULL,
    PRIMARY KEY (tenant, digest, part)
) STRICT;
CREATE TABLE blob_refs (
    run BLOB NOT NULL,
    tenant INTEGER NOT NULL,
    digest BLOB NOT NULL,
    PRIMARY KEY (run, digest)
) STRICT, WITHOUT ROWID;
CREATE INDEX blob_refs_by_digest ON blob_refs (tenant, digest);

-- An actions repo as one guest evaluated it: its modules, the image of its tree and its definitions.
CREATE TABLE bundles (
    digest BLOB NOT NULL,
    guest BLOB NOT NULL,
    origin TEXT NOT NULL,
    prepared BLOB NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (digest, guest)
) STRICT;

-- state: 0 queued, 1 running, 2 waiting, 3 succeeded, 4 failed, 5 cancelled, 6 parked.
CREATE TABLE runs (
    id BLOB NOT NULL PRIMARY KEY,
    tenant INTEGER NOT NULL,
    state INTEGER NOT NULL,
    reason TEXT,
    name TEXT NOT NULL,
    script BLOB NOT NULL,
    bundle BLOB,
    guest BLOB NOT NULL,
    args TEXT NOT NULL,
    limits TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    wake INTEGER,
    takeovers INTEGER NOT NULL,
    created INTEGER NOT NULL,
    started INTEGER,
    ended INTEGER,
    ending TEXT,
    usage TEXT
) STRICT;
CREATE INDEX runs_by_tenant ON runs (tenant, id);
CREATE INDEX runs_by_wake ON runs (wake) WHERE wake IS NOT NULL;

-- The log of a run is its fence: who cannot write the next (run, seq) has lost the run.
CREATE TABLE journal (
    run BLOB NOT NULL,
    seq INTEGER NOT NULL,
    at INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    body BLOB NOT NULL,
    chain BLOB,
    cpu_us INTEGER,
    PRIMARY KEY (run, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE output (
    run BLOB NOT NULL,
    off INTEGER NOT NULL,
    bytes BLOB NOT NULL,
    PRIMARY KEY (run, off)
) STRICT;
