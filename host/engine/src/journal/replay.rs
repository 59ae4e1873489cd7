//! Answers the crossings of a script out of its journal, and says where the script asks for something else.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::crossing::{Crossing, Stretch};
use super::entry::{Delivery, EndKind, Entry, Intent, Outcome, Resolve, Verdict, Wait};
use super::log::Log;

/// The script asked for something else than the journal has: it, the guest or the repo is another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Divergence {
    /// The number of the entry.
    pub seq: u64,
    /// What the journal has there.
    pub wanted: String,
    /// What the script asked for.
    pub asked: String,
}

/// What the journal knows of a crossing.
#[derive(Debug)]
pub(crate) enum Answered {
    /// What came out.
    With(Vec<(u32, Outcome)>),
    /// The answer to one of the host's own names.
    Own(Outcome),
    /// Something was shown: it is shown again, as far as it has to be, and the answer is null.
    Shown,
    /// Nothing: the run goes on from here.
    NotYet,
}

/// What the journal knows of a call whose outcome the script has not got.
#[derive(Debug, Clone, Default)]
pub(crate) struct Recovered {
    pub(crate) intent: Option<Intent>,
    pub(crate) outcome: Option<(u64, Outcome)>,
    pub(crate) wait: Option<Wait>,
    /// The letter that it has got.
    pub(crate) letter: Option<u64>,
    pub(crate) resolve: Option<Resolve>,
}

impl Recovered {
    /// Whether it is unknown if an effect took place that must not be repeated.
    pub(crate) fn in_doubt(&self) -> Option<&Intent> {
        let intent = self.intent.as_ref().filter(|intent| intent.once)?;
        (self.outcome.is_none() && self.resolve.is_none()).then_some(intent)
    }

    /// The outcome that a person has given it.
    pub(crate) fn settled(&self) -> Option<&Verdict> {
        self.resolve.as_ref().map(|resolve| &resolve.verdict)
    }
}

/// A journal that is replayed.
pub(crate) struct Replay {
    log: Arc<Log>,
    /// The next entry to look at.
    at: usize,
    stretch: Stretch,
    pub(crate) recovered: BTreeMap<u32, Recovered>,
    /// The letters that the script has got.
    pub(crate) taken: BTreeSet<u64>,
    /// Who has wanted the run to end, and whether its script has got that as an error.
    pub(crate) cancelled: Option<(String, bool)>,
}

impl Replay {
    pub(crate) fn new(log: Arc<Log>) -> Self {
        let mut recovered = BTreeMap::<u32, Recovered>::new();
        let mut taken = BTreeSet::new();
        let mut cancelled: Option<(String, bool)> = None;
        for (seq, entry) in log.entries().iter().enumerate() {
            match entry {
                Entry::Intent(intent) => {
                    let call = recovered.entry(intent.id).or_default();
                    // A call that was settled is begun again by this.
                    (call.intent, call.resolve) = (Some((**intent).clone()), None);
                }
                Entry::Outcome { id, outcome, .. } => {
                    recovered.entry(*id).or_default().outcome = Some((seq as u64, outcome.clone()));
                }
                Entry::Wait { id, wait } => {
                    let call = recovered.entry(*id).or_default();
                    match wait {
                        Wait::Letter(number, _) => call.letter = Some(*number),
                        wait => call.wait = Some(wait.clone()),
                    }
                }
                Entry::Resolve(resolve) => {
                    recovered.entry(resolve.id).or_default().resolve = Some((**resolve).clone());
                }
                Entry::Turn { delivered, .. } => {
                    for one in delivered {
                        let call = recovered.remove(&one.id);
                        // One that was given up for a cancel has not got its letter.
                        if matches!(one.delivery, Delivery::At(_)) {
                            taken.extend(call.and_then(|call| call.letter));
                        }
                    }
                    // The crossing that is answered by a cancel follows it.
                    if let Some((_, is_delivered)) = &mut cancelled {
                        *is_delivered = true;
                    }
                }
                Entry::Cancel { by } => {
                    cancelled.get_or_insert_with(|| (by.clone(), false));
                }
                _ => {}
            }
        }
        Self {
            log,
            at: 1,
            stretch: Stretch::default(),
            recovered,
            taken,
            cancelled,
        }
    }

    /// Whether the run has ended itself there with an exit code of 0.
    pub(crate) fn has_exited(&self) -> bool {
        let last = self.log.entries().last();
        matches!(last, Some(Entry::End(end)) if end.kind == EndKind::Exited && end.text == "0")
    }

    /// The number of the next entry.
    pub(crate) fn seq(&self) -> u64 {
        self.at as u64
    }

    /// The computing time of the run by the end of its journal, in microseconds.
    pub(crate) fn cpu_us(&self) -> u64 {
        self.log.head().1
    }

