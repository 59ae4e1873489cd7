//! Makes a new run of the beginning of another: the same script, or another one, with what the other one had done up to
//! an entry of its journal.
//!
//! The fork has an id of its own, and so idempotency keys of its own for every call that it makes. What the journal says
//! of calls before stays as it is, with the keys that those had. No decision of a person is taken over, because a decision
//! is on a call of one run; and no signal but those that the script had taken by then.

use std::collections::{BTreeMap, BTreeSet};

use kael_engine::journal::{Batch, Begin, Chain, Entry, Log, LogRow, Verdict, Wait, ZERO};
use kael_engine::run_info::{RunId, RunInfo, Tenant};
use kael_engine::units::ByteSize;
use kael_store::{StoreError, Tx, Value};

use crate::{NoFork, Replayable, Runs, RunsError, children, inbox, sink, texts};

const RUN: &str = "INSERT INTO runs (id, tenant, state, reason, name, script, bundle, guest, args, limits, epoch, \
                   takeovers, created, forked_from, forked_at, imported, labels) \
                   SELECT ?2, tenant, 6, 'forked', name, script, bundle, guest, args, limits, 0, 0, ?3, id, ?4, imported, labels \
                   FROM runs WHERE id = ?1";
const TEXTS: &str = "INSERT INTO blob_refs (run, tenant, digest) SELECT ?2, tenant, digest FROM blob_refs WHERE run = ?1";
const JOURNAL: &str = "INSERT INTO journal (run, seq, at, kind, body, chain, cpu_us) \
                       SELECT ?2, seq, at, kind, body, chain, cpu_us FROM journal WHERE run = ?1 AND seq <= ?3";
const END: &str = "UPDATE journal SET chain = ?3, cpu_us = ?4 WHERE run = ?1 AND seq = ?2";

const SCRIPT: &str = "UPDATE runs SET name = ?2, script = ?3 WHERE id = ?1";

#[cfg(test)]
pub(crate) const ALL: [&str; 5] = [RUN, TEXTS, JOURNAL, END, SCRIPT];

/// Another script for a fork: how errors name it, and its text.
pub type OtherScript = (String, Vec<u8>);

/// A fork, to be written.
pub struct Forking {
    from: RunId,
    fork: RunId,
    at: u64,
    tenant: i64,
    entries: u64,
    /// What the last entry says, where that is in the middle of a commit.
    end: Option<([u8; 32], u64)>,
    taken: BTreeSet<u64>,
    answers: Vec<RunId>,
    /// The name and the text of its script.
    script: OtherScript,
    /// All of its journal, if its script is another one.
    other: Option<Batch>,
    memory: ByteSize,
}

impl Runs {
    /// Makes a new run that has the journal of another up to an entry, and says which id it has. It goes on when it is
    /// resumed: with another script, as long as that asks for what the journal has.
    ///
    /// # Errors
    /// When the run cannot go on here, has no such entry, or has begun an effect there whose end is not known there.
    pub fn fork(
        &self,
        id: RunId,
        at: u64,
        script: Option<OtherScript>,
    ) -> Result<RunId, RunsError> {
        let forking = self.forking(id, at, script)?;
        let fork = forking.id();
        let writing = self.store.write(move |tx| forking.write(tx));
        writing.wait()?;
        Ok(fork)
    }

    /// The same for a caller that writes it with what it writes itself.
    ///
    /// # Errors
    /// Those of [`fork`](Self::fork).
    pub fn forking(
        &self,
        id: RunId,
        at: u64,
        script: Option<OtherScript>,
    ) -> Result<Forking, RunsError> {
        let Replayable {
            log, script: old, ..
        } = self.replayable(id)?;
        may_be_forked(&log, at, script.is_some()).map_err(|why| RunsError::Fork { id, at, why })?;
        let tenant = Tenant::new(&log.begin().tenant).unwrap_or_default();
        let memory = ByteSize::new(log.begin().memory);
        let end = new_end(&log, at);
        let prefix = log.up_to(at);
        let cpu_us = end.map_or(prefix.head().1, |(_, cpu_us)| cpu_us);
        let other = script.as_ref().map(|script| Batch {
            rows: with_script(&prefix, script, cpu_us),
            ..Batch::default()
        });
        Ok(Forking {
            from: id,
            fork: RunInfo::new(tenant).id,
            at,
            tenant: self.tenant,
            entries: prefix.count(),
            end,
            taken: taken(&prefix),
            answers: answers(&prefix),
            script: script.unwrap_or((old.name, old.source)),
            other,
            memory,
        })
    }
}

