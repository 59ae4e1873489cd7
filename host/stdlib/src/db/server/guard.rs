//! Which statements a server gets. A statement must begin with a word from a list; every other first
//! word is refused, such as COMMIT, SET and COPY.
//!
//! This is no parser. That a call only reads is the server's own doing, which runs it in a
//! read-only transaction; the list keeps statements from ending that transaction, and from what
//! no transaction holds.

use super::address::Engine;

/// Bytes of a statement.
const MAX_SQL: usize = 1 << 20;

/// What a call is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    Read,
    Write,
    /// Several statements that are done whole or not at all.
    Transaction,
}

const READ: &[&str] = &["SELECT", "WITH", "VALUES", "TABLE", "SHOW", "EXPLAIN"];
const READ_MYSQL: &[&str] = &["DESCRIBE", "DESC"];
const CHANGE: &[&str] = &["SELECT", "WITH", "INSERT", "UPDATE", "DELETE"];
const CHANGE_POSTGRES: &[&str] = &["VALUES", "MERGE"];
const CHANGE_MYSQL: &[&str] = &["REPLACE"];
/// In MySQL each of these ends a transaction.
const DEFINE: &[&str] = &[
    "CREATE", "ALTER", "DROP", "TRUNCATE", "GRANT", "REVOKE", "ANALYZE", "CALL",
];
const DEFINE_POSTGRES: &[&str] = &["COMMENT", "REFRESH", "REINDEX"];
const DEFINE_MYSQL: &[&str] = &["RENAME", "OPTIMIZE"];

/// Refuses a statement that begins with another word.
///
/// # Errors
/// Why it is refused.
pub(super) fn check(sql: &str, engine: Engine, purpose: Purpose) -> Result<(), String> {
    if sql.len() > MAX_SQL {
        return Err("a statement has at most 1 MiB: give values as parameters".to_owned());
    }
    // It would end the text early, for what follows to be read as a part of the protocol.
    if sql.contains('\0') {
        return Err("a statement has no zero byte: give values as parameters".to_owned());
    }
    let Some(rest) = begin(sql, engine) else {
        return Err(
            "a statement begins with a word of SQL, and no comment that a server runs".to_owned(),
        );
    };
    let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    let word = rest[..end.unwrap_or(rest.len())].to_ascii_uppercase();
    if word.is_empty() {
        return Err("a statement is missing".to_owned());
    }
    let lists: &[&[&str]] = match (purpose, engine) {
        (Purpose::Read, Engine::Postgres) => &[READ],
        (Purpose::Read, Engine::Mysql) => &[READ, READ_MYSQL],
        (Purpose::Write, Engine::Postgres) | (Purpose::Transaction, Engine::Postgres) => {
            &[CHANGE, CHANGE_POSTGRES, DEFINE, DEFINE_POSTGRES]
        }
        (Purpose::Write, Engine::Mysql) => &[CHANGE, CHANGE_MYSQL, DEFINE, DEFINE_MYSQL],
        (Purpose::Transaction, Engine::Mysql) => &[CHANGE, CHANGE_MYSQL],
    };
    if !lists.iter().any(|list| list.contains(&word.as_str())) {
        let shown: String = word.chars().take(40).collect();
        let changes = [
            CHANGE,
            CHANGE_POSTGRES,
            CHANGE_MYSQL,
            DEFINE,
            DEFINE_POSTGRES,
            DEFINE_MYSQL,
        ];
        let is_change = changes.iter().any(|list| list.contains(&word.as_str()));
        return Err(match purpose {
            Purpose::Read if is_change => {
                "db.query only reads: use db.execute for what changes something".to_owned()
            }
            Purpose::Transaction if is_change => {
                format!("`{shown}` ends a transaction in MySQL: run it by db.execute")
            }
            _ => format!(
                "a statement may not begin with `{shown}`: transactions, settings and files are no script's"
            ),
        });
    }
    if engine == Engine::Mysql && writes_file(sql) {
        return Err("a statement may not have the words OUTFILE and DUMPFILE, which write a file of the server: give texts as parameters".to_owned());
    }
    Ok(())
}

/// A statement behind blanks, brackets and comments; none where a comment has no end, or is one that
/// a server runs.
fn begin(sql: &str, engine: Engine) -> Option<&str> {
    let mut rest = sql;
    loop {
        rest =
            rest.trim_start_matches(|c: char| c.is_ascii_whitespace() || c == '\x0b' || c == '(');
        if rest.starts_with("--") || (engine == Engine::Mysql && rest.starts_with('#')) {
            rest = rest.split_once('\n').map_or("", |(_, rest)| rest);
        } else if rest.starts_with("/*") {
            rest = behind_comment(rest, engine)?;
        } else {
            return Some(rest);
        }
    }
}

