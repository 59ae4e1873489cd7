//! For the fuzz target: a server of MySQL that sends the same bytes whatever it is asked.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::Mysql;
use crate::db::Statement;
use crate::db::server::Asked;
use crate::db::server::address::Address;

/// What the server sends, and what it has not sent yet.
struct Canned(io::Cursor<Vec<u8>>);

impl AsyncRead for Canned {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl AsyncWrite for Canned {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        sent: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(sent.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Logs in to a server that sends these bytes, and asks it twice.
///
/// # Panics
/// When an answer is no JSON, or has more rows than were asked for.
pub async fn answers(bytes: &[u8]) {
    let address = Address::read("mysql://kael:password@127.0.0.1/app").expect("an address");
    let server = Canned(io::Cursor::new(bytes.to_vec()));
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
