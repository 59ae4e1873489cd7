-- What a run waits for beside times: letters. And the runs that it has started.

ALTER TABLE runs ADD COLUMN parent BLOB;
-- The first of a family, and how far this one is from it.
ALTER TABLE runs ADD COLUMN root BLOB;
ALTER TABLE runs ADD COLUMN depth INTEGER NOT NULL DEFAULT 0;
-- 1: it goes on when its parent is over.
ALTER TABLE runs ADD COLUMN abandoned INTEGER NOT NULL DEFAULT 0;
-- How far its script says that it is.
ALTER TABLE runs ADD COLUMN status TEXT;
CREATE INDEX runs_by_parent ON runs (parent) WHERE parent IS NOT NULL;
CREATE INDEX runs_by_root ON runs (root) WHERE root IS NOT NULL;

-- kind: 0 a signal, 1 the end of a child, 2 a decision of a person. Which signals were taken, the journal of the run says.
CREATE TABLE inbox (
    run BLOB NOT NULL,
    n INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    name TEXT NOT NULL,
    payload TEXT NOT NULL,
    sender TEXT NOT NULL,
    once TEXT,
    at INTEGER NOT NULL,
    PRIMARY KEY (run, n)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX inbox_once ON inbox (run, once) WHERE once IS NOT NULL;

-- Calls that a person must approve. decided: 0 no, 1 yes. A decision is on the digest.
CREATE TABLE approvals (
    run BLOB NOT NULL,
    call INTEGER NOT NULL,
    digest TEXT NOT NULL,
    action TEXT NOT NULL,
    params TEXT NOT NULL,
    rules TEXT NOT NULL,
    asked INTEGER NOT NULL,
    until INTEGER,
    decided INTEGER,
    by TEXT,
    note TEXT,
    at INTEGER,
    PRIMARY KEY (run, call)
) STRICT, WITHOUT ROWID;
