//! Bounds one store: its memory by a limiter, and its time by a look at every tick.

use wasmtime::{ResourceLimiter, Store, UpdateDeadline};

/// What happens at a tick.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tick {
    /// What runs lets others run, and goes on.
    Continue,
    /// What runs traps, and no code of the guest's can catch that.
    End,
}

/// Holds all that runs in a store to the limiter in its data, and asks `tick` at every tick of the
/// engine.
pub fn bound_store<T: Send + 'static>(
    store: &mut Store<T>,
    limiter: impl (Fn(&mut T) -> &mut dyn ResourceLimiter) + Send + Sync + 'static,
    mut tick: impl FnMut(&mut T) -> Tick + Send + Sync + 'static,
) {
    store.limiter(limiter);
    store.set_epoch_deadline(1);
    store.epoch_deadline_callback(move |mut store| match tick(store.data_mut()) {
        Tick::End => Ok(UpdateDeadline::Interrupt),
        Tick::Continue => {
            let others = Box::pin(tokio::task::yield_now());
            Ok(UpdateDeadline::YieldCustom(1, others))
        }
    });
}
