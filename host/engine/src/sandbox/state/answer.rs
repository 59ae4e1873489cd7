//! How the host answers `run-action`: a call that the guest waits for alone, or any number side by side.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Instant;

use tokio::sync::watch;
use tokio::time::sleep_until;

use super::super::Suspension;
use super::super::bindings::kael::engine::actions::{
    ActionError as WitError, Call, Completion, Host,
};
use super::super::cancel::cancelled;
use super::wait_call::counts;
use super::wire::to_wit;
use super::{InFlight, InstanceState, Stop};
use crate::failure::{ActionError, ErrorKind};
use crate::journal::{News, Pause, Post, Recorder, SinkError, Waiting, is_own};

impl Host for InstanceState {
    async fn run_action(
        &mut self,
        submit: Vec<Call>,
        cancel: Vec<u32>,
        wait: bool,
    ) -> wasmtime::Result<Vec<Completion>> {
        if self.journal.is_some() {
            return Box::pin(self.run_journaled(submit, cancel, wait)).await;
        }
        self.answer_in_time(submit, cancel, wait).await
    }
}

impl InstanceState {
    /// Answers one entry of the guest's within the limits of the run.
    pub(super) async fn answer_in_time(
        &mut self,
        submit: Vec<Call>,
        cancel: Vec<u32>,
        wait: bool,
    ) -> wasmtime::Result<Vec<Completion>> {
        // Checked: a limit may be longer than the clock counts.
        let deadline = self.start.checked_add(self.limits.wall.duration());
        let canceller = self.cancel.clone();
        let recorder = self
            .journal
            .as_ref()
            .map(|journal| journal.recorder.clone());
        let waiting = self.journal.as_ref().map(|journal| journal.waiting.clone());
        let post = self
            .journal
            .as_ref()
            .and_then(|journal| journal.post.clone());
        let (mut news, mut count, before) = (None, 0, self.calls);
        if let Some(journal) = &self.journal {
            let is_told = wait && submit.iter().all(|call| !is_own(&call.name));
            count = submit.iter().filter(|call| counts(&call.name)).count();
            if is_told && journal.cancelling.undelivered().is_some() && cancel.is_empty() {
                return self.cancel_calls(before, count);
            }
            news = Some(journal.cancelling.news(is_told));
        }
        let (waiting, news, post) = (waiting.as_ref(), news.as_ref(), post.as_ref());
        let recorder = recorder.as_deref();
        let cut = {
            let mut answering = pin!(self.answer(submit, cancel, wait));
            // Most answers need no timer.
            match poll_fn(|context| Poll::Ready(answering.as_mut().poll(context))).await {
                Poll::Ready(answer) => return answer,
                Poll::Pending => {
                    Box::pin(async {
                        tokio::select! {
                            biased;
                            answer = answering => Ok(answer),
                            () = cancelled(canceller.as_ref()) => Err(Cut::Cancelled),
                            () = reached(deadline) => Err(Cut::Late),
                            told = told(news) => Err(told),
                            due = given_up(waiting, news, post) => Err(Cut::Waits(due)),
                            error = failure(recorder) => Err(Cut::Journal(error)),
                        }
                    })
                    .await
                }
            }
        };
        match cut {
            Ok(answer) => answer,
            Err(Cut::Cancelled) => Err(self.end(Stop::Cancelled)),
            Err(Cut::Told) => self.cancel_calls(before, count),
            Err(Cut::Late) => Err(self.end(Stop::Limit(self.wall_limit_hit()))),
            Err(Cut::Waits(due)) => Err(self.end(Stop::Suspended(Suspension::Waiting(due)))),
            Err(Cut::Journal(error)) => {
                let why = Suspension::JournalFailed(error.to_string());
                Err(self.end(Stop::Suspended(why)))
            }
        }
    }
}

/// Why an answer was given up.
enum Cut {
    Cancelled,
    /// Somebody wants the run to end, and its script is to know.
    Told,
    Late,
    Journal(SinkError),
    /// All that the run waits for is far off.
    Waits(Pause),
}

/// Waits until the run need not be waited for. Without a journal, and of a run that is about to end, this never ends.
async fn given_up(waiting: Option<&Waiting>, news: Option<&News>, post: Option<&Post>) -> Pause {
    let waiting = waiting.filter(|_| !news.is_some_and(News::is_asked));
    let Some(waiting) = waiting else {
        return std::future::pending().await;
    };
    loop {
        let pause = waiting.given_up().await;
        let Some(post) = post else {
            return pause;
        };
        let held = post.hold().await;
        if let Some(pause) = waiting.far_off() {
            held.for_good();
            return pause;
        }
    }
}

