//! Runs one call in a fresh instance, and reports how it ended.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use wasmtime::Store;
use wasmtime_wasi::WasiView as _;
use wasmtime_wasi::p1::WasiP1Ctx;

use super::command::{Linked, WasiCommand};
use super::engine::Engine;
use super::http::Http;
use super::state::State;
use kael_engine::bounds::{Limiter, Meter, Tick, bound_store};
use kael_engine::units::{ByteSize, TimeLimit};
use kael_net::{NetworkPolicy, Trust};

/// Handles (files, sockets, streams) that an instance may have at once.
const HANDLES: usize = 256;

/// What one call may use besides time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Allowed {
    pub(super) memory: ByteSize,
    pub(super) cpu: Option<TimeLimit>,
}

/// How an instance ended.
pub(super) struct Ended {
    /// The result of `run` or `_start`; true for success.
    pub(super) answer: wasmtime::Result<bool>,
    /// Its computing time, if that exceeded the limit.
    pub(super) over_cpu: Option<Duration>,
    /// The memory size that was refused, if any.
    pub(super) refused: Option<ByteSize>,
}

/// Runs a command to its end. Dropping the future ends the instance.
pub(super) async fn run(
    engine: &Engine,
    command: &WasiCommand,
    mut wasi: WasiP1Ctx,
    network: NetworkPolicy,
    trust: Arc<Trust>,
    allowed: Allowed,
) -> Ended {
    let _running = engine.ticker.run();
    let meter = Meter::new();
    wasi.ctx().table.set_max_capacity(HANDLES);
    let state = State {
        wasi,
        http: Http::new(network.clone(), trust),
        network,
        lookups: HashMap::new(),
        limiter: Limiter::new(allowed.memory),
    };
    let mut store = Store::new(&engine.engine, state);
    let late = {
        let meter = meter.clone();
        move || {
            let used = meter.spent();
            allowed.cpu.is_some_and(|cpu| used >= cpu.duration())
        }
    };
    let looks = late.clone();
    let tick = move |_: &mut State| match looks() {
        true => Tick::End,
        false => Tick::Continue,
    };
    bound_store(&mut store, |state| &mut state.limiter, tick);
    let answer = meter.measure(start(&mut store, command)).await;
    let interrupted = answer
        .as_ref()
        .err()
        .and_then(|error| error.downcast_ref())
        .is_some_and(|trap| matches!(trap, wasmtime::Trap::Interrupt));
    Ended {
        over_cpu: (interrupted && late()).then(|| meter.spent()),
        refused: store.data().limiter.refused(),
        answer,
    }
}

async fn start(store: &mut Store<State>, command: &WasiCommand) -> wasmtime::Result<bool> {
    match &command.linked {
        Linked::Component(component) => {
            let instance = component.instantiate_async(&mut *store).await?;
            let answer = instance.wasi_cli_run().call_run(store).await?;
            Ok(answer.is_ok())
        }
        Linked::Module(module) => {
            let instance = module.instantiate_async(&mut *store).await?;
            let start = instance.get_typed_func::<(), ()>(&mut *store, "_start")?;
            start.call_async(store, ()).await?;
            Ok(true)
        }
    }
}
