-- What a run is found by, as JSON: an object of texts.
ALTER TABLE runs ADD COLUMN labels TEXT NOT NULL DEFAULT '{}';
-- The run in whose place this one has come, and the first of them: that is the one that others wait for.
ALTER TABLE runs ADD COLUMN continues BLOB;
ALTER TABLE runs ADD COLUMN first BLOB;
CREATE INDEX runs_by_continues ON runs (continues) WHERE continues IS NOT NULL;
CREATE INDEX runs_by_first ON runs (first) WHERE first IS NOT NULL;
