//! The executors and languages that a definition can name.

/// What runs an implementation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Executor {
    /// envyr runs it as a process of this machine.
    Native,
    /// envyr runs it in a container.
    Docker,
    /// Kael runs it in a WebAssembly instance.
    Wasm,
    /// Kael does it itself: an action of the standard library. No definition can name it.
    Builtin,
    /// A server of the Model Context Protocol runs it: it is one of its tools.
    Mcp,
}

impl Executor {
    /// The name that definitions use.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Docker => "docker",
            Self::Wasm => "wasm",
            Self::Builtin => "builtin",
            Self::Mcp => "mcp",
        }
    }
}

/// The language of an entry point, in envyr's terms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// Runs in a virtual environment of the source's own.
    Python,
    /// Runs after `npm install`.
    Node,
    /// Runs in a shell.
    Shell,
    /// Runs under the interpreter that the definition names.
    Other,
}

impl Language {
    /// The name that definitions and envyr's `--type` use.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Python => "python",
            Self::Node => "node",
            Self::Shell => "shell",
            Self::Other => "other",
        }
    }
}
