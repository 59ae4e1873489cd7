//! A crossing of a run with a journal: answered out of it while there is something, and written into it afterwards.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::super::bindings::kael::engine::actions::{ActionError as WitError, Call, Completion};
use super::super::suspension::{Doubt, Suspension};
use super::continuing::CONTINUE;
use super::passed::Pending;
use super::wire::{error_of, failure_of, to_wit, wit_of};
use super::{InFlight, InstanceState, Outcome, Stop, wait_call};
use crate::failure::{ActionError, ErrorKind};
use crate::journal::{
    Answered, CallLog, Cancelling, Crossing, Inspector, Journal, Outcome as Recorded, Post,
    Recorder, Recovered, Replay, Request, Verdict, Waiting, is_own, is_showing,
};

/// The number of the completion that tells the guest to open the run. The guest has the same.
const LOOK: u32 = u32::MAX;

/// The journal of a run, beside its instance.
pub(in crate::sandbox) struct Journaled {
    pub(in crate::sandbox) recorder: Arc<Recorder>,
    replay: Option<Replay>,
    goes_on: bool,
    /// Whether replaying may take no more computing time than the run may.
    is_held: bool,
    until: Option<u64>,
    /// Calls that the script has made and not got, by their numbers in the guest; what they ask while replaying.
    open: BTreeMap<u32, Option<Pending>>,
    /// What is known of them from earlier attempts.
    recovered: BTreeMap<u32, Recovered>,
    /// What it waits for.
    pub(super) waiting: Waiting,
    /// What comes for it.
    pub(super) post: Option<Post>,
    /// Who looks at it where its journal is left, and whether it is there.
    pub(super) inspector: Option<Arc<dyn Inspector>>,
    is_there: bool,
    /// Whether somebody wants it to end.
    pub(super) cancelling: Cancelling,
    /// Calls that the script gets an error for because of that, whatever else becomes of them.
    given_up: BTreeSet<u32>,
    /// What has ended before this attempt, and the script has not got.
    pub(super) ready: VecDeque<Completion>,
}

impl Journaled {
    pub(super) fn new(journal: Journal) -> Self {
        let replay = journal.log.map(Replay::new);
        let cancelling = match &journal.post {
            Some(post) => Cancelling::watch(post, replay.is_some()),
            None => Cancelling::never(),
        };
        Self {
            cancelling,
            given_up: BTreeSet::new(),
            recorder: journal.recorder,
            replay,
            goes_on: journal.goes_on,
            is_held: journal.is_held,
            until: journal.until,
            open: BTreeMap::new(),
            waiting: Waiting::default(),
            post: journal.post,
            inspector: journal.inspector,
            is_there: false,
            recovered: BTreeMap::new(),
            ready: VecDeque::new(),
        }
    }

    /// Whether crossings are answered out of the journal. Then the limit on computing time is a multiple of what was
    /// recorded.
    pub(super) fn replaying(&self) -> Option<Duration> {
        let replay = self.replay.as_ref().filter(|_| !self.is_held)?;
        let recorded = Duration::from_micros(replay.cpu_us());
        Some(
            recorded
                .saturating_mul(4)
                .saturating_add(Duration::from_secs(1)),
        )
    }

    /// Whether somebody has wanted the run to end, and its script has had its time to clean up. What is replayed has all
    /// the time that it takes.
    pub(in crate::sandbox) fn clean_up_is_over(&self) -> bool {
        self.replay.is_none() && self.cancelling.is_over()
    }

    /// Who that is.
    pub(in crate::sandbox) fn cancelling_by(&self) -> String {
        self.cancelling.by().unwrap_or_default()
    }

    /// Whether what is shown is shown by this attempt, and not by one before it.
    pub(super) fn shown_before(&self) -> u64 {
        self.recorder.shown_before()
    }
}

impl InstanceState {
    fn journal(&mut self) -> wasmtime::Result<&mut Journaled> {
        match &mut self.journal {
            Some(journal) => Ok(&mut **journal),
            None => Err(wasmtime::Error::msg("the run has no journal")),
        }
    }

