//! One run as the table has it.

use std::collections::BTreeMap;
use std::fmt;

use kael_engine::run_info::RunId;
use kael_store::{Row, StoreError, Tx, Value};

use crate::RunsError;

const COLUMNS: &str = "id, state, reason, name, guest, args, limits, epoch, wake, takeovers, \
                       created, started, ended, ending, usage, status, parent, tenant, \
                       forked_from, forked_at, imported, labels, continues";

/// In which state a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It waits to be begun.
    Queued,
    /// A process has it, or had it when it died.
    Running,
    /// It waits for a time, a signal or a person.
    Waiting,
    /// It ran to its end.
    Succeeded,
    /// It failed, or reached a limit.
    Failed,
    /// It was cancelled.
    Cancelled,
    /// A person must settle something.
    Parked,
}

impl State {
    const ALL: [Self; 7] = [
        Self::Queued,
        Self::Running,
        Self::Waiting,
        Self::Succeeded,
        Self::Failed,
        Self::Cancelled,
        Self::Parked,
    ];

    /// Its number in the table.
    #[must_use]
    pub fn number(self) -> i64 {
        self as i64
    }

    fn of(number: i64) -> Self {
        let found = Self::ALL.into_iter().find(|state| state.number() == number);
        found.unwrap_or(Self::Parked)
    }

    /// The state of that name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }

    /// Whether nothing more happens in it, unless a person continues it.
    #[must_use]
    pub fn is_over(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Cancelled)
    }

    /// As people read it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Waiting => "waiting",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Parked => "parked",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One run as the table has it. Times are microseconds since 1970.
#[derive(Debug, Clone)]
pub struct RunRow {
    /// Its id.
    pub id: RunId,
    /// Its state.
    pub state: State,
    /// Why it is parked, waits or failed: `in_doubt`, `diverged`, `limit`.
    pub reason: Option<String>,
    /// How errors name the script.
    pub name: String,
    pub(crate) guest: Vec<u8>,
    pub(crate) args: String,
    pub(crate) limits: String,
    /// How often a process took it.
    pub epoch: i64,
    /// When it is to be woken.
    pub wake: Option<i64>,
    /// How often a process took it after another had died with it.
    pub takeovers: i64,
    /// When it was written down.
    pub created: i64,
    /// When its script began.
    pub started: Option<i64>,
    /// When it ended.
    pub ended: Option<i64>,
    /// How it ended, as JSON.
    pub ending: Option<String>,
    /// What it used, as JSON.
    pub usage: Option<String>,
    /// How far its script says that it is.
    pub status: Option<String>,
    /// The run that has started it.
    pub parent: Option<RunId>,
    /// The run of whose beginning it was made, and up to which entry.
    pub forked: Option<(RunId, i64)>,
    /// What it is found by.
    pub labels: BTreeMap<String, String>,
    /// The run in whose place it has come.
    pub continues: Option<RunId>,
    /// Whether it came from a file that is not trusted: it does not go on here.
    pub is_imported: bool,
    pub(crate) tenant: i64,
}

impl RunRow {
    fn of(row: &Row<'_, '_>) -> Result<Self, StoreError> {
        Ok(Self {
            id: RunId::from_bytes(row.get(0)?),
            state: State::of(row.get(1)?),
            reason: row.get(2)?,
            name: row.get(3)?,
            guest: row.get(4)?,
            args: row.get(5)?,
            limits: row.get(6)?,
            epoch: row.get(7)?,
            wake: row.get(8)?,
            takeovers: row.get(9)?,
            created: row.get(10)?,
            started: row.get(11)?,
            ended: row.get(12)?,
            ending: row.get(13)?,
            usage: row.get(14)?,
            status: row.get(15)?,
            parent: row.get::<Option<[u8; 16]>>(16)?.map(RunId::from_bytes),
            tenant: row.get(17)?,
            forked: row
                .get::<Option<[u8; 16]>>(18)?
                .map(RunId::from_bytes)
                .zip(row.get(19)?),
            is_imported: row.get::<i64>(20)? != 0,
            labels: serde_json::from_str(&row.get::<String>(21)?).unwrap_or_default(),
            continues: row.get::<Option<[u8; 16]>>(22)?.map(RunId::from_bytes),
        })
    }

    /// The run of an id.
    pub(crate) fn get(tx: &Tx<'_>, id: RunId) -> Result<Self, RunsError> {
        let sql = format!("SELECT {COLUMNS} FROM runs WHERE id = ?1");
        let found = tx.first(&sql, &[Value::from(id.bytes())], Self::of)?;
        found.ok_or_else(|| RunsError::Unknown(id.to_string()))
    }

    /// Those that are to be woken, the first of them first; a run whose process has died after it was woken, too.
    pub(crate) fn waiting(tx: &Tx<'_>) -> Result<Vec<Self>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM runs WHERE wake IS NOT NULL AND state IN (0, 1, 2) ORDER BY wake"
        );
        tx.query(&sql, &[], Self::of)
    }

    /// The newest runs first.
    pub(crate) fn newest(tx: &Tx<'_>, tenant: i64, count: i64) -> Result<Vec<Self>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM runs WHERE tenant = ?1 ORDER BY id DESC LIMIT ?2");
        tx.query(&sql, &[Value::Int(tenant), Value::Int(count)], Self::of)
    }

    /// Those of them that have all of these labels.
    pub(crate) fn labelled(
        tx: &Tx<'_>,
        tenant: i64,
        labels: &BTreeMap<String, String>,
        count: i64,
    ) -> Result<Vec<Self>, StoreError> {
        let mut values = vec![Value::Int(tenant), Value::Int(count)];
        let mut sql = format!("SELECT {COLUMNS} FROM runs WHERE tenant = ?1");
        for (key, value) in labels {
            let (at, next) = (values.len() + 1, values.len() + 2);
            sql += &format!(
                " AND EXISTS (SELECT 1 FROM json_each(runs.labels) AS label \
                 WHERE label.key = ?{at} AND label.value = ?{next})"
            );
            values.extend([Value::Text(key), Value::Text(value)]);
        }
        sql += " ORDER BY id DESC LIMIT ?2";
        tx.query(&sql, &values, Self::of)
    }
}
