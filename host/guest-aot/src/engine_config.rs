//! The settings of wasmtime that decide how the guest is compiled: the same in the build script and in the engine.

use wasmtime::Config;

/// Settings that the compiled guest must have been compiled with.
#[must_use]
pub fn engine_config() -> Config {
    let mut config = Config::new();
    // Lua's errors are wasm exceptions.
    config.wasm_exceptions(true);
    // Cheaper than fuel, and certain: every loop and every function looks at the epoch.
    config.epoch_interruption(true);
    // One plain synchronous import carries everything; the young async runtime of the component model stays out.
    config.concurrency_support(false);
    // Where in a function it trapped, and frames for native debuggers: an eighth of the file, and nothing here reads it.
    config.generate_address_map(false);
    config.native_unwind_info(false);
    // Lua counts its own C calls and stops well before this.
    config.max_wasm_stack(1 << 20);
    config.async_stack_size(2 << 20);
    config
}
