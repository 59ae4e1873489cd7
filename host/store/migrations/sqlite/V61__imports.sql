-- 1: the run was imported without `--trust`. It can be looked at, and does not go on.
ALTER TABLE runs ADD COLUMN imported INTEGER NOT NULL DEFAULT 0;
