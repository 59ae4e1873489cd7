//! Letters for runs: signals, the ends of children, decisions. A letter wakes a run that waits.

use kael_engine::journal::{Letter, LetterKind};
use kael_engine::run_info::RunId;
use kael_engine::units::ByteSize;
use kael_store::{StoreError, Tx, Value};
use serde::de::IgnoredAny;

use crate::archive::Letter as Kept;
use crate::{RunRow, Runs, RunsError, State};

const PUT: &str = "INSERT INTO inbox (run, n, kind, name, payload, sender, once, at) \
                   SELECT ?1, coalesce(max(n), 0) + 1, ?2, ?3, ?4, ?5, ?6, ?7 FROM inbox WHERE run = ?1";
const THERE: &str = "SELECT n FROM inbox WHERE run = ?1 AND once = ?2";
const COUNT: &str = "SELECT count(*), coalesce(sum(octet_length(payload)), 0) FROM inbox WHERE run = ?1 AND kind = 0";
const CANCELLED_BY: &str = "SELECT sender FROM inbox WHERE run = ?1 AND once = 'cancel'";
const AFTER: &str = "SELECT n, kind, name, payload, sender FROM inbox WHERE run = ?1 AND n > ?2 \
                     ORDER BY n LIMIT 1000";
const WAKE: &str = "UPDATE runs SET wake = ?2 WHERE id = ?1 AND state = 2";

const ALL_OF: &str =
    "SELECT n, kind, name, payload, sender, once, at FROM inbox WHERE run = ?1 ORDER BY n";
const PLACE: &str = "INSERT INTO inbox (run, n, kind, name, payload, sender, once, at) \
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
const COPY: &str = "INSERT INTO inbox (run, n, kind, name, payload, sender, once, at) \
                    SELECT ?2, n, kind, name, payload, sender, once, at FROM inbox WHERE run = ?1 AND n = ?3";

#[cfg(test)]
pub(crate) const ALL: [&str; 9] = [
    PUT,
    THERE,
    COUNT,
    AFTER,
    WAKE,
    ALL_OF,
    PLACE,
    COPY,
    CANCELLED_BY,
];

/// Signals that a run may get, bytes of all of them, of each, and of its name.
const MAX_SIGNALS: i64 = 10_000;
const MAX_PAYLOADS: i64 = 16 << 20;
const MAX_PAYLOAD: usize = 1 << 20;
const MAX_NAME: usize = 200;

/// A signal for a run.
#[derive(Debug, Clone, Default)]
pub struct Signal {
    /// Its name, as `wait_for` has it.
    pub name: String,
    /// A JSON document.
    pub payload: String,
    /// Who sends it.
    pub by: String,
    /// A signal with the same text as an earlier one of the run is that one, and comes once.
    pub once: Option<String>,
}

impl Runs {
    /// Sends a signal to a run, which keeps it until its script asks for it. Says whether it is new. In the store of a
    /// server, the run may be one of which nothing is kept yet: the server knows that it is there.
    ///
    /// # Errors
    /// When the run is over or has too many, or the signal is no signal.
    pub fn signal(&self, id: RunId, signal: Signal) -> Result<bool, RunsError> {
        if signal.name.is_empty() || signal.name.len() > MAX_NAME {
            let why = format!("the name of a signal has 1 to {MAX_NAME} bytes");
            return Err(RunsError::Document(why));
        }
        if signal.payload.len() > MAX_PAYLOAD {
            let most = ByteSize::new(MAX_PAYLOAD as u64);
            let why = format!("what comes with a signal has at most {most}");
            return Err(RunsError::Document(why));
        }
        if let Err(error) = serde_json::from_str::<IgnoredAny>(&signal.payload) {
            let why = format!("what comes with a signal is no JSON: {error}");
            return Err(RunsError::Document(why));
        }
        let is_server = self.is_server();
        let written = self.store.write(move |tx| {
            let state = match RunRow::get(tx, id) {
                Ok(row) => row.state,
                Err(RunsError::Unknown(_)) if is_server => State::Running,
                Err(error) => return Ok(Err(error)),
            };
            let run = Value::from(id.bytes());
            let refused = |why| {
                let state = state.name().to_owned();
                Err(RunsError::State { id, state, why })
            };
            if state.is_over() {
                return Ok(refused("a run that is over gets no signals"));
            }
            let once = signal.once.as_ref().map(|once| format!("signal:{once}"));
            if let Some(once) = &once
                && is_there(tx, id.bytes(), once)?
            {
                return Ok(Ok(false));
            }
            let got = tx.first(COUNT, &[run], |row| {
                Ok((row.get::<i64>(0)?, row.get::<i64>(1)?))
            })?;
            let (count, bytes) = got.unwrap_or_default();
            if count >= MAX_SIGNALS {
                return Ok(refused("it has got as many signals as a run may get"));
            }
            if bytes + signal.payload.len() as i64 > MAX_PAYLOADS {
                return Ok(refused("the signals of a run may have 16 MiB together"));
            }
            let Signal {
                name, payload, by, ..
            } = &signal;
            put(tx, id.bytes(), 0, [name, payload, by], once.as_deref())?;
            Ok(Ok(true))
        });
        written.wait()?
    }
}

