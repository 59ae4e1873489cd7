//! The settings of wasmtime for actions: those that decide how a file is compiled, and so which compiled file fits.

use wasmtime::Config;

/// Settings that a compiled action must have been compiled with.
pub(crate) fn engine_config() -> Config {
    let mut config = Config::new();
    // Certain: every loop and every function looks at the epoch.
    config.epoch_interruption(true);
    // What WASI 0.2 has is in plain functions; the young async runtime of the component model stays out.
    config.concurrency_support(false);
    config.wasm_exceptions(true);
    config.max_wasm_stack(1 << 20);
    config.async_stack_size(2 << 20);
    config
}
