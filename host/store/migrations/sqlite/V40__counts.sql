-- How often something was done in a window of time: the calls of a policy's budgets.

CREATE TABLE counts (
    -- What is counted together.
    key BLOB NOT NULL,
    -- The window, by its two ends, in microseconds since 1970.
    began INTEGER NOT NULL,
    ends INTEGER NOT NULL,
    n INTEGER NOT NULL,
    PRIMARY KEY (key, began, ends)
) STRICT, WITHOUT ROWID;
CREATE INDEX counts_by_end ON counts (ends);
