//! What a request began and what became of it: runs of scripts and calls of actions.
//!
//! A job outlives the request that began it, when the client waits no longer or a person is asked;
//! another request follows it by its id. Ended jobs are kept until newer ones need the room.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use kael_engine::gate::approval::{Answer, Question};
use kael_engine::sandbox::Cancel;
use tokio::sync::{oneshot, watch};
use tokio::task::AbortHandle;

use super::report::Outcome;

/// Jobs that have not ended.
const MAX_RUNNING: usize = 32;
/// Ended jobs that are kept, and bytes of them.
const MAX_KEPT: usize = 64;
const MAX_BYTES: usize = 64 << 20;

/// A question that waits for a person.
pub(super) struct Asked {
    /// Its number in the job, from 1.
    pub(super) number: u64,
    pub(super) question: Question,
    /// Names it on the page. A browser that sends it may answer.
    pub(super) token: String,
    answer: Mutex<Option<oneshot::Sender<Answer>>>,
    announced: AtomicBool,
}

impl Asked {
    /// Whether this is the first time that it is announced.
    pub(super) fn announces(&self) -> bool {
        !self.announced.swap(true, Ordering::Relaxed)
    }

    /// Whether an answer is still wanted. An answered question is listed until its call goes on.
    fn is_open(&self) -> bool {
        lock(&self.answer).is_some()
    }

    /// Answers it; false when it was answered before, or is no longer asked.
    pub(super) fn answer(&self, answer: Answer) -> bool {
        let sender = lock(&self.answer).take();
        sender.is_some_and(|sender| sender.send(answer).is_ok())
    }
}

/// How a job is ended from outside.
pub(super) enum Stop {
    /// A script, which still reports what it had done.
    Run(Cancel),
    /// A call.
    Call(AbortHandle),
}

#[derive(Default)]
struct State {
    asked: Vec<Arc<Asked>>,
    questions: u64,
    outcome: Option<Arc<Outcome>>,
    stop: Option<Stop>,
    is_cancelled: bool,
}

/// A run or a call.
pub(super) struct Job {
    id: OnceLock<String>,
    state: Mutex<State>,
    changed: watch::Sender<u64>,
}

/// Where a job stands.
pub(super) enum Standing {
    Running,
    /// A person is asked: the first question of those that wait.
    Asking(Arc<Asked>),
    Ended(Arc<Outcome>),
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Job {
    /// One that has no name yet.
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            id: OnceLock::new(),
            state: Mutex::default(),
            changed: watch::Sender::new(0),
        })
    }

    /// Names it, once.
    pub(super) fn named(&self, id: String) {
        self.id.set(id).ok();
    }

    /// Its id: that of the run in records and reports.
    pub(super) fn id(&self) -> &str {
        self.id.get().map_or("", String::as_str)
    }

    /// Sees every change from now on.
    pub(super) fn watch(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    fn bump(&self) {
        self.changed.send_modify(|version| *version += 1);
    }

    pub(super) fn standing(&self) -> Standing {
        let state = lock(&self.state);
        let asked = state.asked.iter().find(|asked| asked.is_open());
        match (&state.outcome, asked) {
            (Some(outcome), _) => Standing::Ended(outcome.clone()),
            (None, Some(asked)) => Standing::Asking(asked.clone()),
            (None, None) => Standing::Running,
        }
    }

    /// All questions that wait.
    pub(super) fn questions(&self) -> Vec<Arc<Asked>> {
        let state = lock(&self.state);
        let open = state.asked.iter().filter(|asked| asked.is_open());
        open.cloned().collect()
    }

    /// The question of that number, while it waits.
    pub(super) fn question(&self, number: u64) -> Option<Arc<Asked>> {
        let state = lock(&self.state);
        state
            .asked
            .iter()
            .find(|asked| asked.number == number)
            .cloned()
    }

    /// Says how it is ended from outside.
    pub(super) fn stopped_by(&self, stop: Stop) {
        let mut state = lock(&self.state);
        state.stop = Some(stop);
        let late = state.is_cancelled;
        drop(state);
        if late {
            self.cancel();
        }
    }

    /// Ends it.
    pub(super) fn cancel(&self) {
        let mut state = lock(&self.state);
        state.is_cancelled = true;
        match &state.stop {
            Some(Stop::Run(cancel)) => cancel.cancel(),
            Some(Stop::Call(handle)) => handle.abort(),
            None => {}
        }
    }

    /// Notes its end.
    pub(super) fn end(&self, outcome: Outcome) {
        lock(&self.state).outcome = Some(Arc::new(outcome));
        self.bump();
    }

    /// Puts a question, and waits for its answer. Dropping the future takes it back.
    pub(super) async fn ask(self: &Arc<Self>, question: Question) -> Answer {
        let within = question.within;
        let (sender, answer) = oneshot::channel();
        let asked = {
            let mut state = lock(&self.state);
            state.questions += 1;
            let asked = Arc::new(Asked {
                number: state.questions,
                question,
                token: format!(
                    "{}{}",
                    uuid::Uuid::new_v4().simple(),
                    uuid::Uuid::new_v4().simple()
                ),
                answer: Mutex::new(Some(sender)),
                announced: AtomicBool::new(false),
            });
            state.asked.push(asked.clone());
            asked
        };
        self.bump();
        let _waiting = TakenBack(self.clone(), asked.number);
        let answer = async {
            let gone = "the question was dropped".to_owned();
            answer.await.unwrap_or(Answer::Unasked(gone))
        };
        match within {
            Some(within) => tokio::time::timeout(within, answer)
                .await
                .unwrap_or(Answer::Expired),
            None => answer.await,
        }
    }
}

