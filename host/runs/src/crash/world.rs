//! The world that runs have effects on: it notes each, and lives longer than they do.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use kael_engine::catalog::Executor;
use kael_engine::executor::{Execute, Execution, ExecutorFactory, Invocation, RepoContext};
use kael_engine::run_info::RunId;

use super::faults::Faults;

/// An action of each kind of effects.
pub(super) const ACTIONS: &str = "
    local function of(effects) return define_action { source = '.', executor = 'native', effects = effects } end
    return { t = { once = of 'once', again = of 'idempotent', none = of 'none', slow = of 'idempotent' } }";

/// One effect: its run, whether it may be begun again, the attempts that began it, and its result.
#[derive(Debug, Default)]
struct Effect {
    run: String,
    name: String,
    begun: Vec<u32>,
    result: Option<String>,
}

/// All effects, by their keys.
#[derive(Default)]
pub(super) struct World {
    effects: Mutex<BTreeMap<String, Effect>>,
    /// The life that goes on now.
    faults: Mutex<Option<Faults>>,
}

impl World {
    fn effects(&self) -> MutexGuard<'_, BTreeMap<String, Effect>> {
        self.effects.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on this life goes on.
    pub(super) fn begin(&self, faults: &Faults) {
        let mut now = self.faults.lock().unwrap_or_else(PoisonError::into_inner);
        *now = Some(faults.clone());
    }

    /// What came of an effect; none if it has not begun.
    pub(super) fn result_of(&self, key: &str) -> Option<String> {
        self.effects().get(key)?.result.clone()
    }

    pub(super) fn is_untouched(&self, run: RunId) -> bool {
        let run = run.to_string();
        self.effects().values().all(|effect| effect.run != run)
    }

    /// Whether the effects of a run are as they may be.
    pub(super) fn check(&self, run: RunId, what: &str) {
        let run = run.to_string();
        for (key, effect) in self
            .effects()
            .iter()
            .filter(|(_, effect)| effect.run == run)
        {
            let begun = &effect.begun;
            if effect.name == "t.once" {
                assert_eq!(begun.len(), 1, "{key}: {effect:?}: {what}");
            }
            // Every attempt has a number of its own.
            assert!(
                begun.is_sorted_by(|one, next| one < next),
                "{key}: {effect:?}: {what}"
            );
            assert!(effect.result.is_some(), "{key}: {effect:?}: {what}");
        }
    }

    /// Forgets all effects: how often one was begun again.
    pub(super) fn forget(&self) -> usize {
        let effects = std::mem::take(&mut *self.effects());
        effects.values().map(|effect| effect.begun.len() - 1).sum()
    }
}

impl Execute for World {
    fn execute<'a>(&'a self, invocation: Invocation<'a>) -> Execution<'a> {
        let now = self.faults.lock().unwrap_or_else(PoisonError::into_inner);
        let faults = now.clone();
        drop(now);
        Box::pin(async move {
            let name = invocation.definition.names[0].to_string();
            let has_effects = name != "t.none";
            // A process that is dead does nothing more, and is soon gone.
            let faults = faults.filter(|faults| has_effects && !faults.is_full());
            let lives = || faults.as_ref().is_none_or(Faults::pass);
            if !lives() {
                std::future::pending::<()>().await;
            }
            if has_effects {
                let run = invocation.call.run.id.to_string();
                let mut effects = self.effects();
                let effect = effects.entry(invocation.call.key()).or_default();
                (effect.run, effect.name) = (run, name.clone());
                effect.begun.push(invocation.call.attempt);
                // The world has it from here on.
                effect.result = Some(invocation.params.clone());
            }
            if !lives() || name == "t.slow" {
                // It has begun, and never says how it ends.
                std::future::pending::<()>().await;
            }
            tokio::task::yield_now().await;
            if !lives() {
                std::future::pending::<()>().await;
            }
            Ok(invocation.params.into_bytes())
        })
    }
}

/// Gives a repo this world.
pub(super) struct Factory(pub(super) Arc<World>);

impl ExecutorFactory for Factory {
    fn executor(&self) -> Executor {
        Executor::Native
    }

    fn for_repo(&self, _: RepoContext) -> Arc<dyn Execute> {
        self.0.clone()
    }
}
