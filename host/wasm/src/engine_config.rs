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

/// The settings with which predicates of rules must be compiled.
#[allow(dead_code, reason = "the build script includes this file, too")]
pub(crate) fn predicate_config() -> Config {
    let mut config = Config::new();
    // Fuel is the same in every replay, which time is not; epochs bound what fuel does not count.
    config.consume_fuel(true);
    config.epoch_interruption(true);
    config.concurrency_support(false);
    config.wasm_exceptions(true);
    config.relaxed_simd_deterministic(true);
    config.max_wasm_stack(512 << 10);
    config
}
