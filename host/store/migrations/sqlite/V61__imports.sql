-- 1: the run was taken in from a file that nobody here has said to be trusted. It can be looked at, and does not go on.
ALTER TABLE runs ADD COLUMN imported INTEGER NOT NULL DEFAULT 0;
