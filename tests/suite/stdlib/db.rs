//! `assay.db`: databases by the names that a policy gives them.

use kael_tests::Kael;

/// A session with a database in a folder of the repo, which two grants open under two names.
fn session(mode: &str) -> Kael {
    let policy = format!(
        "version: 1\ndefault: allow\ngrants:\n  db:\n    - {{ name: shop, url: \"sqlite:state/shop.db\", mode: {mode}, max_rows: 100 }}\n    - {{ name: mirror, url: \"sqlite:state/shop.db\" }}\n"
    );
    let kael = Kael::new();
    std::fs::create_dir_all(kael.path().join("actions/state")).expect("a folder");
    kael.file("actions/init.lua", "return {}")
        .file("p.yaml", policy)
        .option(&["--actions", "actions"])
        .run_with(&["--policy", "p.yaml"])
}

const MADE: &str = "local db = require('assay.db')
local shop = db.connect('shop')
db.execute(shop, 'CREATE TABLE item (id INTEGER PRIMARY KEY, name TEXT, price REAL, raw BLOB)')
";

#[test]
fn rows_are_written_and_read_with_their_types() {
    let ran = session("read-write").script(&format!(
        "{MADE}
         local done = db.execute(shop, 'INSERT INTO item (name, price, raw) VALUES (?, ?, ?)', {{ \"x'; DROP TABLE item; --\", 1.5, '\\0\\xff' }})
         print(done.rows_affected, done.last_insert_id)
         shop:execute('INSERT INTO item (id, name) VALUES (?, ?)', {{ 9007199254740993, nil, n = 2 }})
         for _, row in ipairs(shop:query('SELECT * FROM item ORDER BY id')) do
           print(row.id, row.name, row.price, row.raw and #row.raw)
         end
         print(shop:one('SELECT count(*) AS n FROM item WHERE price > ?', {{ 1 }}).n, shop:one('SELECT 1 WHERE 0'))
         print(db.connect('mirror'):one('SELECT max(id) AS m FROM item').m)
         db.close(shop)"
    ));
    ran.exits(0).prints(
        "1\t1\n1\tx'; DROP TABLE item; --\t1.5\t2\n9007199254740993\tnil\tnil\tnil\n1\tnil\n9007199254740993\n",
    );
}

#[test]
fn a_transaction_is_done_whole_or_not_at_all() {
    let ran = session("read-write").script(&format!(
        "{MADE}
         print(#db.transaction(shop, {{ {{ 'INSERT INTO item (id) VALUES (?)', {{ 1 }} }}, 'INSERT INTO item (id) VALUES (2)' }}))
         print(select(2, pcall(db.transaction, shop, {{ 'DELETE FROM item', 'INSERT INTO item (id) VALUES (1), (1)' }})))
         print(shop:one('SELECT count(*) AS n FROM item').n)"
    ));
    ran.exits(0)
        .prints("2\nkael.db.transaction failed: UNIQUE constraint failed: item.id\n2\n");
}

#[test]
fn what_is_not_granted_is_not_opened() {
    let ran = session("read-only").script(
        "local db = require('assay.db')
         for _, try in ipairs {
           { 'query', 'other', 'SELECT 1' }, { 'execute', 'shop', 'CREATE TABLE a (x)' }, { 'execute', 'mirror', 'CREATE TABLE a (x)' },
         } do
           local ok, e = pcall(db[try[1]], db.connect(try[2]), try[3])
           print(e.kind, e.message)
         end
         print(select(2, pcall(db.connect, 'sqlite:///etc/x')))",
    );
    ran.exits(0).prints(
        "denied\treading the database `other` is not granted by p.yaml
denied\twriting to the database `shop` is not granted by p.yaml
denied\twriting to the database `mirror` is not granted by p.yaml
db.connect: a script names no address: `grants: { db: [{ name: NAME, url: … }] }` opens a database, and db.connect takes NAME
",
    );
    let none =
        Kael::new().script("local db = require('assay.db') db.query(db.connect('a'), 'SELECT 1')");
    none.exits(4).says("is not granted: no policy has `grants`");
}

#[test]
fn statements_stay_in_their_database_and_their_bounds() {
    let kael = session("read-write");
    let other = kael.path().join("other.db");
    let shown = other.display().to_string();
    let ran = kael.script(&format!(
        "{MADE}
         local function try(what, sql, params, opts) print((select(2, pcall(db[what], shop, sql, params, opts)).message:gsub('[^ ]*other%.db', 'PATH'))) end
         try('execute', \"ATTACH '{shown}' AS o\") try('execute', \"VACUUM INTO '{shown}'\") try('execute', 'COMMIT')
         try('execute', 'PRAGMA journal_mode = off') try('query', \"SELECT load_extension('x')\")
         try('query', 'DELETE FROM item') try('query', 'SELECT 1; DELETE FROM item') try('query', 'SELECT ?', {{ 1, 2 }})
         try('query', 'SELECT ?', {{ {{ a = 1 }} }}) try('query', 'SELEC 1')
         local count = 'WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n'
         try('query', count) try('query', count .. ' WHERE i < 0', nil, {{ timeout = 0.2 }}) try('query', 'SELECT zeroblob(100000000)')
         try('query', (count:gsub('SELECT i FROM', 'SELECT zeroblob(1000000) FROM')))"
    ));
    ran.exits(0);
    let lines: Vec<&str> = ran.stdout.lines().collect();
    let refused = "the statement does what no script may: other files, transactions of its own, or settings of the database";
    assert_eq!(lines.len(), 14, "{}", ran.stdout);
    for line in &lines[..5] {
        assert!(
            line.contains(refused)
                || line.contains("too many attached")
                || line.contains("cannot VACUUM"),
            "{line}"
        );
    }
    for (line, words) in lines[5..].iter().zip([
        "db.query only reads: use db.execute",
        "Multiple statements",
        "the statement has 1 places for parameters, and 2 are given",
        "parameter 1: a table is no value of a column",
        "syntax error",
        "more than 100 rows, which the grant allows (`max_rows`)",
        "it took longer than 0.2 s",
        "too big",
        "the answer has more than 16 MiB",
    ]) {
        assert!(line.contains(words), "{line}");
    }
    assert!(!other.exists());
}

#[test]
fn a_database_lies_where_scripts_may_be_let_in() {
    let kael = session("read-write");
    let real = kael.path().join("elsewhere.db");
    std::os::unix::fs::symlink(&real, kael.path().join("actions/state/shop.db")).expect("a link");
    let ran = kael.script(
        "local db = require('assay.db') db.execute(db.connect('shop'), 'CREATE TABLE a (x)')",
    );
    ran.exits(6).says("the database cannot be opened");
    assert!(!real.exists());
    let policy = "version: 1\ndefault: allow\ngrants: { db: [{ name: a, url: \"sqlite:a.db\", mode: read-write }] }\n";
    let ran = session("read-write")
        .file("p.yaml", policy)
        .script("local db = require('assay.db') db.execute(db.connect('a'), 'CREATE TABLE a (x)')");
    ran.exits(6).says("which no action may rewrite");
}

#[test]
fn policies_must_mean_the_same_database() {
    let ran = session("read-write")
        .file(
            "o.yaml",
            "version: 1\ndefault: allow\ngrants: { db: [{ name: shop, url: \"sqlite:state/other.db\" }] }\n",
        )
        .words(&["--policy", "o.yaml"])
        .script("local db = require('assay.db') db.query(db.connect('shop'), 'SELECT 1')");
    ran.exits(4)
        .says("the policies name different databases `shop`");
}
