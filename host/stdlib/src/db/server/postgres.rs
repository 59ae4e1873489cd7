//! Servers of PostgreSQL, whose protocol `tokio-postgres` speaks over a connection that is checked
//! and `bounded`: one statement at a time, with its parameters beside it and never in it.
//!
//! The driver asks for rows in a binary form, which many types have none of that anyone else could
//! read. So a statement is bound with the driver's own messages, and the rows are fetched from what
//! was bound as the texts that the server writes.

use std::error::Error as _;
use std::pin::pin;
use std::sync::Arc;

use bytes::{BufMut as _, BytesMut};
use futures_util::TryStreamExt as _;
use futures_util::future::join;
use kael_net::{NetworkPolicy, Stream, Trust, encrypt, tcp};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::task::JoinHandle;
use tokio_postgres::config::SslMode;
use tokio_postgres::types::{Format, IsNull, ToSql, Type, to_sql_checked};
use tokio_postgres::{CancelToken, Client, Config, Error, NoTls, SimpleQueryMessage, Transaction};

use super::address::Address;
use super::answer::Rows;
use super::bounded::{Bounded, Bounds};
use super::failure::{Failure, shortened};
use super::postgres_value as value;
use super::{Asked, Done, One};
use crate::db::Statement;

/// What is bound, under the names that the driver gives.
const BOUND: &str = "SELECT name FROM pg_catalog.pg_cursors";
/// DISCARD ALL, but for what the driver has prepared; then what scripts have.
const RESET: &str = "CLOSE ALL; SET SESSION AUTHORIZATION DEFAULT; RESET ALL; UNLISTEN *; SELECT pg_catalog.pg_advisory_unlock_all(); DISCARD PLANS; DISCARD TEMP; DISCARD SEQUENCES; SELECT count(*) FROM pg_catalog.pg_prepared_statements WHERE from_sql";

/// A connection that has no transaction.
pub(super) struct Postgres {
    client: Client,
    bounds: Arc<Bounds>,
    /// Sends and receives.
    connection: JoinHandle<()>,
    /// Whether nothing is left of the last call.
    is_clean: bool,
    /// Whether the call that goes on has had an answer.
    pub(super) has_begun: bool,
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // Without waiting for the rest of an answer.
        self.connection.abort();
    }
}

async fn opened(
    address: &Address,
    network: &NetworkPolicy,
    trust: &Trust,
) -> Result<Box<dyn Stream>, Failure> {
    let failed = |error| Failure::connect(error, network.advice());
    let closed = |_| Failure::Closed;
    let mut stream = tcp(&address.server, network).await.map_err(failed)?;
    if !address.server.tls {
        return Ok(Box::new(stream));
    }
    let asked = [8_i32.to_be_bytes(), 80_877_103_i32.to_be_bytes()].concat();
    stream.write_all(&asked).await.map_err(closed)?;
    // One byte and no more: what follows it is TLS.
    if stream.read_u8().await.map_err(closed)? != b'S' {
        let why = "the server speaks no TLS".to_owned();
        let hint = "`sslmode=disable` in the grant's `url` sends everything unencrypted".to_owned();
        return Err(Failure::Unavailable(why, Some(hint)));
    }
    encrypt(&address.server, stream, network, trust)
        .await
        .map_err(failed)
}

/// Ends the statement that a connection runs.
pub(super) async fn cancel(
    address: &Address,
    network: &NetworkPolicy,
    trust: &Trust,
    token: &CancelToken,
) -> Result<(), Failure> {
    let stream = opened(address, network, trust).await?;
    let sent = token.cancel_query_raw(stream, NoTls).await;
    sent.map_err(|_| Failure::Closed)
}

impl Postgres {
    pub(super) async fn connect(
        address: &Address,
        network: &NetworkPolicy,
        trust: &Trust,
    ) -> Result<Self, Failure> {
        let stream = opened(address, network, trust).await?;
        let bounds = Arc::<Bounds>::default();
        bounds.begin();
        let stream = Bounded::new(stream, bounds.clone(), address.server.tls);
        let mut config = Config::new();
        config
            .user(&address.user)
            .password(&address.password)
            .dbname(&address.database)
            .application_name("kael")
            // What is encrypted is so already.
            .ssl_mode(SslMode::Disable);
        let connected = config.connect_raw(stream, NoTls).await;
        let (client, connection) = connected.map_err(|error| login_failure(&error, &bounds))?;
        let connection = tokio::spawn(async move {
            // Whoever waits for an answer is told.
            connection.await.ok();
        });
        Ok(Self {
            client,
            bounds,
            connection,
            is_clean: false,
            has_begun: false,
        })
    }

