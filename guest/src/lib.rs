//! The Lua runtime of Kael: a Lua interpreter in a component that can do one thing to the world, call `run-action`.
//!
//! It is compiled to wasm by `guest/builder` and natively for its unit tests.

mod convert;
mod exported;
mod gate;
mod natives;
mod run;
mod suggest;
mod vm;

#[cfg(target_arch = "wasm32")]
mod alloc;
#[cfg(target_arch = "wasm32")]
mod nowasi;

#[allow(
    unsafe_code,
    unreachable_pub,
    clippy::all,
    clippy::undocumented_unsafe_blocks,
    clippy::allow_attributes_without_reason,
    reason = "generated from wit/ by wit-bindgen"
)]
mod bindings {
    wit_bindgen::generate!({ world: "guest", path: "../wit", pub_export_macro: true });
    use super::exported::Component;
    export!(Component);
}

#[cfg(test)]
mod tests;
