//! Writes a run down before its script starts.

use std::collections::BTreeMap;
use std::sync::Arc;

use kael_engine::journal::{Begin, FORMAT, Journal};
use kael_engine::limits::Limits;
use kael_engine::run_info::RunInfo;
use kael_engine::runtime::GUEST_SHA256;
use kael_engine::sandbox;
use kael_engine::text::{hex, unhex};
use kael_store::{RunLock, Value};

use crate::limits::StoredLimits;
use crate::sink::{Create, Unwritten};
use crate::stored_args::{StoredArgs, document};
use crate::{Rules, Runs, RunsError, State, StoredRepo, texts};

const INSERT: &str = "INSERT INTO runs (id, tenant, state, name, script, bundle, guest, args, limits, epoch, \
                      takeovers, created, started, labels) \
                      VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, 1, 0, ?10, ?10, ?11)";

#[cfg(test)]
pub(crate) const ALL: [&str; 1] = [INSERT];

/// A run that this process has.
pub struct Begun {
    /// For the engine.
    pub journal: Journal,
    pub(crate) epoch: i64,
    pub(crate) lock: Option<RunLock>,
    pub(crate) unwritten: Arc<Unwritten>,
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
        repo: Option<Arc<StoredRepo>>,
        rules: Rules,
        labels: &BTreeMap<String, String>,
    ) -> Result<Begun, RunsError> {
        let id = *info.id.bytes();
        let lock = self.lock(info.id)?;
        let bundle_digest = repo.as_ref().map(|repo| repo.digest);
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
        let labels = serde_json::to_string(labels).map_err(document)?;
        let limits = serde_json::to_string(&StoredLimits::from(limits)).map_err(document)?;
        let (source, inputs) = (script.source.clone(), script.inputs.clone());
        let name = script.name.clone();
        let tenant = self.tenant;
        let create: Create = Arc::new(move |tx| {
            let script = texts::put(tx, tenant, &id, &source)?;
            for (_, bytes) in &inputs {
                texts::put(tx, tenant, &id, bytes)?;
            }
            if let Some(repo) = &repo {
                repo.put(tx, &guest)?;
            }
            let values = [
                Value::from(&id),
                Value::Int(tenant),
                Value::Int(State::Running.number()),
                Value::from(&name),
                Value::from(&script),
                Value::from(bundle_digest.as_ref()),
                Value::from(&guest),
                Value::from(&args),
                Value::from(&limits),
                Value::Int(tx.now()),
                Value::from(&labels),
            ];
            tx.change_one(INSERT, &values, "the run is there already")
        });
        let (sink, unwritten) = self.sink(id, Some(create));
        let journal = Journal::record(begin, sink).with_mailbox(self.mailbox(id));
        Ok(Begun {
            journal,
            epoch: 1,
            lock,
            unwritten,
        })
    }
}

/// The SHA-256 of this Kael's guest.
pub(crate) fn own_guest() -> [u8; 32] {
    unhex(GUEST_SHA256).unwrap_or_default()
}
