//! The fires of schedules: a row makes each of them happen once, whatever restarts in between.

use kael_store::{Row, StoreError, Tx, Value};

use super::statements;
use crate::id::Id;

/// What became of a fire. Codes are what the store has, and never change their meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It has a run.
    Started,
    /// It waits for the end of the run before it.
    Waiting,
    /// The run before it went on.
    Skipped,
    /// It was not due any more when the server could have begun it.
    Missed,
    /// The run was refused.
    Refused,
}

impl Outcome {
    const ALL: [Self; 5] = [
        Self::Started,
        Self::Waiting,
        Self::Skipped,
        Self::Missed,
        Self::Refused,
    ];

    fn code(self) -> i64 {
        match self {
            Self::Started => 0,
            Self::Waiting => 1,
            Self::Skipped => 2,
            Self::Missed => 3,
            Self::Refused => 4,
        }
    }

    fn of_code(code: i64) -> Self {
        let found = Self::ALL.into_iter().find(|outcome| outcome.code() == code);
        found.unwrap_or(Self::Refused)
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Started => "started",
            Self::Waiting => "waiting",
            Self::Skipped => "skipped",
            Self::Missed => "missed",
            Self::Refused => "refused",
        }
    }

    /// 1 while its run may go on, 2 while it waits.
    fn open(self) -> i64 {
        match self {
            Self::Started => 1,
            Self::Waiting => 2,
            Self::Skipped | Self::Missed | Self::Refused => 0,
        }
    }
}

/// A fire.
#[derive(Debug, Clone)]
pub(crate) struct FireRow {
    /// When it was due.
    pub(crate) at: i64,
    pub(crate) outcome: Outcome,
    pub(crate) run: Option<Id>,
    /// Why it has none.
    pub(crate) why: Option<String>,
}

statements! {
    INSERT = "INSERT INTO srv_fires (schedule, at, outcome, run, why, open) VALUES (?1, ?2, ?3, ?4, ?5, ?6) \
              ON CONFLICT (schedule, at) DO NOTHING";
    CHANGE = "UPDATE srv_fires SET outcome = ?3, run = ?4, why = ?5, open = ?6 WHERE schedule = ?1 AND at = ?2";
    OPEN = "SELECT at, outcome, run, why FROM srv_fires WHERE schedule = ?1 AND open > 0 ORDER BY at";
    CLOSE = "UPDATE srv_fires SET open = 0 WHERE schedule = ?1 AND open > 0 AND open = 1 \
             AND NOT EXISTS (SELECT 1 FROM srv_runs WHERE srv_runs.id = srv_fires.run AND srv_runs.ended IS NULL)";
    // `open > 0` is what the index of open fires is about.
    WAITING = "SELECT DISTINCT schedule FROM srv_fires WHERE open > 0 AND open = 2";
    WAITING_OF = "SELECT count(*) FROM srv_fires WHERE schedule = ?1 AND open > 0 AND open = 2";
    LIST = "SELECT at, outcome, run, why FROM srv_fires WHERE schedule = ?1 ORDER BY at DESC LIMIT ?2";
    OLDEST = "SELECT at FROM srv_fires WHERE schedule = ?1 AND open = 0 ORDER BY at DESC LIMIT 1 OFFSET ?2";
    PRUNE = "DELETE FROM srv_fires WHERE schedule = ?1 AND at <= ?2 AND open = 0";
    DELETE = "DELETE FROM srv_fires WHERE schedule = ?1";
}

/// Adds a fire. False if it happened already.
pub(crate) fn insert(tx: &Tx<'_>, schedule: &Id, row: &FireRow) -> Result<bool, StoreError> {
    Ok(tx.execute(INSERT, &values(schedule, row))? == 1)
}

/// Writes what became of a fire that waited.
pub(crate) fn change(tx: &Tx<'_>, schedule: &Id, row: &FireRow) -> Result<(), StoreError> {
    tx.execute(CHANGE, &values(schedule, row)).map(|_| ())
}

fn values<'a>(schedule: &'a Id, row: &'a FireRow) -> [Value<'a>; 6] {
    [
        schedule.into(),
        row.at.into(),
        row.outcome.code().into(),
        row.run.as_ref().into(),
        row.why.as_ref().into(),
        row.outcome.open().into(),
    ]
}

/// The fires of a schedule whose runs go on, and those that wait for them, the oldest first.
pub(crate) fn open(tx: &Tx<'_>, schedule: &Id) -> Result<Vec<FireRow>, StoreError> {
    tx.execute(CLOSE, &[schedule.into()])?;
    tx.query(OPEN, &[schedule.into()], row)
}

/// The schedules of all tenants with fires that wait.
pub(crate) fn waiting(tx: &Tx<'_>) -> Result<Vec<Id>, StoreError> {
    tx.query(WAITING, &[], |row| Ok(Id::of(row.get(0)?)))
}

/// How many fires of a schedule wait.
pub(crate) fn waiting_of(tx: &Tx<'_>, schedule: &Id) -> Result<i64, StoreError> {
    let count = tx.first(WAITING_OF, &[schedule.into()], |row| row.get(0))?;
    Ok(count.unwrap_or(0))
}

/// The newest fires of a schedule.
pub(crate) fn list(tx: &Tx<'_>, schedule: &Id, limit: i64) -> Result<Vec<FireRow>, StoreError> {
    tx.query(LIST, &[schedule.into(), limit.into()], row)
}

/// Removes the oldest fires beyond `most`.
pub(crate) fn prune(tx: &Tx<'_>, schedule: &Id, most: i64) -> Result<(), StoreError> {
    let oldest: Option<i64> =
        tx.first(OLDEST, &[schedule.into(), most.into()], |row| row.get(0))?;
    match oldest {
        None => Ok(()),
        Some(at) => tx.execute(PRUNE, &[schedule.into(), at.into()]).map(drop),
    }
}

/// Removes all fires of a schedule.
pub(crate) fn delete(tx: &Tx<'_>, schedule: &Id) -> Result<(), StoreError> {
    tx.execute(DELETE, &[schedule.into()]).map(drop)
}

fn row(row: &Row<'_, '_>) -> Result<FireRow, StoreError> {
    Ok(FireRow {
        at: row.get(0)?,
        outcome: Outcome::of_code(row.get(1)?),
        run: row.get::<Option<[u8; 16]>>(2)?.map(Id::of),
        why: row.get(3)?,
    })
}
