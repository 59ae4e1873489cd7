//! Speaks the protocol of MySQL and MariaDB (version 10): statements of scripts are prepared and get
//! their parameters beside them. What a client can be asked for besides, such as a file of its
//! machine, is refused.
//!
//! This is Kael's own code: the driver `mysql_async` connects by itself, so that nothing below it can
//! bound what a server sends.

use bytes::{Bytes, BytesMut};
use kael_net::{NetworkPolicy, Stream, Trust, encrypt, tcp};
use ring::digest;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::address::Address;
use super::answer::Rows;
use super::failure::{Failure, shortened};
use super::link::{Link, Reader};
use super::mysql_value::{self as value, Column};
use super::{Asked, Done, One};
use crate::db::Statement;

/// What this client can: no files (0x80), no several statements (0x10000), no compression (0x20).
const CAN: u32 = 0x1 | 0x4 | 0x8 | 0x200 | 0x2000 | 0x8000 | 0x2_0000 | 0x4_0000 | 0x8_0000;
const TLS: u32 = 0x800;
/// utf8mb4_general_ci.
const CHARACTERS: u8 = 45;
/// The largest packet; a longer message is several.
const PACKET: usize = 0xff_ffff;
/// Columns of an answer.
const MAX_COLUMNS: u64 = 2_000;
/// Steps of a login.
const MAX_STEPS: usize = 6;
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

/// What a server says of itself.
struct Greeting {
    id: u32,
    is_mariadb: bool,
    can: u32,
    nonce: Vec<u8>,
    login: Vec<u8>,
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

impl Greeting {
    fn read(packet: &[u8]) -> Result<Self, Failure> {
        let mut reader = Reader(packet);
        match reader.byte()? {
            10 => {}
            0xff => return Err(unavailable(told(packet)?)),
            _ => return Err(Failure::Nonsense("a greeting of another version")),
        }
        let version = String::from_utf8_lossy(reader.zero_ended()?).into_owned();
        let id = reader.u32_le()?;
        let mut nonce = reader.take(8)?.to_vec();
        reader.byte()?;
        let low = reader.u16_le()?;
        reader.take(3)?;
        let high = reader.u16_le()?;
        let size = usize::from(reader.byte()?).saturating_sub(8).max(13);
        reader.take(10)?;
        nonce.extend_from_slice(reader.take(size)?);
        let login = reader.zero_ended().unwrap_or(reader.0).to_vec();
        nonce.truncate(20);
        Ok(Self {
            id,
            is_mariadb: version.contains("MariaDB"),
            can: u32::from(high) << 16 | u32::from(low),
            nonce,
            login,
        })
    }
}

/// A packet with its number.
fn packet(number: u8, body: &[u8]) -> Vec<u8> {
    let mut made = Vec::with_capacity(body.len() + 4);
    let mut number = number;
    let mut rest = body;
    loop {
        let (part, after) = rest.split_at(rest.len().min(PACKET));
        made.extend_from_slice(&u32::try_from(part.len()).unwrap_or(0).to_le_bytes()[..3]);
        made.push(number);
        made.extend_from_slice(part);
        number = number.wrapping_add(1);
        rest = after;
        // One that is full is followed by another, which may be empty.
        if part.len() < PACKET {
            return made;
        }
    }
}

fn command(word: u8, body: &[u8]) -> Vec<u8> {
    packet(0, &[&[word][..], body].concat())
}

impl Mysql {
    pub(super) async fn connect(
        address: &Address,
        network: &NetworkPolicy,
        trust: &Trust,
    ) -> Result<Self, Failure> {
        let failed = |error| Failure::connect(error, network.advice());
        let closed = |_| Failure::Closed;
        let mut stream = tcp(&address.server, network).await.map_err(failed)?;
        // Without a buffer: what follows may be TLS, and no byte before it counts as a part of that.
        let mut head = [0; 4];
        stream.read_exact(&mut head).await.map_err(closed)?;
        let size = usize::from(head[0]) | usize::from(head[1]) << 8;
        if head[2] > 0 {
            return Err(Failure::Nonsense("a greeting of more than 64 KiB"));
        }
        let mut body = vec![0; size];
        stream.read_exact(&mut body).await.map_err(closed)?;
        let greeting = Greeting::read(&body)?;
        let mut number = head[3].wrapping_add(1);
        let mut can = CAN;
        let stream: Box<dyn Stream> = if address.server.tls {
            if greeting.can & TLS == 0 {
                let why = "the server speaks no TLS".to_owned();
                let hint = "`sslmode=disable` in the grant's `url` sends everything unencrypted"
                    .to_owned();
                return Err(Failure::Unavailable(why, Some(hint)));
            }
            can |= TLS;
            stream
                .write_all(&packet(number, &begin(can)))
                .await
                .map_err(closed)?;
            number = number.wrapping_add(1);
            Box::new(
                encrypt(&address.server, stream, network, trust)
                    .await
                    .map_err(failed)?,
            )
        } else {
            Box::new(stream)
        };
        let mut own = Self {
            link: Link::new(stream),
            id: greeting.id,
            is_mariadb: greeting.is_mariadb,
            has_begun: false,
        };
        own.log_in(address, &greeting, can, number).await?;
        Ok(own)
    }

