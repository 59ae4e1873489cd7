//! Compiles WebAssembly to machine code, and loads machine code.
#![expect(unsafe_code, reason = "machine code can only be loaded on trust")]

use wasmtime::Module;
use wasmtime::component::Component;

use super::command::{Compiled, Format};
use super::engine::Engine;
use super::file_error::FileError;

/// A digest of the compile settings and of wasmtime's version, made by the build script.
pub(super) const SETTINGS: &str = env!("KAEL_WASM_SETTINGS");

/// Compiles a file that is not trusted.
#[cfg(feature = "compiler")]
pub(super) fn compile(
    engine: &wasmtime::Engine,
    bytes: &[u8],
    format: Format,
) -> Result<Vec<u8>, FileError> {
    let code = match format {
        Format::Component => engine.precompile_component(bytes),
        Format::Module => engine.precompile_module(bytes),
    };
    code.map_err(FileError::Compile)
}

/// A build without the compiler can only run what another build has compiled.
#[cfg(not(feature = "compiler"))]
pub(super) fn compile(_: &wasmtime::Engine, _: &[u8], _: Format) -> Result<Vec<u8>, FileError> {
    Err(FileError::NoCompiler)
}

/// Loads the output of [`compile`]. Callers must pass nothing else.
pub(super) fn load(engine: &Engine, code: &[u8], format: Format) -> Result<Compiled, FileError> {
    let compiled = match format {
        Format::Component => {
            // SAFETY: the bytes come from one of two places. Either from `compile` in a child
            // process that can write nothing else, over a pipe that only the two have. Or from an
            // entry of the cache, which was read into memory, where no other process can change it,
            // and then checked against an HMAC over all its bytes that only a Kael of this user can
            // make. wasmtime itself checks version, settings and processor.
            unsafe { Component::deserialize(&engine.engine, code) }.map(Compiled::Component)
        }
        Format::Module => {
            // SAFETY: as above.
            unsafe { Module::deserialize(&engine.engine, code) }.map(Compiled::Module)
        }
    };
    compiled.map_err(FileError::Load)
}

/// Loads the output of [`compile`] for a predicate. Callers must pass nothing else.
pub(super) fn module(engine: &wasmtime::Engine, code: &[u8]) -> Result<Module, FileError> {
    // SAFETY: as above; predicates are compiled by the same process, and kept in the same cache.
    unsafe { Module::deserialize(engine, code) }.map_err(FileError::Load)
}