/// Adds a letter (its name, what is in it, and who sends it), and wakes the run if it waits.
pub(crate) fn put(
    tx: &Tx<'_>,
    run: &[u8; 16],
    kind: i64,
    [name, payload, by]: [&str; 3],
    once: Option<&str>,
) -> Result<(), StoreError> {
    let values = [
        Value::from(run),
        Value::Int(kind),
        Value::Text(name),
        Value::Text(payload),
        Value::Text(by),
        Value::from(once),
        Value::Int(tx.now()),
    ];
    tx.execute(PUT, &values)?;
    tx.execute(WAKE, &[Value::from(run), Value::Int(tx.now())])?;
    Ok(())
}

/// Asks a run to end, once, and wakes it if it waits, each time. Signals have other texts by which they come once.
pub(crate) fn ask_to_end(tx: &Tx<'_>, run: &[u8; 16], by: &str) -> Result<(), StoreError> {
    match is_there(tx, run, "cancel")? {
        true => tx
            .execute(WAKE, &[Value::from(run), Value::Int(tx.now())])
            .map(|_| ()),
        false => put(tx, run, 3, ["", "null", by], Some("cancel")),
    }
}

/// Who has asked a run to end.
pub(crate) fn cancelled_by(tx: &Tx<'_>, run: &[u8; 16]) -> Result<Option<String>, StoreError> {
    tx.first(CANCELLED_BY, &[Value::from(run)], |row| row.get(0))
}

/// Whether a letter that comes once is there.
pub(crate) fn is_there(tx: &Tx<'_>, run: &[u8; 16], once: &str) -> Result<bool, StoreError> {
    let values = [Value::from(run), Value::Text(once)];
    let found = tx.first(THERE, &values, |row| row.get::<i64>(0))?;
    Ok(found.is_some())
}

/// All that has come for a run.
pub(crate) fn all(tx: &Tx<'_>, run: &[u8; 16]) -> Result<Vec<Kept>, StoreError> {
    tx.query(ALL_OF, &[Value::from(run)], |row| {
        Ok(Kept {
            number: row.get(0)?,
            what: row.get(1)?,
            name: row.get(2)?,
            payload: row.get(3)?,
            sender: row.get(4)?,
            once: row.get(5)?,
            at: row.get(6)?,
        })
    })
}

/// Puts letters of a run that comes from elsewhere under the numbers that its journal has them by. What people have decided
/// elsewhere is nothing here: no digest is on it.
pub(crate) fn place(tx: &Tx<'_>, run: &[u8; 16], letters: &[Kept]) -> Result<(), StoreError> {
    for letter in letters {
        let name = match letter.what {
            0 | 1 => &*letter.name,
            _ => "",
        };
        let values = [
            Value::from(run),
            Value::Int(letter.number),
            Value::Int(letter.what),
            Value::Text(name),
            Value::from(&letter.payload),
            Value::from(&letter.sender),
            Value::from(letter.once.as_deref()),
            Value::Int(letter.at),
        ];
        tx.execute(PLACE, &values)?;
    }
    Ok(())
}

/// Gives another run the letter of that number, under the same number.
pub(crate) fn copy(
    tx: &Tx<'_>,
    from: &[u8; 16],
    to: &[u8; 16],
    number: u64,
) -> Result<(), StoreError> {
    let number = Value::Int(number as i64);
    tx.execute(COPY, &[Value::from(from), Value::from(to), number])?;
    Ok(())
}

/// What has come after the letter of that number.
pub(crate) fn after(tx: &Tx<'_>, run: &[u8; 16], number: u64) -> Result<Vec<Letter>, StoreError> {
    let values = [Value::from(run), Value::Int(number as i64)];
    tx.query(AFTER, &values, |row| {
        Ok(Letter {
            number: row.get::<i64>(0)? as u64,
            kind: match row.get::<i64>(1)? {
                0 => LetterKind::Signal,
                1 => LetterKind::Child,
                3 => LetterKind::Cancel,
                _ => LetterKind::Decision,
            },
            name: row.get(2)?,
            payload: row.get(3)?,
            by: row.get(4)?,
        })
    })
}
