//! Why a WebAssembly file cannot be compiled, loaded or linked.

use std::io;

use thiserror::Error;

/// Each message follows the file's name.
#[derive(Debug, Error)]
pub enum FileError {
    /// It is neither a component nor a module, or of an unknown version.
    #[error("is of no format that is known")]
    Format,
    /// The compiler refuses it.
    #[error("cannot be compiled: {}", one_line(.0))]
    Compile(wasmtime::Error),
    /// It cannot be read, or its machine code cannot be written.
    #[error("cannot be compiled: {0}")]
    Io(#[from] io::Error),
    /// This build has no compiler.
    #[error(
        "is not compiled yet, and this kael-host was built without the compiler: run it once with \
         one that has it, on this data folder"
    )]
    NoCompiler,
    /// wasmtime refuses its machine code.
    #[error("cannot be loaded: {}", one_line(.0))]
    Load(wasmtime::Error),
    /// It imports unknown interfaces.
    #[error("imports what Kael does not have: {}", .0.join(", "))]
    Imports(Vec<String>),
    /// It is a component without the entry point of a command.
    #[error("exports no `wasi:cli/run@0.2`: it is not a command")]
    NoRun,
    /// It is a module without the entry point of a command.
    #[error("exports no function `_start`: it is not a command")]
    NoStart,
    /// wasmtime refuses to link it.
    #[error("cannot be linked: {}", one_line(.0))]
    Link(wasmtime::Error),
}

/// An error and its causes, on one line of at most 500 characters.
pub(super) fn one_line(error: &wasmtime::Error) -> String {
    let text = format!("{error:#}");
    let words: Vec<_> = text.split_whitespace().collect();
    words.join(" ").chars().take(500).collect()
}
