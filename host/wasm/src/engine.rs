//! The wasmtime engine of all WebAssembly actions, made for the first call. Scripts have another
//! engine.

use std::sync::{Arc, OnceLock};

use tokio::sync::Semaphore;
use wasmtime::{InstanceAllocationStrategy, PoolingAllocationConfig, component};

use super::state::State;
use super::{engine_config, http, lookup};
use kael_engine::bounds::Ticker;
use kael_engine::failure::ActionError;

/// Instances at once. The other calls wait, and their timeout has not begun.
const INSTANCES: u32 = 64;
/// Core instances and tables of one component: its modules and the code between them. An
/// interpreter with its libraries has dozens.
const PARTS: u32 = 64;
/// Elements of one table: the functions of a large program. Unused ones take only address space.
const ELEMENTS: usize = 1 << 20;

/// Memories of one component: most have one, components made of two have two.
const MEMORIES: u32 = 2;

/// The engine, its linkers, and its limits.
pub(super) struct Engine {
    pub(super) engine: wasmtime::Engine,
    components: component::Linker<State>,
    /// `components` plus `wasi:http`, made for the first file that imports it.
    with_http: OnceLock<component::Linker<State>>,
    pub(super) modules: wasmtime::Linker<State>,
    pub(super) ticker: Ticker,
    pub(super) turns: Arc<Semaphore>,
}

impl Engine {
    /// Sets up the engine, which takes address space but no memory.
    pub(super) fn new() -> Result<Self, ActionError> {
        Self::set_up().map_err(|error| {
            let message = format!("WebAssembly cannot be run on this machine: {error:#}");
            ActionError::unavailable(message, None)
        })
    }

    /// The linker for components.
    pub(super) fn components(&self, http: bool) -> wasmtime::Result<&component::Linker<State>> {
        if !http {
            return Ok(&self.components);
        }
        if let Some(linker) = self.with_http.get() {
            return Ok(linker);
        }
        let mut linker = self.components.clone();
        http::add_to_linker(&mut linker)?;
        Ok(self.with_http.get_or_init(|| linker))
    }

    fn set_up() -> wasmtime::Result<Self> {
        let mut pool = PoolingAllocationConfig::default();
        pool.total_component_instances(INSTANCES)
            .total_core_instances(INSTANCES * PARTS)
            .max_core_instances_per_component(PARTS)
            .total_memories(INSTANCES * MEMORIES)
            .max_memories_per_component(MEMORIES)
            .total_tables(INSTANCES * PARTS)
            .max_tables_per_component(PARTS)
            .table_elements(ELEMENTS)
            .total_stacks(INSTANCES)
            .total_gc_heaps(INSTANCES)
            .max_memory_size(4 << 30);
        let mut config = engine_config::engine_config();
        config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
        let engine = wasmtime::Engine::new(&config)?;
        let mut components = component::Linker::new(&engine);
        wasmtime_wasi::p2::add_to_linker_async(&mut components)?;
        components.allow_shadowing(true);
        lookup::add_to_linker(&mut components)?;
        let mut modules = wasmtime::Linker::new(&engine);
        wasmtime_wasi::p1::add_to_linker_async(&mut modules, |state: &mut State| &mut state.wasi)?;
        let ticker = Ticker::start(&engine)?;
        Ok(Self {
            engine,
            components,
            with_http: OnceLock::new(),
            modules,
            ticker,
            turns: Arc::new(Semaphore::new(INSTANCES as usize)),
        })
    }
}
