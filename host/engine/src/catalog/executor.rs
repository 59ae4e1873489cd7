//! The executors that a definition can name.

/// What runs an implementation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Executor {
    /// envyr runs it as a process of this machine.
    Native,
    /// envyr runs it in a container.
    Docker,
    /// Kael runs it in a WebAssembly instance.
    Wasm,
}

impl Executor {
    /// The name that definitions use.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Docker => "docker",
            Self::Wasm => "wasm",
        }
    }
}