/// A question that no longer waits when this is dropped.
struct TakenBack(Arc<Job>, u64);

impl Drop for TakenBack {
    fn drop(&mut self) {
        lock(&self.0.state)
            .asked
            .retain(|asked| asked.number != self.1);
        self.0.bump();
    }
}

/// The jobs of one server.
#[derive(Default)]
pub(super) struct Jobs(Mutex<VecDeque<Arc<Job>>>);

impl Jobs {
    /// Keeps a new job, unless too many have not ended.
    pub(super) fn keep(&self, job: Arc<Job>) -> Result<(), String> {
        let mut jobs = lock(&self.0);
        let ended = |job: &Job| lock(&job.state).outcome.clone();
        if jobs.iter().filter(|job| ended(job).is_none()).count() >= MAX_RUNNING {
            return Err(format!(
                "{MAX_RUNNING} runs have not ended: wait for one of them with `result`"
            ));
        }
        let (mut count, mut bytes) = (0, 0);
        // From the newest to the oldest.
        let mut kept: VecDeque<Arc<Job>> = VecDeque::new();
        for old in jobs.drain(..).rev() {
            if let Some(outcome) = ended(&old) {
                (count, bytes) = (count + 1, bytes + outcome.bytes());
                if count > MAX_KEPT || bytes > MAX_BYTES {
                    continue;
                }
            }
            kept.push_front(old);
        }
        kept.push_back(job);
        *jobs = kept;
        Ok(())
    }

    /// The job of that id.
    pub(super) fn find(&self, id: &str) -> Option<Arc<Job>> {
        lock(&self.0).iter().find(|job| job.id() == id).cloned()
    }

    /// The question that a page names, and its job.
    pub(super) fn asked(&self, token: &str) -> Option<(Arc<Job>, Arc<Asked>)> {
        let jobs: Vec<Arc<Job>> = lock(&self.0).iter().cloned().collect();
        jobs.into_iter().find_map(|job| {
            let asked = job
                .questions()
                .into_iter()
                .find(|asked| asked.token == token)?;
            Some((job, asked))
        })
    }

    /// The ids of all, the oldest first.
    pub(super) fn all(&self) -> Vec<Arc<Job>> {
        lock(&self.0).iter().cloned().collect()
    }

    /// Ends all.
    pub(super) fn cancel_all(&self) {
        for job in lock(&self.0).iter() {
            job.cancel();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(id: usize) -> Arc<Job> {
        let job = Job::new();
        job.named(id.to_string());
        job
    }

    fn ended(id: usize, size: usize) -> Arc<Job> {
        let job = job(id);
        job.end(Outcome {
            output: "x".repeat(size),
            ..Outcome::default()
        });
        job
    }

    #[test]
    fn the_oldest_ended_jobs_give_way() {
        let jobs = Jobs::default();
        for id in 0..200 {
            jobs.keep(ended(id, 1)).expect("room");
        }
        assert!(jobs.find("100").is_none());
        assert!(jobs.find("199").is_some());
        assert!(jobs.all().len() <= MAX_KEPT + 1);
        for id in 200..210 {
            jobs.keep(ended(id, MAX_BYTES / 2)).expect("room");
        }
        assert!(jobs.all().len() <= 3, "{}", jobs.all().len());
    }

    #[test]
    fn too_many_that_run_are_refused() {
        let jobs = Jobs::default();
        for id in 0..MAX_RUNNING {
            jobs.keep(job(id)).expect("room");
        }
        assert!(jobs.keep(job(1000)).is_err());
        jobs.find("0").expect("kept").end(Outcome::default());
        assert!(jobs.keep(job(1000)).is_ok());
    }

    #[tokio::test]
    async fn a_question_is_answered_once() {
        let job = job(1);
        let question = Question {
            action: "a".to_owned(),
            params: "{}".to_owned(),
            rules: Vec::new(),
            within: None,
        };
        let asking = tokio::spawn({
            let job = job.clone();
            async move { job.ask(question).await }
        });
        let mut watch = job.watch();
        while job.questions().is_empty() {
            watch.changed().await.expect("the job lives");
        }
        let asked = job.questions().remove(0);
        assert!(asked.answer(Answer::No));
        assert!(!asked.answer(Answer::Yes));
        assert_eq!(asking.await.expect("no panic"), Answer::No);
        assert!(job.questions().is_empty());
    }
}
