//! Writes a run down before its script starts, and how it ended.

use std::sync::{Arc, Mutex};

use kael_engine::journal::{Begin, FORMAT, Journal};
use kael_engine::limits::Limits;
use kael_engine::run_info::RunInfo;
use kael_engine::runtime::{GUEST_SHA256, Repo, RunReport};
use kael_engine::sandbox::{self, Ending, Suspension};
use kael_engine::text::{hex, unhex};
use kael_store::{Pending, RunLock, StoreError, Tx, Value};
use serde_json::json;

use crate::children;
use crate::limits::StoredLimits;
use crate::mailbox::StoreMailbox;
use crate::sink::{Create, StoreSink};
use crate::stored_args::{StoredArgs, document};
use crate::{Rules, Runs, RunsError, State, TENANT, texts};

const INSERT: &str = "INSERT INTO runs (id, tenant, state, name, script, bundle, guest, args, limits, epoch, \
                      takeovers, created, started) \
                      VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, 1, 0, ?10, ?10)";
const BUNDLE: &str = "INSERT INTO bundles (digest, guest, origin, prepared, at) \
                      VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO NOTHING";
const CONCLUDE: &str = "UPDATE runs SET state = ?3, reason = ?4, ended = ?5, ending = ?6, usage = ?7, wake = ?8 \
                        WHERE id = ?1 AND epoch = ?2";
const UNSEEN: &str = "SELECT n FROM inbox WHERE run = ?1 AND n > ?2 LIMIT 1";

#[cfg(test)]
pub(crate) const ALL: [&str; 4] = [INSERT, BUNDLE, CONCLUDE, UNSEEN];

/// A run that this process has.
pub struct Begun {
    /// For the engine.
    pub journal: Journal,
    pub(crate) epoch: i64,
    pub(crate) lock: RunLock,
}

impl Runs {
    /// Writes a run down with its first entries. Returns at once: it is durable before its first effect.
    ///
    /// # Errors
    /// When the store cannot be used.
    pub fn begin(
        &self,
        info: &RunInfo,
        script: &sandbox::Script,
        limits: &Limits,
        repo: Option<&Repo>,
        rules: Rules,
    ) -> Result<Begun, RunsError> {
        let id = *info.id.bytes();
        let lock = self.store.lock_run(&id)?.ok_or(RunsError::Busy(info.id))?;
        let bundle = match repo {
            Some(repo) => Some(serde_json::to_vec(&repo.snapshot()).map_err(document)?),
            None => None,
        };
        let bundle_digest = bundle.as_deref().map(texts::digest);
        let guest = own_guest();
        let begin = Begin {
            format: FORMAT,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            guest,
            bundle: bundle_digest.unwrap_or_default(),
            script: texts::digest(&script.source),
            name: script.name.clone(),
            args: script.args.clone(),
            memory: limits.memory.bytes(),
            want_result: script.want_result,
            tenant: info.tenant.to_string(),
        };
        let stored = StoredArgs {
            args: script.args.clone(),
            inputs: script
                .inputs
                .iter()
                .map(|(name, bytes)| (name.clone(), hex(&texts::digest(bytes))))
                .collect(),
            want_result: script.want_result,
            rules,
        };
        let args = serde_json::to_string(&stored).map_err(document)?;
        let limits = serde_json::to_string(&StoredLimits::from(limits)).map_err(document)?;
        let (source, inputs) = (script.source.clone(), script.inputs.clone());
        let name = script.name.clone();
        let shown = repo.map(|repo| repo.bundle.root.display().to_string());
        let create: Create = Box::new(move |tx| {
            let script = texts::put(tx, &id, &source)?;
            for (_, bytes) in &inputs {
                texts::put(tx, &id, bytes)?;
            }
            if let (Some(bundle), Some(digest)) = (&bundle, &bundle_digest) {
                let origin = shown.as_deref().unwrap_or_default();
                put_bundle(tx, digest, &guest, origin, bundle)?;
            }
            let values = [
                Value::from(&id),
                Value::Int(TENANT),
                Value::Int(State::Running.number()),
                Value::from(&name),
                Value::from(&script),
                Value::from(bundle_digest.as_ref()),
                Value::from(&guest),
                Value::from(&args),
                Value::from(&limits),
                Value::Int(tx.now()),
            ];
            tx.change_one(INSERT, &values, "the run is there already")
        });
        let sink = StoreSink {
            store: self.store.clone(),
            run: id,
            create: Mutex::new(Some(create)),
        };
        let mailbox = StoreMailbox {
            store: self.store.clone(),
            run: id,
        };
        let journal = Journal::record(begin, Arc::new(sink));
        Ok(Begun {
            journal: journal.with_mailbox(Arc::new(mailbox)),
            epoch: 1,
            lock,
        })
    }

    /// Writes down how a run ended, or why it stopped. The run is then free for other processes.
    ///
    /// # Errors
    /// When that cannot be written.
    pub async fn conclude(&self, begun: Begun, report: &RunReport) -> Result<(), RunsError> {
        let Begun {
            epoch,
            lock,
            journal,
        } = begun;
        self.queue_end(epoch, report, journal.letters_seen())
            .await?;
        drop(lock);
        Ok(())
    }

