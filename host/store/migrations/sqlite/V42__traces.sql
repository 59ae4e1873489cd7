-- The distributed trace that a run is a part of: the header `traceparent` of the request that submitted it.
CREATE TABLE srv_traces (
    run BLOB NOT NULL PRIMARY KEY,
    traceparent TEXT NOT NULL
) STRICT, WITHOUT ROWID;
