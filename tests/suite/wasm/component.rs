//! Components for tests, which come as core modules.

/// Makes a WASI 0.2 component from a core module for wasip1.
///
/// # Panics
/// When the module is not a command.
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