/// Waits until the script is to know that somebody wants the run to end, or has had its time since.
async fn told(news: Option<&News>) -> Cut {
    match news {
        Some(news) => tokio::select! {
            biased;
            () = news.over() => Cut::Cancelled,
            () = news.told() => Cut::Told,
        },
        None => std::future::pending().await,
    }
}

/// Waits until the journal cannot be written. Without one, this never ends.
async fn failure(recorder: Option<&Recorder>) -> SinkError {
    match recorder {
        Some(recorder) => recorder.failure().await,
        None => std::future::pending().await,
    }
}

/// Waits until a moment. Without one, this never ends.
async fn reached(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline.into()).await,
        None => std::future::pending().await,
    }
}

impl InstanceState {
    /// Answers one entry of the guest's.
    async fn answer(
        &mut self,
        mut submit: Vec<Call>,
        cancel: Vec<u32>,
        wait: bool,
    ) -> wasmtime::Result<Vec<Completion>> {
        for id in cancel {
            if let Some(call) = self.forget(id) {
                call.task.abort();
            }
        }
        let done = self.drain()?;
        // What was cancelled keeps its turn until it has been joined.
        let alone = wait && submit.len() == 1 && done.is_empty() && self.in_flight.is_empty();
        if alone && let Some(call) = submit.pop() {
            // What most scripts do all the time. What else there may be takes a larger future, which is not to be made for
            // each of them.
            return self.answer_one(call).await;
        }
        Box::pin(self.answer_several(submit, wait, done)).await
    }

    /// Answers a call that the guest waits for, with none in flight.
    async fn answer_one(
        &mut self,
        Call { id, name, params }: Call,
    ) -> wasmtime::Result<Vec<Completion>> {
        let outcome = if is_own(&name) {
            self.host_call(&name, params).await?
        } else {
            let answer = self.call(id, name, params)?;
            if self.interrupted.is_none() {
                answer.await.0
            } else {
                let interruption = interruption(&mut self.interrupted);
                Box::pin(async move {
                    tokio::select! {
                        biased;
                        () = interruption => Err(interrupted()),
                        (outcome, _turn) = answer => outcome,
                    }
                })
                .await
            }
        };
        Ok(vec![Completion { id, outcome }])
    }

    /// Answers what may wait beside other calls.
    async fn answer_several(
        &mut self,
        submit: Vec<Call>,
        wait: bool,
        mut done: Vec<Completion>,
    ) -> wasmtime::Result<Vec<Completion>> {
        for Call { id, name, params } in submit {
            if self.by_id.contains_key(&id)
                || done
                    .iter()
                    .any(|completion: &Completion| completion.id == id)
            {
                return Err(self.end(Stop::Fault(
                    "the guest used the number of a call that is in flight",
                )));
            }
            if is_own(&name) {
                done.push(Completion {
                    id,
                    outcome: self.host_call(&name, params).await?,
                });
            } else {
                // What waits for its turn is held here, and not by the guest: no more of it than the guest may hold.
                let bytes = params.len() as u64;
                while self.held + bytes > self.limits.memory.bytes() && !self.by_id.is_empty() {
                    if let Some(joined) = self.in_flight.join_next().await {
                        done.extend(self.completed(joined)?);
                    }
                }
                self.held += bytes;
                let answer = self.call(id, name, params)?;
                let task = self.in_flight.spawn(async move { (id, answer.await) });
                self.by_id.insert(
                    id,
                    InFlight {
                        task,
                        params: bytes,
                    },
                );
            }
        }
        done.extend(self.drain()?);
        while wait && done.is_empty() {
            if self.by_id.is_empty() {
                return Err(self.end(Stop::Fault("the guest waits with nothing in flight")));
            }
            let joined = tokio::select! {
                biased;
                () = interruption(&mut self.interrupted) => None,
                joined = self.in_flight.join_next() => joined,
            };
            match joined {
                Some(joined) => done.extend(self.completed(joined)?),
                None => {
                    self.held = 0;
                    for (id, call) in self.by_id.drain() {
                        call.task.abort();
                        let outcome = Err(interrupted());
                        done.push(Completion { id, outcome });
                    }
                }
            }
        }
        Ok(done)
    }
}

/// Waits until what is going on is to end; for ever where nobody can ask for that.
async fn interruption(asked: &mut Option<watch::Receiver<bool>>) {
    if let Some(asked) = asked
        && asked.wait_for(|asked| *asked).await.is_ok()
    {
        return;
    }
    std::future::pending().await
}

fn interrupted() -> WitError {
    to_wit(ActionError::new(ErrorKind::Cancelled, "interrupted"))
}

#[cfg(test)]
mod tests {
    //! What only a guest that is no longer Kael's own could do.

    use std::sync::Arc;
    use std::time::Duration;

    use tokio::time::{sleep, timeout};

