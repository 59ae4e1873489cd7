//! The settings of wasmtime that decide how the guest is compiled. The build script and the engine
//! share them.

use wasmtime::Config;

/// The settings with which the guest must be compiled.
#[must_use]
pub fn engine_config() -> Config {
    let mut config = Config::new();
    // Lua's errors are wasm exceptions.
    config.wasm_exceptions(true);
    // Cheaper than fuel. Every loop and every function checks the epoch, so any code can be
    // interrupted.
    config.epoch_interruption(true);
    // Everything goes through one synchronous import. The async runtime of the component model is
    // new and stays out.
    config.concurrency_support(false);
    // What relaxed instructions round to depends on the processor otherwise, and a run that is
    // replayed must compute the same.
    config.relaxed_simd_deterministic(true);
    // The map gives positions of traps and frames for native debuggers. It takes an eighth of the
    // file, and nothing reads it.
    config.generate_address_map(false);
    config.native_unwind_info(false);
    // Lua counts its own C calls and stops well before this.
    config.max_wasm_stack(1 << 20);
    config.async_stack_size(2 << 20);
    config
}
