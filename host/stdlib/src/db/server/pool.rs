//! Connections that wait for the next call to the same database under the same grants.

use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use super::failure::Failure;
use super::mysql::Mysql;
use super::postgres::Postgres;
use super::{Asked, Done, Running};

/// How long a connection waits.
const IDLE: Duration = Duration::from_secs(30);
/// Connections that wait.
const MAX: usize = 16;

/// A connection of either kind.
pub(super) enum Connection {
    Postgres(Postgres),
    Mysql(Mysql),
}

impl Connection {
    pub(super) async fn call(&mut self, asked: &Asked<'_>) -> Result<Done, Failure> {
        match self {
            Self::Postgres(own) => own.call(asked).await,
            Self::Mysql(own) => own.call(asked).await,
        }
    }

    pub(super) fn running(&self) -> Running {
        match self {
            Self::Postgres(own) => Running::Postgres(own.token()),
            Self::Mysql(own) => Running::Mysql(own.id()),
        }
    }

    /// Whether the server has answered anything in the last call.
    pub(super) fn has_begun(&self) -> bool {
        match self {
            Self::Postgres(own) => own.has_begun,
            Self::Mysql(own) => own.has_begun,
        }
    }

    fn is_clean(&self) -> bool {
        match self {
            Self::Postgres(own) => own.is_clean(),
            Self::Mysql(own) => own.is_clean(),
        }
    }
}

/// One that waits, since when, and for whom.
struct Waiting {
    key: String,
    since: Instant,
    connection: Connection,
}

/// Connections that wait.
#[derive(Default)]
pub(super) struct Pool(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    /// The oldest first.
    waiting: Vec<Waiting>,
    /// Something closes them when they have waited for long.
    is_watched: bool,
}

impl Pool {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The one that was used last.
    pub(super) fn take(&self, key: &str) -> Option<Connection> {
        let waiting = &mut self.kept().waiting;
        waiting.retain(|one| one.since.elapsed() < IDLE);
        let at = waiting.iter().rposition(|one| one.key == key)?;
        Some(waiting.remove(at).connection)
    }

    /// Keeps one whose call is over, for a while.
    pub(super) fn keep(self: &Arc<Self>, key: String, connection: Connection) {
        if !connection.is_clean() {
            return;
        }
        let mut kept = self.kept();
        if kept.waiting.len() == MAX {
            kept.waiting.remove(0);
        }
        kept.waiting.push(Waiting {
            key,
            since: Instant::now(),
            connection,
        });
        // Without it the last connections of a server would wait until the next call.
        if !mem::replace(&mut kept.is_watched, true) {
            tokio::spawn(watch(Arc::downgrade(self)));
        }
    }
}

/// Closes connections that have waited for long, until none is left.
async fn watch(pool: Weak<Pool>) {
    loop {
        tokio::time::sleep(IDLE / 4).await;
        let Some(pool) = pool.upgrade() else {
            return;
        };
        let mut kept = pool.kept();
        kept.waiting.retain(|one| one.since.elapsed() < IDLE);
        if kept.waiting.is_empty() {
            kept.is_watched = false;
            return;
        }
    }
}
