//! Databases behind a server: PostgreSQL, and MySQL with MariaDB.
//!
//! `address` reads a grant's URL, `guard` the beginning of statements. The connections come from
//! `kael-net`, which checks addresses. `postgres` drives the driver `tokio-postgres` over one that is
//! `bounded`, `mysql` speaks a protocol over a `link`; both write the rows of an `answer` as JSON.
//! `pool` keeps connections between calls.

mod address;
mod answer;
mod bounded;
mod failure;
mod guard;
mod mysql;
mod pool;
mod postgres;
mod postgres_value;

#[cfg(fuzzing)]
pub use mysql::answers;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use kael_engine::environment::Environment;
use kael_engine::failure::ActionError;
use kael_engine::policy::grants::DbGrant;
use kael_net::{NetworkPolicy, Trust};
use tokio::sync::Semaphore;

use super::Statement;
pub(super) use address::is_server;
use address::{Address, Engine};
use failure::Failure;
use guard::Purpose;
use pool::{Connection, Pool};

/// Connections that are used at the same time; further calls wait.
const MAX_CALLS: usize = 10;

/// What is asked of a server.
struct Asked<'a> {
    reads: bool,
    statements: &'a [Statement],
    max_rows: usize,
    until: Instant,
}

impl Asked<'_> {
    /// The time that is left.
    fn left(&self) -> Duration {
        self.until.saturating_duration_since(Instant::now())
    }
}

/// What one statement gave.
struct One {
    rows: answer::Rows,
    changed: u64,
    last_id: Option<u64>,
}

/// What a call gave, as JSON.
#[derive(Default)]
struct Done {
    parts: Vec<String>,
}

impl Done {
    fn add(&mut self, one: One, reads: bool) {
        if reads {
            self.parts.push(format!("{{{}}}", one.rows.fields()));
            return;
        }
        let last_id = one.last_id.map_or("null".to_owned(), |id| id.to_string());
        let rows = match one.rows.has_columns() {
            true => format!(",{}", one.rows.fields()),
            false => String::new(),
        };
        let changed = one.changed;
        self.parts.push(format!(
            "{{\"rows_affected\":{changed},\"last_insert_id\":{last_id}{rows}}}"
        ));
    }

    fn json(self, reads: bool) -> Vec<u8> {
        let parts = self.parts.join(",");
        match reads {
            true => parts.into_bytes(),
            false => format!("[{parts}]").into_bytes(),
        }
    }
}

/// The servers of databases that one repo's scripts use.
pub(crate) struct Servers {
    pool: Arc<Pool>,
    trust: Arc<Trust>,
    calls: Semaphore,
}

/// A call, as its grants allow it.
pub(super) struct Call<'a> {
    pub(super) action: &'a str,
    /// One of each policy file.
    pub(super) grants: &'a [&'a DbGrant],
    pub(super) statements: &'a [Statement],
    pub(super) max_rows: usize,
    /// Seconds.
    pub(super) time: f64,
}

/// Ends a statement that nobody waits for.
struct Cancel {
    /// None when the call has ended by itself.
    armed: Option<Ender>,
}

/// What it takes to end it.
struct Ender {
    address: Address,
    network: NetworkPolicy,
    trust: Arc<Trust>,
    statement: Running,
}

/// A statement as its server knows it.
enum Running {
    Postgres(tokio_postgres::CancelToken),
    Mysql(u32),
}

impl Drop for Cancel {
    fn drop(&mut self) {
        let (Some(ender), Ok(runtime)) = (self.armed.take(), tokio::runtime::Handle::try_current())
        else {
            return;
        };
        let Ender {
            address,
            network,
            trust,
            statement,
        } = ender;
        runtime.spawn(async move {
            let ended = async {
                match statement {
                    Running::Postgres(token) => {
                        postgres::cancel(&address, &network, &trust, &token).await
                    }
                    Running::Mysql(id) => mysql::cancel(&address, &network, &trust, id).await,
                }
            };
            // Who asked for it is gone; the server's own limit on the statement holds as well.
            tokio::time::timeout(Duration::from_secs(5), ended)
                .await
                .ok();
        });
    }
}

/// Ends a call whose driver panics at what a server sends, and not the host.
async fn caught<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let done = AssertUnwindSafe(work).catch_unwind().await;
    done.unwrap_or(Err(Failure::Nonsense("the driver does not understand it")))
}

