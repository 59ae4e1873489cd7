//! What one call of an action may use beside its time.

use super::fields::{DefinitionError, Fields, collect_error};
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
    pub(super) fn parse(fields: &mut Fields<'_>, wrong: &mut Vec<DefinitionError>) -> Self {
        let Some(mut inner) = collect_error(wrong, fields.inner("limits")).flatten() else {
            return Self::default();
        };
        let limits = Self {
            memory: collect_error(wrong, inner.size("memory")).flatten(),
            cpu: collect_error(wrong, inner.time("cpu")).flatten(),
        };
        for field in ["file_size", "processes", "open_files"] {
            if inner.value(field).is_some() {
                wrong.push(inner.error(
                    field,
                    "is for native actions: with executor \"wasm\" there is `memory` and `cpu`",
                ));
            }
        }
        wrong.extend(inner.finish());
        limits
    }
}
