//! Runs: what was asked for, and what became of it.

use kael_store::{Row, StoreError, Tx, Value};

use super::{Scoped, queue, statements, subscriptions, tokens};
use crate::deliveries::{RUN_FINISHED, RUN_PARKED, RUN_WAITING};
use crate::id::Id;

/// Where a run stands. Codes are what the store has, and never change their meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum State {
    /// It waits for its turn, or for its time.
    Queued,
    /// It runs.
    Running,
    /// It ran to its end.
    Succeeded,
    /// It failed.
    Failed,
    /// A person cancelled it.
    Cancelled,
    /// It waits for a time, a signal, another run or a person, and takes no slot meanwhile.
    Waiting,
    /// It stopped, and goes on when a person has settled something.
    Parked,
}

impl State {
    pub(crate) const ALL: [Self; 7] = [
        Self::Queued,
        Self::Running,
        Self::Waiting,
        Self::Parked,
        Self::Succeeded,
        Self::Failed,
        Self::Cancelled,
    ];

    pub(crate) fn code(self) -> i64 {
        match self {
            Self::Queued => 0,
            Self::Running => 1,
            Self::Succeeded => 2,
            Self::Failed => 3,
            Self::Cancelled => 4,
            Self::Waiting => 5,
            Self::Parked => 6,
        }
    }

    fn of_code(code: i64) -> Self {
        let found = Self::ALL.into_iter().find(|state| state.code() == code);
        found.unwrap_or(Self::Failed)
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Waiting => "waiting",
            Self::Parked => "parked",
        }
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }

    /// Whether nothing more happens to the run.
    pub(crate) fn is_over(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Cancelled)
    }
}

/// A run as the store has it.
#[derive(Debug, Clone)]
pub(crate) struct RunRow {
    pub(crate) id: Id,
    pub(crate) tenant: i64,
    pub(crate) state: State,
    /// Why it is in its state: a word such as `expired` or `in_doubt`, or what it waits for.
    pub(crate) reason: Option<String>,
    /// How errors name the script.
    pub(crate) name: String,
    /// The SHA-256 of its text.
    pub(crate) source: [u8; 32],
    /// JSON: a list of texts.
    pub(crate) args: String,
    /// JSON: an object of texts.
    pub(crate) labels: String,
    /// JSON: an object of what was asked for.
    pub(crate) limits: String,
    pub(crate) read_only: bool,
    pub(crate) priority: i64,
    /// What submitted it: `api`, `web`, `schedule NAME`, `hook NAME`, `function NAME`.
    pub(crate) origin: String,
    /// The name of the token that submitted it.
    pub(crate) submitter: String,
    /// Its id; of a run that is in the store, that of the first token of its family, so that it says who the person is when
    /// the token itself is gone.
    pub(crate) token: Option<Id>,
    pub(crate) created: i64,
    /// When it may begin.
    pub(crate) ready: i64,
    /// When it must have begun.
    pub(crate) deadline: Option<i64>,
    pub(crate) started: Option<i64>,
    pub(crate) ended: Option<i64>,
    pub(crate) exit_code: Option<i64>,
    /// JSON: the error that ended it.
    pub(crate) error: Option<String>,
    /// JSON: what it used.
    pub(crate) usage: Option<String>,
    /// The run that has started it.
    pub(crate) parent: Option<Id>,
    /// How often servers have died with it, without its getting further in between.
    pub(crate) restarts: i64,
    /// How often it had crossed the gate when a server last died with it.
    pub(crate) turns: i64,
    /// How far its script says that it is.
    pub(crate) status: Option<String>,
}

impl RunRow {
    /// A run that has not begun, and of which nothing was asked.
    pub(crate) fn fresh(id: Id, tenant: i64, origin: &str, now: i64) -> Self {
        Self {
            id,
            tenant,
            state: State::Queued,
            reason: None,
            name: String::new(),
            source: [0; 32],
            args: String::new(),
            labels: String::new(),
            limits: String::new(),
            read_only: false,
            priority: 0,
            origin: origin.to_owned(),
            submitter: String::new(),
            token: None,
            created: now,
            ready: now,
            deadline: Some(now + queue::TO_LIVE),
            started: None,
            ended: None,
            exit_code: None,
            error: None,
            usage: None,
            parent: None,
            restarts: 0,
            turns: 0,
            status: None,
        }
    }

