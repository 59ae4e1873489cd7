//! Calls that a person must approve, and what people decide of them.

use kael_engine::journal::ApprovalRequest;
use kael_engine::run_info::RunId;
use kael_store::{Row, StoreError, Tx, Value};
use serde_json::json;

use crate::{RunRow, Runs, RunsError, inbox};

const ASK: &str = "INSERT INTO approvals (run, call, digest, action, params, rules, asked, until) \
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) \
                   ON CONFLICT (run, call) DO UPDATE SET digest = ?3, action = ?4, params = ?5, rules = ?6, \
                   asked = ?7, until = ?8, decided = NULL, by = NULL, note = NULL, at = NULL WHERE digest <> ?3";
const OPEN: &str = "SELECT approvals.run, call, digest, action, params, rules, asked, until, decided FROM approvals \
                    JOIN runs ON runs.id = approvals.run WHERE decided IS NULL AND state IN (0, 1, 2, 6) \
                    AND (until IS NULL OR until > ?1) ORDER BY asked";
const ONE: &str = "SELECT run, call, digest, action, params, rules, asked, until, decided FROM approvals \
                   WHERE run = ?1 AND call = ?2";
const DECIDE: &str = "UPDATE approvals SET decided = ?3, by = ?4, note = ?5, at = ?6 \
                      WHERE run = ?1 AND call = ?2 AND decided IS NULL";

#[cfg(test)]
pub(crate) const ALL: [&str; 4] = [ASK, OPEN, ONE, DECIDE];

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
    /// Who.
    pub by: String,
    /// Why, for the script's author.
    pub note: Option<String>,
}

impl Runs {
    /// The calls that wait for a person, the first first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn approvals(&self) -> Result<Vec<Approval>, RunsError> {
        let read = |tx: &Tx<'_>| tx.query(OPEN, &[Value::Int(tx.now())], Approval::of);
        Ok(self.store.read_blocking(read)?)
    }

    /// Decides on a call that waits. The run then goes on: in its process, or when it is woken.
    ///
    /// # Errors
    /// When no such call waits, its time is over, or it is no longer what the person has seen.
    pub fn decide(&self, id: RunId, call: u64, decision: Decision) -> Result<(), RunsError> {
        let written = self.store.write(move |tx| {
            let row = match RunRow::get(tx, id) {
                Ok(row) => row,
                Err(error) => return Ok(Err(error)),
            };
            let values = [Value::from(id.bytes()), Value::Int(call as i64)];
            let found = tx.first(ONE, &values, Approval::of)?;
            let why = match &found {
                _ if row.state.is_over() => "it is over",
                None => "the call does not wait for an approval",
                Some(one) if one.is_decided => "the call was decided on before",
                Some(one) if one.until.is_some_and(|until| until <= tx.now()) => {
                    "the time for an approval is over"
                }
                Some(_) if decision.digest.len() < MIN_DIGEST => {
                    "a decision gives 8 characters of the digest or more"
                }
                Some(one) if !one.digest.starts_with(&decision.digest) => {
                    "the call is not what the digest says: look at it again"
                }
                Some(_) => "",
            };
            let Some(one) = found.filter(|_| why.is_empty()) else {
                return Ok(Err(RunsError::Undecided { id, call, why }));
            };
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
        });
        written.wait()?
    }
}

impl Approval {
    fn of(row: &Row<'_, '_>) -> Result<Self, StoreError> {
        let rules: String = row.get(5)?;
        Ok(Self {
            run: RunId::from_bytes(row.get(0)?),
            call: row.get::<i64>(1)? as u64,
            digest: row.get(2)?,
            action: row.get(3)?,
            params: row.get(4)?,
            rules: serde_json::from_str(&rules).unwrap_or_default(),
            asked: row.get(6)?,
            until: row.get(7)?,
            is_decided: row.get::<Option<i64>>(8)?.is_some(),
        })
    }
}

/// Puts a question where people find it. What was decided of the same stays decided.
pub(crate) fn ask(
    tx: &Tx<'_>,
    run: &[u8; 16],
    request: &ApprovalRequest,
) -> Result<(), StoreError> {
    let rules = json!(request.rules).to_string();
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
    ];
    tx.execute(ASK, &values)?;
    Ok(())
}
