//! The component's exports. Each passes its arguments to the Lua state in the snapshot.

use std::cell::RefCell;

use crate::bindings::exports::kael::engine::rules::{Guest as Rules, Rule, RuleInfo};
use crate::bindings::exports::kael::engine::runtime::{
    Chunk, ChunkEnd, Guest as Runtime, LoadedRepo, Module, Repo, Script, ScriptError,
};
use crate::vm::Vm;
use crate::{rules, run, session};

pub(crate) struct Component;

thread_local! {
    /// `init` builds it before the snapshot. The one call of an instance takes it.
    static VM: RefCell<Option<Vm>> = const { RefCell::new(None) };
    /// The state of an open session, or of a rule.
    static SESSION: RefCell<Option<Vm>> = const { RefCell::new(None) };
}

impl crate::bindings::Guest for Component {
    fn init() {
        let vm = Vm::build().expect("the runtime's own Lua code is sound");
        VM.with_borrow_mut(|slot| *slot = Some(vm));
    }
}

fn with_vm<T>(answer: impl FnOnce(&Vm) -> T) -> T {
    let vm = VM
        .with_borrow_mut(Option::take)
        .expect("an instance answers one call");
    crate::gate::open();
    let result = answer(&vm);
    // Closing the state would run finalisers after the call. The host drops the whole memory
    // instead.
    std::mem::forget(vm);
    result
}

fn with_session<T>(answer: impl FnOnce(&Vm) -> T) -> T {
    SESSION.with_borrow(|session| answer(session.as_ref().expect("a session is open")))
}

impl Runtime for Component {
    fn load_repo(modules: Vec<Module>) -> Result<LoadedRepo, ScriptError> {
        with_vm(|vm| run::load_repo(vm, modules))
    }

    fn run_script(repo: Option<Repo>, script: Script) -> Result<Option<String>, ScriptError> {
        with_vm(|vm| run::run_script(vm, repo, &script))
    }

    fn open_session(repo: Option<Repo>, interruptible: bool) -> Result<(), ScriptError> {
        let vm = VM
            .with_borrow_mut(Option::take)
            .expect("an instance answers one call");
        crate::gate::open();
        let opened = session::open(&vm, repo, interruptible);
        SESSION.with_borrow_mut(|session| *session = Some(vm));
        opened
    }

    fn evaluate(chunk: Chunk) -> Result<ChunkEnd, ScriptError> {
        with_session(|vm| session::evaluate(vm, &chunk))
    }

    fn complete(line: String) -> Vec<String> {
        with_session(|vm| session::complete(vm, &line))
    }
}

impl Rules for Component {
    fn open_rule(rule: Rule) -> Result<RuleInfo, ScriptError> {
        let vm = VM
            .with_borrow_mut(Option::take)
            .expect("an instance answers one call");
        crate::gate::open();
        let opened = rules::open(&vm, rule);
        SESSION.with_borrow_mut(|session| *session = Some(vm));
        opened
    }

    fn evaluate_batch(batch: Vec<u8>) -> Vec<u8> {
        with_session(|vm| rules::evaluate(vm, batch))
    }

    fn save_rule() -> Result<Option<Vec<u8>>, ScriptError> {
        with_session(rules::save)
    }

    fn restore_rule(saved: Vec<u8>) -> Result<(), ScriptError> {
        with_session(|vm| rules::restore(vm, &saved))
    }
}
