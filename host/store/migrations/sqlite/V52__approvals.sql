-- Who must approve a call, as JSON, and what each person has said. One who says no decides; yes is counted.
ALTER TABLE approvals ADD COLUMN needed TEXT NOT NULL DEFAULT '{}';
CREATE TABLE decisions (
    run BLOB NOT NULL,
    call INTEGER NOT NULL,
    digest TEXT NOT NULL,
    person TEXT NOT NULL,
    who TEXT NOT NULL,
    yes INTEGER NOT NULL,
    note TEXT,
    at INTEGER NOT NULL,
    PRIMARY KEY (run, call, digest, person)
) STRICT, WITHOUT ROWID;
CREATE INDEX approvals_by_action ON approvals (action, at) WHERE decided = 1;
CREATE INDEX approvals_open ON approvals (asked) WHERE decided IS NULL;
