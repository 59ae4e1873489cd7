//! The guest, the Lua runtime that every script runs in, as machine code.
//!
//! The build script compiles `guest/kael-guest.wasm` with Cranelift. That takes half a minute, so
//! it has a crate of its own: it runs again only when the guest, the settings in `engine_config`
//! or wasmtime change, and not when a feature of another crate does.
//!
//! The engine that loads the code must have the same settings, so both come from here.

mod engine_config;

pub use engine_config::engine_config;

/// Begins on a page, of the largest size that a supported architecture has: the engine runs the
/// code where it stands in the binary.
#[repr(C, align(65536))]
struct PageAligned<T: ?Sized>(T);

static COMPILED: &PageAligned<[u8]> = &PageAligned(*include_bytes!(concat!(
    env!("OUT_DIR"),
    "/kael-guest.cwasm"
)));

/// SHA-256 of the guest before it was compiled, in hexadecimal: a run goes on with the guest that it began with.
pub const GUEST_SHA256: &str = env!("KAEL_GUEST_SHA256");

/// The compiled component: a file for `wasmtime::component::Component::deserialize`, aligned to a
/// page and never written to.
#[must_use]
pub fn machine_code() -> &'static [u8] {
    &COMPILED.0
}
