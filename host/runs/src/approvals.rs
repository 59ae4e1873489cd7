//! Calls that a person must approve, and what people decide of them.

use kael_engine::journal::{ApprovalRequest, Needed};
use kael_engine::run_info::RunId;
use kael_store::{Row, StoreError, Tx, Value};
use serde_json::json;

use crate::{Refusal, RunRow, Runs, RunsError, inbox};

const ASK: &str = "INSERT INTO approvals (run, call, digest, action, params, rules, asked, until, needed) \
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) \
                   ON CONFLICT (run, call) DO UPDATE SET digest = ?3, action = ?4, params = ?5, rules = ?6, needed = ?9, \
                   asked = ?7, until = ?8, decided = NULL, by = NULL, note = NULL, at = NULL WHERE digest <> ?3";
const OPEN: &str = "SELECT approvals.run, call, digest, action, params, rules, asked, until, decided, needed FROM approvals \
                    JOIN runs ON runs.id = approvals.run WHERE decided IS NULL AND state IN (0, 1, 2, 6) \
                    AND (until IS NULL OR until > ?1) AND runs.tenant = ?2 \
                    AND (?3 IS NULL OR approvals.run = ?3) AND (asked, approvals.run, call) > (?4, ?5, ?6) \
                    ORDER BY asked, approvals.run, call LIMIT ?7";
const ONE: &str = "SELECT run, call, digest, action, params, rules, asked, until, decided, needed FROM approvals \
                   WHERE run = ?1 AND call = ?2";
const DECIDE: &str = "UPDATE approvals SET decided = ?3, by = ?4, note = ?5, at = ?6 \
                      WHERE run = ?1 AND call = ?2 AND decided IS NULL";

const LAST: &str = "SELECT params FROM approvals JOIN runs ON runs.id = approvals.run WHERE runs.tenant = ?1 \
                    AND action = ?2 AND decided = 1 ORDER BY at DESC LIMIT 1";
const SAY: &str = "INSERT INTO decisions (run, call, digest, person, who, yes, note, at) \
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT DO NOTHING";
const YES: &str = "SELECT who FROM decisions WHERE run = ?1 AND call = ?2 AND digest = ?3 AND yes = 1 ORDER BY at";

#[cfg(test)]
pub(crate) const ALL: [&str; 7] = [ASK, OPEN, ONE, DECIDE, LAST, SAY, YES];

/// What an approval of the time before needs were kept needs.
const ANYBODY: Needed = Needed {
    roles: Vec::new(),
    count: 1,
    not_submitter: false,
};

/// Calls of one list.
const MAX_SHOWN: i64 = 1000;

/// Characters of a digest that a decision must give, at least.
const MIN_DIGEST: usize = 8;

/// A call that waits for a person.
#[derive(Debug, Clone)]
pub struct Approval {
    /// The run.
    pub run: RunId,
    /// The number of the call in its run.
    pub call: u64,
    /// What a decision is on, in hexadecimal.
    pub digest: String,
    /// The action.
    pub action: String,
    /// Its merged parameters, as JSON.
    pub params: String,
    /// The rules that want a person.
    pub rules: Vec<String>,
    /// Who must say yes.
    pub needed: Needed,
    /// The people who have approved it so far.
    pub approved_by: Vec<String>,
    /// When it was asked, in microseconds since 1970.
    pub asked: i64,
    /// When the time for an answer is over.
    pub until: Option<i64>,
    is_decided: bool,
}

/// What a person decides.
#[derive(Debug, Clone)]
pub struct Decision {
    /// The digest of what the person has seen, or its beginning.
    pub digest: String,
    /// Whether the call may go on.
    pub yes: bool,
    /// Who, by name.
    pub by: String,
    /// An id of the person, which stays the same when the name changes.
    pub person: String,
    /// The roles that they have.
    pub roles: Vec<String>,
    /// Whether they have submitted the run.
    pub is_submitter: bool,
    /// Why, for the script's author.
    pub note: Option<String>,
}

impl Runs {
    /// The calls that wait for a person, the first first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn approvals(&self) -> Result<Vec<Approval>, RunsError> {
        Ok(self.store.read_blocking(|tx| self.approvals_in(tx))?)
    }

    /// The same in a transaction.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn approvals_in(&self, tx: &Tx<'_>) -> Result<Vec<Approval>, StoreError> {
        self.asked(tx, None, None, MAX_SHOWN)
    }

    /// As many of them, behind one of an earlier list.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn approvals_behind(
        &self,
        tx: &Tx<'_>,
        last: Option<(i64, RunId, u64)>,
        limit: u32,
    ) -> Result<Vec<Approval>, StoreError> {
        self.asked(tx, None, last, i64::from(limit))
    }

    /// The calls of one run that wait for a person.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn approvals_of(&self, tx: &Tx<'_>, run: RunId) -> Result<Vec<Approval>, StoreError> {
        self.asked(tx, Some(run), None, MAX_SHOWN)
    }

    fn asked(
        &self,
        tx: &Tx<'_>,
        run: Option<RunId>,
        last: Option<(i64, RunId, u64)>,
        limit: i64,
    ) -> Result<Vec<Approval>, StoreError> {
        let run = run.as_ref().map(RunId::bytes);
        let (asked, of, call) = last.unwrap_or((i64::MIN, RunId::from_bytes([0; 16]), 0));
        let values = [
            Value::Int(tx.now()),
            Value::Int(self.tenant),
            run.map_or(Value::Null, Value::from),
            Value::Int(asked),
            Value::from(of.bytes()),
            Value::Int(i64::try_from(call).unwrap_or(i64::MAX)),
            Value::Int(limit),
        ];
        let mut open = tx.query(OPEN, &values, Approval::of)?;
        for one in open.iter_mut().filter(|one| one.needed.count > 1) {
            one.approved_by = approved_by(tx, one)?;
        }
        Ok(open)
    }

    /// The parameters with which a call of the same action was last approved.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn last_approved(
        &self,
        tx: &Tx<'_>,
        approval: &Approval,
    ) -> Result<Option<String>, StoreError> {
        let values = [Value::Int(self.tenant), Value::from(&approval.action)];
        tx.first(LAST, &values, |row| row.get(0))
    }

    /// Decides on a call that waits. The run then goes on: in its process, or when it is woken.
    ///
    /// # Errors
    /// When no such call waits, its time is over, or it is no longer what the person has seen.
    pub fn decide(&self, id: RunId, call: u64, decision: Decision) -> Result<(), RunsError> {
        let written = self.store.write(move |tx| decide(tx, id, call, decision));
        written.wait()?
    }
}

