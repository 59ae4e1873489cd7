//! How an implementation runs.

pub mod envyr;
mod process;

use std::pin::Pin;

use crate::catalog::Definition;
use crate::failure::ActionError;

/// One call of an implementation.
pub struct Invocation<'a> {
    /// What the team defined.
    pub definition: &'a Definition,
    /// The merged parameters as JSON text.
    pub params: String,
}

/// A future of what an implementation printed.
pub type Execution<'a> = Pin<Box<dyn Future<Output = Result<Vec<u8>, ActionError>> + Send + 'a>>;

/// Something that runs implementations.
pub trait Execute: Send + Sync {
    /// Runs one to its end and returns its stdout. Dropping the future ends what was started.
    fn execute<'a>(&'a self, invocation: Invocation<'a>) -> Execution<'a>;
}