    /// One that was asked for the same.
    pub(crate) fn anew(self, id: Id, origin: &str, now: i64) -> Self {
        Self {
            name: self.name,
            source: self.source,
            args: self.args,
            labels: self.labels,
            limits: self.limits,
            read_only: self.read_only,
            priority: self.priority,
            submitter: self.submitter,
            token: self.token,
            ..Self::fresh(id, self.tenant, origin, now)
        }
    }
}

/// Which runs a list has.
#[derive(Debug, Clone, Default)]
pub(crate) struct Filter {
    pub(crate) state: Option<State>,
    pub(crate) name: Option<String>,
    pub(crate) submitter: Option<String>,
    pub(crate) label: Option<(String, String)>,
    pub(crate) origin: Option<String>,
    /// Created at this time or later.
    pub(crate) since: Option<i64>,
    /// Only runs before this one.
    pub(crate) before: Option<Id>,
}

/// How a run ended.
#[derive(Debug, Clone)]
pub(crate) struct Ended {
    pub(crate) state: State,
    pub(crate) reason: Option<String>,
    pub(crate) exit_code: i64,
    pub(crate) error: Option<String>,
    pub(crate) usage: Option<String>,
    pub(crate) result: Option<String>,
}

macro_rules! columns {
    ($rest:literal) => {
        concat!(
            "SELECT id, tenant, state, reason, name, source, args, labels, limits, read_only, priority, origin, \
             submitter, token, created, ready, deadline, started, ended, exit_code, error, usage, parent, restarts, \
             turns, (SELECT status FROM runs WHERE runs.id = srv_runs.id) AS status FROM srv_runs ",
            $rest
        )
    };
}

statements! {
    OLDEST_OPEN = "SELECT min(created) FROM srv_runs WHERE tenant = ?1 AND state IN (0, 1, 5, 6)";
    ASLEEP = "SELECT runs FROM srv_asleep WHERE tenant = ?1";
    INSERT = "INSERT INTO srv_runs (id, tenant, state, name, source, args, labels, limits, read_only, priority, \
              origin, submitter, token, created, ready, deadline, parent) \
              VALUES (?1, ?2, 0, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)";
    GET = columns!("WHERE tenant = ?1 AND id = ?2");
    ANY = columns!("WHERE id = ?1");
    LIST = columns!(
        "WHERE tenant = ?1 AND id < ?2 AND (?3 IS NULL OR state = ?3) AND (?4 IS NULL OR name = ?4) \
         AND (?5 IS NULL OR submitter = ?5) AND (?6 IS NULL OR created >= ?6) \
         AND (?7 IS NULL OR labels LIKE ?7 ESCAPE '\\') AND (?8 IS NULL OR origin = ?8) ORDER BY id DESC LIMIT ?9"
    );
    BEGIN = "UPDATE srv_runs SET state = 1, reason = NULL, error = NULL, started = coalesce(started, ?2) \
             WHERE id = ?1 AND state = 0";
    STOP = "UPDATE srv_runs SET state = ?2, reason = ?3, error = ?4, usage = coalesce(?5, usage) \
            WHERE id = ?1 AND state IN (0, 1, 5)";
    AGAIN = "UPDATE srv_runs SET state = 0, reason = NULL, error = NULL WHERE id = ?1 AND state = ?2";
    EXTEND = "UPDATE srv_runs SET deadline = ?2 WHERE id = ?1 AND started IS NULL AND deadline < ?2";
    RESTARTED = "UPDATE srv_runs SET restarts = ?2, turns = ?3 WHERE id = ?1";
    CANCELLED_BY = "UPDATE srv_runs SET cancelled_by = coalesce(cancelled_by, ?2) WHERE id = ?1 AND state IN (0, 1, 5, 6)";
    TO_CANCEL = "SELECT id, cancelled_by FROM srv_runs WHERE state IN (0, 1, 5, 6) AND cancelled_by IS NOT NULL";
    END = "UPDATE srv_runs SET state = ?2, reason = ?3, ended = ?4, exit_code = ?5, error = ?6, usage = ?7 \
           WHERE id = ?1 AND state IN (0, 1, 5, 6)";
    ADD_RESULT = "INSERT INTO srv_results (run, result) VALUES (?1, ?2) ON CONFLICT (run) DO NOTHING";
    RESULT = "SELECT result FROM srv_results WHERE run = ?1";
    RUNNING = columns!("WHERE state = 1");
    STOPPED = "SELECT tenant, state, count(*) FROM srv_runs WHERE state IN (5, 6) GROUP BY tenant, state";
    WAITING = "SELECT COUNT(*) FROM (SELECT 1 FROM srv_runs WHERE tenant = ?1 AND state = 0 LIMIT ?2) AS waiting";
    KEY = "SELECT run, request, expires FROM srv_run_keys WHERE tenant = ?1 AND key = ?2";
    ADD_KEY = "INSERT INTO srv_run_keys (tenant, key, run, request, expires) VALUES (?1, ?2, ?3, ?4, ?5) \
               ON CONFLICT (tenant, key) DO UPDATE SET run = ?3, request = ?4, expires = ?5";
    DROP_KEYS = "DELETE FROM srv_run_keys WHERE expires < ?1";
}

