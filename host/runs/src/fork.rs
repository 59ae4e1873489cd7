//! Makes a new run of the beginning of another: the same script, with what the other one had done up to an entry of its
//! journal.
//!
//! The fork has an id of its own, and so idempotency keys of its own for every call that it makes. What the journal says
//! of calls before stays as it is, with the keys that those had. No decision of a person is taken over, because a decision
//! is on a call of one run; and no signal but those that the script had taken by then.

use std::collections::{BTreeMap, BTreeSet};

use kael_engine::journal::{Chain, Entry, Log, Verdict, Wait, ZERO};
use kael_engine::run_info::{RunId, RunInfo, Tenant};
use kael_store::{StoreError, Value};

use crate::{NoFork, Runs, RunsError, children, inbox};

const RUN: &str = "INSERT INTO runs (id, tenant, state, reason, name, script, bundle, guest, args, limits, epoch, \
                   takeovers, created, forked_from, forked_at, imported, labels) \
                   SELECT ?2, tenant, 6, 'forked', name, script, bundle, guest, args, limits, 0, 0, ?3, id, ?4, imported, labels \
                   FROM runs WHERE id = ?1";
const TEXTS: &str = "INSERT INTO blob_refs (run, tenant, digest) SELECT ?2, tenant, digest FROM blob_refs WHERE run = ?1";
const JOURNAL: &str = "INSERT INTO journal (run, seq, at, kind, body, chain, cpu_us) \
                       SELECT ?2, seq, at, kind, body, chain, cpu_us FROM journal WHERE run = ?1 AND seq <= ?3";
const END: &str = "UPDATE journal SET chain = ?3, cpu_us = ?4 WHERE run = ?1 AND seq = ?2";

#[cfg(test)]
pub(crate) const ALL: [&str; 4] = [RUN, TEXTS, JOURNAL, END];

impl Runs {
    /// Makes a new run that has the journal of another up to an entry, and says which id it has. It goes on when it is
    /// resumed.
    ///
    /// # Errors
    /// When the run cannot go on here, has no such entry, or has begun an effect there whose end is not known there.
    pub fn fork(&self, id: RunId, at: u64) -> Result<RunId, RunsError> {
        let log = self.replayable(id)?.log;
        may_be_forked(&log, at).map_err(|why| RunsError::Fork { id, at, why })?;
        let tenant = Tenant::new(&log.begin().tenant).unwrap_or_default();
        let fork = RunInfo::new(tenant).id;
        let end = new_end(&log, at);
        let prefix = log.up_to(at);
        let (taken, answers) = (taken(&prefix), answers(&prefix));
        let writing = self.store.write(move |tx| {
            let gone = "the run is gone";
            let (from, to) = (Value::from(id.bytes()), Value::from(fork.bytes()));
            let at = Value::Int(at as i64);
            tx.change_one(RUN, &[from, to, Value::Int(tx.now()), at], gone)?;
            tx.execute(TEXTS, &[from, to])?;
            if tx.execute(JOURNAL, &[from, to, at])? != prefix.rows().len() {
                return Err(StoreError::Conflict(gone.to_owned()));
            }
            if let Some((chain, cpu_us)) = end {
                let cpu_us = Value::Int(cpu_us as i64);
                tx.change_one(END, &[to, at, Value::from(&chain), cpu_us], gone)?;
            }
            for number in &taken {
                inbox::copy(tx, id.bytes(), fork.bytes(), *number)?;
            }
            children::follow(tx, id.bytes(), fork.bytes(), &answers)
        });
        writing.wait()?;
        Ok(fork)
    }
}

/// Whether nothing was going on behind an entry that a fork would begin again.
fn may_be_forked(log: &Log, at: u64) -> Result<(), NoFork> {
    let last = log.rows().len() as u64 - 1;
    if at > last {
        return Err(NoFork::BeyondEnd(last));
    }
    let (mut open, mut found) = (BTreeMap::new(), None);
    let (mut before, mut behind) = (None, None);
    for (seq, entry) in log.entries().iter().enumerate() {
        let seq = seq as u64;
        match entry {
            Entry::Intent(intent) => {
                open.insert(intent.id, (intent.call, &intent.name));
            }
            Entry::Outcome { id, .. } => {
                open.remove(id);
            }
            Entry::Resolve(resolve) if resolve.verdict != Verdict::Retry => {
                open.remove(&resolve.id);
            }
            _ => {}
        }
        if seq == at {
            found = open.values().next().copied();
        }
        if open.is_empty() && seq <= at {
            before = Some(seq);
        }
        if open.is_empty() && seq > at {
            behind = Some(seq);
            break;
        }
    }
    match found {
        None => Ok(()),
        Some((call, action)) => Err(NoFork::Effect {
            call,
            action: action.clone(),
            before,
            behind,
        }),
    }
}

/// The chain and the computing time of a journal that ends with an entry in the middle of a commit; none at the end of
/// one. The time is that of the whole commit: the fork is not given what was used.
fn new_end(log: &Log, at: u64) -> Option<([u8; 32], u64)> {
    let mut chain = Chain::after(&ZERO);
    for row in log.rows().iter().take_while(|row| row.seq <= at) {
        chain.add(row.seq, row.at, row.kind, &row.body);
        if let Some((written, _)) = &row.commit {
            if row.seq == at {
                return None;
            }
            chain = Chain::after(written);
        }
    }
    let mut later = log.rows().iter().filter(|row| row.seq > at);
    let cpu_us = later.find_map(|row| row.commit).map_or(0, |(_, cpu)| cpu);
    Some((chain.end(cpu_us), cpu_us))
}

/// The letters that the calls of a journal have got.
fn taken(log: &Log) -> BTreeSet<u64> {
    let letters = log.entries().iter().filter_map(|entry| match entry {
        Entry::Wait {
            wait: Wait::Letter(number, _),
            ..
        } => Some(*number),
        _ => None,
    });
    letters.collect()
}

/// The ids that calls of a journal have answered: those of the runs that it has started are among them.
fn answers(log: &Log) -> Vec<RunId> {
    let ids = log.entries().iter().filter_map(|entry| match entry {
        Entry::Outcome {
            outcome: Ok(result),
            ..
        } => RunId::parse(result.strip_prefix('"')?.strip_suffix('"')?),
        _ => None,
    });
    ids.collect()
}
