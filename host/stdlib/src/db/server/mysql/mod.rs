//! Speaks the protocol of MySQL and MariaDB (version 10): statements of scripts are prepared and get
//! their parameters beside them. What a client can be asked for besides, such as a file of its
//! machine, is refused.
//!
//! `login` begins a connection, `packet` is what goes over its `link`, and `value` how values cross.
//!
//! This is Kael's own code: the driver `mysql_async` connects by itself, so that nothing below it can
//! bound what a server sends.

#[cfg(fuzzing)]
mod fuzzing;
mod link;
mod login;
mod packet;
mod value;

#[cfg(fuzzing)]
pub use fuzzing::answers;

use bytes::{Bytes, BytesMut};
use kael_net::{NetworkPolicy, Trust};

use super::address::Address;
use super::answer::Rows;
use super::failure::Failure;
use super::{Asked, Done, One};
use crate::db::Statement;
use link::{Link, Reader};
use packet::{PACKET, command, refused};
use value::Column;

/// Columns of an answer.
const MAX_COLUMNS: u64 = 2_000;
/// Results of one call of a procedure.
const MAX_RESULTS: usize = 100;
/// There is another result behind this one.
const MORE: u16 = 0x8;

const QUERY: u8 = 0x03;
const PREPARE: u8 = 0x16;
const EXECUTE: u8 = 0x17;
const CLOSE: u8 = 0x19;
const RESET: u8 = 0x1f;

/// A connection that has no transaction.
pub(super) struct Mysql {
    link: Link,
    /// What ends its statement from another connection.
    id: u32,
    is_mariadb: bool,
    /// Whether the call that goes on has had an answer.
    pub(super) has_begun: bool,
}

/// How a statement has ended.
struct Ending {
    changed: u64,
    last_id: u64,
    status: u16,
}

/// Ends the statement that a connection runs.
pub(super) async fn cancel(
    address: &Address,
    network: &NetworkPolicy,
    trust: &Trust,
    id: u32,
) -> Result<(), Failure> {
    let mut own = Mysql::connect(address, network, trust).await?;
    own.command(&format!("KILL QUERY {id}")).await
}

impl Mysql {
    /// What `cancel` takes.
    pub(super) fn id(&self) -> u32 {
        self.id
    }

    /// The next message, and the number of its last packet.
    async fn packet(&mut self) -> Result<(u8, Bytes), Failure> {
        let mut whole: Option<BytesMut> = None;
        loop {
            let head = self.link.read(4).await?;
            let mut reader = Reader(&head);
            let low = reader.u16_le()?;
            let size = usize::from(low) | usize::from(reader.byte()?) << 16;
            let number = reader.byte()?;
            let part = self.link.read(size).await?;
            match (whole.as_mut(), size) {
                (None, ..PACKET) => return Ok((number, part)),
                (None, _) => whole = Some(BytesMut::from(&part[..])),
                (Some(so_far), _) => so_far.extend_from_slice(&part),
            }
            if size < PACKET {
                return Ok((number, whole.unwrap_or_default().freeze()));
            }
        }
    }

    /// Runs a statement of Kael's own, whose answer is nothing.
    async fn command(&mut self, sql: &str) -> Result<(), Failure> {
        self.link.send(&command(QUERY, sql.as_bytes())).await?;
        self.ok().await
    }

    async fn ok(&mut self) -> Result<(), Failure> {
        let (_, answer) = self.packet().await?;
        match answer.first() {
            Some(0) => Ok(()),
            Some(0xff) => Err(refused(&answer)?),
            _ => Err(Failure::Nonsense("an answer where there is none")),
        }
    }