/// The password of a server, which is hidden wherever it comes back.
pub(super) fn password(url: &str) -> Option<String> {
    let address = Address::read(url).ok()?;
    Some(address.password).filter(|password| !password.is_empty())
}

impl Servers {
    pub(crate) fn new(environment: &Environment) -> Self {
        Self {
            pool: Arc::default(),
            trust: Arc::new(Trust::new(environment)),
            calls: Semaphore::new(MAX_CALLS),
        }
    }

    /// Does a call at the server that a URL names. Dropping the future ends its statement.
    pub(super) async fn run(&self, url: &str, call: Call<'_>) -> Result<Vec<u8>, ActionError> {
        let time = call.time;
        let within = Duration::from_secs_f64(time);
        let done = tokio::time::timeout(within, self.done(url, call, within)).await;
        done.unwrap_or(Err(Failure::Timeout))
            .map_err(|failure| failure.error(time))
    }

    async fn done(&self, url: &str, call: Call<'_>, within: Duration) -> Result<Vec<u8>, Failure> {
        let reads = call.action == "query";
        let name = call.grants.first().map_or("", |grant| grant.name.as_str());
        let unusable = |why: String| {
            let why = format!("the `url` of the database `{name}` cannot be used: {why}");
            Failure::Unavailable(why, None)
        };
        let address = Address::read(url).map_err(unusable)?;
        let purpose = match call.action {
            "query" => Purpose::Read,
            "execute" => Purpose::Write,
            _ => Purpose::Transaction,
        };
        for statement in call.statements {
            guard::check(&statement.sql, address.engine, purpose).map_err(Failure::Asked)?;
        }
        let server = address.destination();
        let server = server.ok_or_else(|| unusable("its host is none".to_owned()))?;
        let layers = call.grants.iter().map(|grant| {
            let named = std::iter::once(&server).chain(&grant.to);
            named.cloned().collect()
        });
        let network = NetworkPolicy::of_layers(layers.collect(), "`to` of the database's grant");
        let asked = Asked {
            reads,
            statements: call.statements,
            max_rows: call.max_rows,
            until: Instant::now() + within,
        };
        let _permit = self.calls.acquire().await.map_err(|_| Failure::Closed)?;
        // A connection that was used to write is never used to read.
        let layers = call.grants.iter().map(|grant| format!("{:?}", grant.to));
        let key = format!("{reads} {} {url}", layers.collect::<Vec<_>>().join(" & "));
        let mut kept = self.pool.take(&key);
        loop {
            let is_kept = kept.is_some();
            let mut connection = match kept.take() {
                Some(connection) => connection,
                None => self.connect(&address, &network).await?,
            };
            let mut cancel = Cancel {
                armed: Some(Ender {
                    address: address.clone(),
                    network: network.clone(),
                    trust: self.trust.clone(),
                    statement: connection.running(),
                }),
            };
            let done = caught(connection.call(&asked)).await;
            let is_over = match &done {
                Ok(_) => true,
                // The server goes on with what it was asked for.
                Err(Failure::TooLarge | Failure::TooMany(_) | Failure::Nonsense(_)) => false,
                Err(Failure::Closed) => {
                    cancel.armed = None;
                    // The server had closed it while it waited: nothing was done.
                    if is_kept && !connection.has_begun() {
                        continue;
                    }
                    false
                }
                Err(_) => true,
            };
            if is_over {
                cancel.armed = None;
                self.pool.keep(key, connection);
            }
            return done.map(|done| done.json(reads));
        }
    }

    async fn connect(
        &self,
        address: &Address,
        network: &NetworkPolicy,
    ) -> Result<Connection, Failure> {
        let trust = &self.trust;
        Ok(match address.engine {
            Engine::Postgres => {
                let connected = postgres::Postgres::connect(address, network, trust);
                Connection::Postgres(caught(connected).await?)
            }
            Engine::Mysql => {
                Connection::Mysql(mysql::Mysql::connect(address, network, trust).await?)
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_driver_that_panics_ends_its_call_alone() {
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        let done = runtime.expect("a runtime").block_on(caught::<()>(async {
            let sent: &[u8] = b"short";
            panic!("at {:?}", sent.first());
        }));
        assert!(matches!(done, Err(Failure::Nonsense(_))), "{done:?}");
    }
}
