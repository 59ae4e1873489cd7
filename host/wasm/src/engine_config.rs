//! The settings of wasmtime for actions. They decide how a file is compiled, and which compiled
//! files can be used.

use wasmtime::Config;

/// The settings with which actions must be compiled.
pub(crate) fn engine_config() -> Config {
    let mut config = Config::new();
    // Every loop and every function checks the epoch, so any code can be interrupted.
    config.epoch_interruption(true);
    // WASI 0.2 needs only synchronous functions. The async runtime of the component model is new
    // and stays out.
    config.concurrency_support(false);
    config.wasm_exceptions(true);
    config.max_wasm_stack(1 << 20);
    config.async_stack_size(2 << 20);
    config
}