    /// What `cancel` takes.
    pub(super) fn token(&self) -> CancelToken {
        self.client.cancel_token()
    }

    /// Whether the next call can have it.
    pub(super) fn is_clean(&self) -> bool {
        self.is_clean && !self.client.is_closed()
    }

    /// Does a call, in one transaction. Of the connection nothing is left to the next.
    pub(super) async fn call(&mut self, asked: &Asked<'_>) -> Result<Done, Failure> {
        let bounds = &*self.bounds;
        bounds.begin();
        (self.has_begun, self.is_clean) = (false, false);
        let failed = |error: Error| failure(&error, bounds);
        let begin = self.client.build_transaction().read_only(asked.reads);
        let transaction = begin.start().await.map_err(failed)?;
        self.has_begun = true;
        if !bounds.in_transaction() {
            return Err(Failure::Nonsense("a transaction has not begun"));
        }
        let millis = asked.left().as_millis().max(1);
        let settings = format!(
            "SET LOCAL statement_timeout = {millis}; SET LOCAL datestyle = 'ISO'; SET LOCAL intervalstyle = 'iso_8601'; SET LOCAL timezone = 'UTC'; SET LOCAL bytea_output = 'hex'; SET LOCAL extra_float_digits = 1"
        );
        transaction.batch_execute(&settings).await.map_err(failed)?;
        let mut done = Done::default();
        let mut refused = None;
        for statement in asked.statements {
            match one(&transaction, statement, asked, bounds).await {
                Ok(one) => done.add(one, asked.reads),
                Err(error @ (Failure::Refused(..) | Failure::Asked(_) | Failure::Timeout)) => {
                    refused = Some(error);
                    break;
                }
                Err(error) => return Err(error),
            }
        }
        bounds.statement();
        let ended = match refused.is_some() || asked.reads {
            true => transaction.rollback().await,
            false => transaction.commit().await,
        };
        let reset = self.client.simple_query(RESET).await.map_err(failed)?;
        let prepared = reset.iter().rev().find_map(|message| match message {
            SimpleQueryMessage::Row(row) => row.try_get(0).ok().flatten(),
            _ => None,
        });
        self.is_clean = prepared == Some("0");
        match refused {
            Some(refused) => Err(refused),
            None => ended.map(|()| done).map_err(failed),
        }
    }
}

/// Runs one statement.
async fn one(
    transaction: &Transaction<'_>,
    statement: &Statement,
    asked: &Asked<'_>,
    bounds: &Bounds,
) -> Result<One, Failure> {
    let failed = |error: Error| failure(&error, bounds);
    bounds.statement();
    let prepared = transaction.prepare(&statement.sql).await.map_err(failed)?;
    let kinds = prepared.params();
    if kinds.len() != statement.params.len() {
        return Err(Failure::Asked(format!(
            "the statement has {} places for parameters, and {} are given",
            kinds.len(),
            statement.params.len()
        )));
    }
    let mut params = Vec::new();
    for (at, (kind, value)) in kinds.iter().zip(&statement.params).enumerate() {
        let made = value::parameter(kind.oid(), value);
        let made = made.map_err(|why| Failure::Asked(format!("parameter {}: {why}", at + 1)));
        params.push(Text(made?));
    }
    let columns = prepared.columns();
    let names = columns.iter().map(|column| column.name().to_owned());
    let mut rows = Rows::new(names.collect(), asked.max_rows);
    let mut changed = 0;
    if columns.is_empty() {
        let done = transaction.execute_raw(&prepared, params).await;
        changed = done.map_err(failed)?;
    } else {
        let bound = transaction.bind_raw(&prepared, params);
        let (bound, open) = join(bound, transaction.simple_query(BOUND)).await;
        let _bound = bound.map_err(failed)?;
        let open = open.map_err(failed)?;
        let name = bound_name(&open)?;
        // One row more than may be, to know that there is one.
        let most = asked.max_rows.saturating_add(1).min(i32::MAX as usize);
        let fetch = format!("FETCH FORWARD {most} FROM {name}");
        let fetched = transaction.client().simple_query_raw(&fetch).await;
        let mut fetched = pin!(fetched.map_err(failed)?);
        let mut too_many = None;
        while let Some(message) = fetched.try_next().await.map_err(failed)? {
            match message {
                SimpleQueryMessage::Row(row) => {
                    if row.len() != columns.len() {
                        return Err(Failure::Nonsense("a row of other columns"));
                    }
                    if let Err(many) = rows.row() {
                        too_many = Some(many);
                        continue;
                    }
                    for (at, column) in columns.iter().enumerate() {
                        match row.try_get(at).map_err(failed)? {
                            None => rows.value("null", 0)?,
                            Some(text) => {
                                let json = value::json(column.type_().oid(), text.as_bytes());
                                rows.value(&json, text.len())?;
                            }
                        }
                    }
                }
                SimpleQueryMessage::CommandComplete(count) => changed = count,
                _ => {}
            }
        }
        if let Some(many) = too_many {
            return Err(many);
        }
    }
    match bounds.in_transaction() {
        true => Ok(One {
            rows,
            changed,
            last_id: None,
        }),
        false => Err(Failure::Nonsense("a statement has ended its transaction")),
    }
}

