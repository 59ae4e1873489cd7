//! From WebAssembly to machine code, and from its bytes to something that runs.
#![expect(unsafe_code, reason = "machine code can only be loaded on trust")]

use wasmtime::Module;
use wasmtime::component::Component;

use super::command::{Compiled, Format};
use super::engine::Engine;

/// A digest of the settings and of the version of wasmtime that the build script found.
pub(super) const SETTINGS: &str = env!("KAEL_WASM_SETTINGS");

/// Compiles a file that may be anything.
#[cfg(feature = "compiler")]
pub(super) fn compile(
    engine: &wasmtime::Engine,
    bytes: &[u8],
    format: Format,
) -> Result<Vec<u8>, String> {
    let code = match format {
        Format::Component => engine.precompile_component(bytes),
        Format::Module => engine.precompile_module(bytes),
    };
    code.map_err(|error| format!("cannot be compiled: {}", super::command::one_line(&error)))
}

/// A build without the compiler runs what another has compiled.
#[cfg(not(feature = "compiler"))]
pub(super) fn compile(_: &wasmtime::Engine, _: &[u8], _: Format) -> Result<Vec<u8>, String> {
    Err(NO_COMPILER.to_owned())
}

/// Why such a build has no machine code for a file.
pub(super) const NO_COMPILER: &str = "is not compiled yet, and this kael-host was built without the compiler: run it once with one that has it, on this data folder";

/// Loads what [`compile`] made; nothing else may be given.
pub(super) fn load(engine: &Engine, code: &[u8], format: Format) -> Result<Compiled, String> {
    let compiled = match format {
        Format::Component => {
            // SAFETY: the bytes come from `compile` in a process that this one started and that may write nothing but
            // them, over a pipe that nothing else has; or from an entry of the cache. An entry is read
            // into memory first, where nobody else can change it, and then checked against a code over all its bytes
            // that only a Kael of this user can have made. wasmtime itself looks at version, settings and processor.
            unsafe { Component::deserialize(&engine.engine, code) }.map(Compiled::Component)
        }
        Format::Module => {
            // SAFETY: as above.
            unsafe { Module::deserialize(&engine.engine, code) }.map(Compiled::Module)
        }
    };
    compiled.map_err(|error| format!("cannot be loaded: {}", super::command::one_line(&error)))
}