    /// The next entry that tells of a crossing.
    fn next(&mut self) -> Option<&Entry> {
        loop {
            if self.log.entries().get(self.at)?.is_crossing() {
                return self.log.entries().get(self.at);
            }
            self.at += 1;
        }
    }

    /// Answers the next crossing.
    ///
    /// # Errors
    /// When the journal has another one there.
    pub(crate) fn answer(&mut self, crossing: &Crossing) -> Result<Answered, Box<Divergence>> {
        if self.next().is_none() {
            return Ok(Answered::NotYet);
        }
        let log = self.log.clone();
        let entry = &log.entries()[self.at];
        let same = match (entry, crossing) {
            (
                Entry::Prints {
                    count,
                    bytes,
                    digest,
                },
                Crossing::Show {
                    bytes: more,
                    digest: one,
                    ..
                },
            ) => {
                self.stretch.add(*more, one);
                if self.stretch.count < *count {
                    return Ok(Answered::Shown);
                }
                let stretch = std::mem::take(&mut self.stretch);
                if (stretch.bytes, stretch.digest()) == (*bytes, *digest) {
                    self.at += 1;
                    return Ok(Answered::Shown);
                }
                false
            }
            (Entry::Own { name, .. }, Crossing::Own { name: asked }) => name == asked,
            // What cannot be shown is answered with an error.
            (Entry::Own { name, .. }, Crossing::Show { name: asked, .. }) => name == asked,
            (Entry::Turn { digest, .. }, Crossing::Turn { digest: asked, .. }) => digest == asked,
            _ => false,
        };
        if !same {
            return Err(Box::new(Divergence {
                seq: self.at as u64,
                wanted: words(entry),
                asked: crossing.words(),
            }));
        }
        let answer = match entry {
            Entry::Own { answer, .. } => {
                let answer = answer.clone();
                self.at += 1;
                return Ok(Answered::Own(answer));
            }
            Entry::Turn { delivered, .. } => {
                let mut all = Vec::with_capacity(delivered.len());
                for one in delivered {
                    let outcome = match &one.delivery {
                        Delivery::Own(answer) => answer.clone(),
                        Delivery::At(seq) => match log.entries().get(*seq as usize) {
                            Some(Entry::Outcome { outcome, .. }) => outcome.clone(),
                            _ => {
                                return Err(Box::new(Divergence {
                                    seq: self.at as u64,
                                    wanted: format!("the outcome in entry {seq}"),
                                    asked: "an entry that is none".to_owned(),
                                }));
                            }
                        },
                    };
                    all.push((one.id, outcome));
                }
                all
            }
            _ => Vec::new(),
        };
        self.at += 1;
        Ok(Answered::With(answer))
    }
}

fn words(entry: &Entry) -> String {
    match entry {
        Entry::Prints { .. } => "a print".to_owned(),
        Entry::Own { name, .. } => name.clone(),
        Entry::Turn { asked, .. } => asked.clone(),
        _ => "something else".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::crossing::Request;
    use crate::journal::entry::{Begin, Failure};
    use crate::journal::{Chain, FORMAT, LogRow, ZERO};

    fn log(entries: &[Entry]) -> Arc<Log> {
        let begin = Entry::Begin(Box::new(Begin {
            format: FORMAT,
            ..Begin::default()
        }));
        let mut chain = Chain::after(&ZERO);
        let mut rows = Vec::new();
        for (seq, entry) in std::iter::once(&begin).chain(entries).enumerate() {
            let row = LogRow {
                seq: seq as u64,
                at: 1,
                kind: entry.kind(),
                body: entry.encode(),
                commit: None,
            };
            chain.add(row.seq, row.at, row.kind, &row.body);
            rows.push(row);
        }
        if let Some(last) = rows.last_mut() {
            last.commit = Some((chain.end(0), 0));
        }
        Arc::new(Log::read(rows).expect("whole"))
    }

    fn asks(name: &str) -> Crossing {
        let call = Request {
            id: 1,
            name,
            params: "{}",
        };
        Crossing::of(&[call], &[], true, true)
    }

    #[test]
    fn what_could_not_be_shown_has_its_error_again() {
        let answer = Err(Failure {
            kind: 1,
            message: "no".to_owned(),
            detail: None,
        });
        let entry = Entry::Own {
            name: "kael.report".to_owned(),
            answer: answer.clone(),
        };
        let log = log(&[entry]);
        let mut replay = Replay::new(log.clone());
        let answered = replay.answer(&asks("kael.report")).expect("the same");
        assert!(matches!(answered, Answered::Own(again) if again == answer));
        // Another name is another script.
        for other in ["kael.print", "kael.clock", "t.a"] {
            assert!(
                Replay::new(log.clone()).answer(&asks(other)).is_err(),
                "{other}"
            );
        }
    }
}
