-- Runs, their journals, and what they wait for.
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

-- An actions repo as one guest evaluated it: its modules or the image of its tree, and its definitions.
CREATE TABLE bundles (
    digest BLOB NOT NULL,
    guest BLOB NOT NULL,
    origin TEXT NOT NULL,
    prepared BLOB NOT NULL,
    definitions BLOB NOT NULL,
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
    labels TEXT NOT NULL,
    submitter TEXT NOT NULL,
    parent BLOB,
    epoch INTEGER NOT NULL,
    host BLOB,
    status TEXT,
    wake INTEGER,
    deadline INTEGER,
    takeovers INTEGER NOT NULL,
    created INTEGER NOT NULL,
    started INTEGER,
    ended INTEGER,
    ending TEXT,
    usage TEXT
) STRICT;
CREATE INDEX runs_by_tenant ON runs (tenant, id);
CREATE INDEX runs_by_parent ON runs (parent) WHERE parent IS NOT NULL;
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

-- Signals, decisions and the ends of children, kept until the run takes them. An id comes in once.
CREATE TABLE inbox (
    run BLOB NOT NULL,
    id TEXT NOT NULL,
    name TEXT NOT NULL,
    payload TEXT NOT NULL,
    at INTEGER NOT NULL,
    taken_seq INTEGER,
    PRIMARY KEY (run, id)
) STRICT;
CREATE INDEX inbox_by_name ON inbox (run, name, at);

CREATE TABLE timers (
    due INTEGER NOT NULL,
    id BLOB NOT NULL,
    kind INTEGER NOT NULL,
    run BLOB,
    ref TEXT NOT NULL,
    PRIMARY KEY (due, id)
) STRICT;
CREATE INDEX timers_by_run ON timers (run) WHERE run IS NOT NULL;

-- state: 0 open, 1 approved, 2 denied, 3 expired.
CREATE TABLE approvals (
    id BLOB NOT NULL PRIMARY KEY,
    tenant INTEGER NOT NULL,
    run BLOB NOT NULL,
    call INTEGER NOT NULL,
    digest BLOB NOT NULL,
    action TEXT NOT NULL,
    shown TEXT NOT NULL,
    rule TEXT NOT NULL,
    need INTEGER NOT NULL,
    state INTEGER NOT NULL,
    created INTEGER NOT NULL,
    expires INTEGER
) STRICT;
CREATE INDEX approvals_by_run ON approvals (run);
CREATE TABLE decisions (
    approval BLOB NOT NULL,
    who TEXT NOT NULL,
    yes INTEGER NOT NULL,
    note TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (approval, who)
) STRICT;
