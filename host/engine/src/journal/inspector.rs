//! Who looks at a run in the state in which its journal leaves it, and has Lua evaluated there.

use std::pin::Pin;

use serde::Deserialize;

/// What became of the last input.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Inspected {
    /// There was none: the run is where its journal leaves it.
    Begin,
    /// It was evaluated, and what it had to show was shown.
    Done,
    /// More input could complete it.
    Incomplete,
    /// It is no Lua, or raised an error.
    Failed {
        /// The error.
        message: String,
    },
}

/// What is to be evaluated.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Input {
    /// Lua.
    pub source: String,
    /// The number of its first line.
    pub line: u32,
}

/// A future of the next input; none ends the look.
pub type Inspecting<'a> = Pin<Box<dyn Future<Output = Option<Input>> + Send + 'a>>;

/// Gives the inputs.
pub trait Inspector: Send + Sync {
    /// The next one, after what became of the last.
    fn next(&self, last: Inspected) -> Inspecting<'_>;
}
