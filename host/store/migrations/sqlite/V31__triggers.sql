-- What begins runs beside a submitter: stored scripts, schedules over them, and webhooks that come in.

-- A version never changes. One without a digest says that the script was deleted; numbers go on behind it. The texts are in
-- srv_sources.
CREATE TABLE srv_scripts (
    tenant INTEGER NOT NULL,
    name TEXT NOT NULL,
    version INTEGER NOT NULL,
    digest BLOB,
    by TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (tenant, name, version)
) STRICT, WITHOUT ROWID;

-- due: the time of the next fire. wake: the same, later by the schedule's part of its jitter; none while it is paused, or when no
-- time comes any more.
CREATE TABLE srv_schedules (
    id BLOB PRIMARY KEY,
    tenant INTEGER NOT NULL,
    name TEXT NOT NULL,
    version INTEGER NOT NULL,
    settings TEXT NOT NULL,
    token BLOB NOT NULL,
    submitter TEXT NOT NULL,
    paused INTEGER NOT NULL,
    due INTEGER,
    wake INTEGER,
    last_fire INTEGER,
    created INTEGER NOT NULL,
    changed INTEGER NOT NULL,
    UNIQUE (tenant, name)
) STRICT;
CREATE INDEX srv_schedules_by_wake ON srv_schedules (wake) WHERE wake IS NOT NULL;

-- A fire happens once, whoever tries. open: 1 while its run may go on, 2 while it waits for the run before it.
CREATE TABLE srv_fires (
    schedule BLOB NOT NULL,
    at INTEGER NOT NULL,
    outcome INTEGER NOT NULL,
    run BLOB,
    why TEXT,
    open INTEGER NOT NULL,
    PRIMARY KEY (schedule, at)
) STRICT, WITHOUT ROWID;
CREATE INDEX srv_fires_open ON srv_fires (schedule, at) WHERE open > 0;

-- The secret is needed in the clear: it is the key of signatures.
CREATE TABLE srv_hooks (
    id BLOB PRIMARY KEY,
    tenant INTEGER NOT NULL,
    name TEXT NOT NULL,
    script TEXT NOT NULL,
    secret TEXT NOT NULL,
    token BLOB NOT NULL,
    submitter TEXT NOT NULL,
    created INTEGER NOT NULL,
    last_used INTEGER,
    UNIQUE (tenant, name)
) STRICT;