    use super::*;
    use crate::executor::{Execute, Execution, Invocation};
    use crate::gate::{Dispatcher, Policy};
    use crate::limits::Limits;
    use crate::permit::Permit;
    use crate::sandbox::InstanceOptions;
    use crate::sandbox::bindings::kael::engine::actions::ErrorKind as WitKind;
    use crate::sandbox::output::Output;
    use crate::units::ByteSize;

    fn state() -> InstanceState {
        let limits = Limits {
            output: ByteSize::new(100),
            ..Limits::default()
        };
        InstanceState::new(InstanceOptions::internal(limits, Output::in_memory()), 7)
    }

    fn call(id: u32, name: &str) -> Call {
        Call {
            id,
            name: name.into(),
            params: "{}".into(),
        }
    }

    fn fault(state: &InstanceState) -> &'static str {
        match state.stop {
            Some(Stop::Fault(fault)) => fault,
            _ => panic!("{:?}", state.stop),
        }
    }

    #[tokio::test]
    async fn waiting_for_nothing_ends_the_run() {
        let mut state = state();
        assert!(state.run_action(vec![], vec![], true).await.is_err());
        assert_eq!(fault(&state), "the guest waits with nothing in flight");
    }

    #[tokio::test]
    async fn a_number_used_twice_ends_the_run() {
        for names in [
            ["kael.seed", "kael.seed"],
            ["t.a", "t.b"],
            ["t.a", "kael.seed"],
        ] {
            let mut state = state();
            let calls = names.map(|name| call(1, name)).into();
            assert!(state.run_action(calls, vec![], true).await.is_err());
            assert_eq!(
                fault(&state),
                "the guest used the number of a call that is in flight"
            );
        }
    }

    #[tokio::test]
    async fn what_was_never_submitted_is_cancelled_without_a_word() {
        let mut state = state();
        let cancel = vec![0, 1, u32::MAX, u32::MAX];
        let done = state.run_action(vec![], cancel, false).await;
        assert!(done.is_ok_and(|done| done.is_empty()) && state.stop.is_none());
    }

    /// An action that was cancelled may end at that very moment: its task is over, and its turn is not given back before
    /// that is looked at.
    #[tokio::test]
    async fn who_is_alone_gets_the_turn_of_a_call_that_was_cancelled() {
        struct Nothing;
        impl Execute for Nothing {
            fn execute<'a>(&'a self, _: Invocation<'a>) -> Execution<'a> {
                Box::pin(std::future::pending())
            }
        }
        for late in [Duration::ZERO, Duration::from_millis(20)] {
            let limits = Limits {
                parallel: 1,
                ..Limits::default()
            };
            let dispatcher = Dispatcher::new(Arc::default(), Policy::default(), Arc::new(Nothing));
            let mut options = InstanceOptions::internal(limits, Output::in_memory());
            options.dispatcher = Some(Arc::new(dispatcher));
            let mut state = InstanceState::new(options, 7);
            let (permits, info) = (state.permits.clone(), state.info.clone());
            let turn = Permit::take(permits, None, info).await;
            state.in_flight.spawn(async move {
                sleep(late).await;
                (1, (Ok("null".to_owned()), turn))
            });
            let answer = state.run_action(vec![call(2, "t.a")], vec![], true);
            let done = timeout(Duration::from_secs(10), answer).await;
            let done = done.expect("it gets its turn").expect("an answer");
            assert!(
                matches!(&done[..], [Completion { id: 2, outcome: Err(error) }]
                if error.kind == WitKind::UnknownAction)
            );
        }
    }

    #[tokio::test]
    async fn a_report_of_another_shape_is_refused() {
        let mut state = state();
        for params in ["", "{}", r#"{"page":"<script>"}"#, &"x".repeat(2 << 20)] {
            let mut call = call(1, "kael.report");
            call.params = params.to_owned();
            let done = state.run_action(vec![call], vec![], true).await;
            let done = done.expect("an answer");
            assert!(matches!(&done[0].outcome, Err(error) if error.kind == WitKind::InvalidParams));
        }
    }

    #[tokio::test]
    async fn the_hosts_own_names_are_few() {
        let mut state = state();
        for name in ["kael.", "kael.exits", "kael.print ", "kael.seeds"] {
            let done = state.run_action(vec![call(1, name)], vec![], true).await;
            let done = done.expect("an answer");
            assert!(matches!(&done[0].outcome, Err(error) if error.kind == WitKind::UnknownAction));
        }
        // While a repo loads there is nothing to call.
        for name in ["t.a", "kael.http.get", "kael.seed.x"] {
            let done = state.run_action(vec![call(2, name)], vec![], true).await;
            let done = done.expect("an answer");
            assert!(matches!(&done[0].outcome, Err(error) if error.kind == WitKind::Unavailable));
        }
    }
}
