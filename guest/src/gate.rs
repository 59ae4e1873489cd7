//! The guest's side of `run-action`: numbers calls, and keeps completions that arrive while it
//! waits for another call.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;

use crate::bindings::kael::engine::actions::{ActionError, Call, Completion};

/// The result of a call as JSON text, or its error.
pub(crate) type Outcome = Result<String, ActionError>;

thread_local! {
    /// Set when the instance runs for the host. While the snapshot is made, there is no host to
    /// call.
    static OPEN: Cell<bool> = const { Cell::new(false) };
    static NEXT_ID: Cell<u32> = const { Cell::new(0) };
    static CANCEL: RefCell<Vec<u32>> = const { RefCell::new(Vec::new()) };
    static COMPLETED: RefCell<VecDeque<(u32, Outcome)>> = const { RefCell::new(VecDeque::new()) };
}

/// From now on there is a host.
pub(crate) fn open() {
    OPEN.set(true);
}

pub(crate) fn is_open() -> bool {
    OPEN.get()
}

/// How many calls were made.
pub(crate) fn calls() -> u32 {
    NEXT_ID.get()
}

/// The number of the completion by which the host says that the run is looked at, and goes on no further.
const LOOK: u32 = u32::MAX;

fn enter(submit: &[Call], wait: bool) -> Vec<Completion> {
    let completions = CANCEL.with_borrow_mut(|cancel| {
        let completions = transport::run_action(submit, cancel, wait);
        cancel.clear();
        completions
    });
    if completions.iter().any(|one| one.id == LOOK) {
        #[cfg(target_arch = "wasm32")]
        crate::running_thread::look();
    }
    completions
}

fn next_call(name: String, params: String) -> Call {
    let id = NEXT_ID.get();
    NEXT_ID.set(id.wrapping_add(1));
    Call { id, name, params }
}

/// Calls the host. Keeps all completions except that of `id`, which it returns.
fn enter_for(id: u32, submit: &[Call], wait: bool) -> Option<Outcome> {
    let mut mine = None;
    for completion in enter(submit, wait) {
        if completion.id == id {
            mine = Some(completion.outcome);
        } else {
            COMPLETED.with_borrow_mut(|kept| kept.push_back((completion.id, completion.outcome)));
        }
    }
    mine
}

/// Runs an action, and waits for it.
pub(crate) fn call(name: String, params: String) -> Outcome {
    let call = next_call(name, params);
    let id = call.id;
    let mut submit = Some(call);
    loop {
        if let Some(outcome) = enter_for(id, submit.take().as_slice(), true) {
            return outcome;
        }
    }
}

/// Starts an action. Returns its outcome if it completed at once, otherwise its number.
pub(crate) fn submit(name: String, params: String) -> Result<u32, Outcome> {
    let call = next_call(name, params);
    let id = call.id;
    enter_for(id, &[call], false).map_or(Ok(id), Err)
}

/// Waits until a submitted action has completed.
pub(crate) fn wait() -> (u32, Outcome) {
    loop {
        if let Some(done) = COMPLETED.with_borrow_mut(VecDeque::pop_front) {
            return done;
        }
        let arrived = enter(&[], true);
        COMPLETED
            .with_borrow_mut(|kept| kept.extend(arrived.into_iter().map(|c| (c.id, c.outcome))));
    }
}

/// Cancels a submitted call. The host learns of it at the next `run-action`.
pub(crate) fn cancel(id: u32) {
    CANCEL.with_borrow_mut(|cancel| cancel.push(id));
}

/// Calls the host, so that cancelled calls end now.
pub(crate) fn flush_cancelled() {
    if CANCEL.with_borrow(Vec::is_empty) {
        return;
    }
    let arrived = enter(&[], false);
    COMPLETED.with_borrow_mut(|kept| kept.extend(arrived.into_iter().map(|c| (c.id, c.outcome))));
}

/// The time in seconds since the epoch, and the CPU time of the run in seconds. Zero before a run
/// begins.
pub(crate) fn clock() -> (f64, f64) {
    #[derive(serde::Deserialize)]
    struct Answer {
        wall: f64,
        cpu: f64,
    }
    if !is_open() {
        return (0.0, 0.0);
    }
    let answer = call("kael.clock".to_owned(), String::new()).ok();
    let clock: Option<Answer> = answer.and_then(|text| serde_json::from_str(&text).ok());
    clock.map_or((0.0, 0.0), |clock| (clock.wall, clock.cpu))
}

#[cfg(target_arch = "wasm32")]
mod transport {
    pub(super) use crate::bindings::kael::engine::actions::run_action;
}

#[cfg(not(target_arch = "wasm32"))]
pub(crate) mod transport {
    //! In unit tests, a closure stands for the host.

    use std::cell::RefCell;

    use super::{Call, Completion};

    type Host = Box<dyn FnMut(&[Call], &[u32], bool) -> Vec<Completion>>;

    thread_local! {
        static HOST: RefCell<Option<Host>> = const { RefCell::new(None) };
    }

    #[cfg(test)]
    pub(crate) fn answer_with(host: Host) {
        HOST.set(Some(host));
    }

    pub(super) fn run_action(submit: &[Call], cancel: &[u32], wait: bool) -> Vec<Completion> {
        HOST.with_borrow_mut(|host| host.as_mut().expect("a host was set")(submit, cancel, wait))
    }
}
