//! Speaks the protocol of PostgreSQL (version 3.0): one statement in each message, with its
//! parameters beside it and never in it.

use bytes::Bytes;
use kael_net::{NetworkPolicy, Stream, Trust, encrypt, tcp};
use md5::{Digest as _, Md5};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::address::Address;
use super::answer::Rows;
use super::failure::{Failure, shortened};
use super::link::{Link, Reader};
use super::postgres_value as value;
use super::scram::Scram;
use super::{Asked, Done};
use crate::db::Statement;

/// Columns of an answer, and parameters.
const MAX_COLUMNS: usize = 2_000;

/// A connection that has no transaction.
pub(super) struct Postgres {
    link: Link,
    /// What ends its statement from another connection.
    key: (i32, i32),
    /// Whether the call that goes on has had an answer.
    pub(super) has_begun: bool,
}

/// What a server says that it is done with.
struct Ready {
    /// The command that it has done: `INSERT 0 1`.
    tag: String,
    /// `I` outside of a transaction, `T` in one, `E` in one that has failed.
    state: u8,
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
    (process, secret): (i32, i32),
) -> Result<(), Failure> {
    let mut stream = opened(address, network, trust).await?;
    let message = [16, 80_877_102, process, secret]
        .map(i32::to_be_bytes)
        .concat();
    let closed = |_| Failure::Closed;
    stream.write_all(&message).await.map_err(closed)?;
    // The server closes the connection when it has passed the signal on.
    stream.read_u8().await.map_err(closed).map(drop)
}

fn message(tag: u8, body: &[&[u8]]) -> Vec<u8> {
    let body = body.concat();
    let size = u32::try_from(body.len() + 4).unwrap_or(u32::MAX);
    [&[tag][..], &size.to_be_bytes(), &body].concat()
}

fn simple(sql: &str) -> Vec<u8> {
    message(b'Q', &[sql.as_bytes(), b"\0"])
}

fn sync() -> Vec<u8> {
    message(b'S', &[])
}

impl Postgres {
    pub(super) async fn connect(
        address: &Address,
        network: &NetworkPolicy,
        trust: &Trust,
    ) -> Result<Self, Failure> {
        let link = Link::new(opened(address, network, trust).await?);
        let mut own = Self {
            link,
            key: (0, 0),
            has_begun: false,
        };
        let mut body = 196_608_i32.to_be_bytes().to_vec();
        for text in [
            "user",
            &address.user,
            "database",
            &address.database,
            "client_encoding",
            "UTF8",
            "application_name",
            "kael",
        ] {
            body.extend_from_slice(text.as_bytes());
            body.push(0);
        }
        body.push(0);
        let size = i32::try_from(body.len() + 4).unwrap_or(i32::MAX);
        own.link
            .send(&[&size.to_be_bytes()[..], &body].concat())
            .await?;
        own.log_in(address).await?;
        Ok(own)
    }

    async fn log_in(&mut self, address: &Address) -> Result<(), Failure> {
        let mut scram = None;
        loop {
            let (tag, body) = self.message().await?;
            let mut reader = Reader(&body);
            match tag {
                b'R' => match reader.i32_be()? {
                    0 => {}
                    3 if address.server.tls => self.password(address.password.as_bytes()).await?,
                    3 => {
                        let why = "the server wants the password unencrypted".to_owned();
                        let hint = "use TLS, or a role whose password is kept for SCRAM".to_owned();
                        return Err(Failure::Unavailable(why, Some(hint)));
                    }
                    5 => {
                        let salt = reader.take(4)?;
                        let inner = hex(&[address.password.as_bytes(), address.user.as_bytes()]);
                        let outer = hex(&[inner.as_bytes(), salt]);
                        self.password(format!("md5{outer}").as_bytes()).await?;
                    }
                    10 => {
                        let offers = reader.0.split(|byte| *byte == 0);
                        if !offers.into_iter().any(|offer| offer == b"SCRAM-SHA-256") {
                            return Err(unknown_login());
                        }
                        let begun = Scram::new()?;
                        let first = begun.first();
                        let size = u32::try_from(first.len()).unwrap_or(0).to_be_bytes();
                        let parts: [&[u8]; 3] = [b"SCRAM-SHA-256\0", &size, first.as_bytes()];
                        self.link.send(&message(b'p', &parts)).await?;
                        scram = Some(begun);
                    }
                    11 => {
                        let scram = scram.as_mut().ok_or_else(unknown_login)?;
                        let answer = scram.answer(reader.0, &address.password)?;
                        self.link.send(&message(b'p', &[answer.as_bytes()])).await?;
                    }
                    12 => scram.as_ref().ok_or_else(unknown_login)?.check(reader.0)?,
                    _ => return Err(unknown_login()),
                },
                b'K' => self.key = (reader.i32_be()?, reader.i32_be()?),
                b'Z' => return Ok(()),
                b'E' => {
                    let (code, why, hint) = told(&body)?;
                    return Err(match code.as_str() {
                        // A role, a password or a database that is none.
                        "28000" | "28P01" | "3D000" | "53300" => Failure::Unavailable(why, hint),
                        _ => Failure::Refused(why, hint),
                    });
                }
                _ => {
                    return Err(Failure::Nonsense(
                        "an unknown message before the first statement",
                    ));
                }
            }
        }
    }