/// When the oldest run of a tenant that is not over was submitted.
pub(crate) fn oldest_open(tx: &Tx<'_>, scoped: Scoped) -> Result<Option<i64>, StoreError> {
    let oldest = tx.first(OLDEST_OPEN, &[scoped.0.into()], |row| {
        row.get::<Option<i64>>(0)
    })?;
    Ok(oldest.flatten())
}

/// How many runs of a tenant wait for a time, a signal, another run or a person.
pub(crate) fn asleep(tx: &Tx<'_>, scoped: Scoped) -> Result<u64, StoreError> {
    let count = tx.first(ASLEEP, &[scoped.0.into()], |row| row.get::<i64>(0))?;
    Ok(count
        .and_then(|count| u64::try_from(count).ok())
        .unwrap_or(0))
}

pub(crate) fn insert(tx: &Tx<'_>, run: &RunRow) -> Result<(), StoreError> {
    let person = match &run.token {
        Some(token) => Some(tokens::root(tx, token)?),
        None => None,
    };
    let values: [Value<'_>; 16] = [
        (&run.id).into(),
        run.tenant.into(),
        (&run.name).into(),
        (&run.source).into(),
        (&run.args).into(),
        (&run.labels).into(),
        (&run.limits).into(),
        i64::from(run.read_only).into(),
        run.priority.into(),
        (&run.origin).into(),
        (&run.submitter).into(),
        person.as_ref().into(),
        run.created.into(),
        run.ready.into(),
        run.deadline.into(),
        run.parent.as_ref().into(),
    ];
    tx.execute(INSERT, &values).map(|_| ())
}

/// A run of a tenant.
pub(crate) fn get(tx: &Tx<'_>, scoped: Scoped, id: &Id) -> Result<Option<RunRow>, StoreError> {
    tx.first(GET, &[scoped.0.into(), id.into()], row)
}

/// A run of any tenant, for the scheduler.
pub(crate) fn any(tx: &Tx<'_>, id: &Id) -> Result<Option<RunRow>, StoreError> {
    tx.first(ANY, &[id.into()], row)
}

