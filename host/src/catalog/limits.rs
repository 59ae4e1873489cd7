//! What one call of an action may use beside its time.

use super::fields::{DefinitionError, Fields};
use crate::units::{ByteSize, TimeLimit};

/// The limits of an action's calls; where none is given, that of the executor holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ActionLimits {
    /// Memory of its instance: linear memories and tables together.
    pub memory: Option<ByteSize>,
    /// Time that it computes; waiting is not counted.
    pub cpu: Option<TimeLimit>,
}

impl ActionLimits {
    pub(super) fn parse(fields: &mut Fields<'_>) -> Result<Self, DefinitionError> {
        let Some(mut inner) = fields.inner("limits")? else {
            return Ok(Self::default());
        };
        let limits = Self {
            memory: inner.size("memory")?,
            cpu: inner.time("cpu")?,
        };
        for field in ["file_size", "processes", "open_files"] {
            if inner.has(field) {
                return Err(inner.error(
                    field,
                    "is for native actions: with executor \"wasm\" there is `memory` and `cpu`",
                ));
            }
        }
        inner.finish()?;
        Ok(limits)
    }
}