/// The same in a transaction: the one place that decides.
///
/// # Errors
/// The outer one is that of the store; the inner one says why the person cannot decide.
pub fn decide(
    tx: &Tx<'_>,
    id: RunId,
    call: u64,
    decision: Decision,
) -> Result<Result<(), RunsError>, StoreError> {
    let row = match RunRow::get(tx, id) {
        Ok(row) => row,
        Err(error) => return Ok(Err(error)),
    };
    let values = [Value::from(id.bytes()), Value::Int(call as i64)];
    let found = tx.first(ONE, &values, Approval::of)?;
    let refused = |why| Ok(Err(RunsError::Undecided { id, call, why }));
    let one = match found {
        _ if row.state.is_over() => return refused(Refusal::Over),
        None => return refused(Refusal::NotAsked),
        Some(one) => one,
    };
    if let Err(why) = one.may_be_decided(&decision, tx.now()) {
        return refused(why);
    }
    let values = [
        Value::from(id.bytes()),
        Value::Int(call as i64),
        Value::from(&one.digest),
        Value::from(&decision.person),
        Value::from(&decision.by),
        Value::Int(decision.yes.into()),
        Value::from(decision.note.as_ref()),
        Value::Int(tx.now()),
    ];
    if tx.execute(SAY, &values)? == 0 {
        return refused(Refusal::Twice(decision.by, one.needed.count));
    }
    let said = approved_by(tx, &one)?.len();
    if decision.yes && said < one.needed.count as usize {
        return Ok(Ok(()));
    }
    let values = [
        Value::from(id.bytes()),
        Value::Int(call as i64),
        Value::Int(decision.yes.into()),
        Value::from(&decision.by),
        Value::from(decision.note.as_ref()),
        Value::Int(tx.now()),
    ];
    tx.change_one(DECIDE, &values, "another person has decided")?;
    let payload = json!({ "yes": decision.yes, "note": decision.note }).to_string();
    let letter = [&*one.digest, &payload, &decision.by];
    inbox::put(tx, id.bytes(), 2, letter, None)?;
    Ok(Ok(()))
}

impl Approval {
    /// Whether that person may decide that: the one place where this is asked.
    fn may_be_decided(&self, decision: &Decision, now: i64) -> Result<(), Refusal> {
        if self.is_decided {
            return Err(Refusal::Decided);
        }
        if self.until.is_some_and(|until| until <= now) {
            return Err(Refusal::Expired);
        }
        if decision.digest.len() < MIN_DIGEST {
            return Err(Refusal::ShortDigest);
        }
        if !self.digest.starts_with(&decision.digest) {
            return Err(Refusal::OtherDigest);
        }
        let mut roles = self.needed.roles.iter();
        if let Some(role) = roles.find(|role| !decision.roles.contains(role)) {
            return Err(Refusal::Role(role.clone()));
        }
        // The submitter of a run may also say no.
        match self.needed.not_submitter && decision.is_submitter && decision.yes {
            true => Err(Refusal::Submitter),
            false => Ok(()),
        }
    }

    fn of(row: &Row<'_, '_>) -> Result<Self, StoreError> {
        let rules: String = row.get(5)?;
        let needed: String = row.get(9)?;
        Ok(Self {
            run: RunId::from_bytes(row.get(0)?),
            call: row.get::<i64>(1)? as u64,
            digest: row.get(2)?,
            action: row.get(3)?,
            params: row.get(4)?,
            rules: serde_json::from_str(&rules).unwrap_or_default(),
            asked: row.get(6)?,
            until: row.get(7)?,
            needed: serde_json::from_str(&needed).unwrap_or(ANYBODY),
            approved_by: Vec::new(),
            is_decided: row.get::<Option<i64>>(8)?.is_some(),
        })
    }
}

/// The people who have approved the current digest.
fn approved_by(tx: &Tx<'_>, one: &Approval) -> Result<Vec<String>, StoreError> {
    let values = [
        Value::from(one.run.bytes()),
        Value::Int(one.call as i64),
        Value::from(&one.digest),
    ];
    tx.query(YES, &values, |row| row.get(0))
}

/// Puts a question where people find it. What was decided of the same stays decided.
pub(crate) fn ask(
    tx: &Tx<'_>,
    run: &[u8; 16],
    request: &ApprovalRequest,
) -> Result<(), StoreError> {
    let rules = json!(request.rules).to_string();
    let needed = json!(request.needed).to_string();
    let until = request.until.and_then(|until| i64::try_from(until).ok());
    let values = [
        Value::from(run),
        Value::Int(request.call as i64),
        Value::from(&request.digest),
        Value::from(&request.action),
        Value::from(&request.params),
        Value::from(&rules),
        Value::Int(tx.now()),
        Value::from(until),
        Value::from(&needed),
    ];
    tx.execute(ASK, &values)?;
    Ok(())
}