/// The name of what was bound: the one open cursor that the driver has named.
fn bound_name(open: &[SimpleQueryMessage]) -> Result<&str, Failure> {
    let mut names = open.iter().filter_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.try_get(0).ok().flatten().filter(|name| is_bound(name)),
        _ => None,
    });
    match (names.next(), names.next()) {
        (Some(name), None) => Ok(name),
        (Some(_), Some(_)) => Err(Failure::Asked(
            "an open cursor has a name such as `p1`, which is the driver's".to_owned(),
        )),
        (None, _) => Err(Failure::Nonsense("it has not bound a statement")),
    }
}

fn is_bound(name: &str) -> bool {
    let number = name.strip_prefix('p').unwrap_or_default();
    !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
}

/// A parameter as a text, which the server reads; none for NULL.
struct Text(Option<Vec<u8>>);

/// Without the value, which can be a secret: the driver logs its parameters.
impl std::fmt::Debug for Text {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("…")
    }
}

impl ToSql for Text {
    fn to_sql(
        &self,
        _: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        let Some(text) = &self.0 else {
            return Ok(IsNull::Yes);
        };
        out.put_slice(text);
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    fn encode_format(&self, _: &Type) -> Format {
        Format::Text
    }

    to_sql_checked!();
}

/// Why there is no login.
fn login_failure(error: &Error, bounds: &Bounds) -> Failure {
    let code = error.code().map(|code| code.code());
    match (failure(error, bounds), code) {
        // A role, a password or a database that is none.
        (Failure::Refused(why, hint), Some("28000" | "28P01" | "3D000" | "53300")) => {
            Failure::Unavailable(why, hint)
        }
        (failure, _) => failure,
    }
}

/// Why the driver has no answer.
fn failure(error: &Error, bounds: &Bounds) -> Failure {
    if let Some(broken) = bounds.broken() {
        return broken;
    }
    if let Some(told) = error.as_db_error() {
        let with = |words: Option<&str>, before: &str| {
            words.map(|words| format!("{before}{}", shortened(words)))
        };
        let code = told.code().code();
        let detail = with(told.detail(), ": ").unwrap_or_default();
        let why = format!(
            "{}{detail} (SQLSTATE {})",
            shortened(told.message()),
            shortened(code)
        );
        return match code {
            "57014" => Failure::Timeout,
            _ => Failure::Refused(why, with(told.hint(), "")),
        };
    }
    let is_io = error
        .source()
        .is_some_and(|source| source.is::<std::io::Error>());
    // The driver tells its errors apart by their words alone.
    match error.to_string().as_str() {
        "connection closed" | "error communicating with the server" => Failure::Closed,
        "authentication error" if !is_io => {
            let why = "the server wants a login that Kael does not know".to_owned();
            let hint =
                "passwords by SCRAM-SHA-256 and MD5 are known, and plain ones over TLS".to_owned();
            Failure::Unavailable(why, Some(hint))
        }
        "authentication error" => Failure::Nonsense("it does not show that it knows the password"),
        "unexpected message from server" => {
            Failure::Nonsense("an answer to nothing that was asked")
        }
        "error encoding message to server" => {
            Failure::Asked("the statement or a parameter is too large".to_owned())
        }
        words if words.starts_with("error deserializing column") => {
            Failure::Nonsense("a text that is not UTF-8")
        }
        _ => Failure::Nonsense("a message that cannot be read"),
    }
}