    pub(super) async fn run_journaled(
        &mut self,
        submit: Vec<Call>,
        cancel: Vec<u32>,
        wait: bool,
    ) -> wasmtime::Result<Vec<Completion>> {
        if self.journal()?.is_there {
            return self.inspected(submit).await;
        }
        let journal = self.journal()?;
        let requests: Vec<Request<'_>> = submit
            .iter()
            .map(|call| Request {
                id: call.id,
                name: &call.name,
                params: &call.params,
            })
            .collect();
        let crossing = Crossing::of(&requests, &cancel, wait, journal.open.is_empty());
        if let Some(replay) = &mut journal.replay {
            if journal.until.is_some_and(|until| replay.seq() > until) {
                return self.arrived();
            }
            match replay.answer(&crossing) {
                Err(divergence) => {
                    let stop = Stop::Suspended(Suspension::Diverged(divergence));
                    return Err(self.end(stop));
                }
                Ok(Answered::Shown) => {
                    let mut done = Vec::with_capacity(1);
                    for Call { id, name, params } in submit {
                        let outcome = self.host_call(&name, params).await?;
                        done.push(Completion { id, outcome });
                    }
                    return Ok(done);
                }
                Ok(Answered::Own(answer)) => {
                    let id = submit.first().map_or(0, |call| call.id);
                    let outcome = wit_of(answer);
                    return Ok(vec![Completion { id, outcome }]);
                }
                Ok(Answered::With(answers)) => {
                    return self.replayed(submit, &cancel, answers).await;
                }
                Ok(Answered::NotYet) if !journal.goes_on => {
                    if !self.log_ends(&submit)? {
                        return self.arrived();
                    }
                }
                Ok(Answered::NotYet) => self.go_on(&cancel)?,
            }
        }
        self.cross(crossing, submit, cancel, wait).await
    }

    /// Answers a crossing as it was answered before.
    async fn replayed(
        &mut self,
        submit: Vec<Call>,
        cancel: &[u32],
        answers: Vec<(u32, Recorded)>,
    ) -> wasmtime::Result<Vec<Completion>> {
        self.cancelled(cancel)?;
        for Call { id, name, params } in submit {
            if is_own(&name) {
                if is_showing(&name) {
                    self.host_call(&name, params).await?.ok();
                }
                continue;
            }
            let number = self.count_call(&name)?;
            let pending = Pending {
                name,
                params,
                number,
            };
            self.journal()?.open.insert(id, Some(pending));
        }
        let mut done = Vec::with_capacity(answers.len());
        for (id, answer) in answers {
            if let Some(call) = self.journal()?.open.remove(&id).flatten() {
                self.passed(&call.name, &call.params, &answer);
                if let Err(failure) = &answer {
                    let name = wait_call::shown(&call.name).unwrap_or(&call.name);
                    self.failures.note(name, &error_of(failure));
                }
            }
            let outcome = wit_of(answer);
            done.push(Completion { id, outcome });
        }
        Ok(done)
    }

    /// Forgets calls that the script cancels while its run is replayed.
    fn cancelled(&mut self, cancel: &[u32]) -> wasmtime::Result<()> {
        for id in cancel {
            let journal = self.journal()?;
            let Some(call) = journal.open.remove(id).flatten() else {
                continue;
            };
            let known = match &journal.replay {
                Some(replay) => replay.recovered.get(id),
                None => journal.recovered.get(id),
            };
            let known = known.cloned();
            self.passed_cancelled(&call, known.as_ref());
        }
        Ok(())
    }

    /// A journal that is only looked at is at its end. What the run did next it may do if that changes nothing: whether it
    /// is so.
    fn log_ends(&mut self, submit: &[Call]) -> wasmtime::Result<bool> {
        let harmless = |call: &Call| is_showing(&call.name) || call.name == "kael.exit";
        if !submit.is_empty() && submit.iter().all(harmless) {
            return Ok(true);
        }
        let replay = self.journal()?.replay.as_ref();
        let has_exited = replay.is_some_and(Replay::has_exited);
        if has_exited && submit.iter().any(|call| call.name == CONTINUE) {
            // It ended there, and another run was begun in its place. A journal without that end does not say so.
            return Err(self.end(Stop::Exit(0)));
        }
        for call in submit.iter().filter(|call| !is_own(&call.name)) {
            // The limit on calls may be what ended it.
            self.count_call(&call.name)?;
        }
        Ok(false)
    }

