//! What a policy wants of the definition of an action, whatever its calls hold.

use super::document::Node;
use super::reader::Table;
use super::{Mistake, SourceKind};
use crate::catalog::{Definition, Executor};
use crate::policy::Source;

/// What one file requires: each with the line that says so.
#[derive(Debug, Clone, Default)]
pub(super) struct Requirements {
    /// Native actions say what they read.
    pub(super) confined_reads: Option<u32>,
}

impl Requirements {
    /// Reads the table behind `require`.
    pub(super) fn read(node: &Node, mistakes: &mut Vec<Mistake>) -> Self {
        let Some(table) = Table::new(node, &["confined_reads"], "`require`", mistakes) else {
            return Self::default();
        };
        let wanted = table.boolean("confined_reads", mistakes);
        let line = table.get("confined_reads").map(|node| node.line);
        Self {
            confined_reads: line.filter(|_| wanted),
        }
    }

    /// What denies every call of an action that lacks something.
    pub(super) fn denial(&self, file: &str) -> Option<Source> {
        let line = self.confined_reads?;
        let rule = "require: confined_reads";
        Some(Source {
            file: Some(file.to_owned()),
            line,
            ..Source::denying(SourceKind::Requirement, rule)
        })
    }
}

/// Whether an action reads what its user may.
#[must_use]
pub fn reads_unconfined(definition: &Definition) -> bool {
    definition.executor == Executor::Native && definition.reads.is_none()
}