fn behind_comment(text: &str, engine: Engine) -> Option<&str> {
    let inside = &text[2..];
    if engine == Engine::Mysql {
        let first = inside.as_bytes().get(..2);
        let is_m = first.is_some_and(|first| first.eq_ignore_ascii_case(b"M!"));
        let runs = inside.starts_with('!') || is_m;
        return inside
            .split_once("*/")
            .filter(|_| !runs)
            .map(|(_, rest)| rest);
    }
    // Those of PostgreSQL hold others. It is read once: a script chooses how many there are.
    let (bytes, mut depth, mut at) = (inside.as_bytes(), 1_u32, 0);
    while depth > 0 {
        match bytes.get(at..at + 2)? {
            b"/*" => (depth, at) = (depth + 1, at + 2),
            b"*/" => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
    }
    Some(&inside[at..])
}

fn writes_file(sql: &str) -> bool {
    let upper = sql.to_ascii_uppercase();
    upper.contains("OUTFILE") || upper.contains("DUMPFILE")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reads(sql: &str, engine: Engine) -> bool {
        check(sql, engine, Purpose::Read).is_ok()
    }

    #[test]
    fn what_reads_begins_with_a_word_that_does() {
        for sql in [
            "SELECT 1",
            "  (select 1) union (select 2)",
            "-- why\nSELECT 1",
            "/* a */ /* b */ With x AS (SELECT 1) SELECT * FROM x",
            "\x0b\tshow all",
        ] {
            assert!(
                reads(sql, Engine::Postgres) && reads(sql, Engine::Mysql),
                "{sql}"
            );
        }
        for sql in [
            "",
            "--",
            "COMMIT",
            "BEGIN; SELECT 1",
            "SET x = 1",
            "selectx",
            "/* SELECT 1",
            "COPY t TO STDOUT",
            "LISTEN a",
            "CALL p()",
            "DO $$ $$",
            "INSERT INTO t VALUES (1)",
            "PREPARE a AS SELECT 1",
            "\u{a0}SELECT 1",
            "SELECT 1\0",
            "LOAD DATA LOCAL INFILE 'x' INTO TABLE t",
            "EXECUTE IMMEDIATE 'x'",
            ";SELECT 1",
            "\"SELECT\" 1",
        ] {
            assert!(
                !reads(sql, Engine::Postgres) && !reads(sql, Engine::Mysql),
                "{sql}"
            );
        }
    }

    #[test]
    fn comments_are_those_of_the_server() {
        assert!(reads("/* /* */ COMMIT */ SELECT 1", Engine::Postgres));
        assert!(!reads("/* /* */ COMMIT */ SELECT 1", Engine::Mysql));
        assert!(!reads("/* /* */ SELECT 1", Engine::Postgres));
        assert!(reads("/* /* */ SELECT 1", Engine::Mysql));
        assert!(reads("# a\nSELECT 1", Engine::Mysql));
        assert!(!reads("# a\nSELECT 1", Engine::Postgres));
        for sql in [
            "/*!SET @a =*/ (SELECT 1)",
            "/*M!100000 SET @a =*/ (SELECT 1)",
            "/*m!1 x*/ SELECT 1",
        ] {
            assert!(!reads(sql, Engine::Mysql), "{sql}");
        }
    }

    #[test]
    fn comments_without_number_are_read_in_one_pass() {
        // In two passes for each of them this takes minutes.
        assert!(!reads(&"/* ".repeat(349_000), Engine::Postgres));
        assert!(reads(&("/**/".repeat(262_000) + "SELECT 1"), Engine::Mysql));
        assert!(reads(
            &("/**/".repeat(262_000) + "SELECT 1"),
            Engine::Postgres
        ));
    }

    #[test]
    fn no_statement_of_mysql_writes_a_file_or_ends_a_transaction() {
        assert!(!reads("SELECT 1 INTO /**/ outfile '/tmp/x'", Engine::Mysql));
        assert!(!reads("SELECT 1 INTO DumpFile '/tmp/x'", Engine::Mysql));
        for (sql, purpose, is_fine) in [
            ("CREATE TABLE a (x INT)", Purpose::Write, true),
            ("CREATE TABLE a (x INT)", Purpose::Transaction, false),
            ("CALL p()", Purpose::Transaction, false),
            ("INSERT INTO a VALUES (1)", Purpose::Transaction, true),
            ("COMMIT", Purpose::Write, false),
            ("LOCK TABLES a WRITE", Purpose::Write, false),
        ] {
            assert_eq!(check(sql, Engine::Mysql, purpose).is_ok(), is_fine, "{sql}");
        }
    }
}