    async fn log_in(
        &mut self,
        address: &Address,
        greeting: &Greeting,
        can: u32,
        number: u8,
    ) -> Result<(), Failure> {
        // Of another way to log in the server says so.
        let (login, shown) = match proof(&greeting.login, &address.password, &greeting.nonce) {
            Ok(shown) => (&greeting.login[..], shown),
            Err(_) => (&b"mysql_native_password"[..], Vec::new()),
        };
        let mut body = begin(can);
        body.extend_from_slice(address.user.as_bytes());
        body.push(0);
        body.push(u8::try_from(shown.len()).unwrap_or(0));
        body.extend_from_slice(&shown);
        for text in [address.database.as_bytes(), login] {
            body.extend_from_slice(text);
            body.push(0);
        }
        self.link.send(&packet(number, &body)).await?;
        let mut login = login.to_vec();
        for _ in 0..MAX_STEPS {
            let (number, answer) = self.packet().await?;
            let mut reader = Reader(&answer);
            let sent = match (reader.byte()?, reader.0) {
                (0, _) => return Ok(()),
                (0xff, _) => return Err(unavailable(told(&answer)?)),
                (0xfe, []) => return Err(unknown_login()),
                (0xfe, _) => {
                    login = reader.zero_ended()?.to_vec();
                    let nonce = reader.0.strip_suffix(b"\0").unwrap_or(reader.0);
                    proof(&login, &address.password, nonce)?
                }
                (1, [3]) if login == SHA2 => continue,
                (1, [4]) if login == SHA2 && address.server.tls => {
                    [address.password.as_bytes(), b"\0"].concat()
                }
                (1, [4]) if login == SHA2 => {
                    let why = "the server wants the password itself, which goes over TLS alone"
                        .to_owned();
                    let hint = "leave `sslmode=disable` out of the grant's `url`, or log in once from elsewhere: the server remembers it".to_owned();
                    return Err(Failure::Unavailable(why, Some(hint)));
                }
                _ => return Err(unknown_login()),
            };
            self.link
                .send(&packet(number.wrapping_add(1), &sent))
                .await?;
        }
        Err(unknown_login())
    }

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
        set?;
        self.ok().await?;
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
        let mut failure = None;
        for _ in 0..MAX_RESULTS {
            let mut rows = Rows::new(Vec::new(), max_rows);
            let ending = match self.result(&mut rows, &mut failure).await? {
                Some(ending) => ending,
                // The server has refused it, and there is nothing behind that.
                None => return Err(failure.unwrap_or(Failure::Nonsense("no answer"))),
            };
            let more = ending.status & MORE != 0;
            let is_first = one.as_ref().is_none_or(|one| !one.rows.has_columns());
            let changed = ending.changed + one.as_ref().map_or(0, |one| one.changed);
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
                return failure.map_or(Ok(made), Err);
            }
            one = Some(made);
        }
        Err(Failure::Nonsense("too many results"))
    }

    /// One result; none where the server has refused.
    async fn result(
        &mut self,
        rows: &mut Rows,
        failure: &mut Option<Failure>,
    ) -> Result<Option<Ending>, Failure> {
        let (_, answer) = self.packet().await?;
        let mut reader = Reader(&answer);
        match answer.first() {
            Some(0) => {
                reader.byte()?;
                let (changed, last_id) = (reader.counted_number()?, reader.counted_number()?);
                let status = reader.u16_le()?;
                return Ok(Some(Ending {
                    changed,
                    last_id,
                    status,
                }));
            }
            Some(0xff) => {
                *failure = Some(refused(&answer)?);
                return Ok(None);
            }
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
                return Ok(Some(Ending {
                    changed: 0,
                    last_id: 0,
                    status: reader.u16_le()?,
                }));
            }
            if row.first() == Some(&0xff) {
                *failure = Some(refused(&row)?);
                return Ok(None);
            }
            if failure.is_none() {
                match rows.row() {
                    Ok(()) => values(&row, &columns, rows)?,
                    // The rest can be long: the connection is given up.
                    Err(many) => return Err(many_rows(many)),
                }
            }
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

/// How every login begins.
fn begin(can: u32) -> Vec<u8> {
    let mut body = can.to_le_bytes().to_vec();
    body.extend(u32::try_from(PACKET).unwrap_or(0).to_le_bytes());
    body.push(CHARACTERS);
    body.extend([0; 23]);
    body
}

const SHA2: &[u8] = b"caching_sha2_password";

/// What shows that the password is known, without showing it.
fn proof(login: &[u8], password: &str, nonce: &[u8]) -> Result<Vec<u8>, Failure> {
    let hash = |algorithm, parts: &[&[u8]]| {
        let mut context = digest::Context::new(algorithm);
        parts.iter().for_each(|part| context.update(part));
        context.finish()
    };
    let algorithm = match login {
        b"mysql_native_password" => &digest::SHA1_FOR_LEGACY_USE_ONLY,
        SHA2 => &digest::SHA256,
        _ => return Err(unknown_login()),
    };
    if nonce.len() != 20 {
        return Err(Failure::Nonsense("a login without its 20 bytes"));
    }
    if password.is_empty() {
        return Ok(Vec::new());
    }
    let once = hash(algorithm, &[password.as_bytes()]);
    let twice = hash(algorithm, &[once.as_ref()]);
    let with_nonce = match login {
        SHA2 => hash(algorithm, &[twice.as_ref(), nonce]),
        _ => hash(algorithm, &[nonce, twice.as_ref()]),
    };
    let mixed = once.as_ref().iter().zip(with_nonce.as_ref());
    Ok(mixed.map(|(a, b)| a ^ b).collect())
}

fn unknown_login() -> Failure {
    let why = "the server wants a login that Kael does not know".to_owned();
    let hint = "mysql_native_password and caching_sha2_password are known".to_owned();
    Failure::Unavailable(why, Some(hint))
}

/// The number of an error, and its words.
fn told(packet: &[u8]) -> Result<(u16, String), Failure> {
    let mut reader = Reader(packet);
    reader.byte()?;
    let code = reader.u16_le()?;
    let (state, words) = match reader
        .0
        .strip_prefix(b"#")
        .and_then(|rest| rest.split_at_checked(5))
    {
        Some((state, words)) => (String::from_utf8_lossy(state).into_owned(), words),
        None => ("HY000".to_owned(), reader.0),
    };
    let words = shortened(&String::from_utf8_lossy(words));
    Ok((code, format!("{words} (SQLSTATE {state}, error {code})")))
}

fn unavailable((_, why): (u16, String)) -> Failure {
    Failure::Unavailable(why, None)
}

fn refused(packet: &[u8]) -> Result<Failure, Failure> {
    Ok(match told(packet)? {
        // Ended by KILL QUERY, or by the limit on its time.
        (1317 | 1969 | 3024, _) => Failure::Timeout,
        (_, why) => Failure::Refused(why, None),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_proves_the_password() {
        let nonce = [7; 20];
        assert_eq!(proof(SHA2, "", &nonce), Ok(Vec::new()));
        assert_eq!(proof(SHA2, "x", &nonce).expect("a proof").len(), 32);
        assert_eq!(
            proof(b"mysql_native_password", "x", &nonce)
                .expect("a proof")
                .len(),
            20
        );
        assert!(proof(b"mysql_clear_password", "x", &nonce).is_err());
        assert!(proof(SHA2, "x", b"short").is_err());
    }

    #[test]
    fn a_greeting_that_is_cut_is_an_error_and_no_panic() {
        let mut whole = b"\x0a10.11.19-MariaDB\0".to_vec();
        whole.extend(7_u32.to_le_bytes());
        whole.extend(b"12345678\0\xff\xff\x2d\x02\0\xff\xff\x15");
        whole.extend([0; 10]);
        whole.extend(b"123456789012\0mysql_native_password\0");
        let greeting = Greeting::read(&whole).expect("a greeting");
        assert_eq!((greeting.id, greeting.is_mariadb), (7, true));
        assert_eq!(greeting.nonce, b"12345678123456789012");
        assert_eq!(greeting.login, b"mysql_native_password");
        for size in 0..whole.len() - 23 {
            assert!(Greeting::read(&whole[..size]).is_err(), "{size}");
        }
    }

    #[test]
    fn a_long_message_is_several_packets() {
        let sent = packet(0, &vec![0; PACKET]);
        assert_eq!(sent.len(), PACKET + 8);
        assert_eq!(&sent[PACKET + 4..], [0, 0, 0, 1]);
    }
}