/// The newest runs of a tenant that pass a filter.
pub(crate) fn list(
    tx: &Tx<'_>,
    scoped: Scoped,
    filter: &Filter,
    limit: i64,
) -> Result<Vec<RunRow>, StoreError> {
    let before = filter.before.unwrap_or(Id::of([0xff; 16]));
    let label = filter.label.as_ref().map(|(key, value)| {
        let pair = serde_json::json!({ key: value }).to_string();
        let inner = pair.trim_start_matches('{').trim_end_matches('}');
        let escaped = inner
            .replace('\\', "\\\\")
            .replace('%', "\\%")
            .replace('_', "\\_");
        format!("%{escaped}%")
    });
    let values: [Value<'_>; 9] = [
        scoped.0.into(),
        (&before).into(),
        filter.state.map(State::code).into(),
        filter.name.as_ref().into(),
        filter.submitter.as_ref().into(),
        filter.since.into(),
        label.as_ref().into(),
        filter.origin.as_ref().into(),
        limit.into(),
    ];
    tx.query(LIST, &values, row)
}

/// The run begins. False if it is not queued any more.
pub(crate) fn begin(tx: &Tx<'_>, id: &Id) -> Result<bool, StoreError> {
    Ok(tx.execute(BEGIN, &[id.into(), tx.now().into()])? == 1)
}

/// The run does not go on by itself, and is not over.
pub(crate) fn stop(
    tx: &Tx<'_>,
    id: &Id,
    state: State,
    [reason, error, usage]: [Option<&str>; 3],
) -> Result<(), StoreError> {
    let values: [Value<'_>; 5] = [
        id.into(),
        state.code().into(),
        reason.into(),
        error.into(),
        usage.into(),
    ];
    if tx.execute(STOP, &values)? == 0 {
        return Ok(());
    }
    let event = match state {
        State::Waiting => RUN_WAITING,
        _ => RUN_PARKED,
    };
    announce(tx, id, event)
}

/// A run in that state is to go on when it is its turn. False if it is in another one.
pub(crate) fn again(tx: &Tx<'_>, id: &Id, from: State) -> Result<bool, StoreError> {
    Ok(tx.execute(AGAIN, &[id.into(), from.code().into()])? == 1)
}

/// A run that has not begun may begin until that time, too.
pub(crate) fn extend(tx: &Tx<'_>, id: &Id, deadline: i64) -> Result<(), StoreError> {
    tx.execute(EXTEND, &[id.into(), deadline.into()])
        .map(|_| ())
}

/// A server has died with the run.
pub(crate) fn restarted(tx: &Tx<'_>, id: &Id, restarts: i64, turns: i64) -> Result<(), StoreError> {
    tx.execute(RESTARTED, &[id.into(), restarts.into(), turns.into()])
        .map(|_| ())
}

/// Somebody has cancelled the run: it does not go on, whatever becomes of this server before it ends.
pub(crate) fn cancelled_by(tx: &Tx<'_>, id: &Id, who: &str) -> Result<(), StoreError> {
    tx.execute(CANCELLED_BY, &[id.into(), who.into()])
        .map(|_| ())
}

/// The runs that somebody has cancelled and that are not over, and who it was.
pub(crate) fn to_cancel(tx: &Tx<'_>) -> Result<Vec<(Id, String)>, StoreError> {
    tx.query(TO_CANCEL, &[], |row| Ok((Id::of(row.get(0)?), row.get(1)?)))
}

/// The run is over. False if it was over before.
pub(crate) fn end(tx: &Tx<'_>, id: &Id, ended: &Ended) -> Result<bool, StoreError> {
    let values: [Value<'_>; 7] = [
        id.into(),
        ended.state.code().into(),
        ended.reason.as_ref().into(),
        tx.now().into(),
        ended.exit_code.into(),
        ended.error.as_ref().into(),
        ended.usage.as_ref().into(),
    ];
    if tx.execute(END, &values)? == 0 {
        return Ok(false);
    }
    if let Some(result) = &ended.result {
        tx.execute(ADD_RESULT, &[id.into(), result.into()])?;
    }
    announce(tx, id, RUN_FINISHED)?;
    Ok(true)
}

