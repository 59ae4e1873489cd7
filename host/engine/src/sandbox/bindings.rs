//! The boundary as Rust types, generated from `wit/`.
#![allow(missing_docs, unreachable_pub, clippy::all, reason = "generated")]

wasmtime::component::bindgen!({
    path: "../../wit",
    world: "guest",
    imports: { default: async | trappable },
    exports: { default: async },
});
