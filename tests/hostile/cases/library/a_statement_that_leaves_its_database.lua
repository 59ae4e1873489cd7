-- SQL of a script stays in the database that the policy names, whatever it says; and values are never SQL.
-- action: unused | cat
-- ends: ok 0
-- output: 0\t1\tx'); DROP TABLE a; --\n
local d = db.connect("d")
d:execute("CREATE TABLE a (x)")
local passed = 0
for _, sql in ipairs {
  "ATTACH '/tmp/kael-hostile.db' AS o", "VACUUM INTO '/tmp/kael-hostile.db'", "PRAGMA writable_schema = 1", "PRAGMA journal_mode = off",
  "PRAGMA temp_store_directory = '/tmp'", "SELECT load_extension('/tmp/x')", "COMMIT", "SAVEPOINT s", "CREATE VIRTUAL TABLE v USING fts5(x)",
  "SELECT 1; DROP TABLE a", "SELECT zeroblob(2000000000)",
} do
  if pcall(d.execute, d, sql) then passed = passed + 1 end
  if pcall(d.query, d, sql) then passed = passed + 1 end
end
for _, sql in ipairs { "DROP TABLE a", "INSERT INTO a VALUES (1)", "DELETE FROM a RETURNING x" } do
  if pcall(d.query, d, sql) then passed = passed + 1 end
end
d:execute("INSERT INTO a VALUES (?)", { "x'); DROP TABLE a; --" })
print(passed, d:one("SELECT count(*) AS n FROM a").n, d:one("SELECT x FROM a").x)
---- actions/policy.yaml
version: 1
default: allow
grants: { db: [{ name: d, url: "sqlite:state/d.db", mode: read-write }] }
---- actions/state/kept
kept
