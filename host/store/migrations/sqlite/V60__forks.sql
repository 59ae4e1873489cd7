-- A run that was made of the beginning of another: of which, and up to which entry of its journal.
ALTER TABLE runs ADD COLUMN forked_from BLOB;
ALTER TABLE runs ADD COLUMN forked_at INTEGER;

-- Runs that wait for the end of a run that they have not started: forks, for what the run before them had started.
CREATE TABLE followers (
    run BLOB NOT NULL,
    follower BLOB NOT NULL,
    PRIMARY KEY (run, follower)
) STRICT, WITHOUT ROWID;
CREATE INDEX followers_by_follower ON followers (follower);