    fn queue_end(&self, epoch: i64, report: &RunReport, seen: u64) -> Pending<()> {
        let id = *report.run.id.bytes();
        let (state, reason) = state_of(&report.ending);
        let wake = match &report.ending {
            Ending::Suspended(Suspension::Waiting(pause), _) => {
                pause.until.and_then(|due| i64::try_from(due).ok())
            }
            _ => None,
        };
        let ending = ending_of(&report.ending).to_string();
        let usage = json!({
            "cpu_s": report.usage.cpu.as_secs_f64(),
            "wall_s": report.usage.wall.as_secs_f64(),
            "memory_bytes": report.usage.memory.bytes(),
            "output_bytes": report.usage.output,
            "calls": report.usage.calls,
        })
        .to_string();
        self.store.write(move |tx| {
            let over = state.is_over();
            let unseen = [Value::from(&id), Value::Int(seen as i64)];
            // What has come since the run has last looked wakes it at once.
            let wake = match tx.first(UNSEEN, &unseen, |row| row.get::<i64>(0))? {
                Some(_) if state == State::Waiting => Some(tx.now()),
                _ => wake,
            };
            let values = [
                Value::from(&id),
                Value::Int(epoch),
                Value::Int(state.number()),
                Value::from(reason.as_deref()),
                Value::from(over.then(|| tx.now())),
                Value::from(&ending),
                Value::from(&usage),
                Value::from(wake),
            ];
            let lost = "another process has taken the run over";
            tx.change_one(CONCLUDE, &values, lost)?;
            match over {
                true => children::over(tx, &id, state, &ending),
                false => Ok(()),
            }
        })
    }
}

pub(crate) fn put_bundle(
    tx: &Tx<'_>,
    digest: &[u8; 32],
    guest: &[u8; 32],
    origin: &str,
    bundle: &[u8],
) -> Result<(), StoreError> {
    let values = [
        Value::from(digest),
        Value::from(guest),
        Value::Text(origin),
        Value::Blob(bundle),
        Value::Int(tx.now()),
    ];
    tx.execute(BUNDLE, &values)?;
    Ok(())
}

fn state_of(ending: &Ending<Option<String>>) -> (State, Option<String>) {
    let (state, reason) = match ending {
        Ending::Suspended(Suspension::Waiting(pause), _) if !pause.what.is_empty() => {
            return (State::Waiting, Some(pause.what.join(", ")));
        }
        Ending::Done(_) | Ending::Exited(0) => (State::Succeeded, None),
        Ending::Failed(_) | Ending::Exited(_) => (State::Failed, None),
        Ending::Limit(..) => (State::Failed, Some("limit")),
        Ending::OutputClosed | Ending::OutputFailed(_) => (State::Failed, Some("output")),
        // It goes on when somebody resumes it.
        Ending::Cancelled(_) => (State::Parked, Some("interrupted")),
        Ending::Busy(_) => (State::Parked, Some("busy")),
        Ending::Fault(_) => (State::Parked, Some("fault")),
        Ending::Suspended(why, _) => match why {
            Suspension::Waiting(_) => (State::Waiting, Some("sleep")),
            Suspension::InDoubt(_) => (State::Parked, Some("in_doubt")),
            Suspension::Diverged(_) => (State::Parked, Some("diverged")),
            Suspension::JournalFull => (State::Failed, Some("journal")),
            Suspension::LogEnds | Suspension::JournalFailed(_) => (State::Parked, Some("journal")),
        },
    };
    (state, reason.map(str::to_owned))
}

fn ending_of(ending: &Ending<Option<String>>) -> serde_json::Value {
    match ending {
        Ending::Done(value) => json!({ "kind": "done", "result": value }),
        Ending::Exited(code) => json!({ "kind": "exited", "code": code }),
        Ending::Failed(error) => json!({
            "kind": "failed",
            "message": error.message,
            "traceback": error.traceback,
            "action": error.action.as_ref().map(|(name, kind)| json!({ "name": name, "kind": kind.name() })),
        }),
        Ending::Limit(hit, frames) => {
            json!({ "kind": "limit", "limit": hit.name(), "message": hit.to_string(), "traceback": frames })
        }
        Ending::Cancelled(frames) => json!({ "kind": "cancelled", "traceback": frames }),
        Ending::OutputClosed => json!({ "kind": "output_closed" }),
        Ending::OutputFailed(error) => json!({ "kind": "output_failed", "message": error }),
        Ending::Busy(busy) => json!({ "kind": "busy", "message": busy.to_string() }),
        Ending::Suspended(why, frames) => {
            let mut document =
                json!({ "kind": "suspended", "message": why.to_string(), "traceback": frames });
            if let Suspension::InDoubt(doubt) = why {
                document["doubt"] = json!({
                    "call": doubt.call,
                    "action": doubt.action,
                    "params": doubt.params,
                    "key": doubt.key,
                    "attempt": doubt.attempt,
                });
            }
            document
        }
        Ending::Fault(fault) => json!({ "kind": "fault", "message": fault }),
    }
}

/// The SHA-256 of this Kael's guest.
pub(crate) fn own_guest() -> [u8; 32] {
    unhex(GUEST_SHA256).unwrap_or_default()
}