impl Forking {
    /// The new run.
    #[must_use]
    pub fn id(&self) -> RunId {
        self.fork
    }

    /// How errors name its script, and the text of that.
    #[must_use]
    pub fn script(&self) -> (&str, &[u8]) {
        (&self.script.0, &self.script.1)
    }

    /// The memory that it may use: that of the run before it.
    #[must_use]
    pub fn memory(&self) -> ByteSize {
        self.memory
    }

    /// Writes it.
    ///
    /// # Errors
    /// When that cannot be written, or the run is gone.
    pub fn write(&self, tx: &Tx<'_>) -> Result<(), StoreError> {
        let gone = "the run is gone";
        let (from, to) = (
            Value::from(self.from.bytes()),
            Value::from(self.fork.bytes()),
        );
        let at = Value::Int(self.at as i64);
        tx.change_one(RUN, &[from, to, Value::Int(tx.now()), at], gone)?;
        tx.execute(TEXTS, &[from, to])?;
        if let Some(batch) = &self.other {
            let (name, text) = &self.script;
            let digest = texts::put(tx, self.tenant, self.fork.bytes(), text)?;
            tx.change_one(SCRIPT, &[to, Value::from(name), Value::from(&digest)], gone)?;
            sink::append(tx, self.fork.bytes(), batch)?;
        } else {
            if tx.execute(JOURNAL, &[from, to, at])? as u64 != self.entries {
                return Err(StoreError::Conflict(gone.to_owned()));
            }
            if let Some((chain, cpu_us)) = self.end {
                let cpu_us = Value::Int(cpu_us as i64);
                tx.change_one(END, &[to, at, Value::from(&chain), cpu_us], gone)?;
            }
        }
        for number in &self.taken {
            inbox::copy(tx, self.from.bytes(), self.fork.bytes(), *number)?;
        }
        children::follow(tx, self.from.bytes(), self.fork.bytes(), &self.answers)
    }
}

/// The entries of a journal as those of another script, in one commit, with the computing time up to there.
fn with_script(log: &Log, (name, text): &OtherScript, cpu_us: u64) -> Vec<LogRow> {
    let begin = Entry::Begin(Box::new(Begin {
        name: name.clone(),
        script: texts::digest(text),
        ..log.begin().clone()
    }));
    let mut rows: Vec<LogRow> = log.rows().collect();
    let mut chain = Chain::after(&ZERO);
    for row in &mut rows {
        if row.seq == 0 {
            row.body = begin.encode();
        }
        row.commit = None;
        chain.add(row.seq, row.at, row.kind, &row.body);
    }
    if let Some(last) = rows.last_mut() {
        last.commit = Some((chain.end(cpu_us), cpu_us));
    }
    rows
}

