//! `db` with a real server of PostgreSQL.

use super::database::{Database, PASSWORD, session, until};

const MADE: &str = "local app = db.connect('app')
app:execute('CREATE TABLE item (id BIGSERIAL PRIMARY KEY, name TEXT UNIQUE, price NUMERIC(10, 2))')
";

#[test]
fn values_keep_their_types_in_both_directions() {
    let Some(server) = Database::postgres(false) else {
        return;
    };
    server.root("CREATE TYPE mood AS ENUM ('glad', 'sad')");
    let ran = server.session().script(
        r#"local app, text = db.connect('app'), json.encode
        app:execute("CREATE TABLE v (i2 int2, i8 int8, f float8, n numeric, b bool, t text, raw bytea, j jsonb, u uuid, d date, ts timestamp, tz timestamptz, iv interval, ia int[], ta text[], ip inet, m mood, nothing text)")
        local done = app:execute("INSERT INTO v VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12,$13,$14,$15,$16,$17,$18) RETURNING i2 AS id", {
          7.0, 9223372036854775807, 0.1, "12345678901234567890.123", true, "x'; DROP TABLE v; -- $1", "\0\xff\\", { a = { 1, json.null }, s = "é" },
          "6f1ed002-ab59-45b5-8f2c-0a3c5a8b9d10", "2026-11-29", "2026-11-29 19:30:00.25", "2026-11-29 20:30:00+01", "1 day 2 hours",
          json.array { 1, 2 }, json.array { 'a "b"', "NULL", "c,d" }, "10.0.0.0/8", "glad", nil, n = 18 })
        print(done.rows_affected, done.last_insert_id, done.rows[1].id)
        local row = app:one("SELECT * FROM v")
        for _, name in ipairs { "i2", "i8", "f", "n", "b", "t", "u", "d", "ts", "tz", "iv", "ip", "m", "nothing" } do print(name, math.type(row[name]) or type(row[name]), row[name]) end
        print(row.raw == "\0\xff\\", text(row.j), text(row.ia), text(row.ta))
        print(text(app:one("SELECT ARRAY[[1,NULL],[3,4]] AS a, '{}'::int[] AS e, 'NaN'::float8 AS nan, 'infinity'::timestamp AS inf, '[1,2]'::json AS j, ARRAY['\\x00'::bytea] AS r").a))
        print(#app:query("SELECT generate_series(1, $1::int) AS i", { 1000 }), app:one("SELECT $1::int8 + 1 AS n", { 41 }).n, app:one("SELECT 1 WHERE false"))
        print(app:one("SHOW server_encoding").server_encoding, app:one("-- one\n/* /* two */ */ (SELECT 3 AS n)").n)"#,
    );
    ran.exits(0).prints(
        r#"1	nil	7
i2	integer	7
i8	integer	9223372036854775807
f	float	0.1
n	string	12345678901234567890.123
b	boolean	true
t	string	x'; DROP TABLE v; -- $1
u	string	6f1ed002-ab59-45b5-8f2c-0a3c5a8b9d10
d	string	2026-11-29
ts	string	2026-11-29T19:30:00.25
tz	string	2026-11-29T19:30:00Z
iv	string	P1DT2H
ip	string	10.0.0.0/8
m	string	glad
nothing	nil	nil
true	{"a":[1,null],"s":"é"}	[1,2]	["a \"b\"","NULL","c,d"]
[[1,null],[3,4]]
1000	42	nil
UTF8	3
"#,
    );
}

#[test]
fn what_only_the_server_can_write_comes_as_its_text() {
    let Some(server) = Database::postgres(false) else {
        return;
    };
    // The driver asks for what it does not know once a connection, with what it has prepared.
    server.root("CREATE TYPE mood AS ENUM ('glad'); CREATE TYPE tone AS ENUM ('low')");
    let ran = server.session().script(
        r#"local app = db.connect('app')
        app:execute("CREATE TABLE t (id int)")
        print(app:one("SELECT $1::mood AS m", { "glad" }).m, app:one("SELECT 'low'::tone AS t, 'glad'::mood AS m").t)
        local row = app:one("SELECT 't'::regclass AS c, int4range(1, 5) AS r, ROW(1, 'a b', NULL) AS w, '(1,2)'::point AS p, 1.50::money::numeric AS m, B'101' AS b, to_tsvector('simple', 'b a') AS v")
        print(row.c, row.r, row.w, row.p, row.m, row.b, row.v)
        app:execute("CREATE PROCEDURE twice(INOUT n int) LANGUAGE plpgsql AS $$ BEGIN n := n * 2; END $$")
        print(app:execute("CALL twice($1)", { 21 }).rows[1].n, #app:query("EXPLAIN SELECT $1::int", { 1 }))
        print(app:execute("INSERT INTO t SELECT generate_series(1, 3)").rows_affected, app:execute("UPDATE t SET id = id + $1 RETURNING id", { 1 }).rows_affected)
        app:execute("CREATE FUNCTION opens() RETURNS refcursor LANGUAGE plpgsql AS $$ DECLARE c refcursor := 'p1'; BEGIN OPEN c FOR SELECT 1; RETURN c; END $$")
        print((select(2, pcall(app.transaction, app, { "SELECT opens()", "SELECT 1 AS n" }))))
        print(app:one("SELECT 2 AS n").n)"#,
    );
    ran.exits(0).prints(
        "glad	low
t	[1,5)	(1,\"a b\",)	(1,2)	1.50	101	'a':2 'b':1
42	1
3	3
kael.db.transaction failed: an open cursor has a name such as `p1`, which is the driver's
2
",
    );
}

#[test]
fn a_transaction_is_done_whole_or_not_at_all() {
    let Some(server) = Database::postgres(false) else {
        return;
    };
    let ran = server.session().script(&format!(
        "{MADE}
         print(#app:transaction {{ {{ 'INSERT INTO item (name) VALUES ($1)', {{ 'a' }} }}, \"INSERT INTO item (name) VALUES ('b') RETURNING id\" }})
         local ok, e = pcall(app.transaction, app, {{ 'DELETE FROM item', \"INSERT INTO item (name) VALUES ('c'), ('c')\" }})
         print(ok, e.kind, e.message)
         app:execute('CREATE TABLE late (id int, other int, CONSTRAINT c UNIQUE (id) DEFERRABLE INITIALLY DEFERRED)')
         print(pcall(app.execute, app, 'INSERT INTO late VALUES (1, 1), (1, 2)'))
         print(app:one('SELECT count(*) AS n FROM item').n, app:one('SELECT count(*) AS n FROM late').n)
         local one, two = parallel(function() return app:one('SELECT 1 AS n').n end, function() return app:one('SELECT 2 AS n').n end)
         print(one, two)"
    ));
    ran.exits(0);
    let lines: Vec<&str> = ran.stdout.lines().collect();
    assert_eq!(lines[0], "2");
    assert_eq!(
        lines[1],
        "false\tfailed\tduplicate key value violates unique constraint \"item_name_key\": Key (name)=(c) already exists. (SQLSTATE 23505)"
    );
    assert!(lines[2].contains("SQLSTATE 23505"), "{}", lines[2]);
    assert_eq!(&lines[3..], ["2\t0", "1\t2"]);
    assert_eq!(server.root("SELECT name FROM item ORDER BY name"), "a\nb");
}

#[test]
fn a_call_that_reads_changes_nothing_and_no_statement_ends_its_transaction() {
    let Some(server) = Database::postgres(false) else {
        return;
    };
    let ran = server.session().script(&format!(
        "{MADE}
         app:execute(\"CREATE FUNCTION sneak() RETURNS int LANGUAGE plpgsql AS $$ BEGIN INSERT INTO item (name) VALUES ('sneaked'); RETURN 1; END $$\")
         local reader = db.connect('reader')
         local function try(what, connection, sql, params) local ok, e = pcall(db[what], connection, sql, params) print(ok and 'done' or e.kind .. ': ' .. e.message) end
         try('query', app, \"INSERT INTO item (name) VALUES ('x')\")
         try('query', app, \"WITH a AS (INSERT INTO item (name) VALUES ('x') RETURNING id) SELECT * FROM a\")
         try('query', app, 'SELECT sneak()')
         try('query', app, \"SELECT set_config('transaction_read_only', 'off', true)\")
         try('query', app, \"SELECT nextval('item_id_seq')\")
         try('query', reader, 'SELECT generate_series(1, 6)')
         try('execute', reader, 'DELETE FROM item')
         for _, sql in ipairs {{ 'COMMIT', 'ROLLBACK', 'BEGIN', 'SET transaction_read_only = off', 'LISTEN a', 'COPY item TO STDOUT', \"COPY item TO PROGRAM 'id'\",
             \"DO $$ BEGIN COMMIT; END $$\", 'PREPARE p AS SELECT 1', 'LOCK item', \"SELECT 1\\0\" }} do try('execute', app, sql) end
         try('execute', app, \"INSERT INTO item (name) VALUES ('y'); DELETE FROM item\")
         try('query', app, 'SELECT $1', {{ 1, 2 }}) try('query', app, 'SELEC 1') try('query', app, 'SELECT $1::text', {{ 'a\\0' }})
         try('query', app, \"SELECT set_config('search_path', 'elsewhere', false), set_config('default_transaction_read_only', 'on', false)\")
         try('execute', app, \"INSERT INTO item (name) VALUES ('kept')\")"
    ));
    ran.exits(0);
    let lines: Vec<&str> = ran.stdout.lines().collect();
    let begins = "transactions, settings and files are no script's";
    let expected = [
        "db.query only reads: use db.execute",
        "cannot execute SELECT in a read-only transaction (SQLSTATE 25006)",
        "cannot execute INSERT in a read-only transaction (SQLSTATE 25006)",
        "transaction read-write mode must be set before any query",
        "cannot execute nextval() in a read-only transaction",
        "more than 5 rows, which the grant allows (`max_rows`)",
        "denied: writing to the database `reader` is not granted by p.yaml",
        begins,
        begins,
        begins,
        begins,
        begins,
        begins,
        begins,
        begins,
        begins,
        begins,
        "a statement has no zero byte",
        "cannot insert multiple commands into a prepared statement",
        "the statement has 1 places for parameters, and 2 are given",
        "a statement may not begin with `SELEC`",
        "parameter 1: a text of PostgreSQL has no zero byte",
        "done",
        "done",
    ];
    assert_eq!(lines.len(), expected.len(), "{}", ran.stdout);
    for (line, words) in lines.iter().zip(expected) {
        assert!(line.contains(words), "{line}: {words}");
    }
    assert_eq!(server.root("SELECT name FROM item"), "kept");
}

#[test]
fn what_takes_too_long_or_gives_too_much_is_ended_at_the_server() {
    let Some(server) = Database::postgres(false) else {
        return;
    };
    let ran = server.session().script(
        "local app = db.connect('app')
         local function try(sql, opts) local ok, e = pcall(db.query, app, sql, nil, opts) print(ok or e.kind .. ': ' .. e.message) end
         try('SELECT pg_sleep(600)', { timeout = 0.3 })
         try(\"SELECT set_config('statement_timeout', '0', true), pg_sleep(600)\", { timeout = 0.3 })
         try('SELECT generate_series(1, 1000000000)')
         try(\"SELECT repeat('x', 1000000) FROM generate_series(1, 900)\")
         try(\"SELECT repeat('x', 100000000)\")
         print(app:one('SELECT 7 AS n').n)
         -- A call that nobody waits for any more is ended at once, and not when its own time is over.
         print(race(function() app:query('SELECT pg_sleep(601)', nil, { timeout = 300 }) end, function() sleep(0.5) return 'left' end))
         local busy = \"SELECT count(*) AS n FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep(601)%' AND state = 'active'\"
         local tries = 0
         while app:one(busy).n > 0 and tries < 600 do tries = tries + 1 sleep(0.05) end
         print(tries < 600)",
    );
    ran.exits(0).prints(
        "timeout: it took longer than 0.3 s
timeout: it took longer than 0.3 s
invalid_params: the answer has more than 1000 rows, which the grant allows (`max_rows`): ask for fewer with LIMIT
invalid_params: the answer has more than 16 MiB
invalid_params: the answer has more than 16 MiB
7
2	left
true
",
    );
    let busy = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'kael' AND state = 'active'";
    until("a statement goes on", || server.root(busy) == "0");
}

#[test]
fn a_connection_is_encrypted_checked_and_pinned() {
    let Some(server) = Database::postgres(true) else {
        return;
    };
    let script = "local ok, e = pcall(db.one, db.connect('app'), 'SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()') print(ok and tostring(e.ssl) or e.kind .. ': ' .. e.message)";
    let cases = [
        ("localhost", "?sslmode=verify-full", true, "true\n"),
        ("127.0.0.1", "", false, "false\n"),
        (
            "localhost",
            "?sslmode=require",
            false,
            "the server's certificate is not trusted",
        ),
        (
            "127.0.0.1",
            "?sslmode=require",
            true,
            "the server's certificate is not trusted",
        ),
        (
            "localhost",
            "?sslmode=prefer",
            true,
            "sslmode is `verify-full`",
        ),
        (
            "0.0.0.0",
            "?sslmode=disable",
            true,
            "denied: no address of the host may be connected to",
        ),
    ];
    server.tries(script, &cases);
}

#[test]
fn a_password_in_the_url_is_no_more_than_that() {
    let Some(server) = Database::postgres(false) else {
        return;
    };
    let grant = |port: u16| {
        format!(
            "    - {{ name: app, url: \"postgres://kael:{{secret:db/url}}@127.0.0.1:{port}/kael\" }}\n"
        )
    };
    // As it is, with the signs that a URL has.
    let one = "print(db.one(db.connect('app'), 'SELECT 1 AS n').n)";
    let ran = session(&grant(server.port), PASSWORD).script(one);
    ran.exits(0).prints("1\n");
    // One that would be another server, if it were a part of the text.
    let away = format!("x@127.0.0.1:{}/kael?", server.port);
    let ran =
        session(&grant(1), &away).script("print(pcall(db.one, db.connect('app'), 'SELECT 1'))");
    ran.exits(0);
    assert!(
        ran.stdout.contains("the connection was refused"),
        "{}",
        ran.stdout
    );
}

#[test]
fn no_error_and_no_file_shows_where_the_database_is() {
    let Some(server) = Database::postgres(false) else {
        return;
    };
    let wrong = server.url("127.0.0.1", "").replace("correct", "wrong-one");
    let grant = "    - { name: app, url: \"{secret:db/url}\" }\n";
    let ran = session(grant, &wrong)
        .script("print(select(2, pcall(db.query, db.connect('app'), 'SELECT 1')))");
    ran.exits(0).prints(
        "kael.db.query failed: password authentication failed for user \"kael\" (SQLSTATE 28P01)\n",
    );
    let kael = server.session();
    let ran = kael.script(&format!(
        "local app = db.connect('app')
         print(app:one('SELECT $1::text AS t', {{ '{PASSWORD}' }}).t)
         print((select(2, pcall(db.query, app, \"SELECT '{PASSWORD}'::int\"))))"
    ));
    ran.exits(0);
    assert!(!ran.stdout.contains("correct"), "{}", ran.stdout);
    assert!(
        ran.stdout.contains("[secret password of app]"),
        "{}",
        ran.stdout
    );
}