    /// The run is where its journal is left: it stops there, or is opened to somebody who looks at it.
    fn arrived(&mut self) -> wasmtime::Result<Vec<Completion>> {
        let journal = self.journal()?;
        if journal.inspector.is_none() {
            return Err(self.end(Stop::Suspended(Suspension::LogEnds)));
        }
        journal.is_there = true;
        let outcome = Ok("null".to_owned());
        Ok(vec![Completion { id: LOOK, outcome }])
    }

    /// The journal is at its end, and the run goes on: what was in flight is so again.
    fn go_on(&mut self, cancel: &[u32]) -> wasmtime::Result<()> {
        let journal = self.journal()?;
        let Some(replay) = journal.replay.take() else {
            return Ok(());
        };
        let spent = Duration::from_micros(replay.cpu_us());
        journal.recovered = replay.recovered;
        if let Some((by, is_delivered)) = replay.cancelled {
            journal.recorder.was_cancelled(by.clone());
            journal.cancelling.goes_on(by, is_delivered);
        }
        if let Some(post) = &journal.post {
            for number in replay.taken {
                post.was_taken(number);
            }
        }
        self.cancelled(cancel)?;
        let journal = self.journal()?;
        let open = std::mem::take(&mut journal.open);
        journal.open = open.keys().map(|id| (*id, None)).collect();
        // Computing again what was computed before is not counted twice.
        self.meter.restore(spent);
        self.start = Instant::now();
        let doubt = open
            .iter()
            .filter_map(|(id, call)| Some((*id, call.as_ref()?.number)))
            .find_map(|(id, number)| self.doubt(id, number));
        if let Some(doubt) = doubt {
            return Err(self.end(Stop::Suspended(Suspension::InDoubt(Box::new(doubt)))));
        }
        let mut ready = Vec::new();
        for (id, call) in open {
            let Some(call) = call else { continue };
            let journal = self.journal()?;
            let known = journal.recovered.get(&id);
            let letter = known.and_then(|known| known.letter);
            let known = known.and_then(|known| known.outcome.clone());
            if let Some((seq, outcome)) = known {
                if let (Some(post), Some(letter)) = (&journal.post, letter) {
                    post.holds(id, letter);
                }
                journal.recorder.known(id, seq);
                self.passed(&call.name, &call.params, &outcome);
                ready.push((seq, id, outcome));
                continue;
            }
            self.journal()?.waiting.open(id);
            let bytes = call.params.len() as u64;
            self.held += bytes;
            let answer = self.answer_to(id, call.number, call.name, call.params)?;
            let task = self.in_flight.spawn(async move { (id, answer.await) });
            let params = bytes;
            self.by_id.insert(id, InFlight { task, params });
        }
        // In the order in which they ended.
        ready.sort_by_key(|(seq, ..)| *seq);
        let ready = ready.into_iter().map(|(_, id, outcome)| Completion {
            id,
            outcome: wit_of(outcome),
        });
        self.journal()?.ready.extend(ready);
        Ok(())
    }

    /// What is unknown of a call.
    fn doubt(&self, id: u32, number: u64) -> Option<Doubt> {
        let intent = self.journal.as_ref()?.recovered.get(&id)?.in_doubt()?;
        Some(Doubt {
            call: number,
            action: intent.name.clone(),
            params: intent.params.clone(),
            key: intent.key.clone(),
            attempt: intent.attempt,
        })
    }

