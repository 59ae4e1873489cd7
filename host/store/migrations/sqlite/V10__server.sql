-- The shared runner: tenants, who may do what, runs and their events.

CREATE TABLE srv_tenants (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    settings TEXT NOT NULL,
    created INTEGER NOT NULL,
    disabled INTEGER NOT NULL
) STRICT;

CREATE TABLE srv_tokens (
    id BLOB PRIMARY KEY,
    tenant INTEGER,
    name TEXT NOT NULL,
    hash BLOB NOT NULL UNIQUE,
    role TEXT NOT NULL,
    expires INTEGER,
    created INTEGER NOT NULL,
    created_by TEXT NOT NULL,
    last_used INTEGER
) STRICT;

CREATE TABLE srv_sign_ins (
    hash BLOB PRIMARY KEY,
    token BLOB NOT NULL,
    expires INTEGER NOT NULL
) STRICT;

CREATE TABLE srv_sessions (
    hash BLOB PRIMARY KEY,
    token BLOB NOT NULL,
    csrf TEXT NOT NULL,
    created INTEGER NOT NULL,
    expires INTEGER NOT NULL
) STRICT;

CREATE TABLE srv_sources (
    tenant INTEGER NOT NULL,
    digest BLOB NOT NULL,
    bytes BLOB NOT NULL,
    PRIMARY KEY (tenant, digest)
) STRICT, WITHOUT ROWID;

CREATE TABLE srv_runs (
    id BLOB PRIMARY KEY,
    tenant INTEGER NOT NULL,
    state INTEGER NOT NULL,
    reason TEXT,
    name TEXT NOT NULL,
    source BLOB NOT NULL,
    args TEXT NOT NULL,
    labels TEXT NOT NULL,
    limits TEXT NOT NULL,
    read_only INTEGER NOT NULL,
    priority INTEGER NOT NULL,
    origin TEXT NOT NULL,
    submitter TEXT NOT NULL,
    token BLOB,
    created INTEGER NOT NULL,
    ready INTEGER NOT NULL,
    deadline INTEGER,
    started INTEGER,
    ended INTEGER,
    exit_code INTEGER,
    error TEXT,
    usage TEXT
) STRICT;
CREATE INDEX srv_runs_by_tenant ON srv_runs (tenant, id);
CREATE INDEX srv_runs_waiting ON srv_runs (tenant) WHERE state = 0;
CREATE INDEX srv_runs_running ON srv_runs (state) WHERE state = 1;

CREATE TABLE srv_results (
    run BLOB PRIMARY KEY,
    result TEXT NOT NULL
) STRICT;

CREATE TABLE srv_queue (
    tenant INTEGER NOT NULL,
    prio INTEGER NOT NULL,
    ready INTEGER NOT NULL,
    run BLOB NOT NULL,
    PRIMARY KEY (tenant, prio, ready, run)
) STRICT, WITHOUT ROWID;

CREATE TABLE srv_later (
    due INTEGER NOT NULL,
    run BLOB NOT NULL,
    PRIMARY KEY (due, run)
) STRICT, WITHOUT ROWID;

CREATE TABLE srv_events (
    run BLOB NOT NULL,
    seq INTEGER NOT NULL,
    at INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    off INTEGER NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (run, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE srv_run_keys (
    tenant INTEGER NOT NULL,
    key TEXT NOT NULL,
    run BLOB NOT NULL,
    request BLOB NOT NULL,
    expires INTEGER NOT NULL,
    PRIMARY KEY (tenant, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE srv_audit (
    id BLOB PRIMARY KEY,
    tenant INTEGER,
    at INTEGER NOT NULL,
    who TEXT NOT NULL,
    what TEXT NOT NULL,
    object TEXT NOT NULL,
    detail TEXT NOT NULL
) STRICT;
CREATE INDEX srv_audit_by_tenant ON srv_audit (tenant, id);
