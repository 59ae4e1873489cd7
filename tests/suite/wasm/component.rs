//! Components for tests, which come as core modules.

/// Makes a component of WASI 0.2 out of a command that is a core module for wasip1.
///
/// # Panics
/// When it is none.
pub(crate) fn component(module: &[u8]) -> Vec<u8> {
    use wasi_preview1_component_adapter_provider::{
        WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, WASI_SNAPSHOT_PREVIEW1_COMMAND_ADAPTER,
    };
    let name = WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME;
    let mut encoder = wit_component::ComponentEncoder::default();
    encoder
        .module(module)
        .and_then(|encoder| encoder.adapter(name, WASI_SNAPSHOT_PREVIEW1_COMMAND_ADAPTER))
        .and_then(|encoder| encoder.encode())
        .expect("a command for wasip1")
}
