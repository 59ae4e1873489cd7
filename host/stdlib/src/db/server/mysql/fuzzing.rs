//! For the fuzz target: a server of MySQL that sends the same bytes whatever it is asked.

use std::io::Cursor;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::Mysql;
use crate::db::Statement;
use crate::db::server::Asked;
use crate::db::server::address::Address;

/// Logs in to a server that sends these bytes, and asks it twice.
///
/// # Panics
/// When an answer is no JSON, or has more rows than were asked for.
pub async fn answers(bytes: &[u8]) {
    let address = Address::read("mysql://kael:password@127.0.0.1/app").expect("an address");
    let server = tokio::io::join(Cursor::new(bytes.to_vec()), tokio::io::sink());
    let Ok(mut mysql) = Mysql::plain(server, &address).await else {
        return;
    };
    let params = vec![json!(1), json!("two"), json!(null)];
    let statements = [Statement {
        sql: "SELECT ?, ?, ?".to_owned(),
        params,
    }];
    for reads in [true, false] {
        let asked = Asked {
            reads,
            statements: &statements,
            max_rows: 10,
            until: Instant::now() + Duration::from_secs(60),
        };
        let Ok(done) = mysql.call(&asked).await else {
            return;
        };
        let answer: Value = serde_json::from_slice(&done.json(reads)).expect("JSON");
        let rows = if reads {
            &answer["rows"]
        } else {
            &answer[0]["rows"]
        };
        assert!(
            rows.as_array().is_none_or(|rows| rows.len() <= 10),
            "{answer}"
        );
    }
}