    /// Answers a crossing, and writes it down.
    async fn cross(
        &mut self,
        crossing: Crossing,
        submit: Vec<Call>,
        cancel: Vec<u32>,
        wait: bool,
    ) -> wasmtime::Result<Vec<Completion>> {
        let journal = self.journal()?;
        if journal.recorder.is_full() {
            return Err(self.end(Stop::Suspended(Suspension::JournalFull)));
        }
        for id in &cancel {
            journal.open.remove(id);
            journal.waiting.closed(*id);
            journal.recorder.forget(*id);
            if let Some(post) = &journal.post {
                post.cancelled(*id);
            }
        }
        let mut own = Vec::new();
        for call in &submit {
            match is_own(&call.name) {
                true => own.push(call.id),
                false => {
                    journal.open.insert(call.id, None);
                    journal.waiting.open(call.id);
                }
            }
        }
        let dropped = cancel.clone();
        let done = self.answer_in_time(submit, cancel, wait).await?;
        let journal = self.journal()?;
        if !dropped.is_empty() {
            journal.recorder.calls_cancelled(dropped);
        }
        match crossing {
            Crossing::Show { bytes, digest, .. } if matches!(&done[..], [one] if one.outcome.is_ok()) =>
            {
                journal.recorder.show(bytes, &digest);
            }
            Crossing::Show { name, .. } => {
                if let Some(one) = done.first() {
                    journal
                        .recorder
                        .own(name.to_owned(), recorded(&one.outcome));
                }
            }
            Crossing::Own { name } => {
                if let Some(one) = done.first() {
                    journal.recorder.own(name, recorded(&one.outcome));
                }
            }
            Crossing::Turn { .. } => {
                let mut out = Vec::with_capacity(done.len());
                for one in &done {
                    journal.open.remove(&one.id);
                    journal.waiting.closed(one.id);
                    if let Some(post) = &journal.post {
                        post.delivered(one.id);
                    }
                    let own = own.contains(&one.id) || journal.given_up.contains(&one.id);
                    // The outcome of a call has an entry of its own.
                    let answer = if own {
                        recorded(&one.outcome)
                    } else {
                        Ok(String::new())
                    };
                    out.push((one.id, own, answer));
                }
                journal.given_up.clear();
                journal.recorder.turn(crossing, out);
            }
        }
        Ok(done)
    }

    /// Gives the script an error for every call that has not ended, because somebody has cancelled the run, and writes
    /// that down in front of the crossing that tells it. `before` is how many calls were counted before this crossing, and
    /// `count` how many of it count.
    pub(super) fn cancel_calls(
        &mut self,
        before: u32,
        count: usize,
    ) -> wasmtime::Result<Vec<Completion>> {
        let counted = (self.calls - before) as usize;
        for _ in counted..count {
            // As they are counted when the run is replayed.
            self.count_one()?;
        }
        let mut done = self.drain()?;
        let journal = self.journal()?;
        let Some(by) = journal.cancelling.by() else {
            return Ok(done);
        };
        let ended: BTreeSet<u32> = done.iter().map(|one| one.id).collect();
        let open = journal.open.keys().filter(|id| !ended.contains(id));
        let open: Vec<u32> = open.copied().collect();
        if open.is_empty() {
            return Ok(done);
        }
        journal.cancelling.delivered();
        journal.recorder.cancel(&by);
        let error = ActionError::new(ErrorKind::Cancelled, format!("{by} has cancelled the run"));
        let error = to_wit(error);
        for id in open {
            if let Some(call) = self.forget(id) {
                call.task.abort();
            }
            let journal = self.journal()?;
            if let Some(post) = &journal.post {
                post.cancelled(id);
            }
            journal.given_up.insert(id);
            let outcome = Err(error.clone());
            done.push(Completion { id, outcome });
        }
        Ok(done)
    }

    /// The journal as the call of that number sees it.
    pub(super) fn call_log(
        &mut self,
        id: u32,
        number: u64,
    ) -> wasmtime::Result<Option<Box<CallLog>>> {
        if self.journal.is_none() {
            return Ok(None);
        }
        if let Some(doubt) = self.doubt(id, number) {
            return Err(self.end(Stop::Suspended(Suspension::InDoubt(Box::new(doubt)))));
        }
        let journal = self.journal()?;
        let recovered = journal.recovered.remove(&id).unwrap_or_default();
        let attempt = recovered
            .intent
            .as_ref()
            .map_or(1, |intent| intent.attempt + 1);
        let known = match (recovered.outcome.as_ref(), recovered.settled()) {
            (Some((seq, outcome)), _) => Some((Some(*seq), outcome.clone())),
            (None, Some(Verdict::Done(result))) => Some((None, Ok(result.clone()))),
            (None, Some(Verdict::Failed(message))) => {
                let error = ActionError::new(ErrorKind::Failed, message.clone());
                Some((None, Err(failure_of(&super::to_wit(error)))))
            }
            (None, Some(Verdict::Retry) | None) => None,
        };
        Ok(Some(Box::new(CallLog {
            recorder: journal.recorder.clone(),
            id,
            attempt,
            known,
            waited: recovered.wait,
            post: journal.post.clone(),
            waiting: journal.waiting.clone(),
        })))
    }
}

pub(super) fn recorded(outcome: &Outcome) -> Recorded {
    outcome
        .clone()
        .map_err(|error: WitError| failure_of(&error))
}