    async fn password(&mut self, text: &[u8]) -> Result<(), Failure> {
        self.link.send(&message(b'p', &[text, b"\0"])).await
    }

    /// What `cancel` takes.
    pub(super) fn key(&self) -> (i32, i32) {
        self.key
    }

    /// The next message that is not for people.
    async fn message(&mut self) -> Result<(u8, Bytes), Failure> {
        loop {
            let head = self.link.read(5).await?;
            let mut reader = Reader(&head);
            let (tag, size) = (reader.byte()?, reader.i32_be()?);
            let size = size
                .checked_sub(4)
                .and_then(|size| usize::try_from(size).ok());
            let body = self
                .link
                .read(size.ok_or(Failure::Nonsense("a size below zero"))?)
                .await?;
            // A notice, the value of a setting, a notification.
            if !matches!(tag, b'N' | b'S' | b'A') {
                return Ok((tag, body));
            }
        }
    }

    /// Does a call, in one transaction. Of the connection nothing is left to the next.
    pub(super) async fn call(&mut self, asked: &Asked<'_>) -> Result<Done, Failure> {
        self.link.begin();
        self.has_begun = false;
        let mode = if asked.reads {
            "READ ONLY"
        } else {
            "READ WRITE"
        };
        let millis = asked.left().as_millis().max(1);
        let begin = format!(
            "BEGIN {mode}; SET LOCAL statement_timeout = {millis}; SET LOCAL datestyle = 'ISO'; SET LOCAL intervalstyle = 'iso_8601'; SET LOCAL timezone = 'UTC'; SET LOCAL bytea_output = 'hex'; SET LOCAL extra_float_digits = 1"
        );
        let mut sent = simple(&begin);
        if let Some(first) = asked.statements.first() {
            sent.extend(parse(&first.sql));
        }
        self.link.send(&sent).await?;
        let begun = self.ready().await;
        self.has_begun = begun.is_ok();
        if begun?.state != b'T' {
            return Err(Failure::Nonsense("a transaction has not begun"));
        }
        let mut done = Done::default();
        let mut failure = None;
        for (at, statement) in asked.statements.iter().enumerate() {
            if at > 0 {
                self.link.send(&parse(&statement.sql)).await?;
            }
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
            .send(&[simple(end), simple("DISCARD ALL")].concat())
            .await?;
        let ended = self.ready().await;
        self.ready().await?;
        if let Some(failure) = failure {
            return Err(failure);
        }
        if ended?.tag != end {
            return Err(Failure::Refused(
                "the server did not keep the changes".to_owned(),
                None,
            ));
        }
        Ok(done)
    }

    /// Whether the next call can have it.
    pub(super) fn is_clean(&self) -> bool {
        self.link.is_empty()
    }

    /// One statement, whose first message was sent.
    async fn statement(
        &mut self,
        statement: &Statement,
        asked: &Asked<'_>,
    ) -> Result<super::One, Failure> {
        let (params, columns) = self.described().await?;
        if params.len() != statement.params.len() {
            return Err(Failure::Asked(format!(
                "the statement has {} places for parameters, and {} are given",
                params.len(),
                statement.params.len()
            )));
        }
        let mut body = b"\0\0\0\0".to_vec();
        let count = u16::try_from(params.len())
            .map_err(|_| Failure::Asked("too many parameters".to_owned()))?;
        body.extend(count.to_be_bytes());
        for (at, (oid, value)) in params.iter().zip(&statement.params).enumerate() {
            let made = value::parameter(*oid, value);
            match made.map_err(|why| Failure::Asked(format!("parameter {}: {why}", at + 1)))? {
                None => body.extend((-1_i32).to_be_bytes()),
                Some(text) => {
                    body.extend(u32::try_from(text.len()).unwrap_or(u32::MAX).to_be_bytes());
                    body.extend(text);
                }
            }
        }
        body.extend(0_u16.to_be_bytes());
        // One row more than may be, to know that there is one.
        let most = i32::try_from(asked.max_rows + 1)
            .unwrap_or(i32::MAX)
            .to_be_bytes();
        let execute = message(b'E', &[b"\0", &most]);
        self.link
            .send(&[message(b'B', &[&body]), execute, sync()].concat())
            .await?;
        let names = columns.iter().map(|(name, _)| name.clone()).collect();
        let mut rows = Rows::new(names, asked.max_rows);
        let ready = self.rows(&mut rows, &columns).await?;
        if ready.state != b'T' {
            return Err(Failure::Nonsense("a statement has ended its transaction"));
        }
        let count = ready
            .tag
            .rsplit(' ')
            .next()
            .and_then(|count| count.parse().ok());
        Ok(super::One {
            rows,
            changed: count.unwrap_or(0),
            last_id: None,
        })
    }

    /// The types of parameters, and the columns of a statement.
    async fn described(&mut self) -> Result<(Vec<u32>, Vec<(String, u32)>), Failure> {
        let (mut params, mut columns, mut failure) = (Vec::new(), Vec::new(), None);
        loop {
            let (tag, body) = self.message().await?;
            let mut reader = Reader(&body);
            match tag {
                b'1' | b'n' => {}
                b't' => {
                    for _ in 0..reader.u16_be()? {
                        params.push(reader.i32_be()?.cast_unsigned());
                    }
                }
                b'T' => {
                    let count = usize::from(reader.u16_be()?);
                    for _ in 0..count {
                        let name = String::from_utf8_lossy(reader.zero_ended()?).into_owned();
                        reader.take(6)?;
                        let oid = reader.i32_be()?.cast_unsigned();
                        reader.take(8)?;
                        columns.push((name, oid));
                    }
                    if count > MAX_COLUMNS {
                        failure = Some(Failure::Asked(format!(
                            "an answer has at most {MAX_COLUMNS} columns"
                        )));
                    }
                }
                b'E' => failure = Some(refused(&body)?),
                b'Z' => return failure.map_or(Ok((params, columns)), Err),
                _ => return Err(Failure::Nonsense("an unknown message about a statement")),
            }
        }
    }

    /// Reads rows until the statement is done.
    async fn rows(&mut self, rows: &mut Rows, columns: &[(String, u32)]) -> Result<Ready, Failure> {
        let (mut done, mut failure) = (String::new(), None);
        loop {
            let (tag, body) = self.message().await?;
            let mut reader = Reader(&body);
            match tag {
                b'2' => {}
                b'D' if failure.is_some() => {}
                b'D' => {
                    if usize::from(reader.u16_be()?) != columns.len() {
                        return Err(Failure::Nonsense("a row of other columns"));
                    }
                    if let Err(many) = rows.row() {
                        failure = Some(many);
                        continue;
                    }
                    for (_, oid) in columns {
                        match usize::try_from(reader.i32_be()?) {
                            Err(_) => rows.value("null", 0)?,
                            Ok(size) => rows.value(&value::json(*oid, reader.take(size)?), size)?,
                        }
                    }
                }
                b'C' => done = String::from_utf8_lossy(reader.zero_ended()?).into_owned(),
                // There are more rows than it was asked for.
                b's' => failure = Some(rows.too_many()),
                b'I' => failure = Some(Failure::Asked("a statement is missing".to_owned())),
                b'E' => failure = Some(refused(&body)?),
                b'Z' => {
                    let state = reader.byte()?;
                    return failure.map_or(Ok(Ready { tag: done, state }), Err);
                }
                _ => return Err(Failure::Nonsense("an answer that is no rows")),
            }
        }
    }

    /// Reads to the end of statements of Kael's own.
    async fn ready(&mut self) -> Result<Ready, Failure> {
        let mut rows = Rows::new(Vec::new(), 0);
        self.rows(&mut rows, &[]).await
    }
}

fn parse(sql: &str) -> Vec<u8> {
    let parsed = message(b'P', &[b"\0", sql.as_bytes(), b"\0\0\0"]);
    [parsed, message(b'D', &[b"S\0"]), sync()].concat()
}

fn refused(body: &[u8]) -> Result<Failure, Failure> {
    let (code, why, hint) = told(body)?;
    Ok(match code.as_str() {
        "57014" => Failure::Timeout,
        _ => Failure::Refused(why, hint),
    })
}

/// The code of an error, its words, and its advice.
fn told(body: &[u8]) -> Result<(String, String, Option<String>), Failure> {
    let mut reader = Reader(body);
    let (mut code, mut words, mut detail, mut hint) = (String::new(), String::new(), None, None);
    loop {
        let field = reader.byte()?;
        if field == 0 {
            break;
        }
        let text = shortened(&String::from_utf8_lossy(reader.zero_ended()?));
        match field {
            b'C' => code = text,
            b'M' => words = text,
            b'D' => detail = Some(text),
            b'H' => hint = Some(text),
            _ => {}
        }
    }
    let detail = detail
        .map(|detail| format!(": {detail}"))
        .unwrap_or_default();
    let why = format!("{words}{detail} (SQLSTATE {code})");
    Ok((code, why, hint))
}

fn unknown_login() -> Failure {
    let why = "the server wants a login that Kael does not know".to_owned();
    let hint = "passwords by SCRAM-SHA-256 and MD5 are known, and plain ones over TLS".to_owned();
    Failure::Unavailable(why, Some(hint))
}

fn hex(parts: &[&[u8]]) -> String {
    let mut hash = Md5::new();
    for part in parts {
        hash.update(part);
    }
    hash.finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
