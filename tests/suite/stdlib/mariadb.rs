//! `db` with a real server of MariaDB, which speaks as MySQL does.

use super::database::{Database, session, until};

#[test]
fn values_keep_their_types_in_both_directions() {
    let Some(server) = Database::mariadb() else {
        return;
    };
    let ran = server.session().script(
        r#"local app = db.connect('app')
        app:execute("CREATE TABLE v (id INT AUTO_INCREMENT PRIMARY KEY, i1 TINYINT, i8 BIGINT, u8 BIGINT UNSIGNED, f FLOAT, d DOUBLE, n DECIMAL(30,3), t TEXT, raw BLOB, j JSON, da DATE, dt DATETIME(3), ts TIMESTAMP NULL, ti TIME, bits BIT(10), e ENUM('glad','sad'), nothing TEXT)")
        local done = app:execute("INSERT INTO v (i1,i8,u8,f,d,n,t,raw,j,da,dt,ts,ti,bits,e,nothing) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)", {
          true, -9223372036854775807, "18446744073709551615", 0.1, 0.1, "12345678901234567890.123", "x'; DROP TABLE v; -- ? é😀", "\0\xff\\", json.encode { a = 1 },
          "2026-11-29", "2026-11-29 19:30:00.250", "2026-11-29 19:30:00", "-26:30:00", 513, "glad", nil, n = 16 })
        print(done.rows_affected, done.last_insert_id)
        local row = app:one("SELECT * FROM v")
        for _, name in ipairs { "id", "i1", "i8", "u8", "f", "d", "n", "t", "j", "da", "dt", "ts", "ti", "bits", "e", "nothing" } do print(name, math.type(row[name]) or type(row[name]), row[name]) end
        print(row.raw == "\0\xff\\", app:execute("INSERT INTO v (t) VALUES ('a'), ('b') RETURNING id").rows[2].id)
        print(app:one("SELECT COUNT(*) AS n FROM v WHERE id > ?", { 1 }).n, #app:query("SHOW TABLES"), app:one("SELECT 1 FROM v WHERE 0"))
        print(app:execute("UPDATE v SET t = ?", { "c" }).rows_affected, app:one("(SELECT 3 AS n) # why").n)
        local long = ("x"):rep(300000)
        app:execute("CREATE TABLE l (t LONGTEXT)") app:execute("INSERT INTO l VALUES (?)", { long }) print(app:one("SELECT t FROM l").t == long)"#,
    );
    ran.exits(0).prints(
        "1	1
id	integer	1
i1	integer	1
i8	integer	-9223372036854775807
u8	string	18446744073709551615
f	float	0.1
d	float	0.1
n	string	12345678901234567890.123
t	string	x'; DROP TABLE v; -- ? é😀
j	string	{\"a\":1}
da	string	2026-11-29
dt	string	2026-11-29T19:30:00.25
ts	string	2026-11-29T19:30:00Z
ti	string	-26:30:00
bits	integer	513
e	string	glad
nothing	nil	nil
true	3
2	1	nil
3	3
true
",
    );
}

#[test]
fn a_call_that_reads_changes_nothing_and_no_statement_leaves_its_bounds() {
    let Some(server) = Database::mariadb() else {
        return;
    };
    server.root(
        "CREATE TABLE kael.item (id INT AUTO_INCREMENT PRIMARY KEY, name VARCHAR(20) UNIQUE)",
    );
    server.root("CREATE FUNCTION kael.sneak() RETURNS INT BEGIN INSERT INTO kael.item (name) VALUES ('sneaked'); RETURN 1; END");
    server.root("CREATE PROCEDURE kael.p() BEGIN SELECT 1 AS a; SELECT 2 AS b; END");
    let file = server.path().join("out").display().to_string();
    let ran = server.session().script(&format!(
        "local app, reader = db.connect('app'), db.connect('reader')
         local function try(what, connection, sql, params) local ok, e = pcall(db[what], connection, sql, params) print(ok and 'done' or e.kind .. ': ' .. e.message) end
         try('query', app, \"INSERT INTO item (name) VALUES ('x')\")
         try('query', app, 'SELECT sneak()')
         try('query', app, 'CALL p()')
         try('query', app, \"SELECT 1 INTO OUTFILE '{file}'\")
         try('query', app, \"SELECT 1 INTO /*! DUMPFILE */ '{file}'\")
         try('query', app, '/*! SET SESSION TRANSACTION READ WRITE */')
         try('query', app, '/*!100000 SET @a = */ (SELECT 1)')
         try('query', reader, 'SELECT seq FROM seq_1_to_6')
         try('execute', reader, 'DELETE FROM item')
         for _, sql in ipairs {{ 'COMMIT', 'BEGIN NOT ATOMIC COMMIT; END', 'SET SESSION TRANSACTION READ WRITE', 'LOCK TABLES item WRITE', \"LOAD DATA LOCAL INFILE '/etc/passwd' INTO TABLE item\",
             \"EXECUTE IMMEDIATE 'COMMIT'\", 'KILL 1', 'SHUTDOWN', 'XA BEGIN 1' }} do try('execute', app, sql) end
         try('execute', app, \"INSERT INTO item (name) VALUES ('y'); DELETE FROM item\")
         try('query', app, 'SELECT ?', {{ 1, 2 }}) try('query', app, 'SELECT ?', {{ {{ a = 1 }} }}) try('query', app, 'SELECT nothing')
         try('transaction', app, {{ 'CREATE TABLE other (x INT)' }})
         try('transaction', app, {{ \"INSERT INTO item (name) VALUES ('a')\", \"INSERT INTO item (name) VALUES ('a')\" }})
         try('query', app, 'SELECT GET_LOCK(\"mine\", 1), @left := 5')
         print(app:one('SELECT @left AS l, IS_FREE_LOCK(\"mine\") AS free').l, app:one('SELECT IS_FREE_LOCK(\"mine\") AS free').free)
         print(app:execute('CALL p()').rows[1].a)
         try('execute', app, \"INSERT INTO item (name) VALUES ('kept')\")"
    ));
    ran.exits(0);
    let lines: Vec<&str> = ran.stdout.lines().collect();
    let begins = "transactions, settings and files are no script's";
    let expected = [
        "db.query only reads: use db.execute",
        "Cannot execute statement in a READ ONLY transaction (SQLSTATE 25006, error 1792)",
        "db.query only reads: use db.execute",
        "may not have the words OUTFILE and DUMPFILE",
        "may not have the words OUTFILE and DUMPFILE",
        "no comment that a server runs",
        "no comment that a server runs",
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
        "You have an error in your SQL syntax",
        "the statement has 1 places for parameters, and 2 are given",
        "parameter 1: a table is no value of a column",
        "Unknown column 'nothing'",
        "`CREATE` ends a transaction in MySQL",
        "Duplicate entry 'a' for key 'name' (SQLSTATE 23000, error 1062)",
        "done",
        "nil\t1",
        "1",
        "done",
    ];
    assert_eq!(lines.len(), expected.len(), "{}", ran.stdout);
    for (line, words) in lines.iter().zip(expected) {
        assert!(line.contains(words), "{line}: {words}");
    }
    assert_eq!(server.root("SELECT name FROM kael.item"), "kept");
    assert!(!server.path().join("out").exists());
}

#[test]
fn what_takes_too_long_or_gives_too_much_is_ended_at_the_server() {
    let Some(server) = Database::mariadb() else {
        return;
    };
    let ran = server.session().script(
        "local app = db.connect('app')
         local function try(sql, opts) local ok, e = pcall(db.query, app, sql, nil, opts) print(ok or e.kind .. ': ' .. e.message) end
         try('SELECT SLEEP(600) FROM seq_1_to_100', { timeout = 0.3 })
         try('SELECT a.seq FROM seq_1_to_1000000 a, seq_1_to_1000000 b')
         try(\"SELECT REPEAT('x', 1000000) FROM seq_1_to_900\")
         print(app:one('SELECT 7 AS n').n)
         -- A call that nobody waits for any more is ended at once, and not when its own time is over.
         print(race(function() app:query('SELECT COUNT(a.seq) AS n FROM seq_1_to_1000000 a, seq_1_to_1000000 b WHERE a.seq + b.seq = 0', nil, { timeout = 300 }) end, function() sleep(0.5) return 'left' end))
         local busy = \"SELECT COUNT(*) AS n FROM information_schema.processlist WHERE info LIKE 'SELECT COUNT(a.seq)%'\"
         local tries = 0
         while app:one(busy).n > 0 and tries < 600 do tries = tries + 1 sleep(0.05) end
         print(tries < 600)",
    );
    ran.exits(0).prints(
        "timeout: it took longer than 0.3 s
invalid_params: the answer has more than 1000 rows, which the grant allows (`max_rows`): ask for fewer with LIMIT
invalid_params: the answer has more than 16 MiB
7
2	left
true
",
    );
    let busy = "SELECT COUNT(*) FROM information_schema.processlist WHERE user = 'kael' AND command IN ('Query', 'Execute')";
    until("a statement goes on", || server.root(busy) == "0");
}

#[test]
fn a_connection_is_encrypted_and_checked() {
    let Some(server) = Database::mariadb() else {
        return;
    };
    let script = "local ok, e = pcall(db.one, db.connect('app'), \"SHOW STATUS LIKE 'Ssl_cipher'\") print(ok and tostring(#e.Value > 0) or e.kind .. ': ' .. e.message)";
    let cases = [
        ("localhost", "?sslmode=verify-full", true, "true\n"),
        ("127.0.0.1", "", false, "false\n"),
        (
            "localhost",
            "?ssl-mode=REQUIRED",
            false,
            "the server's certificate is not trusted",
        ),
    ];
    server.tries(script, &cases);
    let grant = "    - { name: app, url: \"{secret:db/url}\" }\n";
    let wrong = server.url("127.0.0.1", "").replace("correct", "wrong-one");
    let ran = session(grant, &wrong)
        .script("print((select(2, pcall(db.query, db.connect('app'), 'SELECT 1'))))");
    ran.exits(0);
    assert!(
        ran.stdout.contains("Access denied for user 'kael'"),
        "{}",
        ran.stdout
    );
    assert!(!ran.stdout.contains("wrong-one"), "{}", ran.stdout);
}
