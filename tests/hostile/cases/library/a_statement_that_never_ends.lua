-- A statement without an end is ended with its time, and its thread with it.
-- action: unused | cat
-- ends: ok 0
-- output: timeout\ttimeout\n
local d = db.connect("d")
d:execute("CREATE TABLE a (x)")
local endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) AS n FROM n"
local function kind(ok, why) return ok or why.kind end
print(kind(pcall(d.query, d, endless, nil, { timeout = 0.3 })), kind(pcall(d.execute, d, "INSERT INTO a " .. endless, nil, { timeout = 0.3 })))
---- actions/policy.yaml
version: 1
default: allow
grants: { db: [{ name: d, url: "sqlite:state/d.db", mode: read-write }] }
---- actions/state/kept
kept
