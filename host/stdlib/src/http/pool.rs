//! Connections that wait for another request to the same server under the same grants.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::Full;
use hyper::client::conn::http1::SendRequest;

/// How long a connection waits. A server ends its side about then.
const IDLE: Duration = Duration::from_secs(10);
/// Connections that wait for one server, and for all of them.
const MAX_FOR_ONE: usize = 64;
const MAX: usize = 256;

/// A connection over which requests are sent.
pub(super) type Connection = SendRequest<Full<Bytes>>;

/// Connections by what they are for.
#[derive(Default)]
pub(super) struct Pool {
    waiting: Mutex<HashMap<String, Vec<(Connection, Instant)>>>,
}

impl Pool {
    /// A connection that can be used again.
    pub(super) fn take(&self, key: &str) -> Option<Connection> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let list = waiting.get_mut(key)?;
        while let Some((connection, since)) = list.pop() {
            if since.elapsed() < IDLE && connection.is_ready() {
                return Some(connection);
            }
        }
        None
    }

    /// Keeps a connection whose answer was read to its end.
    pub(super) fn keep(&self, key: String, connection: Connection) {
        if connection.is_closed() {
            return;
        }
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.values().map(Vec::len).sum::<usize>() >= MAX {
            waiting.retain(|_, list| {
                list.retain(|(connection, since)| {
                    since.elapsed() < IDLE && !connection.is_closed()
                });
                !list.is_empty()
            });
        }
        let list = waiting.entry(key).or_default();
        if list.len() < MAX_FOR_ONE {
            list.push((connection, Instant::now()));
        }
    }
}
