-- Runs of a server go on after it: by whom a run was started, and how often servers died with it without its getting
-- further. Their journals are those of V1 to V30.
ALTER TABLE srv_runs ADD COLUMN parent BLOB;
ALTER TABLE srv_runs ADD COLUMN restarts INTEGER NOT NULL DEFAULT 0;
ALTER TABLE srv_runs ADD COLUMN turns INTEGER NOT NULL DEFAULT 0;
CREATE INDEX srv_runs_stopped ON srv_runs (state, tenant) WHERE state IN (5, 6);