    /// Does a call, in one transaction. Of the connection nothing is left to the next.
    pub(super) async fn call(&mut self, asked: &Asked<'_>) -> Result<Done, Failure> {
        self.link.begin();
        self.has_begun = false;
        let left = asked.left();
        let limit = match self.is_mariadb {
            true => format!("max_statement_time = {:.3}", left.as_secs_f64().max(0.001)),
            false => format!("max_execution_time = {}", left.as_millis().max(1)),
        };
        let settings = format!("SET NAMES utf8mb4, SESSION time_zone = '+00:00', SESSION {limit}");
        let begin = match asked.reads {
            true => "START TRANSACTION READ ONLY",
            false => "START TRANSACTION",
        };
        let sent = [settings.as_str(), begin].map(|sql| command(QUERY, sql.as_bytes()));
        self.link.send(&sent.concat()).await?;
        let set = self.ok().await;
        self.has_begun = set.is_ok();
        // The answers of both are read: else the next call would take the second for its own.
        let begun = self.ok().await;
        set.and(begun)?;
        let mut done = Done::default();
        let mut failure = None;
        for statement in asked.statements {
            match self.statement(statement, asked).await {
                Ok(one) => done.add(one, asked.reads),
                Err(error @ (Failure::Refused(..) | Failure::Asked(_) | Failure::Timeout)) => {
                    failure = Some(error);
                    break;
                }
                Err(error) => return Err(error),
            }
        }
        let end = if failure.is_some() || asked.reads {
            "ROLLBACK"
        } else {
            "COMMIT"
        };
        self.link
            .send(&[command(QUERY, end.as_bytes()), command(RESET, &[])].concat())
            .await?;
        let ended = self.ok().await;
        self.ok().await?;
        match failure {
            Some(failure) => Err(failure),
            None => ended.map(|()| done),
        }
    }

    /// Whether the next call can have it.
    pub(super) fn is_clean(&self) -> bool {
        self.link.is_empty()
    }

    async fn statement(
        &mut self,
        statement: &Statement,
        asked: &Asked<'_>,
    ) -> Result<One, Failure> {
        self.link
            .send(&command(PREPARE, statement.sql.as_bytes()))
            .await?;
        let (_, answer) = self.packet().await?;
        let mut reader = Reader(&answer);
        let id = match reader.byte()? {
            0 => reader.u32_le()?,
            0xff => return Err(refused(&answer)?),
            _ => return Err(Failure::Nonsense("an answer that is no statement")),
        };
        let (columns, places) = (reader.u16_le()?, reader.u16_le()?);
        for count in [places, columns] {
            self.skip(count).await?;
        }
        let outcome = match execution(id, places, &statement.params) {
            Ok(sent) => {
                self.link.send(&sent).await?;
                self.results(asked.max_rows).await
            }
            Err(why) => Err(Failure::Asked(why)),
        };
        // There is no answer to this.
        self.link.send(&command(CLOSE, &id.to_le_bytes())).await?;
        outcome
    }

    /// Descriptions of as many columns, with what ends them.
    async fn skip(&mut self, count: u16) -> Result<(), Failure> {
        if count > 0 {
            for _ in 0..count {
                self.packet().await?;
            }
            self.end().await?;
        }
        Ok(())
    }

    async fn end(&mut self) -> Result<(), Failure> {
        let (_, answer) = self.packet().await?;
        match is_end(&answer) {
            true => Ok(()),
            false => Err(Failure::Nonsense("more columns than it says")),
        }
    }

    /// Everything that a statement gives: of a procedure the first rows count.
    async fn results(&mut self, max_rows: usize) -> Result<One, Failure> {
        let mut one: Option<One> = None;
        for _ in 0..MAX_RESULTS {
            let mut rows = Rows::new(Vec::new(), max_rows);
            let ending = self.result(&mut rows).await?;
            let more = ending.status & MORE != 0;
            let is_first = one.as_ref().is_none_or(|one| !one.rows.has_columns());
            let before = one.as_ref().map_or(0, |one| one.changed);
            let changed = ending.changed.saturating_add(before);
            let last_id = Some(ending.last_id).filter(|id| *id > 0);
            let last_id = last_id.or(one.as_ref().and_then(|one| one.last_id));
            let kept = match one.take() {
                Some(one) if !is_first => one.rows,
                _ => rows,
            };
            let made = One {
                rows: kept,
                changed,
                last_id,
            };
            if !more {
                return Ok(made);
            }
            one = Some(made);
        }
        Err(Failure::Nonsense("too many results"))
    }