/// Whether nothing was going on behind an entry that a fork would begin again. Another script must also have got the end of
/// every call: what it asks for itself may be another one.
fn may_be_forked(log: &Log, at: u64, is_other: bool) -> Result<(), NoFork> {
    let last = log.count() - 1;
    if at > last {
        return Err(NoFork::BeyondEnd(last));
    }
    let (mut open, mut ended) = (BTreeMap::new(), BTreeSet::new());
    let (mut found, mut is_clear) = (None, true);
    let (mut before, mut behind) = (None, None);
    let mut dropped = Vec::new();
    for (seq, entry) in log.entries().iter().enumerate() {
        let seq = seq as u64;
        match entry {
            Entry::Intent(intent) => {
                open.insert(intent.id, (intent.call, &intent.name));
            }
            Entry::Outcome { id, .. } => {
                open.remove(id);
                ended.insert(*id);
            }
            // Another script may do something else than the crossing that cancels them, which follows.
            Entry::CallsCancelled { ids } if is_other => dropped.extend(ids),
            // The script is behind it, and a fork does not begin it again: it has cancelled the call, or has an answer.
            Entry::CallsCancelled { ids } => {
                open.retain(|id, _| !ids.contains(id));
                ended.retain(|id| !ids.contains(id));
            }
            Entry::Turn { delivered, .. } => {
                for id in dropped.drain(..).chain(delivered.iter().map(|one| &one.id)) {
                    open.remove(id);
                    ended.remove(id);
                }
            }
            Entry::Resolve(resolve) if resolve.verdict != Verdict::Retry => {
                open.remove(&resolve.id);
                ended.insert(resolve.id);
            }
            _ => {}
        }
        let will_do = open.is_empty() && (!is_other || ended.is_empty());
        if seq == at {
            (found, is_clear) = (open.values().next().copied(), will_do);
        }
        if will_do && seq <= at {
            before = Some(seq);
        }
        if will_do && seq > at {
            behind = Some(seq);
            break;
        }
    }
    match found {
        None if is_clear => Ok(()),
        None => Err(NoFork::Untold { before, behind }),
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
    let (from, mut chain) = match log.commit_by(at) {
        Some((last, _)) if last == at => return None,
        Some((last, written)) => (last + 1, Chain::after(&written)),
        None => (0, Chain::after(&ZERO)),
    };
    for row in log.rows_from(from).take_while(|row| row.seq <= at) {
        chain.add(row.seq, row.at, row.kind, &row.body);
    }
    let cpu_us = log.commit_behind(at).map_or(0, |(_, cpu)| cpu);
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

#[cfg(test)]
mod tests {
    use kael_engine::journal::FORMAT;
    use kael_engine::limits::Limits;
    use kael_engine::sandbox::Script;

    use super::*;
    use crate::Rules;
    use crate::begin::own_guest;

    /// A fork in the middle of a commit is given none of its computing time, with another script as with the same.
    #[test]
    fn a_fork_has_used_the_computing_time_of_the_commit_that_it_ends_in() {
        let folder = tempfile::tempdir().expect("a folder");
        let runs = Runs::open(&folder.path().join("kael.db")).expect("a store");
        let info = RunInfo::new(Tenant::default());
        let id = info.id;
        let script = Script::new("script.lua", "for i = 1, 3 do now() end");
        let begun = runs.begin(
            &info,
            &script,
            &Limits::default(),
            None,
            Rules::default(),
            &BTreeMap::new(),
        );
        let begun = begun.expect("nothing is written yet");
        let create = begun.unwritten.take_create().expect("it is new");
        let begin = Begin {
            format: FORMAT,
            guest: own_guest(),
            script: texts::digest(&script.source),
            name: script.name.clone(),
            ..Begin::default()
        };
        let own = |answer: &str| Entry::Own {
            name: "kael.now".to_owned(),
            answer: Ok(answer.to_owned()),
        };
        let entries = [
            Entry::Begin(Box::new(begin)),
            own("1"),
            own("2"),
            own("3"),
            own("4"),
        ];
        let mut chain = Chain::after(&ZERO);
        let mut rows = Vec::new();
        for (seq, entry) in entries.iter().enumerate() {
            let mut row = LogRow {
                seq: seq as u64,
                at: 1,
                kind: entry.kind(),
                body: entry.encode(),
                commit: None,
            };
            chain.add(row.seq, row.at, row.kind, &row.body);
            // Two commits: the entries 0 and 1, and the others.
            let cpu_us = match seq {
                1 => Some(3),
                4 => Some(7),
                _ => None,
            };
            if let Some(cpu_us) = cpu_us {
                let end = chain.end(cpu_us);
                row.commit = Some((end, cpu_us));
                chain = Chain::after(&end);
            }
            rows.push(row);
        }
        let written = runs.store.write(move |tx| {
            create(tx)?;
            let batch = Batch {
                rows,
                ..Batch::default()
            };
            sink::append(tx, id.bytes(), &batch)
        });
        written.wait().expect("written");
        let other = || {
            (
                "other.lua".to_owned(),
                b"for i = 1, 4 do now() end".to_vec(),
            )
        };
        for (at, used) in [(0, 3), (1, 3), (2, 7), (3, 7), (4, 7)] {
            for script in [None, Some(other())] {
                let fork = runs.fork(id, at, script).expect("a fork");
                let log = runs.log(fork).expect("a journal that holds");
                assert_eq!((log.count(), log.head().1), (at + 1, used), "{at}");
                let bytes: usize = log.rows().map(|row| row.body.len()).sum();
                assert_eq!(log.bytes(), bytes as u64);
                let shorter = log.up_to(0);
                let first = shorter.rows().next().expect("the beginning").body.len();
                assert_eq!(shorter.bytes(), first as u64);
            }
        }
    }
}
