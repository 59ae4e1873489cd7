//! `db`: databases by the names that a policy gives them.

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

const MADE: &str = "local shop = db.connect('shop')
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
        "for _, try in ipairs {
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
    let none = Kael::new().script("db.query(db.connect('a'), 'SELECT 1')");
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
    let ran = kael.script("db.execute(db.connect('shop'), 'CREATE TABLE a (x)')");
    ran.exits(6).says("the database cannot be opened");
    assert!(!real.exists());
    let policy = "version: 1\ndefault: allow\ngrants: { db: [{ name: a, url: \"sqlite:a.db\", mode: read-write }] }\n";
    let ran = session("read-write")
        .file("p.yaml", policy)
        .script("db.execute(db.connect('a'), 'CREATE TABLE a (x)')");
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
        .script("db.query(db.connect('shop'), 'SELECT 1')");
    ran.exits(4)
        .says("the policies name different databases `shop`");
}

/// A journal that names another file, which SQLite removes when it rolls the journal back: the head for pages of 4096 bytes, then
/// the name, its length, the sum of its bytes, and the end that tells of it.
fn journal_naming(path: &str) -> Vec<u8> {
    const MAGIC: [u8; 8] = [0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7];
    let number = |number: u32| number.to_be_bytes();
    let mut bytes = MAGIC.to_vec();
    for value in [0, 12345, 2, 512, 4096] {
        bytes.extend(number(value));
    }
    bytes.resize(512, 0);
    bytes.extend(number(0x4000_0000 / 4096 + 1));
    bytes.extend(path.bytes());
    bytes.extend(number(path.len() as u32));
    bytes.extend(number(path.bytes().map(u32::from).sum()));
    bytes.extend(MAGIC);
    bytes
}

#[test]
fn a_forged_journal_removes_no_file() {
    let first = session("read-write").script(&format!("{MADE} print('made')"));
    first.exits(0).prints("made\n");
    let database = std::fs::read(first.path().join("actions/state/shop.db")).expect("a database");
    let kael = session("read-write")
        .file("actions/state/shop.db", database)
        .file("victim", "precious");
    let victim = kael.path().join("victim");
    let journal = journal_naming(&victim.display().to_string());
    let ran = kael
        .file("actions/state/shop.db-journal", journal)
        .script("db.execute(db.connect('shop'), 'CREATE TABLE more (x)')");
    ran.exits(6)
        .says("its journal is part of a transaction over several databases");
    assert!(ran.path().join("victim").exists());
}

#[test]
fn what_a_statement_holds_and_sorts_is_bounded_and_not_the_hosts() {
    let many = (0..60)
        .map(|_| "randomblob(16000000)")
        .collect::<Vec<_>>()
        .join(", ");
    let ran = session("read-write").script(&format!(
        "{MADE}
         local function try(sql) print(select(2, pcall(db.query, shop, sql))) end
         try('SELECT {many}')
         try('WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000) SELECT i FROM n ORDER BY randomblob(1000000)')
         print(#db.query(shop, 'SELECT 1 AS one'))"
    ));
    let memory = "kael.db.query failed: it needs more memory than 256 MiB\n";
    ran.exits(0).prints(&format!("{memory}{memory}1\n"));
}

#[test]
fn a_database_that_its_writer_has_closed_is_read_as_it_lies_there() {
    let kael = session("read-only");
    let made = session("read-write").script(&format!(
        "{MADE} db.execute(shop, 'INSERT INTO item (name) VALUES (?)', {{ 'a' }})"
    ));
    made.exits(0);
    let mut database =
        std::fs::read(made.path().join("actions/state/shop.db")).expect("a database");
    // As SQLite marks one in WAL mode.
    database[18..20].copy_from_slice(&[2, 2]);
    let ran = kael
        .file("actions/state/shop.db", database)
        .script("print(db.one(db.connect('shop'), 'SELECT name FROM item').name)");
    ran.exits(0).prints("a\n");
}