    /// One result.
    async fn result(&mut self, rows: &mut Rows) -> Result<Ending, Failure> {
        let (_, answer) = self.packet().await?;
        let mut reader = Reader(&answer);
        match answer.first() {
            Some(0) => {
                reader.byte()?;
                let (changed, last_id) = (reader.counted_number()?, reader.counted_number()?);
                let status = reader.u16_le()?;
                return Ok(Ending {
                    changed,
                    last_id,
                    status,
                });
            }
            Some(0xff) => return Err(refused(&answer)?),
            Some(0xfb) => return Err(Failure::Nonsense("it asks for a file of this machine")),
            _ => {}
        }
        let count = reader.counted_number()?;
        if count > MAX_COLUMNS {
            return Err(Failure::Nonsense("an answer of more than 2000 columns"));
        }
        let mut columns = Vec::new();
        for _ in 0..count {
            let (_, column) = self.packet().await?;
            columns.push(Column::read(&column)?);
        }
        self.end().await?;
        rows.name(columns.iter().map(|column| column.name.clone()).collect());
        loop {
            let (_, row) = self.packet().await?;
            if is_end(&row) {
                let mut reader = Reader(&row);
                reader.take(3)?;
                return Ok(Ending {
                    changed: 0,
                    last_id: 0,
                    status: reader.u16_le()?,
                });
            }
            if row.first() == Some(&0xff) {
                return Err(refused(&row)?);
            }
            // The rest can be long: the connection is given up.
            rows.row().map_err(many_rows)?;
            values(&row, &columns, rows)?;
        }
    }
}

/// Rows that nobody reads to their end are left to the server.
fn many_rows(many: Failure) -> Failure {
    match many {
        Failure::Asked(why) => Failure::TooMany(why),
        other => other,
    }
}

fn values(row: &[u8], columns: &[Column], rows: &mut Rows) -> Result<(), Failure> {
    let mut reader = Reader(row);
    if reader.byte()? != 0 {
        return Err(Failure::Nonsense("a row that is none"));
    }
    // Two bits in front have no column.
    let nulls = reader.take((columns.len() + 9) / 8)?;
    for (at, column) in columns.iter().enumerate() {
        let bit = at + 2;
        if nulls
            .get(bit / 8)
            .is_some_and(|byte| byte >> (bit % 8) & 1 == 1)
        {
            rows.value("null", 0)?;
        } else {
            let (json, size) = column.json(&mut reader)?;
            rows.value(&json, size)?;
        }
    }
    Ok(())
}

fn is_end(packet: &[u8]) -> bool {
    packet.first() == Some(&0xfe) && packet.len() < 9
}

/// The message that runs a statement with its parameters.
fn execution(id: u32, places: u16, params: &[serde_json::Value]) -> Result<Vec<u8>, String> {
    if usize::from(places) != params.len() {
        return Err(format!(
            "the statement has {places} places for parameters, and {} are given",
            params.len()
        ));
    }
    let mut body = id.to_le_bytes().to_vec();
    body.push(0);
    body.extend(1_u32.to_le_bytes());
    let mut nulls = vec![0_u8; params.len().div_ceil(8)];
    let (mut types, mut values) = (Vec::new(), Vec::new());
    for (at, param) in params.iter().enumerate() {
        let made = value::parameter(param);
        let (kind, value) = made.map_err(|why| format!("parameter {}: {why}", at + 1))?;
        types.extend([kind, 0]);
        match value {
            None => nulls[at / 8] |= 1 << (at % 8),
            Some(value) => values.extend(value),
        }
    }
    if !params.is_empty() {
        body.extend(nulls);
        body.push(1);
        body.extend(types);
        body.extend(values);
    }
    Ok(command(EXECUTE, &body))
}
