//! What one call of an action may use besides time.

use super::error::DefinitionError;
use super::fields::{Fields, collect_error};
use crate::units::{ByteSize, TimeLimit};

/// The limits of one call. A missing limit is that of the executor.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ActionLimits {
    /// Memory of the instance: linear memories and tables together.
    pub memory: Option<ByteSize>,
    /// Computing time; waiting does not count.
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