/// Tells those who want to hear of it that a run has ended, waits or is parked.
fn announce(tx: &Tx<'_>, id: &Id, event: &str) -> Result<(), StoreError> {
    let Some(tenant) = subscriptions::listeners_of(tx, id)? else {
        return Ok(());
    };
    let Some(row) = any(tx, id)? else {
        return Ok(());
    };
    let json = |text: &str| serde_json::from_str(text).unwrap_or(serde_json::Value::Null);
    subscriptions::announce(tx, tenant, event, || {
        serde_json::json!({
            "run": row.id,
            "name": row.name,
            "state": row.state.name(),
            "reason": row.reason,
            "exit_code": row.exit_code,
            "error": row.error.as_deref().map(json),
            "origin": row.origin,
            "submitter": row.submitter,
            "labels": json(&row.labels),
        })
    })
}

/// The value that a script returned, as JSON. Whether the caller may see the run was asked before.
pub(crate) fn result(tx: &Tx<'_>, id: &Id) -> Result<Option<String>, StoreError> {
    tx.first(RESULT, &[id.into()], |row| row.get(0))
}

/// The runs of all tenants that run, or that ran when the server ended.
pub(crate) fn running(tx: &Tx<'_>) -> Result<Vec<RunRow>, StoreError> {
    tx.query(RUNNING, &[], row)
}

/// How many runs of each tenant wait, and how many are parked.
pub(crate) fn stopped(tx: &Tx<'_>) -> Result<Vec<(i64, State, i64)>, StoreError> {
    tx.query(STOPPED, &[], |row| {
        Ok((row.get(0)?, State::of_code(row.get(1)?), row.get(2)?))
    })
}

/// How many runs of a tenant have not begun, those that wait for their time too; counts up to `most`.
pub(crate) fn waiting(tx: &Tx<'_>, scoped: Scoped, most: i64) -> Result<i64, StoreError> {
    let values: [Value<'_>; 2] = [scoped.0.into(), most.into()];
    let count = tx.first(WAITING, &values, |row| row.get(0))?;
    Ok(count.unwrap_or(0))
}

/// What an idempotency key stands for: a run, and the digest of the request that made it.
pub(crate) fn key(
    tx: &Tx<'_>,
    scoped: Scoped,
    key: &str,
) -> Result<Option<(Id, [u8; 32])>, StoreError> {
    let found = tx.first(KEY, &[scoped.0.into(), key.into()], |row| {
        Ok((Id::of(row.get(0)?), row.get(1)?, row.get::<i64>(2)?))
    })?;
    let found = found.filter(|(_, _, expires)| *expires >= tx.now());
    Ok(found.map(|(run, request, _)| (run, request)))
}

pub(crate) fn add_key(
    tx: &Tx<'_>,
    scoped: Scoped,
    key: &str,
    run: &Id,
    request: &[u8; 32],
    expires: i64,
) -> Result<(), StoreError> {
    let values: [Value<'_>; 5] = [
        scoped.0.into(),
        key.into(),
        run.into(),
        request.into(),
        expires.into(),
    ];
    tx.execute(ADD_KEY, &values).map(|_| ())
}

/// Forgets the keys whose time is over.
pub(crate) fn drop_keys(tx: &Tx<'_>) -> Result<usize, StoreError> {
    tx.execute(DROP_KEYS, &[tx.now().into()])
}

fn row(row: &Row<'_, '_>) -> Result<RunRow, StoreError> {
    Ok(RunRow {
        id: Id::of(row.get(0)?),
        tenant: row.get(1)?,
        state: State::of_code(row.get(2)?),
        reason: row.get(3)?,
        name: row.get(4)?,
        source: row.get(5)?,
        args: row.get(6)?,
        labels: row.get(7)?,
        limits: row.get(8)?,
        read_only: row.get::<i64>(9)? != 0,
        priority: row.get(10)?,
        origin: row.get(11)?,
        submitter: row.get(12)?,
        token: row.get::<Option<[u8; 16]>>(13)?.map(Id::of),
        created: row.get(14)?,
        ready: row.get(15)?,
        deadline: row.get(16)?,
        started: row.get(17)?,
        ended: row.get(18)?,
        exit_code: row.get(19)?,
        error: row.get(20)?,
        usage: row.get(21)?,
        parent: row.get::<Option<[u8; 16]>>(22)?.map(Id::of),
        restarts: row.get(23)?,
        turns: row.get(24)?,
        status: row.get(25)?,
    })
}
