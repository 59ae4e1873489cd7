//! One call: an instance, what it may use, and the end of it. It is never used twice.

use std::sync::Arc;
use std::time::Duration;

use wasmtime::Store;
use wasmtime_wasi::p1::WasiP1Ctx;
use wasmtime_wasi::{WasiCtxView, WasiView};

use super::command::{Command, Kind};
use super::engine::Engine;
use super::http::{Http, Trust};
use super::lookup::Asked;
use super::network_policy::NetworkPolicy;
use kael_engine::bounds::{Limiter, Meter, Tick, bound_store};
use kael_engine::units::{ByteSize, TimeLimit};

/// Handles that an instance may hold at the same time: open files, sockets, streams.
const HANDLES: usize = 256;

/// What the host keeps for one instance.
pub(super) struct State {
    pub(super) wasi: WasiP1Ctx,
    pub(super) reach: NetworkPolicy,
    pub(super) asked: Asked,
    pub(super) http: Http,
    limiter: Limiter,
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        self.wasi.ctx()
    }
}

/// What one call may use beside its time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Allowed {
    pub(super) memory: ByteSize,
    pub(super) cpu: Option<TimeLimit>,
}

/// How an instance ended.
pub(super) struct Ended {
    /// What its `run` or `_start` came to; true for success.
    pub(super) answer: wasmtime::Result<bool>,
    /// What it had computed when that was more than it may.
    pub(super) over_cpu: Option<Duration>,
    /// The memory that it asked for and was refused.
    pub(super) refused: Option<ByteSize>,
}

/// Runs a command to its end. Dropping the future ends the instance.
pub(super) async fn run(
    engine: &Engine,
    command: &Command,
    mut wasi: WasiP1Ctx,
    reach: NetworkPolicy,
    trust: Arc<Trust>,
    allowed: Allowed,
) -> Ended {
    let _running = engine.ticker.run();
    let meter = Meter::new();
    wasi.ctx().table.set_max_capacity(HANDLES);
    let state = State {
        wasi,
        http: Http::new(reach.clone(), trust),
        reach,
        asked: Asked::new(),
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

async fn start(store: &mut Store<State>, command: &Command) -> wasmtime::Result<bool> {
    match &command.kind {
        Kind::Component(component) => {
            let instance = component.instantiate_async(&mut *store).await?;
            let answer = instance.wasi_cli_run().call_run(store).await?;
            Ok(answer.is_ok())
        }
        Kind::Module(module) => {
            let instance = module.instantiate_async(&mut *store).await?;
            let start = instance.get_typed_func::<(), ()>(&mut *store, "_start")?;
            start.call_async(store, ()).await?;
            Ok(true)
        }
    }
}
